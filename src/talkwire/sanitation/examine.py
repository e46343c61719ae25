"""Which reader examines which bytes. Pure."""

from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.gif import examine_gif
from talkwire.sanitation.headers import Header, kind_of
from talkwire.sanitation.jpeg import examine_jpeg
from talkwire.sanitation.model import Limits, Reason
from talkwire.sanitation.png import examine_png
from talkwire.sanitation.sniff import ImageType

_READERS = {ImageType.JPEG: examine_jpeg, ImageType.PNG: examine_png, ImageType.GIF: examine_gif}


def examine(data: bytes, limits: Limits) -> Header:
    """Read a picture's structure from end to end, without decoding it. Raises Rejected."""
    header = _READERS[kind_of(data)](data, limits)
    if header.held_bytes > limits.memory_bytes:
        raise Rejected(Reason.TOO_COSTLY, f"needs {header.held_bytes} bytes at once")
    return header
