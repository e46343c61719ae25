"""Use cases of automatic messages: the ordered list that an account declares."""

from collections.abc import Sequence

from talkwire.accounts.ordered_list import ListKind, OrderedList
from talkwire.audit.acts import Acts
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.messaging.automatic_rules import AutomaticMessage, checked


class AutomaticMessages(OrderedList[AutomaticMessage]):
    """What every account declares. What is no such message is AutomaticMessageInvalid."""

    def __init__(self, database: Database, clock: Clock, acts: Acts | None = None) -> None:
        super().__init__(ListKind("automatic messages", AutomaticMessage, _checked), database, clock, acts)


async def _checked(
    tx: Transaction, account_id: AccountId, messages: Sequence[AutomaticMessage]
) -> tuple[AutomaticMessage, ...]:
    return checked(messages)
