"""What SQLite leaves between the rows: copies of what once stood in a page.

With `secure_delete` a deleted row is overwritten where it lies. But when a page is built anew, because rows moved
to its neighbour, the room that becomes free keeps its old bytes until something else needs it. Such a gap belongs
to nobody: here it is overwritten in the file itself. Why that cannot harm the database:

- Only what lies between a page's list of rows and its first row is written: SQLite reads none of it.
- Only pages of rows are written. Of the other kinds, those that begin with a page's number (the rest of a long row,
  lists of free pages) begin with the bytes 0 or 1 in a file of less than `MOST_PAGES`; maps of pages are in
  databases with `auto_vacuum` only, which are left alone. A free page may be written: its bytes mean nothing.
- Nobody moves rows meanwhile: the caller holds SQLite's own write lock, with the log empty, so that no connection
  of any process writes to the file (`Scrubber`). What readers hold in memory of a gap they do not look at.
- Power may go at any moment: a sector has its old bytes or its new ones, which differ in the gap alone.

Source: "Database File Format", B-tree Pages, Pointer Map Pages (sqlite.org/fileformat2.html).
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PAGES_AT_ONCE = 512
MOST_PAGES = 2**25
"""64 GiB. Beyond it, a page that only holds the rest of a long row could look like one that holds rows."""

PAGES_BETWEEN_LOOKS = 16

_MAGIC = b"SQLite format 3\0"
_FILE_HEADER_BYTES = 100
_PAGE_SIZE_AT = 16
_RESERVED_AT = 20
_AUTO_VACUUM_AT = 52
_INTERIOR, _LEAF = {2, 5}, {10, 13}


class NotOurs(Exception):
    """A file of another make than ours, or too large: its gaps are left alone. The message says why."""


def gap_in(page: bytes, *, is_first: bool = False) -> tuple[int, int] | None:
    """Where a page of rows has unused room: from, to. None for other pages, and for what looks odd."""
    at = _FILE_HEADER_BYTES if is_first else 0
    kind = page[at]
    if kind not in _INTERIOR and kind not in _LEAF:
        return None
    cells = int.from_bytes(page[at + 3 : at + 5])
    low = at + (12 if kind in _INTERIOR else 8) + 2 * cells
    high = int.from_bytes(page[at + 5 : at + 7]) or 65_536
    return (low, high) if low <= high <= len(page) else None


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
        """Pages (counted from 0) whose gap holds anything. Reads the whole file. Raises NotOurs, OSError."""
        size, pages = self._shape()
        zeros = bytes(size)
        found = []
        for number, page in self._pages(size, pages):
            gap = gap_in(page, is_first=number == 0)
            if gap is not None and page[gap[0] : gap[1]] != zeros[: gap[1] - gap[0]]:
                found.append(number)
        return found

    def clear(self, pages: Sequence[int], seconds: float = 3600) -> Sequence[int]:
        """Overwrite their gaps until the time is over; gives the pages that are left. `sync` makes it last.

        The caller holds the database's write lock and found its log empty. Raises NotOurs, OSError.
        """
        size, _ = self._shape()
        until = time.monotonic() + seconds
        for done, number in enumerate(pages):
            if done % PAGES_BETWEEN_LOOKS == 0 and done and time.monotonic() > until:
                return pages[done:]
            page = os.pread(self._file, size, number * size)
            gap = gap_in(page, is_first=number == 0) if len(page) == size else None
            if gap is not None and is_plausible(page, gap, is_first=number == 0):
                os.pwrite(self._file, bytes(gap[1] - gap[0]), number * size + gap[0])
        return ()

    def sync(self) -> None:
        os.fsync(self._file)

    def _shape(self) -> tuple[int, int]:
        """How large a page is, and how many there are. Raises NotOurs."""
        header = os.pread(self._file, _FILE_HEADER_BYTES, 0)
        size = int.from_bytes(header[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2])
        size = 65_536 if size == 1 else size
        pages = os.fstat(self._file).st_size // size if size else 0
        if not header.startswith(_MAGIC) or header[_RESERVED_AT] or any(header[_AUTO_VACUUM_AT:][:4]):
            raise NotOurs("its pages hold something beside rows")
        if pages >= MOST_PAGES:
            raise NotOurs("it is too large")
        return size, pages

    def _pages(self, size: int, pages: int) -> Iterator[tuple[int, bytes]]:
        for start in range(0, pages, PAGES_AT_ONCE):
            run = os.pread(self._file, PAGES_AT_ONCE * size, start * size)
            for offset in range(0, len(run) - size + 1, size):
                yield start + offset // size, run[offset : offset + size]
