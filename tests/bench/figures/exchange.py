"""File exchange: a consumer sends 200 KB and the agent has it; sixteen pairs, one file of each at a time.

URL, PUT, publish, notification, URL, GET: the rate counts whole rounds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.context import Bench
from bench.files import download_slot, get, put, upload_slot
from bench.people import Pair, make_pairs
from bench.pictures import grey_jpeg
from bench.report import Result
from bench.server import Talkwire
from bench.shift import shift
from bench.volleys import gauge
from bench.web import Connection

PAIRS = 16
FILE_BYTES = 200_000
PICTURE = grey_jpeg(FILE_BYTES)


@dataclass
class Exchange:
    pair: Pair
    consumer_http: Connection
    agent_http: Connection
    done: int = 0


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("exchange") as server:
        exchanges = [await _prepare(server, pair) for pair in await make_pairs(server, PAIRS)]
        async with shift(exchanges, _exchange_one), bench.watched(server, "exchange"):
            throughput = await gauge(
                lambda: sum(exchange.done for exchange in exchanges), server.cpu_seconds, bench.seconds
            )
        yield Result("file exchange", throughput.per_second, "files/s", throughput.note)


async def _prepare(server: Talkwire, pair: Pair) -> Exchange:
    return Exchange(pair, await server.connect(), await server.connect())


async def _exchange_one(exchange: Exchange) -> None:
    consumer, agent = exchange.pair.consumer, exchange.pair.agent
    slot = await upload_slot(consumer, FILE_BYTES)
    await put(exchange.consumer_http, slot.url, PICTURE)
    message = {"relativePath": slot.relative_path, "fileType": "JPG", "caption": "a grey area"}
    event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
    await consumer.ask("ms.PublishEvent", {"dialogId": exchange.pair.dialog_id, "event": event})
    while True:
        notification = await agent.notified()
        heard = notification["body"].get("event", {}).get("message")
        if isinstance(heard, dict) and heard.get("relativePath") == slot.relative_path:
            break
    there = await download_slot(agent, slot.relative_path)
    await get(exchange.agent_http, there.url, None)
    exchange.done += 1
