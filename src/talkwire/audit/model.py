"""The nouns of the audit trail."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

Scalar = str | int | float | bool | None


class Act(StrEnum):
    """What can be done. The values are stored: never change one."""

    SLOT_ISSUED = "slot issued"  # an upload URL
    RECEIVED = "received"  # the bytes of a file
    JUDGED = "judged"  # the verdict on them
    PUBLISHED = "published"
    URL_ISSUED = "url issued"  # a download URL
    SERVED = "served"  # bytes to a client
    REFUSED = "refused"  # `detail.reason` says why
    EXPIRED = "expired"
    ERASURE_REQUESTED = "erasure requested"
    ERASURE_CANCELLED = "erasure cancelled"
    ERASED = "erased"
    RESTORED = "restored"  # a backup was put back
    KEY_ROTATION_BEGUN = "key rotation begun"  # with neither of the next, nor "refused", it was broken off
    KEY_ROTATED = "key rotated"
    ACCOUNT_CREATED = "account created"
    SETTING_CHANGED = "setting changed"
    USER_CHANGED = "user changed"
    APP_CHANGED = "app changed"
    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    EXPORTED = "exported"  # somebody read this trail, or the history


class Entry(msgspec.Struct, frozen=True):
    """What a room reports.

    `subject` is what it was done to: a relative path, the name of a property, a user. `consumer_id` says
    whose personal data this is; wherever it stands in `subject` or `detail`, it is locked away with it.
    `actor` is the participant id or login name of who did it; empty: whoever is known to be asking now
    (`origin.ACTOR`). `is_anybodys`: nobody knows who did it, and it may have been any consumer: then
    neither actor nor address is kept. No texts, file names of people, or secrets belong in `detail`.
    """

    account_id: str
    act: Act
    subject: str
    consumer_id: str = ""
    actor: str = ""
    detail: Mapping[str, Scalar] = {}
    is_anybodys: bool = False


class Told(NamedTuple):
    """An entry with who is known to be asking, and from where: it may be recorded later than it was told."""

    entry: Entry
    actor: str
    address: str

    @property
    def who(self) -> str:
        """Whose acts are counted together."""
        return self.actor or self.address

    def but(self, **detail: Scalar) -> "Told":
        """With more detail."""
        changed = msgspec.structs.replace(self.entry, detail={**self.entry.detail, **detail})
        return self._replace(entry=changed)


class Draft(NamedTuple):
    """A record without its place in the chain."""

    at_ms: int
    act: str
    subject: str
    actor: str  # empty when the consumer did it: then it is in the box. Empty in both: nobody knows
    address: str  # likewise
    person: str  # the consumer's random name; empty when nobody's data is in it
    box: bytes  # locked: consumer id, actor, address
    detail: str  # JSON object


class Record(NamedTuple):
    """A record as stored."""

    account_id: str
    number: int
    hash: bytes
    draft: Draft


class Head(NamedTuple):
    """Where a chain ends. Number 0: nothing was recorded yet."""

    number: int
    hash: bytes


class Opened(NamedTuple):
    """What was in a box."""

    consumer_id: str
    actor: str
    address: str


class Sealed(NamedTuple):
    """Entries made ready for `Trail.write`: nothing but numbers and hashes is missing."""

    by_account: dict[str, list[Draft]]
    codes: dict[str, bytes]  # each account's key for the code of its head
