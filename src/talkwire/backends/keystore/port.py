"""The key store port: a small database apart from the data, from which what was destroyed is really gone.

It holds only wrapped keys: whoever has it and no master key has nothing. It speaks the database port's
language (`Unit`, `Transaction`), so that its statements are written once, in `vault/store.py`.
"""

from collections.abc import Sequence
from typing import Protocol

from talkwire.backends.database.port import Row, T, Unit


class KeyStore(Protocol):
    """Where wrapped keys lie.

    Adapters promise: what was written is on disk when it is answered; a unit is applied whole or not at
    all, and may be run again; vendors' errors become `Unavailable` or `StorageFull`.
    """

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit of work and wait until it is durable; returns its result."""
        ...

    async def shred(self, unit: Unit[T]) -> T:
        """As `write`, and nothing that the unit overwrote with as many bytes can be read from the store afterwards.

        Raises Unavailable when that cannot be had now; the unit may have been applied. Repeat it.
        """
        ...

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        """Rows of a query over committed data, off the event loop."""
        ...

    async def migrate(self) -> None:
        """Bring the schema forward. Raises SchemaTooNew if it is ahead of this program."""
        ...

    async def close(self) -> None:
        """Commit what was handed in, then let go."""
        ...
