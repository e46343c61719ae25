"""Refusals across the socket pair: what the storage endpoint tells apart arrives as what it was."""

from talkwire.files import errors as files
from talkwire.kernel import errors as kernel
from talkwire.kernel.errors import TalkwireError, TooMany
from talkwire.storage.wire import Refusal

_CLASSES: dict[str, type[TalkwireError]] = {
    kind.__name__: kind
    for kind in (
        files.TempUrlInvalid,
        files.FileNotFound,
        files.NotJudgedYet,
        files.UploadTooSlow,
        files.BodyTooLarge,
        files.TooManyUploads,
        kernel.Invalid,
        kernel.Unauthenticated,
        kernel.NotAllowed,
        kernel.NotFound,
        kernel.Conflict,
        kernel.TooMany,
        kernel.TooLarge,
        kernel.StorageFull,
        kernel.Unavailable,
    )
}


def pack(refusal: TalkwireError) -> Refusal:
    """What is sent of a refusal; one that no class here fits is sent as Unavailable."""
    names = (kind.__name__ for kind in type(refusal).__mro__)
    name = next((name for name in names if name in _CLASSES), kernel.Unavailable.__name__)
    wait = refusal.retry_after_seconds if isinstance(refusal, TooMany) else 0
    return Refusal(name, str(refusal), wait)


def unpack(sent: Refusal) -> TalkwireError:
    """The refusal again, with the text of the one that was sent."""
    kind = _CLASSES.get(sent.name, kernel.Unavailable)
    refusal = kind.__new__(
        kind, sent.text
    )  # each class has an `__init__` of its own; the text is made already
    if isinstance(refusal, TooMany):
        refusal.retry_after_seconds = sent.retry_after_seconds
    return refusal
