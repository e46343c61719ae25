"""Kill, restart, compare: one server through many rounds, on one data folder."""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fault.ledger import Round
from fault.load import Employee, Scene, work_until_over
from fault.tables import broken_laws
from fault.verify import verify, verify_again
from fault.wire import Line, line_to, until
from live import STOP_SECONDS, Live, launch, start_server, stop

ROUNDS = int(os.environ.get("TALKWIRE_FAULT_ROUNDS", "20"))
SEED = int(os.environ.get("TALKWIRE_FAULT_SEED", str(time.time_ns() % 1_000_000)))
"""Chooses what is done and when it is cut off; the machine's timing is its own."""

CONSUMERS = 3
LONGEST_LOAD_SECONDS = 0.7
MOST_ANSWERS = 400
LONGEST_START_SECONDS = 0.8
PEOPLE = {"administrator": "", "agent": "AGENT_", "second agent": "AGENT2_", "bot": "BOT_"}


@dataclass
class House:
    """A server on one data folder that is killed and started again; `env` is for its process."""

    folder: Path
    database_url: str = ""
    env: dict[str, str] = field(default_factory=dict)
    rng: random.Random = field(default_factory=lambda: random.Random(SEED))
    rounds: list[Round] = field(default_factory=list)
    employees: list[Employee] = field(default_factory=list)
    nobodys_skill: str = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    async def start(self) -> Live:
        return await asyncio.to_thread(start_server, self.folder, env=self.env)

    async def hire(self, line: Line) -> None:
        """Sign everybody in, once for all rounds, and make a skill that nobody has."""
        for name, variable in PEOPLE.items():
            answer = await line.log_in(variable)
            config = answer["config"]
            old_id = f"{line.live.account}.{config['userId']}"
            self.employees.append(Employee(name, config["userPid"], old_id, answer["bearer"]))
        status, body = await line.call(
            "POST",
            line.account_url("configuration/le-users/skills?v=2.0"),
            json={"name": "Nobody's"},
            headers={"Authorization": f"Bearer {self.employees[0].bearer}", "If-Match": "-1"},
        )
        assert status == 201, body
        listed = await line.call(
            "GET",
            line.account_url("configuration/le-users/skills?v=2.0"),
            headers={"Authorization": f"Bearer {self.employees[0].bearer}"},
        )
        self.nobodys_skill = skill_named("Nobody's", listed[1])

    async def load_until_killed(self, live: Live) -> Round:
        """A round's load, until the server is killed: after a while, or right after the n-th answer."""
        at_answer = self.rng.randint(1, MOST_ANSWERS) if self.rng.random() < 0.5 else 0
        seconds = LONGEST_LOAD_SECONDS if at_answer else self.rng.uniform(0.08, LONGEST_LOAD_SECONDS)
        left = at_answer

        def kill_now() -> None:
            scene.is_over = True
            live.process.kill()

        def answered() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                kill_now()

        async with line_to(live, answered) as line:
            scene = self.new_scene(line)
            shift = asyncio.create_task(work_until_over(scene, self.employees[1:], CONSUMERS))
            await asyncio.wait([shift], timeout=seconds)
            kill_now()
            async with asyncio.timeout(30):
                await shift
        await asyncio.to_thread(live.process.wait)
        return scene.round

    async def load_until_stopped(self, live: Live) -> tuple[Round, set[int | None]]:
        """A round's load, until the server is told to stop; and the codes that it closed the sockets with."""
        async with line_to(live) as line:
            scene = self.new_scene(line)
            shift = asyncio.create_task(work_until_over(scene, self.employees[1:], CONSUMERS))
            await asyncio.sleep(self.rng.uniform(0.2, LONGEST_LOAD_SECONDS))
            scene.is_over = True
            live.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS + 5):
                await shift
        await asyncio.to_thread(live.process.wait, STOP_SECONDS)
        return scene.round, {socket.close_code for socket in scene.sockets}

    async def load_through(self, live: Live, fault: Callable[[], Awaitable[None]]) -> Round:
        """A round's load while something behind the server fails and comes back; it has to recover."""
        async with line_to(live) as line:
            scene = self.new_scene(line)
            scene.may_fail = True
            shift = asyncio.create_task(work_until_over(scene, self.employees[1:], CONSUMERS))
            await asyncio.sleep(self.rng.uniform(0.2, 0.6))
            await fault()
            await until(line.is_ready)
            seen = scene.round.acknowledged()

            async def goes_on() -> bool:
                return scene.round.acknowledged() > seen + 50 or shift.done()

            await until(goes_on)
            await self._end_load(scene, shift)
        return scene.round

    async def load_until_broken(self, live: Live, break_: Callable[[], None]) -> Round:
        """A round's load, a pause, and more of it into something that is broken: everybody is refused.

        The pause is for the sake of the kernel: an fdatasync that runs while a file system fails may lie.
        """
        async with line_to(live) as line:
            scene = self.new_scene(line)
            shift = asyncio.create_task(work_until_over(scene, self.employees[1:], CONSUMERS))
            await asyncio.sleep(self.rng.uniform(0.3, 0.7))
            await self._end_load(scene, shift)
            break_()
            scene.is_over, scene.may_fail = False, True
            shift = asyncio.create_task(work_until_over(scene, self.employees[1:], CONSUMERS))

            async def all_are_refused() -> bool:
                return scene.refusals >= len(self.employees) + CONSUMERS

            await until(all_are_refused)
            await self._end_load(scene, shift)
        return scene.round

    async def _end_load(self, scene: Scene, shift: "asyncio.Task[None]") -> None:
        scene.is_over = True
        async with asyncio.timeout(30):
            while not shift.done():
                for socket in tuple(scene.sockets):  # somebody may just be opening another
                    await socket.close()
                await asyncio.wait([shift], timeout=0.1)
        await shift

    def new_scene(self, line: Line) -> Scene:
        self.rounds.append(Round(len(self.rounds)))
        return Scene(line, self.rounds[-1], self.rng, self.nobodys_skill)

    async def compare(self, live: Live, round_: Round) -> None:
        """The round just past wholly, one of the earlier ones, and the laws of the tables."""
        said = await broken_laws(self.data, self.database_url)
        earlier = [self.rng.choice(self.rounds[:-1])] if len(self.rounds) > 1 else []
        async with line_to(live) as line:
            said += await verify(line, round_, self.employees, self.nobodys_skill)
            said += await verify_again(line, earlier, self.employees, self.nobodys_skill)
        said += await broken_laws(self.data, self.database_url)
        assert not said, self.report(round_, said)

    async def compare_all(self, live: Live) -> None:
        async with line_to(live) as line:
            said = await verify_again(line, self.rounds, self.employees, self.nobodys_skill)
        assert not said, self.report(self.rounds[-1], said)

    async def stumble(self) -> None:
        """Now and then a start is cut off too."""
        if self.rng.random() < 0.25:
            process = launch(self.folder, env=self.env)
            await asyncio.sleep(self.rng.uniform(0.05, LONGEST_START_SECONDS))
            process.kill()
            await asyncio.to_thread(process.wait)

    def report(self, round_: Round, said: list[str]) -> str:
        return "\n".join(
            [
                f"seed {SEED}, round {round_.number}, {len(said)} complaints:",
                *said[:20],
                "the server said:",
                (self.folder / "server.log").read_text()[-3000:],
            ]
        )

    def summary(self) -> str:
        publishes = [publish for round_ in self.rounds for publish in round_.publishes]
        acknowledged = sum(publish.is_acknowledged for publish in publishes)
        uploads = sum(len(round_.uploads) for round_ in self.rounds)
        talks = sum(len(round_.talks) for round_ in self.rounds)
        return (
            f"seed {SEED}: {len(self.rounds)} rounds, {talks} conversations, {len(publishes)} publishes "
            f"({acknowledged} acknowledged), {uploads} uploads"
        )


@asynccontextmanager
async def open_house(house: House) -> AsyncIterator[Live]:
    """The house's server; at its first start everybody is signed in."""
    live = await house.start()
    try:
        if not house.employees:
            async with line_to(live) as line:
                await house.hire(line)
        yield live
    finally:
        await end(live)


async def run_rounds(house: House, live: Live, rounds: int) -> None:
    """Load, kill, start, compare; in the end compare everything once more, and stop as one should."""
    try:
        for _ in range(rounds):
            round_ = await house.load_until_killed(live)
            await house.stumble()
            live = await house.start()
            await house.compare(live, round_)
        await house.compare_all(live)
        assert await asyncio.to_thread(stop, live) == 0
    finally:
        await end(live)


async def run_faults(house: House, live: Live, faults: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Load, something behind the server fails, compare: without a restart of the server."""
    for fault in faults:
        await house.compare(live, await house.load_through(live, fault))


async def end(live: Live) -> None:
    """Leave no process behind."""
    with contextlib.suppress(ProcessLookupError):
        live.process.kill()
    await asyncio.to_thread(live.process.wait)


def skill_named(name: str, listed: bytes) -> str:
    return next(str(skill["id"]) for skill in json.loads(listed) if skill["name"] == name)
