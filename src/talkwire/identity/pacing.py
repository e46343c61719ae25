"""A line at the door: a crowd that comes in does not hold up who is in and talking."""

import asyncio
import math

from talkwire.identity.errors import TooManyAttempts

BURST_SECONDS = 0.05
"""Who comes within this of an idle door does not wait."""


class Door:
    """Lets in `per_second` evenly, in order of arrival; turns away who would wait longer than `patience_seconds`."""

    def __init__(self, per_second: float, patience_seconds: float = 15) -> None:
        self._gap_seconds = 1 / per_second
        self._patience_seconds = patience_seconds
        self._next = -math.inf  # on the loop's clock: the turn of who comes next

    async def enter(self) -> None:
        """Wait for one's turn. Raises TooManyAttempts with the wait that it would have been."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        turn = max(self._next, now - BURST_SECONDS)
        if turn - now > self._patience_seconds:
            raise TooManyAttempts("Too many come in at once; try again later", math.ceil(turn - now))
        self._next = turn + self._gap_seconds
        if turn > now:
            await asyncio.sleep(turn - now)
