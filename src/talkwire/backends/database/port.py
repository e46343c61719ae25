"""The database port: one FIFO of writes that are on disk when they are answered, and reads beside it.

Adapters promise: writes take effect in the order they were handed in (`append` and `write` share one
queue); nothing is answered before it is durable; a `Unit` is applied whole or not at all; callbacks
(`Append.settled`, `write(then=)`) run on the event loop, after COMMIT, in queue order, before any
awaiting task is resumed; vendors' errors become `kernel.errors.Unavailable` or `StorageFull`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol, TypeVar, runtime_checkable

from talkwire.kernel.errors import Conflict

T = TypeVar("T")
Row = Mapping[str, Any]
"""One result row: read by column name. (Adapters' rows also index by position.)"""


class Outcome(Enum):
    """What became of an `Append`."""

    PENDING = "pending"
    APPENDED = "appended"
    REPEATED = (
        "repeated"  # same idempotency key, same fingerprint: `sequence` and `at_ms` are the first one's
    )
    KEY_REUSED = "key reused"  # same idempotency key, other fingerprint
    STALE = "stale"  # the dialog's version is not `version` any more (or there is no such dialog)
    REFUSED = "refused"  # what was to be done with it (`also`) raised `error`: neither was done
    UNAVAILABLE = "unavailable"  # nothing of it was applied


class Append:
    """One event for the log of a dialog: what goes in, and, once settled, what came of it.

    The append also moves the dialog's row: `last_sequence`, `last_event_at`, and for content
    (`is_content`) `last_content_sequence` and `owed_since` (set to `at_ms` by a consumer's content
    when 0, set to 0 by anybody else's with audience ALL, a CONTROLLER's left out; 0 means no answer is owed).
    """

    __slots__ = (
        "account_id", "also", "at_ms", "audience", "client_properties", "conversation_id", "dialog_id", "error",
        "event", "event_id", "fingerprint", "idempotency_key", "is_content", "kind", "metadata", "originator_id",
        "originator_role", "outcome", "read_up_to", "sequence", "settled", "token", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 -- a row has this many columns
        self,
        *,
        account_id: str,
        conversation_id: str,
        dialog_id: str,
        version: int,
        event_id: str,
        kind: str,
        event: bytes,
        originator_id: str,
        originator_role: str,
        audience: str,
        at_ms: int,
        settled: Callable[["Append"], None],
        is_content: bool,
        metadata: bytes | None = None,
        client_properties: bytes | None = None,
        idempotency_key: str | None = None,
        fingerprint: bytes | None = None,
        read_up_to: int | None = None,
        token: Any = None,
        also: "Rider | None" = None,
    ) -> None:
        self.account_id = account_id
        self.conversation_id = conversation_id
        self.dialog_id = dialog_id
        self.version = version  # of the view it was judged on; compared in the commit
        self.event_id = event_id  # server-made UUID: a COMMIT of unknown outcome is looked up by it
        self.kind = kind  # content | rich | accept
        self.event = event  # JSON we encoded, UTF-8
        self.originator_id = originator_id
        self.originator_role = originator_role
        self.audience = audience  # ALL | AGENTS_AND_MANAGERS
        self.at_ms = (
            at_ms  # our clock at judging; the commit raises it to the dialog's last_event_at if behind
        )
        self.settled = settled
        self.is_content = is_content
        self.metadata = metadata  # JSON array or None
        self.client_properties = client_properties  # JSON object or None
        self.idempotency_key = idempotency_key  # scoped to (account_id, originator_id), kept 24 h
        self.fingerprint = fingerprint  # hash of the request's meaning; goes with idempotency_key
        self.read_up_to = read_up_to  # for READ accept status: the highest sequence in its list
        self.token = token  # the caller's own; adapters leave it alone
        self.also = also  # what is done in the same commit once this is numbered; both or neither
        self.error: BaseException | None = None  # what `also` raised
        self.sequence = -1
        self.outcome = Outcome.PENDING


class Transaction(Protocol):
    """What a unit of work may await. Statements see what came before them in the queue."""

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]: ...

    async def execute(self, sql: str, *args: object) -> int:
        """Run a statement that changes rows; returns how many it touched."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    async def append(self, entries: Sequence[Append]) -> None:
        """Number and insert events inside this unit (sets `outcome`, `sequence`, `at_ms`).

        `settled` is not called: the unit's owner learns by the unit's own result.
        """
        ...

    async def at_end(self, finish: "Ending", item: object) -> None:
        """Leave an item for the end: `finish(tx, items)` is awaited before COMMIT.

        Whoever else is in the same commit may have left items for the same `finish`: they come together, in
        order. What it raises undoes the unit; then `finish` is asked again with the others' items alone.
        """
        ...


Rider = Callable[[Transaction, Append], Awaitable[None]]
"""What an event brings along: `async def also(tx, append)`, as a unit; `append` has its sequence by then."""

Ending = Callable[[Transaction, Sequence[Any]], Awaitable[None]]
Endings = dict[Ending, list[Any]]

Unit = Callable[[Transaction], Awaitable[T]]
"""An `async def unit(tx)` that awaits nothing but `tx`, and may be run again from its start."""


class Database(Protocol):
    """Where the truth lies."""

    def append(self, entry: Append) -> None:
        """Put an event at the end of the queue; returns at once, calls `entry.settled(entry)` once later.

        Batches form by themselves: what arrives while a commit is under way goes into the next.
        """
        ...

    async def write(self, unit: Unit[T], then: Callable[[T], None] | None = None) -> T:
        """Put a unit of work at the end of the queue and wait until it is durable; returns its result.

        A refusal raised inside rolls back this unit alone and is raised here; `then` is called
        only after COMMIT, in queue order.
        """
        ...

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        """Rows of a query over committed data, off the event loop."""
        ...

    async def migrate(self) -> None:
        """Bring the schema forward. Raises SchemaTooNew if it is ahead of this program."""
        ...

    def on_commit(self, heard: Callable[[int, float], None]) -> None:
        """Call `heard(events, seconds)` after each commit, on whatever thread writes: it must be quick."""
        ...

    async def close(self) -> None:
        """Commit what was handed in, then let go."""
        ...


@runtime_checkable
class Scrubs(Protocol):
    """What a database may be able to do beside: to rid its files of what was deleted or replaced."""

    async def scrub(self) -> None:
        """Leave no byte of it where that is in the database's hands. Raises Unavailable: try again later.

        SQLite: nothing is left in its file and its log. PostgreSQL: the rows are gone and their room is given
        free, but the bytes stay in pages and in its write-ahead log until they are overwritten.
        """
        ...


class SchemaTooNew(Exception):
    """The database was written by a newer version of the program."""


class DatabaseInUse(Exception):
    """Another process holds this embedded database."""


class AlreadyExists(Conflict):
    """A unit broke a unique key. It ends the unit: PostgreSQL takes no more statements after it."""
