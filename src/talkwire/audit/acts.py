"""How a service does something and has it recorded: in one commit, or not at all."""

from collections.abc import Callable
from typing import Protocol

from talkwire.audit.model import Entry
from talkwire.backends.database.port import Database, T, Unit


class Acts(Protocol):
    """What services write through when what they write is worth a record. `Trail` is one."""

    async def do(self, unit: Unit[T], *entries: Entry, then: Callable[[T], None] | None = None) -> T:
        """Do a unit of work and record it in the same commit; returns the unit's result.

        A unit that raises leaves no record. `then` is called after COMMIT, as `Database.write` does.
        """
        ...

    async def record(self, *entries: Entry) -> None:
        """Record what needs no unit. Durable when it returns."""
        ...


class Unrecorded:
    """`Acts` that keeps no record: for a database that is nobody's, in tests and tools. Never in a node."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def do(self, unit: Unit[T], *entries: Entry, then: Callable[[T], None] | None = None) -> T:
        return await self._database.write(unit, then)

    async def record(self, *entries: Entry) -> None:
        """Nobody hears of it."""
