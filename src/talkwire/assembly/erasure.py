"""The rooms that forget people, put together."""

from dataclasses import dataclass

from talkwire.assembly.foundation import Foundation
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Scrubs
from talkwire.backends.keystore.port import KeyStore
from talkwire.conversations.service import Conversations
from talkwire.files.erasing import Erasing as FileErasing
from talkwire.history.erasing import Erasing, Forget
from talkwire.history.erasure import Erasures
from talkwire.history.erasure_check import ErasureCheck
from talkwire.history.erasure_model import ErasureTimes
from talkwire.history.erasure_plan import Planner
from talkwire.history.erasure_runs import ErasureRuns, Workshop
from talkwire.history.ledger import Ledger
from talkwire.history.receipt_keys import ReceiptKeys
from talkwire.settings import Settings
from talkwire.vault.service import Vault


@dataclass(frozen=True)
class ErasureRooms:
    """`receipt_keys.take_over()` and `runs.replay()` come before the node opens."""

    erasures: Erasures
    runs: ErasureRuns
    receipt_keys: ReceiptKeys


def erasure_times(settings: Settings) -> ErasureTimes:
    numbers = settings.erasure
    return ErasureTimes(numbers.erasure_cancel_seconds, numbers.erasure_deadline_days)


def erasure_rooms(
    base: Foundation,
    conversations: Conversations,
    files: FileErasing,
    vault: Vault,
    key_store: KeyStore,
    trail: Trail,
) -> ErasureRooms:
    database, clock = base.database, base.clock
    receipt_keys, ledger = ReceiptKeys(key_store, clock, vault), Ledger(key_store)
    forgets: list[Forget] = [trail.forget]
    workshop = Workshop(
        Planner(database, files),
        Erasing(database, conversations, files, vault, forgets),
        ErasureCheck(database, vault),
        database if isinstance(database, Scrubs) else None,
    )
    runs = ErasureRuns(database, clock, workshop, ledger, receipt_keys, trail)
    base.metrics.watch("erasures_overdue", "Deletion requests past their deadline.", lambda: runs.overdue)
    erasures = Erasures(database, clock, erasure_times(base.settings), ledger, trail)
    return ErasureRooms(erasures, runs, receipt_keys)
