"""The nouns of conversations. All frozen: a change makes a new `Conversation` with the next version."""

from enum import StrEnum
from typing import Any

import msgspec

from talkwire.kernel.ids import (
    ANY_SKILL,
    AccountId,
    ConversationId,
    DialogId,
    ParticipantId,
    SkillId,
)


class State(StrEnum):
    OPEN = "OPEN"
    CLOSE = "CLOSE"
    LOCKED = "LOCKED"


class Role(StrEnum):
    CONSUMER = "CONSUMER"
    ASSIGNED_AGENT = "ASSIGNED_AGENT"
    MANAGER = "MANAGER"
    READER = "READER"
    CONTROLLER = "CONTROLLER"
    AGENT = "AGENT"


class ParticipantState(StrEnum):
    ACTIVE = "ACTIVE"
    SUGGESTED = "SUGGESTED"


class CloseReason(StrEnum):
    AGENT = "AGENT"
    CONSUMER = "CONSUMER"
    TIMEOUT = "TIMEOUT"
    SYSTEM = "SYSTEM"


class DialogType(StrEnum):
    MAIN = "MAIN"
    POST_SURVEY = "POST_SURVEY"
    AGENTS = "AGENTS"


class TtrType(StrEnum):
    CUSTOM = "CUSTOM"
    NORMAL = "NORMAL"
    PRIORITIZED = "PRIORITIZED"
    URGENT = "URGENT"


class Participant(msgspec.Struct, frozen=True):
    """Somebody in a conversation. ACTIVE ones are listed before SUGGESTED ones."""

    id: ParticipantId
    role: Role
    old_id: str = ""  # agents: `{account}.{user id}`; consumers: the same as `id`
    state: ParticipantState = ParticipantState.ACTIVE
    suggested_at_ms: int = 0  # SUGGESTED: when; the suggestion lapses after a ring's time


class Dialog(msgspec.Struct, frozen=True):
    dialog_id: DialogId
    type: DialogType
    created_at_ms: int
    updated_at_ms: int
    state: State = State.OPEN
    closed_at_ms: int | None = None
    closed_by: CloseReason | None = None
    closed_cause: str = ""
    app_install_id: str = ""  # POST_SURVEY: the installed app that asks


class Survey(msgspec.Struct, frozen=True):
    """The survey that an account has, with a fresh id for its dialog."""

    dialog_id: DialogId
    app_install_id: str


class Ttr(msgspec.Struct, frozen=True):
    """Time to response: `seconds` within which the brand should answer."""

    type: TtrType
    seconds: int


class Csat(msgspec.Struct, frozen=True):
    rate: int | None = None  # 1 to 5
    resolution_confirmed: bool | None = None
    status: str = "FILLED"


class Delay(msgspec.Struct, frozen=True):
    type: str  # NIGHT | WEEKEND | HOLIDAY
    till_ms: int


class Campaign(msgspec.Struct, frozen=True):
    campaign_id: str
    engagement_id: str


class Conversation(msgspec.Struct, frozen=True):
    """One conversation as stored (`conversations.record` holds it as JSON)."""

    account_id: AccountId
    conversation_id: ConversationId
    consumer_id: ParticipantId
    version: int  # grows by one with each change of this record; compared by every append
    created_at_ms: int
    updated_at_ms: int  # of the record: `metaDataLastUpdateTs`
    ttr: Ttr
    participants: tuple[Participant, ...]
    dialogs: tuple[Dialog, ...]  # MAIN first
    state: State = State.OPEN
    stage: State = State.OPEN
    skill_id: SkillId = ANY_SKILL
    first_conversation: bool = True
    closed_at_ms: int | None = None
    close_reason: CloseReason | None = None
    csat: Csat | None = None
    note: str = ""
    topic: str = ""
    manual_ettr_ms: int | None = None
    delay: Delay | None = None
    campaign: Campaign | None = None
    context: dict[str, Any] = {}  # as the client sent it, with `clientProperties` added
    app_id: str = ""  # connector that opened it
    resumed_from: str = ""  # id of the conversation this one resumes
    resume_depth: int = 0  # 1: resumes a closed one; 2 and more: resumes a resumed one
    queued_at_ms: int = 0  # when it began to wait for an agent; orders the queue; 0 when it does not wait
    last_agent_id: ParticipantId = ParticipantId("")  # the agent who last answered or held it

    @property
    def main(self) -> Dialog:
        return self.dialogs[0]

    def dialog(self, dialog_id: str) -> Dialog | None:
        return next((d for d in self.dialogs if d.dialog_id == dialog_id), None)

    def roles_of(self, participant_id: str) -> tuple[Role, ...]:
        """The ACTIVE roles of somebody; empty when not a participant."""
        return tuple(
            p.role for p in self.participants if p.id == participant_id and p.state is ParticipantState.ACTIVE
        )

    @property
    def assigned_agent(self) -> Participant | None:
        return next(
            (
                p
                for p in self.participants
                if p.role is Role.ASSIGNED_AGENT and p.state is ParticipantState.ACTIVE
            ),
            None,
        )

    @property
    def suggested_agents(self) -> tuple[Participant, ...]:
        return tuple(p for p in self.participants if p.state is ParticipantState.SUGGESTED)


class NewConversation(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for when a conversation is opened; defaults are filled in before (`opening.py`)."""

    account_id: AccountId
    consumer_id: ParticipantId
    ttr: Ttr
    skill_id: SkillId = ANY_SKILL
    campaign: Campaign | None = None
    context: dict[str, Any] = {}
    app_id: str = ""
    agent: Participant | None = None  # who opened it for the brand, and has it at once
    resumed_from: str = ""
    resume_depth: int = 0
    one_open: bool = False  # answer with the consumer's open conversation when there is one
    idempotency_key: str = ""
    fingerprint: bytes = b""  # hash of the request's meaning; goes with idempotency_key


class ConversationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations somebody wants to see. Empty means: any."""

    states: frozenset[State] = frozenset()
    stages: frozenset[State] = frozenset()
    agent_ids: frozenset[ParticipantId] = frozenset()  # PIds; one of them takes part
    consumer_id: str = ""
    min_last_update_ms: int | None = None
    max_last_update_ms: int | None = None
    max_ettr_seconds: int | None = None  # an answer is owed within so many seconds from now
    limit: int = 1000
