"""Bodies of file requests. Source: docs/protocol.md 9.2, 9.3."""

import msgspec


class GenerateUrlForUploadFile(msgspec.Struct, rename="camel"):
    """`file_size` is bytes; clients send "1000" and 1000."""

    file_size: int | None = None
    file_type: str | None = None


class GenerateUrlForDownloadFile(msgspec.Struct, rename="camel"):
    relative_path: str


class TempUrlParameters(msgspec.Struct):
    """Both are text on the wire: hex, and unix seconds."""

    temp_url_sig: str
    temp_url_expires: str


class GenerateUrlResponse(msgspec.Struct, rename="camel"):
    relative_path: str
    query_params: TempUrlParameters
