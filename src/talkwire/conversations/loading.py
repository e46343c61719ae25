"""Reading cold views from the database: one conversation, or many with few queries.

A view that was read while its conversation changed is not kept but read again: the commit's callback
may have come and gone before there was a view to tell. After some tries it is read inside the queue of
writes, where nothing can pass.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.conversations import loading_store as store
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation
from talkwire.conversations.views import RECENT_CONTENTS, DialogLog, View, Views
from talkwire.kernel.ids import AccountId, ConversationId, DialogId

TRIES = 3
BATCH = 100
"""Conversations per query: bounds what one read brings into memory."""

Hydrate = Callable[[Row], Any]
"""Makes of a row of `events` what `DialogLog.last_content` holds; messaging's to say."""


class Loader:
    """Brings views into memory."""

    def __init__(self, database: Database, views: Views, hydrate: Hydrate) -> None:
        self._database = database
        self._views = views
        self._hydrate = hydrate

    async def load(self, account_id: AccountId, conversation_id: ConversationId) -> View:
        """The view of one conversation, kept. Raises ConversationNotFound."""
        for _ in range(TRIES):
            with self._views.loading(account_id, [conversation_id]) as touched:
                built = await self._build(self._database.read, account_id, [conversation_id])
            if not touched:
                if not built:
                    raise ConversationNotFound
                return self._views.keep(built[0])
        return await self._load_in_queue(account_id, conversation_id)

    async def load_many(self, account_id: AccountId, wanted: Sequence[ConversationId]) -> list[View]:
        """The views of all that exist, in the order asked for; held ones are not read again."""
        found = {i: v for i in wanted if (v := self._views.find(account_id, i)) is not None}
        missing = [i for i in wanted if i not in found]
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            with self._views.loading(account_id, part) as touched:
                built = await self._build(self._database.read, account_id, part)
            for view in built:
                conversation_id = view.conversation.conversation_id
                if conversation_id in touched:
                    found[conversation_id] = await self.load(account_id, conversation_id)
                else:
                    found[conversation_id] = self._views.keep(view)
        return [found[i] for i in wanted if i in found]

    async def _load_in_queue(self, account_id: AccountId, conversation_id: ConversationId) -> View:
        """Read as a unit of work: its callback comes in queue order, so nothing is missed or counted twice."""

        async def unit(tx: Transaction) -> list[View]:
            return await self._build(tx.fetch, account_id, [conversation_id])

        def keep(built: list[View]) -> None:
            for view in built:
                self._views.keep(view)

        built = await self._database.write(unit, keep)
        if not built:
            raise ConversationNotFound
        return self._views.find(account_id, conversation_id) or built[0]

    async def _build(
        self,
        read: Callable[..., Awaitable[Sequence[Row]]],
        account_id: AccountId,
        conversation_ids: Sequence[ConversationId],
    ) -> list[View]:
        """Views as one look at the database shows them; events after the dialogs' rows are left out."""
        records = await store.records(read, account_id, conversation_ids)
        logs = await store.dialogs(read, account_id, conversation_ids)
        ends = {
            dialog_id: log.last_sequence for (_, dialog_id), log in logs.items() if log.last_sequence >= 0
        }
        await self._fill(read, account_id, {d: log for (_, d), log in logs.items()}, ends)
        return [View(record, _logs_of(record, logs)) for record in records]

    async def _fill(
        self,
        read: Callable[..., Awaitable[Sequence[Row]]],
        account_id: AccountId,
        logs: dict[DialogId, DialogLog],
        ends: dict[DialogId, int],
    ) -> None:
        for row in await store.recent_contents(read, account_id, ends, RECENT_CONTENTS):
            log = logs[row["dialog_id"]]
            is_private = row["audience"] != store.AUDIENCE_ALL
            log.recent.append((row["sequence"], row["originator_id"], is_private))
        for row in await store.read_marks(read, account_id, list(ends)):
            logs[row["dialog_id"]].read_up_to[row["originator_id"]] = row["read_up_to"]
        last = {d: logs[d].last_content_sequence for d in ends if logs[d].last_content_sequence >= 0}
        public = {d: await self._last_public(read, account_id, d, logs[d]) for d in last}
        wanted = {*last.items(), *((d, s) for d, s in public.items() if s >= 0)}
        for row in await store.events(read, account_id, sorted(wanted)):
            log = logs[row["dialog_id"]]
            event = self._hydrate(row)
            if row["sequence"] == last[row["dialog_id"]]:
                log.last_content = event
            if row["sequence"] == public[row["dialog_id"]]:
                log.last_public_content = event

    async def _last_public(
        self,
        read: Callable[..., Awaitable[Sequence[Row]]],
        account_id: AccountId,
        dialog_id: DialogId,
        log: DialogLog,
    ) -> int:
        """Sequence of the newest content for all eyes; -1 when there is none. Mostly known already."""
        for sequence, _, is_private in reversed(log.recent):
            if not is_private:
                return sequence
        return await store.last_public_content(read, account_id, dialog_id, log.last_content_sequence)


def _logs_of(
    record: Conversation, logs: dict[tuple[ConversationId, DialogId], DialogLog]
) -> dict[DialogId, DialogLog]:
    return {
        d.dialog_id: logs.get((record.conversation_id, d.dialog_id)) or DialogLog() for d in record.dialogs
    }
