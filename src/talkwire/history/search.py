"""Use cases of the past: conversations searched by their metadata, shown whole. Source: docs/protocol.md 9.10."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from talkwire.backends.database.port import Database, Row
from talkwire.conversations.model import Conversation
from talkwire.history import search_rules as rules
from talkwire.history import search_store as store
from talkwire.history.messages import path_of
from talkwire.history.search_errors import NotInHistory, SearchInvalid
from talkwire.history.search_model import (
    AgentName,
    Content,
    Found,
    Names,
    Page,
    Past,
    PastEvent,
    Query,
)
from talkwire.history.search_store import Limits
from talkwire.identity.model import Principal
from talkwire.identity.users import AgentUser
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import NotAllowed
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.messaging.model import EventKind
from talkwire.routing.model import Skill

IN_A_PAGE = Limits(per_dialog=1_000, in_all=10_000)
ALONE = Limits(per_dialog=20_000, in_all=20_000)
NEEDS_EVENTS = frozenset({Content.MESSAGE_RECORDS, Content.MESSAGE_STATUSES, Content.INTERACTIONS})
NEEDS_PROFILE = frozenset({Content.CONSUMER_PARTICIPANTS, Content.SDES})


class AgentDirectory(Protocol):
    """What the past asks of identity."""

    async def find_agent(self, account_id: AccountId, any_id: str) -> AgentUser | None: ...


class Profiles(Protocol):
    async def get_profiles(
        self, account_id: AccountId, consumer_ids: Sequence[ParticipantId]
    ) -> dict[ParticipantId, dict[str, Any]]: ...


class SkillList(Protocol):
    async def list_skills(self, account_id: AccountId) -> list[Skill]: ...


class FilePreviews(Protocol):
    """What the past asks of messaging: the events of files with their previews joined in, by event id."""

    async def join(self, account_id: AccountId, rows: Sequence[Row]) -> dict[str, bytes]: ...


class Directory(msgspec.Struct, frozen=True):
    """Where the past looks up what ids are called."""

    agents: AgentDirectory
    profiles: Profiles
    skills: SkillList


class History:
    """Reads the past for whoever may: managers all of it, agents what they took part in, consumers their own."""

    def __init__(
        self, database: Database, directory: Directory, previews: FilePreviews, clock: Clock
    ) -> None:
        self._database = database
        self._directory = directory
        self._previews = previews
        self._clock = clock

    async def search(
        self, who: Principal, filters: Mapping[str, Any], page: Page, wanted: frozenset[Content]
    ) -> Found:
        """A page of what the filters mean. Raises SearchInvalid, NotAllowed."""
        _check_brand(who)
        return await self._find(who, await self._query(who, filters, page), wanted)

    async def of_consumer(
        self, who: Principal, filters: Mapping[str, Any], page: Page, wanted: frozenset[Content]
    ) -> Found:
        """A page of one consumer's conversations. Raises SearchInvalid, NotAllowed."""
        _check_brand(who)
        consumer_id = filters.get("consumer")
        if not isinstance(consumer_id, str) or not consumer_id:
            raise SearchInvalid("consumer is missing")
        query = msgspec.structs.replace(await self._query(who, filters, page), consumer_id=consumer_id)
        return await self._find(who, query, wanted)

    async def by_id(
        self, who: Principal, filters: Mapping[str, Any], page: Page, wanted: frozenset[Content]
    ) -> Found:
        """One conversation, or several by `conversationIds`, with files' previews; none that is not there.

        Raises SearchInvalid, NotAllowed.
        """
        _check_brand(who)
        ids = rules.texts_of(filters.get("conversationId"), "conversationId")
        ids += rules.texts_of(filters.get("conversationIds"), "conversationIds")
        if not 0 < len(ids) <= rules.MAX_LIMIT:
            raise SearchInvalid(f"conversationId is missing, or more than {rules.MAX_LIMIT}")
        seen_by = None if rules.sees_all(who) else who.id
        query = Query(conversation_ids=tuple(rules.unique(ids)), seen_by=seen_by, page=page)
        limits = ALONE if len(ids) == 1 else IN_A_PAGE
        return await self._find(who, query, wanted, limits, with_previews=True)

    async def own_events(self, who: Principal, conversation_id: str) -> list[PastEvent]:
        """What a consumer may read of its own conversation, with previews. Raises NotInHistory, NotAllowed."""
        if not who.is_consumer:
            raise NotAllowed("Only consumers read their past this way")
        query = Query(conversation_ids=(conversation_id,), consumer_id=who.id)
        now_ms = self._clock.now_ms()
        ids = await store.page(self._database, who.account_id, query, now_ms)
        if not ids:
            raise NotInHistory
        rows = await store.events(self._database, who.account_id, ids, ALONE)
        public = [row for row in rows if row["audience"] == "ALL"]
        return await self._with_previews(who.account_id, public)

    async def _query(self, who: Principal, filters: Mapping[str, Any], page: Page) -> Query:
        rules.check_filters(filters)
        return Query(
            started=rules.span_of(filters.get("start"), "start"),
            ended=rules.span_of(filters.get("end"), "end"),
            states=rules.states_of(filters.get("status")),
            agent_ids=await self._agents(who, filters, "agentIds"),
            latest_agent_ids=await self._agents(who, filters, "latestAgentIds"),
            skill_ids=frozenset(rules.texts_of(filters.get("skillIds"), "skillIds")),
            latest_skill_ids=frozenset(rules.texts_of(filters.get("latestSkillIds"), "latestSkillIds")),
            duration_ms=rules.span_of(filters.get("duration"), "duration", unit=1000),
            seen_by=None if rules.sees_all(who) else who.id,
            page=page,
        )

    async def _agents(
        self, who: Principal, filters: Mapping[str, Any], name: str
    ) -> frozenset[ParticipantId] | None:
        """The PIds meant, by any of an agent's ids; None when there is no filter. Unknown ones match nothing."""
        ids = rules.texts_of(filters.get(name), name)
        if not ids:
            return None
        found = [await self._directory.agents.find_agent(who.account_id, agent_id) for agent_id in ids]
        return frozenset(agent.id for agent in found if agent is not None)

    async def _find(
        self,
        who: Principal,
        query: Query,
        wanted: frozenset[Content],
        limits: Limits = IN_A_PAGE,
        *,
        with_previews: bool = False,
    ) -> Found:
        now_ms, account_id = self._clock.now_ms(), who.account_id
        joined = query.agent_ids if query.seen_by is None else {query.seen_by}
        if joined and await store.took_part_in_few(self._database, account_id, joined):
            query = msgspec.structs.replace(query, is_few=True)
        ids = await store.page(self._database, account_id, query, now_ms)
        total, pasts = await asyncio.gather(
            self._total(account_id, query, now_ms, len(ids)),
            self._pasts(account_id, ids, wanted, limits, with_previews=with_previews),
        )
        return Found(total, pasts, await self._names(account_id, pasts))

    async def _total(self, account_id: AccountId, query: Query, now_ms: int, found: int) -> int:
        """How many there are in all; a page that is not full has the last of them."""
        page = query.page
        if found < page.limit and (found or not page.offset):
            return page.offset + found
        return await store.count(self._database, account_id, query, now_ms)

    async def _pasts(
        self,
        account_id: AccountId,
        ids: Sequence[ConversationId],
        wanted: frozenset[Content],
        limits: Limits,
        *,
        with_previews: bool,
    ) -> list[Past]:
        conversations = await store.conversations(self._database, account_id, ids)
        steps = await store.steps(self._database, account_id, ids)
        profiles = await self._profiles(account_id, conversations) if wanted & NEEDS_PROFILE else {}
        events: dict[str, list[PastEvent]] = {}
        lengths: dict[str, int] = {}
        if wanted & NEEDS_EVENTS:
            rows = await store.events(self._database, account_id, ids, limits)
            made = (
                await self._with_previews(account_id, rows)
                if with_previews
                else [store.past_event(row) for row in rows]
            )
            for row, event in zip(rows, made, strict=True):
                events.setdefault(row["conversation_id"], []).append(event)
            lengths = await store.lengths(self._database, account_id, ids)
        return [
            Past(
                conversation=c,
                steps=tuple(steps.get(c.conversation_id, ())),
                events=tuple(events.get(c.conversation_id, ())),
                is_partial=len(events.get(c.conversation_id, ())) < lengths.get(c.conversation_id, 0),
                profile=profiles.get(c.consumer_id),
            )
            for c in conversations
        ]

    async def _profiles(
        self, account_id: AccountId, conversations: Iterable[Conversation]
    ) -> dict[ParticipantId, dict[str, Any]]:
        ids = sorted({c.consumer_id for c in conversations})
        return await self._directory.profiles.get_profiles(account_id, ids)

    async def _with_previews(self, account_id: AccountId, rows: Sequence[Row]) -> list[PastEvent]:
        files = [row for row in rows if row["kind"] == EventKind.FILE and path_of(bytes(row["event"]))]
        told = await self._previews.join(account_id, files) if files else {}
        return [store.past_event(row, told.get(row["event_id"])) for row in rows]

    async def _names(self, account_id: AccountId, pasts: Sequence[Past]) -> Names:
        ids = {agent_id for past in pasts for agent_id in _agents_in(past)}
        agents = {agent_id: await self._directory.agents.find_agent(account_id, agent_id) for agent_id in ids}
        skills = await self._directory.skills.list_skills(account_id) if pasts else []
        return Names(
            {agent_id: _name_of(agent) for agent_id, agent in agents.items() if agent is not None},
            {skill.skill_id: skill.name for skill in skills},
        )


def _check_brand(who: Principal) -> None:
    if who.is_consumer:
        raise NotAllowed("Consumers read their own past only")


def _agents_in(past: Past) -> Iterable[str]:
    yield from (step.participant_id for step in past.steps if step.participant_id)
    yield from {event.originator_id for event in past.events if event.role != "CONSUMER"}
    if past.conversation.last_agent_id:
        yield past.conversation.last_agent_id


def _name_of(agent: AgentUser) -> AgentName:
    return AgentName(
        agent.user_id,
        agent.id,
        agent.login_name,
        agent.nickname,
        agent.full_name,
        is_bot=agent.is_bot,
    )
