"""A page of search over a past of a million messages, over HTTP, whole as clients get it."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

from bench.context import Bench
from bench.past import APART_MS, FIRST_MS, PER_CONVERSATION, write_past
from bench.report import Result
from bench.server import Talkwire
from bench.web import Connection

CONVERSATIONS = 100_000
TIMES = 15
RANGE = {"from": FIRST_MS + 1_000 * APART_MS, "to": FIRST_MS + (CONVERSATIONS - 1_000) * APART_MS}
AGENT = "whoever was given every 50th"
SEARCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "the newest": ("", {}),
    "a range, closed": ("", {"start": RANGE, "status": ["CLOSE"]}),
    "a range, the 50,000th": ("?offset=50000", {"start": RANGE}),
    "a day": ("", {"start": {"from": RANGE["from"], "to": RANGE["from"] + 86_400_000}}),
    "a skill": ("", {"start": RANGE, "skillIds": ["2"]}),
    "an agent": ("", {"agentIds": [AGENT]}),
    "an agent, in a range": ("", {"start": RANGE, "agentIds": [AGENT]}),
}


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("history") as server:
        connection = await server.connect()
        agent_id = str((await _signed_in(server, connection))["config"]["userPid"])
        connection.close()
        await server.stop()
        database = server.folder / "data" / "talkwire.db"
        write_past(database, server.account, agent_id, CONVERSATIONS)
        await server.start()
        connection = await server.connect()
        bearer = str((await _signed_in(server, connection))["bearer"])
        worst = 0.0
        for name, (query, asked) in SEARCHES.items():
            filters = {**asked, "agentIds": [agent_id]} if "agentIds" in asked else asked
            milliseconds, found = await _median(server, connection, bearer, query, filters)
            worst = max(worst, milliseconds)
            note = f"{found} found, 50 shown, of {CONVERSATIONS * PER_CONVERSATION:,} messages"
            yield Result(f"page of the past: {name}", milliseconds, "ms", note)
        yield Result("page of the past, the slowest kind", worst, "ms", "median of each kind")
        connection.close()


async def _median(
    server: Talkwire, connection: Connection, bearer: str, query: str, filters: dict[str, Any]
) -> tuple[float, int]:
    took, found = [], 0
    path = f"/messaging_history/api/account/{server.account}/conversations/search{query}"
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = await connection.request("POST", path, json.dumps(filters).encode(), headers)
        took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"search answered {answer.status}: {answer.body[:300]!r}")
        found = json.loads(answer.body)["_metadata"]["count"]
    return statistics.median(took), found


async def _signed_in(server: Talkwire, connection: Connection) -> dict[str, Any]:
    body = {"username": server.names["LP_USER"], "password": server.names["LP_PASS"]}
    path = f"/api/account/{server.account}/login"
    headers = {"Content-Type": "application/json"}
    answer = await connection.request("POST", path, json.dumps(body).encode(), headers)
    found: dict[str, Any] = json.loads(answer.body)
    return found
