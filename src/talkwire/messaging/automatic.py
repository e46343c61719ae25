"""Use cases of automatic messages: the ordered list that an account declares."""

from collections.abc import Awaitable, Callable, Sequence

from talkwire.accounts.ordered_list import ListKind, OrderedList
from talkwire.audit.acts import Acts
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.messaging.automatic_rules import AutomaticMessage, checked

Allowed = Callable[[AccountId], Awaitable[bool]]
"""Whether the account allows controller bots."""

InForce = Callable[[AccountId], Awaitable[Sequence[AutomaticMessage]]]
"""What may be sent of what an account declares: nothing unless it allows controller bots."""


class AutomaticMessages(OrderedList[AutomaticMessage]):
    """What every account declares. What is no such message is AutomaticMessageInvalid."""

    def __init__(self, database: Database, clock: Clock, acts: Acts | None = None) -> None:
        super().__init__(ListKind("automatic messages", AutomaticMessage, _checked), database, clock, acts)


def in_force(messages: AutomaticMessages, allowed: Allowed) -> InForce:
    async def found(account_id: AccountId) -> Sequence[AutomaticMessage]:
        return await messages.declared(account_id) if await allowed(account_id) else ()

    return found


async def _checked(
    tx: Transaction, account_id: AccountId, messages: Sequence[AutomaticMessage]
) -> tuple[AutomaticMessage, ...]:
    return checked(messages)
