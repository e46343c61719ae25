"""A crowd in a process of its own: what it costs the crowd itself does not show in the others' latencies.

`python -m fault.crowd_process KIND DATA_FOLDER COUNT SECONDS` gets ready, says `ready`, waits for a line,
does its worst and says in one line of JSON how it went. It is nice to others: real crowds bring their own
processors.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault.crowds import deaf_sockets, slots, trickle
from fault.wire import Line, Socket, line_to, open_socket, until
from live import Live, parse_env

CONSUMERS = 25
SIGN_UPS_AT_ONCE = 20
CUT = "talkwire_outbox_closes_total"
TEXT = {"type": "ContentEvent", "contentType": "text/plain", "message": "x" * 30_000}
NICE = 15
PACE_SECONDS = 0.01
ROUNDS = 4  # between two looks at the metrics, which cost the server some milliseconds

Act = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Crowd:
    """The test's end of the pipe."""

    process: asyncio.subprocess.Process

    async def hear(self) -> Any:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the crowd broke down"
        return json.loads(line)

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")


@asynccontextmanager
async def crowd(live: Live, kind: str, count: int, seconds: float = 0) -> AsyncIterator[Crowd]:
    """A crowd that stands ready."""
    command = [sys.executable, "-m", "fault.crowd_process", kind, str(live.data), str(count), str(seconds)]
    folder = Path(__file__).resolve().parent.parent
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        found = Crowd(process)
        async with asyncio.timeout(120):
            assert await found.hear() == "ready"
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def _trickling(line: Line, count: int, seconds: float) -> AsyncIterator[Act]:
    asked = await slots(line, count)

    async def act() -> dict[str, int]:
        pause = seconds / 2 / count
        ends = await asyncio.gather(
            *(trickle(line, slot, number * pause) for number, slot in enumerate(asked))
        )
        return dict(Counter(ends))

    yield act


@asynccontextmanager
async def _deaf(line: Line, count: int, _: float) -> AsyncIterator[Act]:
    async with contextlib.AsyncExitStack() as stack:
        talks: list[tuple[Socket, str]] = []
        for _n in range(CONSUMERS):
            jwt = await line.sign_up()
            talker = await open_socket(line, "consumer?v=3", jwt=jwt)
            opened = (await talker.ask("cm.ConsumerRequestConversation")).expect()
            talks.append((talker, opened["conversationId"]))
            await stack.enter_async_context(
                deaf_sockets(line, jwt, opened["conversationId"], count // CONSUMERS)
            )

        async def act() -> dict[str, int]:
            said = await _until_cut(line, talks, count)
            served = 0
            for talker, _dialog in talks:
                served += (await talker.ask("GetClock")).is_ok
                await talker.close()
            return {"said": said, "served": served}

        yield act


async def _until_cut(line: Line, talks: list[tuple[Socket, str]], count: int) -> int:
    said = 0

    async def all_are_cut() -> bool:
        nonlocal said
        for talker, dialog_id in talks * ROUNDS:
            (await talker.ask("ms.PublishEvent", {"dialogId": dialog_id, "event": TEXT})).expect()
            said += 1
            await asyncio.sleep(PACE_SECONDS)  # it is not hearing that strains here, not saying
        return await line.metric(CUT) == count

    await until(all_are_cut, seconds=200)
    return said


@asynccontextmanager
async def _signing_up(line: Line, count: int, _: float) -> AsyncIterator[Act]:
    left = iter(range(count))
    jwts: set[str] = set()

    async def sign_up_on() -> None:
        for _ in left:
            jwts.add(await line.sign_up())

    async def act() -> int:
        await asyncio.gather(*(sign_up_on() for _ in range(SIGN_UPS_AT_ONCE)))
        return len(jwts)

    yield act


KINDS = {"trickling": _trickling, "deaf": _deaf, "signing-up": _signing_up}


async def main(kind: str, data: Path, count: int, seconds: float) -> None:
    live = Live(data=data, env=parse_env((data / "demo.env").read_text()), process=None)  # type: ignore[arg-type]
    async with line_to(live) as line, KINDS[kind](line, count, seconds) as act:
        print(json.dumps("ready"), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(await act()), flush=True)


if __name__ == "__main__":
    os.nice(NICE)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
