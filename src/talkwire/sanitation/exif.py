"""The one thing in EXIF that is part of the picture: how it is to be turned. Pure.

Source: TIFF 6.0, section 2; EXIF 2.3, 4.6.4 (Orientation).
"""

import struct

_ORIENTATION = 0x0112
_SHORT = 3
_ENTRIES = 512
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def orientation_of(tiff: bytes) -> int:
    """1 to 8; 1 when nothing sensible is said. Looks at the first directory only, and follows no other."""
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:  # noqa: PLR2004
        return 1
    (start,) = struct.unpack(f"{order}I", tiff[4:8])
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack(f"{order}H", tiff[start : start + 2])
    for at in range(start + 2, start + 2 + 12 * min(count, _ENTRIES), 12):
        entry = tiff[at : at + 12]
        if len(entry) < 12:  # noqa: PLR2004
            return 1
        tag, kind, values, value = struct.unpack(f"{order}HHIH", entry[:10])
        if tag == _ORIENTATION:
            return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1  # noqa: PLR2004
    return 1
