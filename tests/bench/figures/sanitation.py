"""Rebuilding alone: a photo of 12 megapixels brought to 800 pixels by one worker, beside a bare pyvips loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from bench.context import Bench
from bench.photos import bare_loops, photo
from bench.report import Result
from talkwire.sanitation.model import Wish
from talkwire.sanitation.service import Sanitizer

WIDTH, HEIGHT, SIDE = 4000, 3000, 800


async def measure(bench: Bench) -> AsyncIterator[Result]:
    data = photo(WIDTH, HEIGHT)
    place = bench.fresh_folder("sanitation") / "photo.jpg"
    place.write_bytes(data)

    async def read() -> bytes:
        return data

    bare = await bare_loops(str(place), bench.seconds / 2, SIDE, 1)
    sanitizer = await Sanitizer.open(workers=1)
    try:
        await sanitizer.ready()
        wish = Wish(long_side=SIDE, want_preview=False)
        await sanitizer.rebuild(read, wish)
        done, begun = 0, time.perf_counter()
        while (passed := time.perf_counter() - begun) < bench.seconds / 2:
            await sanitizer.rebuild(read, wish)
            done += 1
        with_preview = await _rate(sanitizer, read, Wish(long_side=SIDE), bench.seconds / 4)
    finally:
        await sanitizer.close()
    again = await bare_loops(str(place), bench.seconds / 2, SIDE, 1)
    loop = (bare + again) / 2
    yield Result(
        "12 megapixels to 800 pixels ÷ bare pyvips",
        done / passed / loop,
        "×",
        f"{done / passed:.1f} and {loop:.1f} pictures/s, {len(data) / 1e6:.1f} MB each; with a preview {with_preview:.1f}/s",
    )


async def _rate(sanitizer: Sanitizer, read: object, wish: Wish, seconds: float) -> float:
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        await sanitizer.rebuild(read, wish)  # type: ignore[arg-type]
        done += 1
    return done / (time.perf_counter() - begun)
