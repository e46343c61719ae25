"""Single byte ranges. Pure. Source: RFC 9110, section 14."""

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=\s*(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)


class Range(NamedTuple):
    """`length` bytes from `start`."""

    start: int
    length: int


class RangeUnsatisfiable(Exception):
    """Nothing of the object lies in the range: 416."""


def parse_range(header: str, size_bytes: int) -> Range | None:
    """What a Range header asks of an object; None means all of it.

    Several ranges, other units and nonsense mean all, as the RFC allows. Raises RangeUnsatisfiable.
    """
    found = _RANGE.fullmatch(header)
    if found is None or not (found["first"] or found["last"]):
        return None
    if not found["first"]:
        length = min(int(found["last"]), size_bytes)
        start = size_bytes - length
    else:
        start = int(found["first"])
        last = int(found["last"]) if found["last"] else size_bytes - 1
        if found["last"] and last < start:
            return None
        length = min(last, size_bytes - 1) - start + 1
    if length < 1:
        raise RangeUnsatisfiable
    return Range(start, length)
