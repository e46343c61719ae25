"""The nouns of erasure: who is to be forgotten, what that takes in hand, what became of it.

Source: docs/protocol.md 9.11.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from talkwire.kernel.ids import AccountId

MASK = "*** LP deleted data ***"
"""What stands where a text was. Source: docs/protocol.md 9.11."""


class SubjectKind(StrEnum):
    """By what a request names what is to go."""

    CONSUMER = "consumer"
    CONVERSATION = "conversation"
    ENGAGEMENT = "engagement"


class RequestState(StrEnum):
    """As the wire spells it."""

    NOT_STARTED = "NOT_STARTED"
    IN_PROGRESS = "IN_PROGRESS"
    CANCELED = "CANCELED"
    DONE = "DONE"


class ErasureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's wish, as it is kept."""

    account_id: AccountId
    request_id: int  # grows with time; fits a JSON number
    kind: SubjectKind
    subjects: tuple[str, ...]  # ids, 1 to 100
    requested_by: str
    requested_at_ms: int
    due_at_ms: int  # until then it can be cancelled
    deadline_at_ms: int  # from then on what is left is an alarm
    state: RequestState = RequestState.NOT_STARTED
    cancelled_by: str = ""
    cancelled_at_ms: int | None = None
    left_open: int = 0  # conversations that were open at the last try


class ItemKind(StrEnum):
    CONSUMER = "consumer"  # profile, claims, and the key
    CONVERSATION = "conversation"  # texts, attributes, notes
    FILE = "file"  # hosted file with its preview
    SHARED_FILE = "shared file"  # a brand's file, shown to others too: only its showing here goes


class Item(msgspec.Struct, frozen=True):
    """One thing that a request erases. `detail` is filled in when it is done, for the receipt."""

    kind: ItemKind
    ref: str
    detail: dict[str, Any] = {}
    done_at_ms: int | None = None


class ErasureTimes(NamedTuple):
    """How long a request waits, and how long it may take."""

    cancel_seconds: int = 432_000
    deadline_days: int = 20


class RequestQuery(NamedTuple):
    """Which requests somebody wants to see; None: any."""

    state: RequestState | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased at one go, as it is kept with the keys: enough to do it again on older data.

    Or what became of a request: its receipt, or that it was taken back.
    """

    entry_id: str  # 32 hex digits
    account_id: AccountId
    at_ms: int
    request: ErasureRequest
    consumers: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # relative paths
    shared_files: tuple[str, ...] = ()
    receipt: str = ""  # of a finished request; such an entry lists nothing else

    @property
    def is_cancellation(self) -> bool:
        """That the request was taken back; such an entry lists nothing else."""
        return self.request.state is RequestState.CANCELED
