"""What an append costs: events per second through a database adapter, alone and beside a busy loop.

Run: python tests/bench/micro_database.py [--adapter sqlite|postgres] [--seconds 3] [--in-flight 400]
     [--dialogs 100] [--busy-us 0]   (`busy-us` is interpreter work per settled event, on the loop)
"""

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import uvloop

from talkwire.backends.database.port import Append, Database, Outcome, Transaction
from talkwire.backends.database.postgres import PostgresDatabase
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.kernel.ids import new_uuid

sys.path.insert(0, str(Path(__file__).parent.parent))

from database import new_postgres_database, postgres_server

INSERT = (
    "INSERT INTO dialogs (account_id, dialog_id, conversation_id, version, last_sequence, last_event_at,"
    " last_content_sequence, owed_since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
)
PER_TURN = 40
EVENT = (
    b'{"type":"ContentEvent","contentType":"text/plain","message":"Hello, how can I help you today? ####"}'
)


class Feeder:
    """Keeps a number of appends in flight over a number of dialogs."""

    def __init__(self, database: Database, options: argparse.Namespace) -> None:
        self.database = database
        self.busy_us = options.busy_us
        self.dialogs = [new_uuid() for _ in range(options.dialogs)]
        self.in_flight = options.in_flight
        self.settled = 0
        self.bad = 0
        self.arriving: deque[str] = deque()
        self.running = True

    async def prepare(self) -> None:
        async def unit(tx: Transaction) -> None:
            rows = [("1", d, d, 1, -1, 0, -1, 0) for d in self.dialogs]
            await tx.execute_many(INSERT, rows)

        await self.database.write(unit)
        for number in range(self.in_flight):
            self.publish(self.dialogs[number % len(self.dialogs)])

    def publish(self, dialog_id: str) -> None:
        self.database.append(
            Append(
                account_id="1",
                conversation_id=dialog_id,
                dialog_id=dialog_id,
                version=1,
                event_id=new_uuid(),
                kind="content",
                event=EVENT,
                originator_id=dialog_id,
                originator_role="CONSUMER",
                audience="ALL",
                at_ms=1_700_000_000_000,
                settled=self.on_settled,
                is_content=True,
            )
        )

    def on_settled(self, entry: Append) -> None:
        self.settled += 1
        self.bad += entry.outcome is not Outcome.APPENDED
        if not self.running:
            return
        if self.busy_us:
            end = time.perf_counter_ns() + self.busy_us * 1000
            while time.perf_counter_ns() < end:
                pass
        if not self.arriving:
            asyncio.get_running_loop().call_soon(self.arrive)
        self.arriving.append(entry.dialog_id)

    def arrive(self) -> None:
        """What comes in with one turn of the loop, as from sockets: some, not all."""
        for _ in range(min(PER_TURN, len(self.arriving))):
            self.publish(self.arriving.popleft())
        if self.arriving and self.running:
            asyncio.get_running_loop().call_soon(self.arrive)


def thread_seconds() -> dict[str, float]:
    return {
        thread.name: time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.ident is not None
    }


async def measure(database: Database, options: argparse.Namespace) -> None:
    feeder = Feeder(database, options)
    await feeder.prepare()
    await asyncio.sleep(0.5)
    batches = count_batches(database)
    before, settled, started = thread_seconds(), feeder.settled, time.perf_counter()
    batches.clear()
    await asyncio.sleep(options.seconds)
    seconds, events = time.perf_counter() - started, feeder.settled - settled
    after = thread_seconds()
    sizes = sorted(batches)
    feeder.running = False
    print(f"{events / seconds:10,.0f} events/s; not appended: {feeder.bad}")
    if sizes:
        print(
            f"{len(sizes) / seconds:10,.0f} commits/s; entries each: median {sizes[len(sizes) // 2]}, most {sizes[-1]}"
        )
    for name, spent in after.items():
        used = spent - before.get(name, 0)
        print(f"{used / events * 1e6:10.2f} us of CPU per event in {name} ({used / seconds:.0%})")


def count_batches(database: Database) -> list[int]:
    sizes: list[int] = []
    queue: Any = getattr(database, "_queue", None)
    take = queue.take

    def counted() -> list[Any]:
        batch: list[Any] = take()
        if batch:
            sizes.append(len(batch))
        return batch

    queue.take = counted
    if hasattr(database, "_writer"):
        database._writer._take = counted
    return sizes


async def main(options: argparse.Namespace) -> None:
    if options.adapter == "sqlite":
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            path = Path(folder) / "talkwire.db"
            database: Any = await SqliteDatabase.open(path)
            await database.migrate()
            await measure(database, options)
            await asyncio.sleep(0.2)
            size, wal = path.stat().st_size, Path(f"{path}-wal").stat().st_size
            print(f"{size / 1e6:10.1f} MB in the file, {wal / 1e6:.1f} MB in its log")
            await database.close()
    if options.adapter == "postgres":
        with postgres_server() as server:
            database = await PostgresDatabase.open(await new_postgres_database(server))
            await database.migrate()
            await measure(database, options)
            await database.close()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--adapter", default="sqlite", choices=["sqlite", "postgres"])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--in-flight", type=int, default=400)
    parser.add_argument("--dialogs", type=int, default=100)
    parser.add_argument("--busy-us", type=int, default=0)
    parser.add_argument("--dir", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    sys.setswitchinterval(0.0005)
    uvloop.run(main(options()))
