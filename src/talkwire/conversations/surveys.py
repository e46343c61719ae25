"""Ends surveys that nobody ended: after its account's time the survey's dialog closes, and the conversation with it.

The time counts from the moment the survey was opened, whatever is said in it. Its end is judged on the locked record:
an answer, a close or another node that came first leaves nothing to do.
Source: docs/protocol.md 5.5, Appendix A16.
"""

import asyncio
import contextlib

from talkwire.accounts.properties import SURVEY_SECONDS
from talkwire.accounts.service import Accounts
from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations import loading_store, rules, surveys_store
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation
from talkwire.conversations.service import Conversations
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

AT_ONCE = 20
"""Conversations handed to the writer together; between two such batches others have their turn."""


class Surveys:
    """Looks for surveys whose time is over. Safe to run twice, and on several nodes."""

    def __init__(
        self, database: Database, clock: Clock, conversations: Conversations, accounts: Accounts
    ) -> None:
        self._database = database
        self._clock = clock
        self._conversations = conversations
        self._accounts = accounts

    async def end_overdue(self) -> None:
        """Close them, of every account. Raises what the last account failed of, once all were tried."""
        failed: Exception | None = None
        for account in await self._accounts.list_accounts():
            try:
                await self._end_of(account.account_id)
            except Exception as error:  # noqa: BLE001 -- that account's alone, as far as we know; raised below
                error.add_note(f"account {account.account_id}")
                failed = error
        if failed is not None:
            raise failed

    async def _end_of(self, account_id: AccountId) -> None:
        seconds = int(await self._accounts.value(account_id, SURVEY_SECONDS))
        if seconds < 1:
            return
        now_ms = self._clock.now_ms()
        opened_by_ms = now_ms - min(seconds, rules.MAX_SECONDS) * 1000
        ids = await surveys_store.list_in_survey(self._database, account_id, opened_by_ms)
        for first in range(0, len(ids), AT_ONCE):
            some = ids[first : first + AT_ONCE]
            found = await loading_store.records(self._database.read, account_id, some)
            async with asyncio.TaskGroup() as tasks:
                for one in found:
                    if rules.end_survey(one, opened_by_ms, now_ms) is not one:
                        tasks.create_task(self._end(one, opened_by_ms))

    async def _end(self, found: Conversation, opened_by_ms: int) -> None:
        async def decide(before: Conversation, _tx: Transaction) -> Conversation:
            return rules.end_survey(before, opened_by_ms, self._clock.now_ms())

        with contextlib.suppress(ConversationNotFound):  # erased meanwhile
            await self._conversations.change(found.account_id, found.conversation_id, decide)
