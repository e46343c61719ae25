"""For tests with real clients: what was heard is kept, and waited for with a deadline instead of a sleep."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

Heard = dict[str, Any]
PATIENCE_SECONDS = 10  # as long as the SDKs wait for an answer


class Ears:
    """Everything one client has heard, in order. Waiting looks at the past too, so nothing can be missed."""

    def __init__(self, whose: str) -> None:
        self.whose = whose
        self.all: list[Heard] = []
        self._news = asyncio.Condition()

    async def note(self, heard: Heard) -> None:
        async with self._news:
            self.all.append(heard)
            self._news.notify_all()

    async def first(
        self,
        wanted: Callable[[Heard], bool],
        what: str,
        *,
        since: int = 0,
        patience: float = PATIENCE_SECONDS,
    ) -> Heard:
        """The first thing heard, from position `since` on, that is wanted. Fails with all that was heard."""

        def found() -> Heard | None:
            return next(filter(wanted, self.all[since:]), None)

        try:
            async with asyncio.timeout(patience), self._news:
                return await self._news.wait_for(found) or {}
        except TimeoutError:
            heard = "\n  ".join(map(str, self.all[since:]))
            raise AssertionError(f"{self.whose} did not hear {what}; only:\n  {heard}") from None


def changes(heard: Heard, kind: str) -> Iterator[Heard]:
    """The changes in one heard notification, if it is of a type that ends in `kind`."""
    if str(heard.get("type", "")).endswith(kind):
        yield from heard["body"]["changes"]
