"""File exchange: a consumer sends a picture and the agent has it; sixteen pairs, one file of each at a time.

URL, PUT, publish, notification, URL, GET: the rate counts whole rounds. Once 200 KB without rebuilding (what
the messaging and the encryption cost), once photos of a megapixel with it, beside a bare pyvips loop that
rebuilds the same photos on the same cores.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.context import Bench
from bench.files import download_slot, get, put, upload_slot
from bench.people import Pair, make_pairs
from bench.photos import bare_loops, photo
from bench.pictures import grey_jpeg
from bench.report import Result
from bench.server import Talkwire
from bench.shift import shift
from bench.volleys import Throughput, gauge
from bench.web import Connection

PAIRS = 16
FILE_BYTES = 200_000
PICTURE = grey_jpeg(FILE_BYTES)


MEGAPIXEL = (1200, 900)
CORES = 2


@dataclass
class Exchange:
    pair: Pair
    consumer_http: Connection
    agent_http: Connection
    picture: bytes = PICTURE
    done: int = 0


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("exchange", TALKWIRE_REBUILD="false") as server:
        throughput = await _throughput(bench, server, PICTURE)
        yield Result("file exchange", throughput.per_second, "files/s", throughput.note)
    picture = photo(*MEGAPIXEL)
    place = bench.fresh_folder("photo") / "photo.jpg"
    place.write_bytes(picture)
    async with bench.talkwire("exchange") as server:
        throughput = await _throughput(bench, server, picture)
    bare = await bare_loops(str(place), bench.seconds / 2, 0, CORES)
    note = f"{bare:.0f} pictures/s in {CORES} bare loops; {len(picture) // 1000} kB each; {throughput.note}"
    yield Result("file exchange with rebuilding", throughput.per_second, "files/s", note)
    yield Result("file exchange with rebuilding ÷ bare pyvips", throughput.per_second / bare, "×")


async def _throughput(bench: Bench, server: Talkwire, picture: bytes) -> Throughput:
    exchanges = [await _prepare(server, pair, picture) for pair in await make_pairs(server, PAIRS)]
    async with shift(exchanges, _exchange_one), bench.watched(server, "exchange"):
        return await gauge(
            lambda: sum(exchange.done for exchange in exchanges), server.cpu_seconds, bench.seconds
        )


async def _prepare(server: Talkwire, pair: Pair, picture: bytes) -> Exchange:
    return Exchange(pair, await server.connect_storage(), await server.connect_storage(), picture)


async def _exchange_one(exchange: Exchange) -> None:
    consumer, agent = exchange.pair.consumer, exchange.pair.agent
    slot = await upload_slot(consumer, len(exchange.picture))
    await put(exchange.consumer_http, slot.url, exchange.picture)
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
