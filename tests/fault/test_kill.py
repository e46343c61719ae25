"""`kill -9` at any moment, restart: what was acknowledged is there once, in its place; nothing else is.

20 rounds; `TALKWIRE_FAULT_ROUNDS` changes that, `TALKWIRE_FAULT_SEED` repeats the choices of a run.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from database import PostgresServer, new_postgres_database, postgres_server
from fault.probe import probing
from fault.rounds import ROUNDS, SEED, House, end, open_house, run_faults, run_rounds
from fault.wire import line_to, open_socket, until
from live import stop


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that may be maltreated."""
    with postgres_server() as server:
        yield server


async def on_postgres(folder: Path, server: PostgresServer) -> House:
    url = await new_postgres_database(server)
    return House(folder, database_url=url, env={"TALKWIRE_DATABASE_URL": url})


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with open_house(house) as live:
        await run_rounds(house, live, ROUNDS)
    print(house.summary())


async def test_what_was_acknowledged_survives_kill_9_on_postgres(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    house = await on_postgres(tmp_path, own_postgres)
    async with open_house(house) as live:
        await run_rounds(house, live, max(2, ROUNDS // 5))
    print(house.summary())


async def test_what_was_acknowledged_survives_the_death_of_postgres(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    house = await on_postgres(tmp_path, own_postgres)
    faults = [partial(kill_a_backend, house), partial(crash, own_postgres)]
    async with open_house(house) as live:
        await run_faults(house, live, faults * max(1, ROUNDS // 20))
    print(house.summary())


async def kill_a_backend(house: House) -> None:
    """`kill -9` one of the server's connections: PostgreSQL throws all of them out and recovers."""
    connection = await asyncpg.connect(house.database_url)
    rows = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    os.kill(house.rng.choice([row["pid"] for row in rows]), signal.SIGKILL)
    connection.terminate()


async def crash(server: PostgresServer) -> None:
    """All of PostgreSQL goes at once, and comes back after a while."""
    await asyncio.to_thread(server.stop, "immediate")
    await asyncio.sleep(0.3)  # so long there is nothing to connect to
    await asyncio.to_thread(server.start)


async def test_sigterm_under_load_says_1001_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    house = House(tmp_path)
    live = await house.start()
    try:
        async with line_to(live) as line:
            await house.hire(line)
        for _ in range(max(2, ROUNDS // 10)):
            round_, codes = await house.load_until_stopped(live)
            assert codes == {1001}, f"seed {SEED}: sockets were closed with {codes}"
            assert live.process.returncode == 0, house.report(round_, [])
            live = await house.start()
            await house.compare(live, round_)
        assert await asyncio.to_thread(stop, live) == 0
    finally:
        await end(live)
    print(house.summary())


async def test_who_subscribes_while_the_log_cannot_be_read_is_let_go(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    house = await on_postgres(tmp_path, own_postgres)
    async with open_house(house) as live, line_to(live) as line, probing(line) as probe:
        assert (await probe.say()).is_ok
        own_postgres.stop("immediate")
        socket = await open_socket(line, "consumer?v=3", jwt=probe.jwt)
        await socket.ask("ms.SubscribeMessagingEvents", {"dialogId": probe.dialog_id})
        assert await socket.closed() == 1013  # instead of a silence that looks like nothing new
        own_postgres.start()
        await until(probe.is_heard)
        await probe.check()
