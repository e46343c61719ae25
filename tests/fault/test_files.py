"""Files made, broken off, published, erased and forgotten at random: nothing is ever left without its other half."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

from fault.rounds import ROUNDS, SEED
from files_desk import ACCOUNT, AGENT, CONSUMER, Desk, ask
from pictures import png
from talkwire.files.errors import BodyTooLarge, FileNotFound, UnusableFile
from talkwire.files.model import FileLimits
from talkwire.identity.model import Principal

PICTURE = png(3, 3)
AT_ONCE = 16
STEPS_PER_ROUND = 500  # 10,000 in `make test`, 100,000 in `make fault`


class Random:
    """One of everything that happens to files."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        self.dice = random.Random(seed)
        self.paths: list[str] = []
        self.sequence = 0

    def who(self) -> Principal:
        return self.dice.choice((CONSUMER, AGENT))

    async def step(self) -> None:
        acts = (self.create, self.create, self.create, self.broken, self.refused, self.publish, self.publish)
        await self.dice.choice((*acts, self.erase, self.fetch))()

    async def create(self) -> None:
        data = self.dice.choice((PICTURE, PICTURE, PICTURE, b"", b"none"))
        self.paths.append(await self.desk.uploaded(self.who(), data))

    async def broken(self) -> None:
        url = await self.desk.slot(self.who())

        async def body() -> AsyncIterator[bytes]:
            yield PICTURE[: self.dice.randrange(len(PICTURE))]
            raise ConnectionResetError

        storage = self.desk.files.storage
        with suppress(ConnectionResetError):
            await storage.receive(ask(url), body())

    async def refused(self) -> None:
        url = await self.desk.slot(self.who())
        with suppress(BodyTooLarge):
            await self.desk.put(url, bytes(6_000))

    async def publish(self) -> None:
        if self.paths:
            self.sequence += 1
            with suppress(UnusableFile):
                await self.desk.publish(AGENT, self.dice.choice(self.paths), sequence=self.sequence)

    async def fetch(self) -> None:
        if self.paths:
            with suppress(FileNotFound):
                await self.desk.fetched(self.dice.choice(self.paths))

    async def erase(self) -> None:
        if self.paths and self.dice.random() < 0.2:
            picked = self.dice.sample(self.paths, min(8, len(self.paths)))
            await self.desk.rooms.erasing.erase(ACCOUNT, picked, "erasure")


async def test_nothing_is_left_without_its_other_half(desk: Desk) -> None:
    limits = FileLimits(
        consumer_file_bytes=5_000,
        agent_file_bytes=5_000,
        consumer_slots=10**6,
        brand_slots=10**6,
        consumer_slots_per_minute=10**9,
        brand_slots_per_minute=10**9,
    )
    desk.switches.values |= {
        f"messaging.file.sharing.{whose}.daily.{what}": 0
        for whose in ("consumer", "account")
        for what in ("files", "megabytes")
    }
    desk.rooms = desk.reopened_rooms(limits)
    life = Random(desk, SEED)
    left = steps = STEPS_PER_ROUND * ROUNDS
    while left > 0:
        await asyncio.gather(*(life.step() for _ in range(AT_ONCE)))
        left -= AT_ONCE
    await desk.rooms.leftovers.clear()
    async with asyncio.timeout(10):
        while len(desk.objects()) != await _with_object(desk):  # noqa: ASYNC110 -- deletes are under way, and a folder rings no bell
            await asyncio.sleep(0.01)
    rows = await desk.database.read("SELECT object_key, key_id FROM files")
    assert {path.name for path in desk.objects()} == {row["object_key"] for row in rows} - {""}
    desk.clock.advance(seconds=1)
    keys = await desk.ground.vault.list_made(0, desk.clock.now_ms(), limit=10**6)
    assert {key_id for _, key_id in keys} == {row["key_id"] for row in rows}
    assert len(rows) > steps / 20
    (strays,) = await desk.database.read(
        "SELECT COUNT(*) AS n FROM file_publications p WHERE NOT EXISTS (SELECT 1 FROM files f"
        " WHERE f.account_id = p.account_id AND f.relative_path = p.relative_path)"
    )
    assert strays["n"] == 0


async def _with_object(desk: Desk) -> int:
    rows = await desk.database.read("SELECT COUNT(*) AS n FROM files WHERE object_key <> ''")
    return int(rows[0]["n"])
