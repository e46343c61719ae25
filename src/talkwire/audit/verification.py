"""Is a trail whole? Reads every record of an account and says what is not as it was written."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from talkwire.audit import rules, store
from talkwire.audit.anchors import Anchor
from talkwire.audit.model import Head, Record
from talkwire.audit.persons import Owners, Persons
from talkwire.audit.store import Reader

PAGE = 2_000
MOST_FINDINGS = 100


class Finding(NamedTuple):
    """Something that is not as it was written. `number` says where in the chain."""

    number: int
    what: str


@dataclass
class Report:
    """What a verification found: nothing, if the trail is whole.

    Of an export besides: how many records had personal fields `opened`, when it says that it was exported, and the
    public key (hex) that it was `signed_by`. Whose key that is, the file cannot say.
    """

    account_id: str
    records: int = 0
    head: Head = rules.GENESIS
    is_code_checked: bool = False
    are_persons_checked: bool = False
    anchored_up_to: int = 0
    opened: int = 0
    exported_at_ms: int = 0
    signed_by: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.findings

    def find(self, number: int, what: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(number, what))


class Walk:
    """Follows a chain, record by record, and remembers the hashes that something else vouches for."""

    def __init__(self, report: Report, start: Head, vouched: Iterable[Head] = ()) -> None:
        self.head = start
        self._report = report
        self._vouched = {head.number: head.hash for head in vouched if head.number}

    def step(self, record: Record) -> None:
        report = self._report
        report.records += 1
        expected = self.head.number + 1
        if record.number != expected:
            report.find(expected, missing(expected, record.number - 1))
        elif rules.hash_of(self.head.hash, record.account_id, record.number, record.draft) != record.hash:
            report.find(record.number, "is not what was recorded, or does not follow the one before it")
        self.head = Head(record.number, record.hash)
        if self._vouched.get(record.number, record.hash) != record.hash:
            report.find(
                record.number, "is not the record whose hash was kept apart: the chain was written anew"
            )


async def verify(
    database: Reader,
    account_id: str,
    code_key: bytes | None = None,
    anchor: Anchor | None = None,
    owners: Owners | None = None,
) -> Report:
    """Walk an account's whole chain, to its head, its head's code and its anchor. Works while it grows.

    `owners`: whose boxes they are is compared with the list of persons.
    """
    report = Report(account_id)
    at_first = await store.find_head(database, account_id)
    vouched = [at_first[0]] if at_first else []
    if anchor is not None:
        vouched.append(anchor.head)
        report.anchored_up_to = anchor.head.number
    walk = Walk(report, rules.GENESIS, vouched)
    persons = Persons(owners) if owners is not None else None
    while records := await store.list_records(database, account_id, walk.head.number, PAGE):
        for record in records:
            walk.step(record)
            if persons is not None:
                persons.step(record)
    report.head = walk.head
    await _check_end(database, report, code_key)
    if anchor is not None and anchor.head.number > walk.head.number:
        report.find(walk.head.number + 1, missing(walk.head.number + 1, anchor.head.number))
    if persons is not None:
        await _check_persons(database, report, persons)
    return report


async def _check_persons(database: Reader, report: Report, persons: Persons) -> None:
    report.are_persons_checked = True
    for number, what in await persons.list_wrong(database, report.account_id):
        report.find(number, what)


async def _check_end(database: Reader, report: Report, code_key: bytes | None) -> None:
    """Against the head as it is now: it may have moved on since we walked, never back."""
    found = await store.find_head(database, report.account_id)
    last = report.head
    if found is None:
        if last.number:
            report.find(last.number, "is the last record, and the chain's head is gone")
        return
    head, code, _ = found
    if head.number < last.number:
        report.find(head.number + 1, "lies beyond the chain's head")
    elif (await store.find_hash(database, report.account_id, head.number) or bytes(32)) != head.hash:
        report.find(head.number, "is missing, or is not the record that the chain's head names")
    if code_key is not None:
        report.is_code_checked = True
        if not rules.is_code(code, code_key, report.account_id, head):
            report.find(head.number, "is named by a head that was not written by us")


def missing(first: int, last: int) -> str:
    if last < first:
        return "is there twice, or out of order"
    return "is missing" if first == last else f"to {last} are missing"
