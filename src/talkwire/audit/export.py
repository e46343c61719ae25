"""A trail as a file: JSON lines that anybody can verify without us, and without the keys.

First what is exported and the hash of the record before it; then the records, each as it was hashed, with
what was personal in it opened while its key exists (`null`: erased); last how many there were, and the
last one's hash. The chain proves that the file is of a piece; that its last hash is the trail's is asked of
the server (`talkwire audit verify`), of an anchor, or of an earlier export.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from talkwire.audit import rules, store
from talkwire.audit.model import Draft, Head, Opened, Record
from talkwire.audit.store import Reader
from talkwire.audit.verification import PAGE, Report, Walk

VERSION = 1
FOREVER_MS = 2**62

_encode = msgspec.json.Encoder().encode
Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Opening(msgspec.Struct, frozen=True, tag="audit", tag_field="line", forbid_unknown_fields=True):
    """The first line."""

    version: int
    account_id: str
    after: int  # the number before the first record
    previous: Hex  # its hash
    exported_at: int


class Line(msgspec.Struct, frozen=True, tag="record", tag_field="line", forbid_unknown_fields=True):
    """One record: what is hashed, its hash, and what was opened for whoever reads it."""

    number: int
    at: int
    act: str
    subject: str
    actor: str
    address: str
    person: str
    box: str
    detail: str
    hash: Hex
    time: str
    personal: dict[str, str] | None = None

    @classmethod
    def of(cls, record: Record, opened: Opened | None) -> "Line":
        draft = record.draft
        return cls(
            number=record.number,
            at=draft.at_ms,
            act=draft.act,
            subject=draft.subject,
            actor=draft.actor,
            address=draft.address,
            person=draft.person,
            box=base64.b64encode(draft.box).decode(),
            detail=draft.detail,
            hash=record.hash.hex(),
            time=moment(draft.at_ms),
            personal=opened._asdict() if opened else None,
        )

    def record_of(self, account_id: str) -> Record:
        """Raises ValueError."""
        try:
            box = base64.b64decode(self.box, validate=True)
        except binascii.Error as error:
            raise ValueError(f"line of record {self.number}: {error}") from error
        draft = Draft(
            self.at, self.act, self.subject, self.actor, self.address, self.person, box, self.detail
        )
        return Record(account_id, self.number, bytes.fromhex(self.hash), draft)


class Ending(msgspec.Struct, frozen=True, tag="end", tag_field="line", forbid_unknown_fields=True):
    """The last line."""

    number: int
    hash: Hex
    records: int


_decode = msgspec.json.Decoder(Opening | Line | Ending).decode


class Opener(Protocol):
    """Opens what is personal: `sealing.Boxes`, or nobody, when the keys are not at hand."""

    async def open(self, account_id: str, person: str, box: bytes) -> Opened | None: ...


async def export(
    database: Reader,
    account_id: str,
    opener: Opener | None,
    now_ms: int,
    *,
    from_ms: int = 0,
    to_ms: int = FOREVER_MS,
) -> AsyncIterator[bytes]:
    """The lines of an export: everything from the first record in the span to its last one."""
    first, last = await store.find_bounds(database, account_id, from_ms, to_ms) or (1, 0)
    previous = await store.find_hash(database, account_id, first - 1) or rules.GENESIS.hash
    head, count = Head(first - 1, previous), 0
    yield _encode(Opening(VERSION, account_id, head.number, previous.hex(), now_ms))
    while head.number < last:
        records = await store.list_records(database, account_id, head.number, min(PAGE, last - head.number))
        if not records:
            break
        for record in records:
            draft = record.draft
            opened = None
            if opener is not None and draft.person:
                opened = await opener.open(account_id, draft.person, draft.box)
            yield _encode(Line.of(record, opened))
        count += len(records)
        head = Head(records[-1].number, records[-1].hash)
    yield _encode(Ending(head.number, head.hash.hex(), count))


def verify_lines(lines: Iterable[bytes]) -> Report:
    """Verify an export. Raises ValueError when it is none."""
    decoded = (_decode_line(number, line) for number, line in enumerate(lines, 1) if line.strip())
    opening = next(decoded, None)
    if not isinstance(opening, Opening) or opening.version != VERSION:
        raise ValueError("the file does not begin as an export of an audit trail does")
    report = Report(opening.account_id)
    walk = Walk(report, Head(opening.after, bytes.fromhex(opening.previous)))
    ending: Ending | None = None
    for line in decoded:
        if ending is not None:
            report.find(walk.head.number, "is not the end of the file")
            break
        if isinstance(line, Ending):
            ending = line
        elif isinstance(line, Line):
            walk.step(line.record_of(opening.account_id))
    report.head = walk.head
    if ending is None:
        report.find(walk.head.number + 1, "and what follows is missing: the file has no end")
    elif (ending.number, ending.hash, ending.records) != (
        walk.head.number,
        walk.head.hash.hex(),
        report.records,
    ):
        report.find(ending.number, "is not where the file ends")
    return report


def moment(at_ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _decode_line(number: int, line: bytes) -> Opening | Line | Ending:
    try:
        decoded: Opening | Line | Ending = _decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(f"line {number}: {error}") from error
    return decoded
