"""Waiting for a verdict: woken at once by this node's judge; another node's verdict is looked for."""

import asyncio

from talkwire.files.errors import NotJudgedYet
from talkwire.files.model import FileState
from talkwire.files.register import FileRegister
from talkwire.kernel.ids import AccountId

LOOK_SECONDS = 0.5
"""How soon a verdict of another node is seen."""


class Verdicts:
    """Who waits for what to be judged."""

    def __init__(self, register: FileRegister, seconds: float) -> None:
        self._register = register
        self._seconds = seconds
        self._waiting: dict[tuple[AccountId, str], asyncio.Event] = {}

    def deadline(self) -> float:
        """Until when somebody who comes now may wait, by the loop's time."""
        return asyncio.get_running_loop().time() + self._seconds

    def told(self, name: tuple[AccountId, str]) -> None:
        """There is a verdict, and the register knows it."""
        if (waiting := self._waiting.pop(name, None)) is not None:
            waiting.set()

    async def wait(self, name: tuple[AccountId, str], deadline: float) -> None:
        """Until the file is judged or gone. Raises NotJudgedYet."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(name, asyncio.Event())
        held = self._register.find_held(name)
        if held is not None and held.state is not FileState.RECEIVED:
            self.told(name)
            return
        while (left := deadline - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await waiting.wait()
            except TimeoutError:
                file = await self._register.find(*name, fresh=True)
                if file is None or file.state is not FileState.RECEIVED:
                    self.told(name)
                    return
            else:
                return
        raise NotJudgedYet
