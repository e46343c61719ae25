"""Looks up receivers' names, in threads of its own: a name server that hangs holds up nobody else.

A name has one thread at most, however often it is asked for; what gave up waiting does not start another.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS = 32
Found = list[tuple[Any, ...]]
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Names(AbstractResolver):
    """`close` it at the end; a look-up that hangs is not waited for."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook names")
        self._asked: dict[str, asyncio.Future[Found]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The host's addresses, of every family. Raises OSError."""
        asked = self._asked.get(host) or self._ask(host)
        return [
            ResolveResult(
                hostname=host, host=found[4][0], port=port, family=found[0], proto=found[2], flags=_NUMERIC
            )
            for found in await asyncio.shield(asked)
            if family in {socket.AF_UNSPEC, found[0]}
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, host: str) -> "asyncio.Future[Found]":
        asked: asyncio.Future[Found] = asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, host
        )
        self._asked[host] = asked
        asked.add_done_callback(lambda done: self._answered(host, done))
        return asked

    def _answered(self, host: str, asked: "asyncio.Future[Found]") -> None:
        del self._asked[host]
        if not asked.cancelled():
            asked.exception()  # whoever still waits raises it; nobody may wait any more


def _look_up(host: str) -> Found:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(found)
