"""A trail as a file: JSON lines that anybody can verify without us, and without the keys.

First what is exported and the hash of the record before it; then the records, each as it was hashed, with
what was personal in it opened while its key exists (`null`: erased); then how many there were, and the
last one's hash; last a signature over all of it. The chain covers what is hashed: what was opened, and when it
was exported, only the signature does. It proves who wrote the file to whoever knows the account's public key.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from talkwire.audit import rules, store
from talkwire.audit.model import Draft, Head, Opened, Record
from talkwire.audit.signing import Signature, is_signature, sign
from talkwire.audit.store import Reader
from talkwire.audit.verification import PAGE, Report, Walk

VERSION = 2
UNSIGNED = 1
"""The version without a signature: of earlier releases, and of a trail whose key does not open."""

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
    """The line after the last record."""

    number: int
    hash: Hex
    records: int


AnyLine = Opening | Line | Ending | Signature

_decode = msgspec.json.Decoder(AnyLine).decode


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
    key: Ed25519PrivateKey | None = None,
) -> AsyncIterator[bytes]:
    """The lines of an export: everything from the first record in the span to its last one, signed with `key`."""
    first, last = await store.find_bounds(database, account_id, from_ms, to_ms) or (1, 0)
    previous = await store.find_hash(database, account_id, first - 1) or rules.GENESIS.hash
    version = VERSION if key else UNSIGNED
    opening = _encode(Opening(version, account_id, first - 1, previous.hex(), now_ms))
    digest = sha256(opening + b"\n")
    yield opening
    head, count = Head(first - 1, previous), 0
    async for record in _records(database, account_id, first, last):
        draft = record.draft
        opened = None
        if opener is not None and draft.person:
            opened = await opener.open(account_id, draft.person, draft.box)
        line = _encode(Line.of(record, opened))
        digest.update(line + b"\n")
        yield line
        head, count = Head(record.number, record.hash), count + 1
    ending = _encode(Ending(head.number, head.hash.hex(), count))
    digest.update(ending + b"\n")
    yield ending
    if key is not None:
        yield _encode(sign(key, digest.digest()))


async def _records(database: Reader, account_id: str, first: int, last: int) -> AsyncIterator[Record]:
    after = first - 1
    while after < last:
        records = await store.list_records(database, account_id, after, min(PAGE, last - after))
        if not records:
            break
        for record in records:
            yield record
        after = records[-1].number


def verify_lines(lines: Iterable[bytes]) -> Report:
    """Verify an export, byte for byte when it is signed. Raises ValueError when it is none."""
    numbered = enumerate((line.removesuffix(b"\n") for line in lines), 1)
    number, first = next(numbered, (1, b""))
    opening = _decode_line(number, first)
    if not isinstance(opening, Opening) or opening.version not in {UNSIGNED, VERSION}:
        raise ValueError("the file does not begin as an export of an audit trail does")
    reading = _Reading(opening)
    digest = sha256(first + b"\n")
    for number, line in numbered:
        if not line.strip() and opening.version == UNSIGNED:
            continue
        reading.take(_decode_line(number, line), line, digest.digest())
        digest.update(line + b"\n")
    return reading.finish()


class _Reading:
    """An export as far as it was read."""

    def __init__(self, opening: Opening) -> None:
        self._is_signed = opening.version == VERSION
        self._ending: Ending | None = None
        self._signature: Signature | None = None
        self._report = Report(opening.account_id, exported_at_ms=opening.exported_at)
        self._walk = Walk(self._report, Head(opening.after, bytes.fromhex(opening.previous)))

    def take(self, decoded: AnyLine, line: bytes, digest: bytes) -> None:
        """One more line; `digest` is of those before it."""
        if isinstance(decoded, Line) and self._ending is None:
            self._step(decoded)
        elif isinstance(decoded, Ending) and self._ending is None:
            self._ending = decoded
        elif isinstance(decoded, Signature) and self._ending is not None and self._signature is None:
            self._signature = decoded
            if _encode(decoded) != line or not is_signature(decoded, digest):
                self._find("is the last one of a file that is not as it was signed")
        else:
            self._find("is not the end of the file")

    def finish(self) -> Report:
        report, head, ending = self._report, self._walk.head, self._ending
        report.head = head
        if ending is None:
            report.find(head.number + 1, "and what follows is missing: the file has no end")
        elif (ending.number, ending.hash, ending.records) != (head.number, head.hash.hex(), report.records):
            report.find(ending.number, "is not where the file ends")
        elif self._signature is not None:
            report.signed_by = self._signature.public_key
        elif self._is_signed:
            self._find("is the last one, and the signature is missing")
        return report

    def _step(self, line: Line) -> None:
        record = line.record_of(self._report.account_id)
        self._walk.step(record)
        if line.personal is not None:
            self._report.opened += 1
        if line.time != _moment_or_none(line.at):
            self._report.find(line.number, "says another time than the one that is hashed")
        if line.box != base64.b64encode(record.draft.box).decode():
            self._report.find(line.number, "has a box that is not written as we write it")

    def _find(self, what: str) -> None:
        self._report.find(self._walk.head.number, what)


def moment(at_ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment_or_none(at_ms: int) -> str | None:
    """None for what is no moment."""
    try:
        return moment(at_ms)
    except (ValueError, OverflowError, OSError):
        return None


def _decode_line(number: int, line: bytes) -> AnyLine:
    try:
        decoded: AnyLine = _decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(f"line {number}: {error}") from error
    return decoded
