import asyncio
import time

import pytest

from talkwire.identity.errors import TooManyAttempts
from talkwire.identity.pacing import BURST_SECONDS, Door


async def test_who_comes_alone_does_not_wait() -> None:
    started = time.monotonic()
    await Door(per_second=1).enter()
    assert time.monotonic() - started < 0.5


async def test_a_crowd_is_let_in_evenly_and_in_order() -> None:
    door = Door(per_second=100)
    came: list[int] = []

    async def come(number: int) -> None:
        await door.enter()
        came.append(number)

    started = time.monotonic()
    await asyncio.gather(*(come(number) for number in range(30)))
    assert came == sorted(came)
    assert time.monotonic() - started >= 30 / 100 - BURST_SECONDS - 0.02


async def test_who_would_wait_too_long_is_told_when_to_come_back() -> None:
    door = Door(per_second=0.1, patience_seconds=5)
    await door.enter()
    with pytest.raises(TooManyAttempts) as refusal:
        await door.enter()
    assert refusal.value.retry_after_seconds == 10
