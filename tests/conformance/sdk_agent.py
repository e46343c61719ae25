"""Drives `js/agent.js`: an agent or bot that runs one version of the npm package node-agent-sdk, unmodified."""

import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from listening import Ears, Heard, changes
from live import Live

JS = Path(__file__).parent / "js"
LINE_BYTES = 4 * 1024 * 1024


def install_clients() -> None:
    """`npm ci`, when what is installed is not what the lock file says."""
    if shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    installed, locked = JS / "node_modules" / ".package-lock.json", JS / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=JS, check=True)
        installed.touch()


class SdkRefused(AssertionError):
    """The SDK gave its callback an error."""

    def __init__(self, call: str, error: Any) -> None:
        super().__init__(f"{call}: {error}")
        self.code = error.get("code") if isinstance(error, dict) else None


class SdkAgent:
    """One signed-in brand user. `ears.all` are the SDK's events: `{"event": …, "data": …}`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.ears = Ears(name)
        self.agent_id = self.old_id = ""
        self._process = process
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Heard]] = {}

    async def listen(self) -> None:
        """Sort the lines of the process into answers and events, until it ends."""
        assert self._process.stdout
        async for line in self._process.stdout:
            message: Heard = json.loads(line)
            if "n" in message:
                self._waiting.pop(message["n"]).set_result(message)
            else:
                await self.ears.note(message)

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the SDK (or an errand of agent.js), and return what its callback got."""
        assert self._process.stdin
        n = next(self._ids)
        answer = self._waiting[n] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"n": n, "call": method, "args": args}).encode() + b"\n")
        async with asyncio.timeout(15):
            message = await answer
        if message.get("error"):
            raise SdkRefused(method, message["error"])
        return message.get("body")

    async def hears(
        self, event: str, wanted: Callable[[Any], bool] = lambda _: True, *, since: int = 0
    ) -> Any:
        """The `data` of the first such event of the SDK."""
        what = f"{event!r}"
        heard = await self.ears.first(
            lambda h: h["event"] == event and wanted(h.get("data")), what, since=since
        )
        return heard.get("data")

    async def hears_change(
        self, kind: str, what: str, wanted: Callable[[Heard], bool], *, since: int = 0
    ) -> Heard:
        """The first change in a notification of that kind (`…ExConversationChangeNotification`, …)."""

        def change(heard: Heard) -> Heard | None:
            if heard["event"] != "notification":
                return None
            return next(filter(wanted, changes(heard["data"], kind)), None)

        heard = await self.ears.first(lambda h: change(h) is not None, what, since=since)
        return change(heard) or {}

    async def hears_event(self, what: str, wanted: Callable[[Heard], bool]) -> Heard:
        return await self.hears_change("ms.MessagingEventNotification", what, wanted)

    async def is_rung(self, conversation_id: str, *, since: int = 0) -> str:
        """Wait to be offered the conversation; the id of the ring."""

        def waiting(change: Heard) -> list[str]:
            if change["type"] != "UPSERT" or change["result"]["conversationId"] != conversation_id:
                return []
            return [
                ring["ringId"] for ring in change["result"]["ringsDetails"] if ring["ringState"] == "WAITING"
            ]

        what = f"a ring for {conversation_id}"
        change = await self.hears_change(
            "RoutingTaskNotification", what, lambda c: bool(waiting(c)), since=since
        )
        return waiting(change)[0]

    async def sees(
        self, conversation_id: str, what: str, wanted: Callable[[Heard], bool], *, since: int = 0
    ) -> Heard:
        """The first change of that conversation that is wanted; `wanted` gets `{"type", "result"}`."""
        return await self.hears_change(
            "ExConversationChangeNotification",
            what,
            lambda c: c["result"]["convId"] == conversation_id and wanted(c),
            since=since,
        )

    async def publish(self, conversation_id: str, event: dict[str, Any]) -> int:
        answer = await self.call("publishEvent", {"dialogId": conversation_id, "event": event})
        return int(answer["sequence"])

    async def say(self, conversation_id: str, text: str) -> int:
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        return await self.publish(conversation_id, event)

    async def change(self, conversation_id: str, *fields: dict[str, Any]) -> str:
        """UpdateConversationField; returns the text of the answer."""
        body = {"conversationId": conversation_id, "conversationField": list(fields)}
        return str(await self.call("updateConversationField", body))


@asynccontextmanager
async def signed_in(version: str, live: Live, who: str = "AGENT", **conf: Any) -> AsyncIterator[SdkAgent]:
    """The demo's `AGENT`, `AGENT2`, `MANAGER`, `BOT` or `ADMIN` on that version of the SDK, connected."""
    prefix = "LP" if who == "ADMIN" else f"LP_{who}"
    conf = {
        "accountId": live.account,
        "username": live.env[f"{prefix}_USER"],
        "password": live.env[f"{prefix}_PASS"],
        "csdsDomain": live.env["LP_CSDS"],
        **conf,
    }
    process = await asyncio.create_subprocess_exec(
        "node", "--no-deprecation", "agent.js", version, json.dumps(conf),
        cwd=JS, env=live.shell_env, limit=LINE_BYTES,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    agent = SdkAgent(f"{who} on {version}", process)
    listening = asyncio.create_task(agent.listen())
    try:
        first = await agent.ears.first(
            lambda heard: heard["event"] in {"connected", "error"}, "the sign-in's end"
        )
        if first["event"] == "error":
            raise SdkRefused("sign-in", first["data"])
        agent.agent_id, agent.old_id = first["data"].get("agentId", ""), first["data"]["oldId"]
        yield agent
        complaints = [heard for heard in agent.ears.all if heard["event"] in {"error", "warn"}]
        assert complaints == [], "the SDK could not make sense of something"
    finally:
        assert process.stdin
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening
