"""PUT and GET of 3 MB files, sixteen consumers at once, each asking for its URLs on its own socket.

Encrypted and audited, but not rebuilt: the picture would come out small.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.context import Bench
from bench.files import download_slot, get, put, upload_slot
from bench.people import open_consumer, sign_up
from bench.pictures import grey_jpeg
from bench.report import Result
from bench.server import Talkwire
from bench.shift import shift
from bench.talker import Talker
from bench.volleys import gauge
from bench.web import Connection

PARTIES = 16
FEW, FEW_SECONDS = 4, 2.0  # what threads and heaps take once is not what one more upload takes
FILE_BYTES = 3 * 1024 * 1024
PICTURE = grey_jpeg(FILE_BYTES)


@dataclass
class Party:
    talker: Talker
    http: Connection
    relative_path: str = ""
    moved: int = 0


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("transfer", TALKWIRE_REBUILD="false") as server:
        parties = [await _arrive(server) for _ in range(PARTIES)]
        for name, once in (("PUT", _put_one), ("GET", _get_one)):
            for party in parties:
                await once(party)
            async with shift(parties[:FEW], once), _peak(server) as few:
                await asyncio.sleep(FEW_SECONDS)
            async with shift(parties, once), bench.watched(server, f"transfer-{name}"), _peak(server) as all_:
                throughput = await gauge(
                    lambda: sum(party.moved for party in parties), server.cpu_seconds, bench.seconds
                )
            grown = (max(all_) - max(few)) / (PARTIES - FEW) / 2**20
            note = f"{throughput.per_second:.0f} files/s, {throughput.note}, {grown:.1f} MiB more memory for each more active"
            yield Result(f"{name} of 3 MB files", throughput.per_second * FILE_BYTES / 1e6, "MB/s", note)


async def _arrive(server: Talkwire) -> Party:
    connection = await server.connect()
    token = await sign_up(connection, server.account)
    return Party(await open_consumer(server, token), await server.connect_storage())


async def _put_one(party: Party) -> None:
    slot = await upload_slot(party.talker, FILE_BYTES)
    await put(party.http, slot.url, PICTURE)
    party.relative_path = slot.relative_path
    party.moved += 1


async def _get_one(party: Party) -> None:
    slot = await download_slot(party.talker, party.relative_path)
    await get(party.http, slot.url, None)
    party.moved += 1


@asynccontextmanager
async def _peak(server: Talkwire) -> AsyncIterator[list[int]]:
    """Note the storage process's resident memory, five times a second."""
    seen = [server.storage_bytes()]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.2)
            seen.append(server.storage_bytes())

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
