"""Photos to rebuild, and the bare loop that a rebuild is compared with."""

from __future__ import annotations

import asyncio
import os
import sys

import pyvips

QUALITY = 85

_LOOP = """
import sys, time, pyvips
pyvips.voperation.cache_set_max(0)
photo, seconds, side = open(sys.argv[1], "rb").read(), float(sys.argv[2]), int(sys.argv[3])
def once():
    if side:
        picture = pyvips.Image.thumbnail_buffer(photo, side, height=side, size="down")
    else:
        picture = pyvips.Image.new_from_buffer(photo, "", access="sequential").autorot()
    picture.jpegsave_buffer(Q=85, keep="none")
once()
print("ready", flush=True)
sys.stdin.readline()
done, begun = 0, time.perf_counter()
while time.perf_counter() - begun < seconds:
    once()
    done += 1
print(done / (time.perf_counter() - begun), flush=True)
"""


def photo(width: int, height: int) -> bytes:
    """A JPEG with the detail of a photo: about a fifth of a byte per pixel."""
    noise = pyvips.Image.gaussnoise(width // 4, height // 4, sigma=60, mean=128, seed=7).gaussblur(2)
    coarse = noise.resize(4.2).crop(0, 0, width, height)
    fine = pyvips.Image.gaussnoise(width, height, sigma=6, mean=0, seed=8)
    bands = [(coarse * scale + fine).cast("uchar") for scale in (1.0, 0.9, 0.7)]
    picture = bands[0].bandjoin(bands[1:]).copy(interpretation="srgb")
    return bytes(picture.jpegsave_buffer(Q=QUALITY))


async def bare_loops(path: str, seconds: float, side: int, processes: int) -> float:
    """Pictures a second that `processes` loops of nothing but pyvips make of one photo together."""
    environment = {**os.environ, "VIPS_CONCURRENCY": "1"}
    loops = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _LOOP,
            path,
            str(seconds),
            str(side),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for loop in loops:
        assert loop.stdout is not None
        await loop.stdout.readline()
    outputs = await asyncio.gather(*(loop.communicate(b"go\n") for loop in loops))
    return sum(float(output) for output, _ in outputs)
