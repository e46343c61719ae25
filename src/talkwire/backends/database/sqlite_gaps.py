"""What SQLite leaves between the rows: copies of what once stood in a page.

With `secure_delete` a deleted row is overwritten where it lies. But when a page is built anew, because rows moved
to its neighbour, the room that becomes free keeps its old bytes until something else needs it. Such a gap belongs
to nobody: here it is overwritten in the file itself, at a moment when nobody else writes to it.
Source: "Database File Format", B-tree Pages (sqlite.org/fileformat2.html).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

PAGES_AT_ONCE = 512
MOST_PAGES = 2**24
"""Beyond it, a page that only holds the rest of a long row could look like one that holds rows."""

_FILE_HEADER_BYTES = 100
_PAGE_SIZE_AT = 16
_RESERVED_AT = 20
_INTERIOR, _LEAF = {2, 5}, {10, 13}


def gap_in(page: bytes, *, is_first: bool = False, reserved: int = 0) -> tuple[int, int] | None:
    """Where a page of rows has unused room: from, to. None for other pages, and for what looks odd."""
    at = _FILE_HEADER_BYTES if is_first else 0
    kind = page[at]
    if kind not in _INTERIOR and kind not in _LEAF:
        return None
    cells = int.from_bytes(page[at + 3 : at + 5])
    low = at + (12 if kind in _INTERIOR else 8) + 2 * cells
    high = int.from_bytes(page[at + 5 : at + 7]) or 65_536
    return (low, high) if low <= high <= len(page) - reserved else None


def is_plausible(page: bytes, gap: tuple[int, int], *, is_first: bool = False) -> bool:
    """Whether every row lies behind the gap, as it must."""
    low, high = gap
    at = _FILE_HEADER_BYTES if is_first else 0
    cells = int.from_bytes(page[at + 3 : at + 5])
    return all(high <= int.from_bytes(page[i : i + 2]) < len(page) for i in range(low - 2 * cells, low, 2))


class Gaps:
    """The gaps of one file. Its descriptor stays open as long as SQLite's do: closing one drops their locks."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._file)

    def find(self) -> list[int]:
        """Pages (counted from 0) whose gap holds anything. Reads the whole file."""
        size, reserved = self._shape()
        zeros = bytes(size)
        found = []
        for number, page in self._pages(size):
            gap = gap_in(page, is_first=number == 0, reserved=reserved)
            if gap is not None and page[gap[0] : gap[1]] != zeros[: gap[1] - gap[0]]:
                found.append(number)
        return found if len(found) < MOST_PAGES else []

    def clear(self, pages: Sequence[int]) -> None:
        """Overwrite their gaps; `sync` makes it last. Only while the log is empty and nobody writes."""
        size, reserved = self._shape()
        for number in pages:
            page = os.pread(self._file, size, number * size)
            gap = gap_in(page, is_first=number == 0, reserved=reserved) if len(page) == size else None
            if gap is not None and is_plausible(page, gap, is_first=number == 0):
                os.pwrite(self._file, bytes(gap[1] - gap[0]), number * size + gap[0])

    def sync(self) -> None:
        os.fsync(self._file)

    def _shape(self) -> tuple[int, int]:
        header = os.pread(self._file, _FILE_HEADER_BYTES, 0)
        size = int.from_bytes(header[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2])
        return (65_536 if size == 1 else size), header[_RESERVED_AT]

    def _pages(self, size: int) -> Iterator[tuple[int, bytes]]:
        pages = os.fstat(self._file).st_size // size
        for start in range(0, min(pages, MOST_PAGES), PAGES_AT_ONCE):
            run = os.pread(self._file, PAGES_AT_ONCE * size, start * size)
            for offset in range(0, len(run) - size + 1, size):
                yield start + offset // size, run[offset : offset + size]
