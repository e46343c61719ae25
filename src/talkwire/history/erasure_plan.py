"""What a request takes in hand now: found by its ids, split into what may go and what is still open."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from talkwire.backends.database.port import Database
from talkwire.conversations.model import Conversation
from talkwire.history import erasing_store as store
from talkwire.history.erasure_model import ErasureRequest, Item, ItemKind, SubjectKind
from talkwire.history.erasure_rules import item_of_file, split_open
from talkwire.kernel.ids import AccountId


class FileFinding(Protocol):
    """What this asks of files."""

    async def list_of_conversations(
        self, account_id: AccountId, conversation_ids: Sequence[str]
    ) -> list[str]: ...
    async def list_of_uploader(self, account_id: AccountId, consumer_id: str) -> list[str]: ...


class Plan(NamedTuple):
    """`still_open`: ids of conversations that have to wait; while there are any, consumers keep their keys."""

    items: list[Item]
    still_open: list[str]


class Planner:
    """Looks, and changes nothing."""

    def __init__(self, database: Database, files: FileFinding) -> None:
        self._database = database
        self._files = files

    async def plan(self, request: ErasureRequest) -> Plan:
        account_id = request.account_id
        closed, still_open = split_open(await self._conversations(request))
        items = [Item(ItemKind.CONVERSATION, one.conversation_id) for one in closed]
        waiting: set[str] = {one.conversation_id for one in still_open}
        uploaders: list[str] = []
        if request.kind is SubjectKind.CONSUMER:
            waiting_for = {one.consumer_id for one in still_open}
            uploaders = [one for one in request.subjects if one not in waiting_for]
            items += [Item(ItemKind.CONSUMER, one) for one in uploaders]
        going: set[str] = {one.conversation_id for one in closed}
        items += await self._file_items(account_id, going, waiting, uploaders)
        return Plan(items, sorted(waiting))

    async def _conversations(self, request: ErasureRequest) -> list[Conversation]:
        account_id, database = request.account_id, self._database
        if request.kind is SubjectKind.CONVERSATION:
            return await store.conversations_by_id(database, account_id, request.subjects)
        find: Callable[[Database, AccountId, str], Awaitable[list[Conversation]]] = (
            store.conversations_of_consumer
            if request.kind is SubjectKind.CONSUMER
            else store.conversations_of_engagement
        )
        found: dict[str, Conversation] = {}
        for subject in request.subjects:
            found |= {one.conversation_id: one for one in await find(database, account_id, subject)}
        return list(found.values())

    async def _file_items(
        self, account_id: AccountId, going: set[str], waiting: set[str], uploaders: Sequence[str]
    ) -> list[Item]:
        paths: set[str] = set()
        for part in store.slices(sorted(going)):
            paths |= set(await self._files.list_of_conversations(account_id, part))
        for consumer_id in uploaders:
            paths |= set(await self._files.list_of_uploader(account_id, consumer_id))
        for part in store.slices(sorted(waiting)):
            paths -= await store.paths_shown_in(self._database, account_id, part)
        items = []
        for part in store.slices(sorted(paths)):
            shown = await store.list_shown(self._database, account_id, part, going)
            items += [Item(item_of_file(one), one.relative_path, one.detail) for one in shown]
        return items
