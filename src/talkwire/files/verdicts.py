"""Waiting for a verdict: woken at once by this node's judge; another node's verdict is looked for."""

import asyncio

from talkwire.files.errors import NotJudgedYet
from talkwire.files.model import FileState
from talkwire.files.register import FileRegister
from talkwire.kernel.ids import AccountId

LOOK_SECONDS = 0.5
"""How soon a verdict of another node is seen."""


class _Bell:
    """Rung when a file is judged."""

    __slots__ = ("rung", "waiters")

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.waiters = 0


class Verdicts:
    """Who waits for what to be judged."""

    def __init__(self, register: FileRegister, seconds: float) -> None:
        self._register = register
        self._seconds = seconds
        self._waiting: dict[tuple[AccountId, str], _Bell] = {}

    def deadline(self) -> float:
        """Until when somebody who comes now may wait, by the loop's time."""
        return asyncio.get_running_loop().time() + self._seconds

    def told(self, name: tuple[AccountId, str]) -> None:
        """There is a verdict, and the register knows it."""
        if (bell := self._waiting.pop(name, None)) is not None:
            bell.rung.set()

    async def wait(self, name: tuple[AccountId, str], deadline: float) -> None:
        """Until the file is judged or gone. Raises NotJudgedYet."""
        held = self._register.find_held(name)
        if held is not None and held.state is not FileState.RECEIVED:
            self.told(name)
            return
        bell = self._waiting.setdefault(name, _Bell())
        bell.waiters += 1
        try:
            await self._wait(bell, name, deadline)
        finally:
            bell.waiters -= 1
            if not bell.waiters and self._waiting.get(name) is bell:
                del self._waiting[name]  # perhaps it is never judged here

    async def _wait(self, bell: _Bell, name: tuple[AccountId, str], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := deadline - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await bell.rung.wait()
            except TimeoutError:
                file = await self._register.find(*name, fresh=True)
                if file is None or file.state is not FileState.RECEIVED:
                    self.told(name)
                    return
            else:
                return
        raise NotJudgedYet
