"""Pictures that were cut off, or in which a bit fell over."""

import random
from collections.abc import Callable, Iterator

from corpus.case import Case, refused
from corpus.parts import gif, jpeg, png
from talkwire.sanitation.model import Reason

_CUT = (Reason.TRUNCATED, Reason.CORRUPT, Reason.MALFORMED)
WHOLE: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg(320, 240),
    "progressive jpeg": lambda: jpeg(320, 240, progressive=True),
    "png": lambda: png(320, 240),
    "interlaced png": lambda: png(320, 240, interlaced=True),
    "gif": lambda: gif(320, 240),
}


def truncated() -> list[Case]:
    """Cut anywhere behind the first bytes; with a false end behind the cut, where a kind has one."""
    return [*_cut(), *_ended_falsely()]


def _cut() -> Iterator[Case]:
    for kind, make in WHOLE.items():
        whole = make()
        for part in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
            yield refused(f"{kind}, {part:.0%}", whole[: int(len(whole) * part)], *_CUT)
        yield refused(f"{kind}, all but one byte", whole[:-1], *_CUT)


def _ended_falsely() -> Iterator[Case]:
    baseline = WHOLE["jpeg"]()
    scan = baseline.index(b"\xff\xda") + 14
    for part in (0.1, 0.4, 0.8):
        at = scan + int((len(baseline) - scan) * part)
        yield refused(
            f"jpeg, {part:.0%} of its scan, and an end", baseline[:at].rstrip(b"\xff") + b"\xff\xd9", *_CUT
        )
    still = WHOLE["gif"]()
    yield refused("gif, half, and an end", still[: len(still) // 2] + b"\0;", *_CUT, Reason.POLYGLOT)


def flipped(seed: int, count: int) -> Iterator[bytes]:
    """Whatever becomes of these: it is no surprise, and nothing but a picture."""
    chance = random.Random(seed)
    for number in range(count):
        data = bytearray(list(WHOLE.values())[number % len(WHOLE)]())
        for _ in range(chance.choice((1, 1, 3, 30))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield bytes(data)
