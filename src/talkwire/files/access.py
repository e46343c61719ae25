"""Who may share files at all, and who may fetch which."""

from typing import Protocol

from talkwire.accounts.properties import (
    AGENT_FILE_SHARING,
    AGENT_FILE_SHARING_GRANT,
    AGENT_FILE_SHARING_V2_GRANT,
    CONSUMER_FILE_SHARING,
    Property,
)
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.views import View
from talkwire.files import rules
from talkwire.files.model import RECENT_PUBLICATIONS, HostedFile, PublishedIn
from talkwire.files.paths import parse_path
from talkwire.files.register import FileRegister
from talkwire.identity.model import Principal
from talkwire.kernel.ids import AccountId


class Switches(Protocol):
    """What files asks of accounts."""

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str: ...
    async def has_grant(self, account_id: AccountId, name: str) -> bool: ...


class ConversationViews(Protocol):
    """What files asks of conversations."""

    async def view(self, account_id: AccountId, conversation_id: str) -> View: ...


class Access:
    """The questions that come before everything else."""

    def __init__(self, switches: Switches, conversations: ConversationViews, register: FileRegister) -> None:
        self._switches = switches
        self._conversations = conversations
        self._register = register

    async def admit_sharing(self, who: Principal) -> None:
        """Raises FileSharingOff, MaySendNoFiles."""
        on, granted = self._switches.value, self._switches.has_grant
        account_id = who.account_id
        rules.admit_sharing(
            who,
            consumers_on=bool(await on(account_id, CONSUMER_FILE_SHARING)),
            agents_on=who.is_consumer or bool(await on(account_id, AGENT_FILE_SHARING)),
            granted=who.is_consumer
            or await granted(account_id, AGENT_FILE_SHARING_GRANT)
            or await granted(account_id, AGENT_FILE_SHARING_V2_GRANT),
        )

    async def find_downloadable(self, who: Principal, relative_path: str) -> HostedFile | None:
        """The file, if `who` may download it. What memory refuses is looked up once more."""
        return await self._find(who, relative_path, looking_back=True)

    async def find_publishable(self, who: Principal, relative_path: str) -> HostedFile | None:
        """The file, if `who` sent it or was shown it: who only looks back at what is over passes nothing on."""
        return await self._find(who, relative_path, looking_back=False)

    async def _find(self, who: Principal, relative_path: str, *, looking_back: bool) -> HostedFile | None:
        named = parse_path(relative_path)
        if named is None or named.account_id != who.account_id:
            return None
        for fresh in (False, True):
            file = await self._register.find(who.account_id, relative_path, fresh=fresh)
            if file is None:
                return None
            if await self._may_download(who, file, looking_back=looking_back):
                return file
        return None

    async def _may_download(self, who: Principal, file: HostedFile, *, looking_back: bool) -> bool:
        if rules.is_uploader(who, file):
            return True
        for shown in file.published_in:
            if await self._is_shown_to(who, shown, looking_back=looking_back):
                return True
        if len(file.published_in) < RECENT_PUBLICATIONS:
            return False
        return any(
            [
                await self._is_shown_to(who, shown, looking_back=looking_back)
                for shown in await self._register.list_shown_to(file, who.id)
            ]
        )

    async def _is_shown_to(self, who: Principal, shown: PublishedIn, *, looking_back: bool) -> bool:
        try:
            view = await self._conversations.view(who.account_id, shown.conversation_id)
        except ConversationNotFound:
            return False
        if rules.may_download(who, shown, view.conversation):
            return True
        return looking_back and rules.may_look_back(who, view.conversation)
