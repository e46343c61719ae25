"""The SQL of the audit trail."""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Protocol

from talkwire.audit.model import Draft, Head, Record
from talkwire.backends.database.port import Row, Transaction

_DRAFT = "at, act, subject, actor, address, person, box, detail"
_COLUMNS = 11
_AT_ONCE = 32


class Reader(Protocol):
    """What reading a trail takes: a database, or a look into the file of one that a server holds."""

    async def read(self, sql: str, *args: object) -> Sequence[Row]: ...


def _record(row: Row) -> Record:
    draft = Draft(
        row["at"], row["act"], row["subject"], row["actor"], row["address"], row["person"],
        bytes(row["box"]), row["detail"],
    )  # fmt: skip
    return Record(row["account_id"], row["number"], bytes(row["hash"]), draft)


async def lock_head(tx: Transaction, account_id: str) -> Head | None:
    """Where the chain ends, held until the unit ends."""
    rows = await tx.fetch(
        "UPDATE audit_heads SET number = number WHERE account_id = $1 RETURNING number, hash", account_id
    )
    return Head(rows[0]["number"], bytes(rows[0]["hash"])) if rows else None


async def move_head(tx: Transaction, account_id: str, head: Head, after: Head, code: bytes) -> bool:
    """Let the chain end at `after`, if it ends at `head`."""
    moved = await tx.execute(
        "UPDATE audit_heads SET number = $4, hash = $5, code = $6"
        " WHERE account_id = $1 AND number = $2 AND hash = $3",
        account_id,
        *head,
        *after,
        code,
    )
    return moved == 1


async def insert_records(tx: Transaction, records: Sequence[Record]) -> None:
    """In as few statements as may be: each one is a turn for the interpreter's lock."""
    for start in range(0, len(records), _AT_ONCE):
        some = records[start : start + _AT_ONCE]
        values = [(record.account_id, record.number, record.hash, *record.draft) for record in some]
        await tx.execute(_insertion(len(some)), *chain.from_iterable(values))


@cache
def _insertion(count: int) -> str:
    marks = ", ".join(
        "(" + ", ".join(f"${row * _COLUMNS + column}" for column in range(1, _COLUMNS + 1)) + ")"
        for row in range(count)
    )
    return f"INSERT INTO audit_records (account_id, number, hash, {_DRAFT}) VALUES {marks}"


async def insert_head(tx: Transaction, account_id: str, head: Head, code: bytes, sealed_key: bytes) -> bytes:
    """Begin a chain; gives the sealed key that stands, which may be another's."""
    await tx.execute(
        "INSERT INTO audit_heads (account_id, number, hash, code, sealed_key) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT DO NOTHING",
        account_id,
        head.number,
        head.hash,
        code,
        sealed_key,
    )
    rows = await tx.fetch("SELECT sealed_key FROM audit_heads WHERE account_id = $1", account_id)
    return bytes(rows[0]["sealed_key"])


async def find_head(database: Reader, account_id: str) -> tuple[Head, bytes, bytes] | None:
    """A chain's end as stored, its code, and the sealed key of the code."""
    rows = await database.read(
        "SELECT number, hash, code, sealed_key FROM audit_heads WHERE account_id = $1", account_id
    )
    if not rows:
        return None
    row = rows[0]
    return Head(row["number"], bytes(row["hash"])), bytes(row["code"]), bytes(row["sealed_key"])


async def list_heads(database: Reader) -> list[tuple[str, Head]]:
    """Where every chain of this server ends: asked by the operator's verification and by the anchor."""
    rows = await database.read("SELECT account_id, number, hash FROM audit_heads ORDER BY account_id")
    return [(row["account_id"], Head(row["number"], bytes(row["hash"]))) for row in rows]


async def list_accounts(database: Reader) -> list[str]:
    """Every account that has, or had, a chain: with a head, or with records and no head any more."""
    rows = await database.read(
        "SELECT account_id FROM audit_heads UNION SELECT account_id FROM audit_records ORDER BY account_id"
    )
    return [row["account_id"] for row in rows]


async def find_bounds(database: Reader, account_id: str, from_ms: int, to_ms: int) -> tuple[int, int] | None:
    """The first number at or after a moment, and the last one before another."""
    rows = await database.read(
        "SELECT MIN(number) AS first, MAX(number) AS last FROM audit_records"
        " WHERE account_id = $1 AND at >= $2 AND at < $3",
        account_id,
        from_ms,
        to_ms,
    )
    return None if rows[0]["first"] is None else (rows[0]["first"], rows[0]["last"])


async def find_hash(database: Reader, account_id: str, number: int) -> bytes | None:
    rows = await database.read(
        "SELECT hash FROM audit_records WHERE account_id = $1 AND number = $2", account_id, number
    )
    return bytes(rows[0]["hash"]) if rows else None


async def list_records(database: Reader, account_id: str, after: int, limit: int) -> list[Record]:
    rows = await database.read(
        f"SELECT account_id, number, hash, {_DRAFT} FROM audit_records"
        " WHERE account_id = $1 AND number > $2 ORDER BY number LIMIT $3",
        account_id,
        after,
        limit,
    )
    return [_record(row) for row in rows]


async def find_person(database: Reader, account_id: str, consumer_id: str) -> str | None:
    rows = await database.read(
        "SELECT person FROM audit_persons WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
    )
    return str(rows[0]["person"]) if rows else None


async def find_consumer(database: Reader, account_id: str, person: str) -> str | None:
    rows = await database.read(
        "SELECT consumer_id FROM audit_persons WHERE account_id = $1 AND person = $2", account_id, person
    )
    return str(rows[0]["consumer_id"]) if rows else None


async def list_persons(database: Reader, account_id: str, after: str, limit: int) -> list[tuple[str, str]]:
    """Consumers and their names, by consumer."""
    rows = await database.read(
        "SELECT consumer_id, person FROM audit_persons WHERE account_id = $1 AND consumer_id > $2"
        " ORDER BY consumer_id LIMIT $3",
        account_id,
        after,
        limit,
    )
    return [(row["consumer_id"], row["person"]) for row in rows]


async def insert_person(tx: Transaction, account_id: str, consumer_id: str, person: str) -> str:
    """Name a consumer; gives the name that stands, which may be one given meanwhile."""
    await tx.execute(
        "INSERT INTO audit_persons (account_id, consumer_id, person) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING",
        account_id,
        consumer_id,
        person,
    )
    rows = await tx.fetch(
        "SELECT person FROM audit_persons WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
    )
    return str(rows[0]["person"])


async def delete_person(tx: Transaction, account_id: str, consumer_id: str) -> None:
    await tx.execute(
        "DELETE FROM audit_persons WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
    )
