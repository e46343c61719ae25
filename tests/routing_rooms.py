"""A brand with conversations and routing over a real embedded database, for tests.

Passes are made by hand (`settle`), so that no test waits for a background task.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from talkwire.backends.database.port import Database
from talkwire.conversations.model import Conversation, NewConversation, Ttr, TtrType
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import Views
from talkwire.identity.model import Kind, Principal, Privilege
from talkwire.identity.users import BUILT_IN_PROFILES, AgentUser
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import ANY_SKILL, AccountId, ConversationId, ParticipantId, SkillId, new_uuid
from talkwire.routing.model import Availability, FieldChange, Ring, RingState, RingView
from talkwire.routing.service import Routing

ACCOUNT = AccountId("12345678")
PRIVILEGES = {profile.name: profile.privileges for profile in BUILT_IN_PROFILES}
_numbers = itertools.count(1)


def consumer(account_id: AccountId = ACCOUNT) -> Principal:
    consumer_id = ParticipantId(new_uuid())
    return Principal(account_id=account_id, id=consumer_id, kind=Kind.CONSUMER, old_id=consumer_id)


def principal(profile: str = "agent", account_id: AccountId = ACCOUNT) -> Principal:
    """An agent, manager, administrator or bot."""
    return Principal(
        account_id=account_id,
        id=ParticipantId(new_uuid()),
        kind=Kind.AGENT,
        old_id=f"{account_id}.{next(_numbers)}",
        privileges=frozenset[Privilege](PRIVILEGES[profile]),
        is_bot=profile == "bot",
    )


class Directory:
    """The agents of all brands, by any of their ids."""

    def __init__(self) -> None:
        self._agents: dict[tuple[str, str], AgentUser] = {}

    def put(self, who: Principal, skills: Iterable[str] = (), capacity: int = 5) -> None:
        user = AgentUser(
            account_id=who.account_id,
            id=who.id,
            user_id=who.old_id.partition(".")[2],
            login_name=who.old_id,
            skills=tuple(SkillId(skill) for skill in skills),
            max_conversations=capacity,
            is_bot=who.is_bot,
        )
        for any_id in (user.id, user.old_id, user.user_id):
            self._agents[who.account_id, any_id] = user

    async def find_agent(self, account_id: AccountId, any_id: str) -> AgentUser | None:
        return self._agents.get((account_id, any_id))


@dataclass
class Brand:
    """The rooms, and the people in them."""

    database: Database
    clock: MovableClock = field(default_factory=MovableClock)
    directory: Directory = field(default_factory=Directory)
    survey_app: str = ""
    rung: list[RingView] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conversations = Conversations(self.database, self.clock, Views())
        self.routing = Routing(self.database, self.clock, self.conversations, self.directory, self._survey)
        self.routing.on_ring(lambda _account, _agent, view: self.rung.append(view))

    def restarted(self) -> "Brand":
        """The same database and people in a new process."""
        return Brand(self.database, self.clock, self.directory, self.survey_app)

    def agent(self, profile: str = "agent", skills: Iterable[str] = (), capacity: int = 5) -> Principal:
        who = principal(profile)
        self.directory.put(who, skills, capacity)
        return who

    async def online(
        self, profile: str = "agent", skills: Iterable[str] = (), capacity: int = 5
    ) -> Principal:
        who = self.agent(profile, skills, capacity)
        await self.come_online(who)
        return who

    async def come_online(self, who: Principal, availability: Availability = Availability.ONLINE) -> None:
        self.routing.agent_connected(who)
        await self.routing.set_agent_state(who, availability)

    async def open(
        self, who: Principal | None = None, skill: str = ANY_SKILL, ttr: TtrType = TtrType.NORMAL
    ) -> Conversation:
        who = who or consumer()
        view = await self.conversations.open(
            NewConversation(
                account_id=who.account_id, consumer_id=who.id, ttr=Ttr(ttr, 600), skill_id=SkillId(skill)
            )
        )
        return view.conversation

    async def held_by(self, who: Principal, by: Principal | None = None) -> Conversation:
        """A conversation that an agent was offered and accepted."""
        opened = await self.open(by)
        await self.settle()
        await self.answer(who, opened.conversation_id)
        await self.settle()
        return await self.now(opened.conversation_id)

    async def answer(
        self, who: Principal, conversation_id: str, state: RingState = RingState.ACCEPTED
    ) -> None:
        ring = next(r for r in self.rings(who) if r.conversation_id == conversation_id)
        await self.routing.update_ring(who, ring.ring_id, state)

    async def update(self, who: Principal, conversation_id: str, *changes: FieldChange) -> str:
        return await self.routing.update_fields(who, conversation_id, None, changes)

    async def now(self, conversation_id: str) -> Conversation:
        return (await self.conversations.view(ACCOUNT, ConversationId(conversation_id))).conversation

    def rings(self, who: Principal) -> list[Ring]:
        return [view.ring for view in self.routing.rings_of(who.account_id, who.id)]

    async def settle(self) -> None:
        """Make passes until there is nothing to do."""
        for _ in range(20):
            due = self.routing.dispatcher.take_due()
            if not due:
                return
            for account_id in due:
                await self.routing.dispatcher.dispatch(account_id)
        raise AssertionError("routing does not come to rest")

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        await self.routing.end_grace()
        await self.settle()

    async def _survey(self, account_id: AccountId) -> str:
        return self.survey_app
