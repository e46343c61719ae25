"""A wish to the file system: what lies in the folders of this one has nothing to do with each other.

ext4 then puts them into different parts of the disk. Otherwise all objects share one part, whose table of files is
looked through from its beginning for each new one, past all that were deleted in the last minutes: with 100 files
that come, are rebuilt and go each second, an eighth of the server's time. Only what is made afterwards is spread.

Source: Linux manual pages chattr(1), attribute T, and ioctl_iflags(2).
"""

import contextlib
import os
import struct
import sys
from pathlib import Path

if sys.platform.startswith("linux"):
    import fcntl

_LONG = struct.Struct("l")
_GET_FLAGS = 0x80006601 | _LONG.size << 16
_SET_FLAGS = 0x40006602 | _LONG.size << 16
_TOP = 0x00020000  # FS_TOPDIR_FL


def spread(folder: Path) -> None:
    """Where the file system knows no such wish, nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            flags = _flags_of(descriptor)
            if not flags & _TOP:
                fcntl.ioctl(descriptor, _SET_FLAGS, _LONG.pack(flags | _TOP))
        finally:
            os.close(descriptor)


def is_spread(folder: Path) -> bool:
    """Whether the file system took note. Raises OSError where it has no such flags."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return bool(_flags_of(descriptor) & _TOP)
    finally:
        os.close(descriptor)


def _flags_of(descriptor: int) -> int:
    """Raises OSError."""
    (flags,) = _LONG.unpack(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(_LONG.size)))
    return int(flags)
