"""How files says no. Source: docs/protocol.md 9.6 (codes), 9.4 (storage endpoint)."""

from talkwire.kernel.errors import (
    Invalid,
    NotAllowed,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)


class FileSizeMissing(Invalid):
    """The claimed size is not a positive whole number."""

    number = 1

    def __init__(self) -> None:
        super().__init__("fileSize must be a positive integer")


class FileTooLarge(Invalid):
    number = 2

    def __init__(self, size_bytes: int, max_bytes: int) -> None:
        super().__init__(f"file too large: {size_bytes} bytes, at most {max_bytes}")
        self.size_bytes = size_bytes
        self.max_bytes = max_bytes


class FileTypeNotAllowed(Invalid):
    number = 3

    def __init__(self, file_type: str) -> None:
        super().__init__(f"file type not supported: {file_type[:20]}")
        self.file_type = file_type


class UnusableFile(Invalid):
    """Unknown, foreign, unreadable, not an image or too large: from outside all the same."""

    number = 4

    def __init__(self) -> None:
        super().__init__("Bad Request - check file size and that it is not corrupted")


class PreviewUnusable(Invalid):
    number = 5

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"preview must be base64 of less than {max_bytes} bytes")


class FileMayNotResume(Invalid):
    """A file may not be the first event of this resumed conversation."""

    number = 6

    def __init__(self) -> None:
        super().__init__("this conversation cannot be resumed by a file")


class FileSharingOff(NotAllowed):
    number = 1

    def __init__(self) -> None:
        super().__init__("file sharing is switched off for this account")


class MaySendNoFiles(NotAllowed):
    number = 2

    def __init__(self) -> None:
        super().__init__("no privilege to send files")


class FileNotFound(NotFound):
    """Unknown, never uploaded, foreign, or not allowed to be seen: from outside all the same."""

    number = 1
    v2_as_internal_error = True
    """COMPAT: on v2 sockets dispatch answers 500 (50001): a published bot example survives only that.
    Source: docs/protocol.md 9.6.
    """

    def __init__(self) -> None:
        super().__init__("file not found")


class NotJudgedYet(Unavailable):
    number = 1

    def __init__(self) -> None:
        super().__init__("the file is still being checked, try again")


class TooManySlots(TooMany):
    """Too many unspent upload URLs."""

    def __init__(self, limit: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"more than {limit} unused upload URLs, try again in {retry_after_seconds} s", retry_after_seconds
        )


class UploadsTooFast(TooMany):
    """Too many upload URLs asked for within a minute."""

    def __init__(self, limit: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"more than {limit} upload URLs in a minute, try again in {retry_after_seconds} s",
            retry_after_seconds,
        )


class QuotaUsedUp(TooMany):
    """What may be uploaded on one day is used up; `limit` is the account property that says how much it is."""

    def __init__(self, limit: str, value: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"{limit} is {value} a day and used up, try again in {retry_after_seconds} s", retry_after_seconds
        )
        self.limit = limit


class TempUrlInvalid(Unauthenticated):
    """Missing, forged, altered, expired or spent."""

    def __init__(self) -> None:
        super().__init__("401 Unauthorized: Temp URL invalid")


class BodyTooLarge(TooLarge):
    """The bytes themselves went over the limit; nothing of them was kept."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"413 Request Entity Too Large: at most {max_bytes} bytes")


class UploadTooSlow(Invalid):
    """The sender fell under the least rate, or took too long in all. HTTP says 408."""

    def __init__(self, least_bytes_per_second: int, longest_seconds: float) -> None:
        super().__init__(
            f"408 Request Timeout: at least {least_bytes_per_second} bytes a second, at most {longest_seconds:g} s"
        )


class TooManyUploads(TooMany):
    """`whose`: the uploads that are counted, as in `of one account`; empty for all there are."""

    def __init__(self, limit: int, whose: str = "") -> None:
        super().__init__(f"429 Too Many Requests: at most {limit} uploads{whose and ' '}{whose} at once")
        self.limit = limit
