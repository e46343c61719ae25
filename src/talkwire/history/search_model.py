"""The nouns of the past: what is looked for, what is found. Source: docs/protocol.md 9.10."""

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from talkwire.conversations.model import Conversation, State
from talkwire.conversations.steps import Step
from talkwire.kernel.ids import ParticipantId


class Content(StrEnum):
    """The parts of a record that a client may ask for; `info` is always there."""

    CAMPAIGN = "campaign"
    MESSAGE_RECORDS = "messageRecords"
    MESSAGE_STATUSES = "messageStatuses"
    AGENT_PARTICIPANTS = "agentParticipants"
    CONSUMER_PARTICIPANTS = "consumerParticipants"
    TRANSFERS = "transfers"
    INTERACTIONS = "interactions"
    DIALOGS = "dialogs"
    SDES = "sdes"
    SURVEYS = "conversationSurveys"
    SCORES = "messageScores"
    SUMMARY = "summary"


EVERYTHING = frozenset(Content)


class Span(NamedTuple):
    """A range with both ends in it."""

    start: int
    end: int


class Page(NamedTuple):
    offset: int = 0
    limit: int = 50
    newest_first: bool = True


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations are looked for; what is None or empty does not filter."""

    started: Span | None = None  # epoch ms
    ended: Span | None = None
    states: frozenset[State] = frozenset()
    agent_ids: frozenset[ParticipantId] | None = None  # PIds; one of them took part
    latest_agent_ids: frozenset[ParticipantId] | None = None
    skill_ids: frozenset[str] = frozenset()  # at any time
    latest_skill_ids: frozenset[str] = frozenset()
    consumer_id: str = ""
    duration_ms: Span | None = None
    conversation_ids: tuple[str, ...] = ()
    seen_by: ParticipantId | None = None  # only what this agent took part in
    is_few: bool = False  # whoever is asked for took part in few: looked up one by one
    page: Page = Page()


class AgentName(NamedTuple):
    """An agent as records name it; one that is gone has its id alone."""

    user_id: str
    pid: str
    login_name: str = ""
    nickname: str = ""
    full_name: str = ""
    is_bot: bool = False
    is_deleted: bool = False


class PastEvent(NamedTuple):
    """A row of the log; the event of a file has its preview in it when one is wanted."""

    dialog_id: str
    sequence: int
    at_ms: int
    kind: str
    originator_id: str
    role: str
    audience: str
    event: bytes
    metadata: bytes | None


class Past(msgspec.Struct, frozen=True):
    """One conversation with all that its record is made of."""

    conversation: Conversation
    steps: tuple[Step, ...] = ()
    events: tuple[PastEvent, ...] = ()
    is_partial: bool = False  # it has more events than are shown at once
    profile: dict[str, Any] | None = None


class Names(msgspec.Struct, frozen=True):
    """What ids are called."""

    agents: dict[str, AgentName]  # by PId
    skills: dict[str, str]


class Found(NamedTuple):
    """One page, and how many conversations there are in all."""

    total: int
    pasts: list[Past]
    names: Names
