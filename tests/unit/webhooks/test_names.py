"""Names that cannot be looked up hold up nobody else."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from talkwire.webhooks.names import THREADS, Names


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    names = Names()
    yield names
    await names.close()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Who was asked for; `*.hangs.example` is not answered until the end."""
    over, asked, look_up = threading.Event(), [], socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        asked.append(host)
        if host.endswith("hangs.example"):
            over.wait(30)
            raise socket.gaierror("no answer")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


async def test_a_name_is_found_with_the_port_that_was_asked_for(names: Names) -> None:
    found = await names.resolve("localhost", 8443, socket.AF_INET)
    assert {(one["host"], one["port"], one["hostname"]) for one in found} == {
        ("127.0.0.1", 8443, "localhost")
    }


async def test_a_name_that_is_not_there_is_an_error(names: Names) -> None:
    with pytest.raises(OSError, match=r"."):
        await names.resolve("not-there.invalid")


async def test_names_that_hang_hold_up_no_other(names: Names, hanging: list[str]) -> None:
    for _ in range(3):
        for number in range(THREADS - 1):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.002):
                    await names.resolve(f"{number}.hangs.example")
    assert len(hanging) == THREADS - 1
    async with asyncio.timeout(5):
        assert await names.resolve("localhost", 80)
        await asyncio.to_thread(lambda: None)
