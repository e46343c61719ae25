"""The corpus: every file is refused for the right reason, or comes out as pixels and nothing else."""

import asyncio
import os
import random
import resource
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
import pyvips

from corpus.bombs import bombs
from corpus.case import SECRET, Case
from corpus.clean import complaints
from corpus.damaged import flipped, truncated
from corpus.mismatches import mismatches
from corpus.parts import chunk, padded_gif, quarters, repeating_gif, shifted
from corpus.photos import photos
from corpus.polyglots import polyglots
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.examine import examine
from talkwire.sanitation.model import MIB, Limits, Reason, Rebuilt, Wish
from talkwire.sanitation.padding import without_padding
from talkwire.sanitation.service import Sanitizer

PAYLOADS = (SECRET, b"<?php", b"<script", b"<html", b"<svg", b"%PDF", b"PK\x03\x04")


@pytest.fixture
async def sanitizer() -> AsyncIterator[Sanitizer]:
    opened = await Sanitizer.open(2)
    yield opened
    await opened.close()


async def rebuild(sanitizer: Sanitizer, data: bytes, wish: Wish = Wish()) -> Rebuilt | Rejected:  # noqa: B008
    async def read() -> bytes:
        return data

    try:
        return await sanitizer.rebuild(read, wish)
    except Rejected as rejected:
        return rejected


def surprise(case: Case, outcome: Rebuilt | Rejected) -> str:
    """What is wrong with the outcome; empty when it is as it should be."""
    if isinstance(outcome, Rejected):
        expected = outcome.reason in case.reasons
        return "" if expected else f"{case.name}: {outcome.reason.value} ({outcome.detail})"
    if case.is_refused:
        return f"{case.name}: passed"
    return "; ".join(f"{case.name}: {wrong}" for wrong in unclean(outcome))


def unclean(made: Rebuilt) -> list[str]:
    wrong = [*complaints(made.image), *(complaints(made.preview) if made.preview else ["no preview"])]
    wrong += [f"{payload!r} survived" for payload in PAYLOADS if payload in made.image + made.preview]
    if len(made.preview) >= Wish().preview_bytes:
        wrong.append("the preview is too long")
    decoded = pyvips.Image.new_from_buffer(made.image, "", fail_on="warning").copy_memory()
    if (decoded.width, decoded.height) != (made.width, made.height):
        wrong.append(f"{decoded.width}x{decoded.height} instead of {made.width}x{made.height}")
    return wrong


async def surprises(sanitizer: Sanitizer, cases: Iterable[Case]) -> list[str]:
    listed = list(cases)
    outcomes = await asyncio.gather(*(rebuild(sanitizer, case.data) for case in listed[:200]))
    outcomes += await asyncio.gather(*(rebuild(sanitizer, case.data) for case in listed[200:400]))
    return [
        wrong for case, outcome in zip(listed, outcomes, strict=True) if (wrong := surprise(case, outcome))
    ]


async def test_what_is_called_a_picture_and_is_none_is_refused(sanitizer: Sanitizer) -> None:
    cases = mismatches()
    assert len({case.name for case in cases}) >= 120
    assert await surprises(sanitizer, cases) == []


async def test_what_is_a_picture_and_something_else_is_refused_or_only_a_picture_then(
    sanitizer: Sanitizer,
) -> None:
    cases = polyglots()
    assert len({case.name for case in cases}) >= 40
    assert await surprises(sanitizer, cases) == []


async def test_nothing_that_a_camera_or_a_program_wrote_into_a_photo_survives(sanitizer: Sanitizer) -> None:
    cases = photos()
    assert len({case.name for case in cases}) >= 50
    assert await surprises(sanitizer, cases) == []


async def test_a_picture_that_was_cut_off_is_refused(sanitizer: Sanitizer) -> None:
    assert await surprises(sanitizer, truncated()) == []


async def test_flipped_bits_make_a_refusal_or_a_clean_picture(sanitizer: Sanitizer) -> None:
    outcomes = await asyncio.gather(*(rebuild(sanitizer, data) for data in flipped(seed=4, count=200)))
    wrong = [found for made in outcomes if isinstance(made, Rebuilt) for found in unclean(made)]
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)}
    assert wrong == []
    assert reasons
    assert reasons <= {*Reason} - {Reason.CRASHED}


async def test_a_large_gif_is_rebuilt_or_too_big_and_no_size_harms_a_worker() -> None:
    sanitizer = await Sanitizer.open(1)
    came: dict[int, Reason | None] = {}
    for side in (3_800, 4_000, 4_200, 4_300, 4_400, 4_800, 5_400):
        picture = quarters(side, side).gifsave_buffer(keep="none", dither=0, effort=3)
        outcomes = [
            await rebuild(sanitizer, picture) for _ in range(2)
        ]  # what one leaves behind is the next one's
        shrunk = await rebuild(sanitizer, picture, Wish(long_side=800))
        assert not isinstance(shrunk, Rejected), side
        reasons = {outcome.reason if isinstance(outcome, Rejected) else None for outcome in outcomes}
        assert len(reasons) == 1, side
        came[side] = reasons.pop()
    replaced = sanitizer.workload()["replaced"]
    await sanitizer.close()
    assert came == {side: None if side <= 4_300 else Reason.TOO_BIG for side in came}
    assert replaced == 0


class Spent(NamedTuple):
    """By one process, since it began; memory at its highest."""

    cpu_seconds: float
    peak_bytes: int

    @classmethod
    def by(cls, pid: int | str) -> "Spent":
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        ticks = int(fields[11]) + int(fields[12])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), int(status["VmHWM"].split()[0]) * 1024)


def seconds_of_children() -> float:
    """Processor time of those that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def seconds_for(data: bytes) -> float:
    """What a picture may cost: a second, and one more for each MiB of what does code pixels."""
    try:
        header = without_padding(examine(data, Limits()))
    except Rejected:
        return Limits().cpu_seconds
    return Limits().cpu_seconds * (1 + header.coded_bytes / MIB)


async def seconds_of_workers(data: bytes) -> float:
    """Processor time of a worker from its start to its end, which this picture was."""
    before = seconds_of_children()
    sanitizer = await Sanitizer.open(1)
    outcome = await rebuild(sanitizer, data)
    await sanitizer.close()
    assert isinstance(outcome, Rejected)
    return seconds_of_children() - before


async def test_a_bomb_buys_no_time_with_bytes_that_are_no_picture() -> None:
    seconds = await seconds_of_workers(shifted(16_384, 1_250))
    more = await seconds_of_workers(shifted(16_384, 1_250, chunk(b"prVt", bytes(2_700_000))))
    assert more < seconds + 0.6  # two and a half, once


async def test_a_bomb_buys_no_time_with_junk_behind_its_pixels() -> None:
    picture = repeating_gif(3_300, 257)
    seconds = await seconds_of_workers(padded_gif(picture, random.Random(8).randbytes(2_000_000)))
    assert seconds < Limits().cpu_seconds + 0.6  # its start is in it; with the junk it would be three


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts what Linux counts")
async def test_a_bomb_costs_a_second_and_256_mib_at_most_and_the_server_nothing() -> None:
    sanitizer = await Sanitizer.open(1)
    wrong, count = [], 0
    for case in bombs():
        count += 1
        await sanitizer.ready()
        pid = sanitizer._workers[0].pid
        before, own, reaped = Spent.by(pid or 0), Spent.by("self"), seconds_of_children()
        outcome = await rebuild(sanitizer, case.data)
        own_seconds = Spent.by("self").cpu_seconds - own.cpu_seconds
        wrong += [surprise(case, outcome)] if surprise(case, outcome) else []
        is_alive = sanitizer._workers[0].pid == pid  # else the kernel ended it when its time was over
        after = Spent.by(pid or 0) if is_alive else Spent(seconds_of_children() - reaped, 0)
        if after.cpu_seconds - before.cpu_seconds > seconds_for(case.data) + (0 if is_alive else 0.1):
            wrong.append(f"{case.name}: {after.cpu_seconds - before.cpu_seconds} s")
        if after.peak_bytes > 300 * MIB:  # an idle worker has some 40
            wrong.append(f"{case.name}: {after.peak_bytes} bytes")
        if own_seconds > 0.2 + len(case.data) / (20 * MIB):
            wrong.append(f"{case.name}: {own_seconds} s in the server")
    await sanitizer.close()
    assert count >= 30
    assert wrong == []
