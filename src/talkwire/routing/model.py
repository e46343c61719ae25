"""The nouns of routing. All frozen."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from talkwire.conversations.model import Csat, Delay, Role, Ttr
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId

MAX_OFFERS = 3
"""Rings of one conversation at once."""


@dataclass(frozen=True)
class Timing:
    """How long routing waits for people, in milliseconds."""

    ring_life_ms: int = 72_000  # for an answer to a ring, and to a suggestion
    grace_ms: int = 30_000  # for an agent whose last socket went
    rest_ms: int = 10_000  # before one who let a conversation go, and is the only one there, is rung again


class Agent(Protocol):
    """What routing asks of an agent; identity's AgentUser is one."""

    @property
    def id(self) -> ParticipantId: ...
    @property
    def old_id(self) -> str: ...
    @property
    def skills(self) -> tuple[SkillId, ...]: ...
    @property
    def max_conversations(self) -> int: ...
    @property
    def enabled(self) -> bool: ...


class AgentDirectory(Protocol):
    """Who the agents of an account are."""

    async def find_agent(self, account_id: AccountId, any_id: str) -> Agent | None: ...


class Availability(StrEnum):
    """Source: docs/protocol.md 5.11."""

    ONLINE = "ONLINE"  # new conversations and transfers
    OCCUPIED = "OCCUPIED"  # transfers only
    AWAY = "AWAY"
    BACK_SOON = "BACK_SOON"
    OFFLINE = "OFFLINE"


class AgentState(msgspec.Struct, frozen=True):
    account_id: AccountId
    agent_id: ParticipantId
    old_id: str
    availability: Availability = Availability.OFFLINE
    channels: tuple[str, ...] = ("MESSAGING",)
    description: str = ""
    updated_at_ms: int = 0


class RingState(StrEnum):
    WAITING = "WAITING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class Ring(msgspec.Struct, frozen=True):
    """One offer of one conversation to one agent."""

    account_id: AccountId
    ring_id: str  # `{conversation}_{account}_{epoch ms}`, one of its kind
    conversation_id: ConversationId
    agent_id: ParticipantId
    consumer_id: ParticipantId
    skill_id: SkillId
    state: RingState
    is_transfer: bool  # to the agent whom somebody suggested
    weight: int  # the moment by which the conversation should be answered
    created_at_ms: int
    expires_at_ms: int
    settled_at_ms: int | None = None


class RingView(msgspec.Struct, frozen=True):
    """A ring with how its conversation's routing stands, as subscribers are told.

    Source: docs/protocol.md 6.5.
    """

    ring: Ring
    assigned_agent_id: ParticipantId | None = None

    @property
    def task_completed(self) -> bool:
        """Somebody has the conversation, and the ring asks nobody to take it over."""
        return self.assigned_agent_id is not None and self.ring.state is not RingState.WAITING

    @property
    def routing_task_id(self) -> str:
        return self.ring.conversation_id


class ChangeType(StrEnum):
    ADD = "ADD"
    REMOVE = "REMOVE"
    UPDATE = "UPDATE"
    SUGGEST = "SUGGEST"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"


class ParticipantsChange(msgspec.Struct, frozen=True):
    type: ChangeType
    role: Role
    user_id: str = ""  # PId or old id; empty: who asks


class SkillChange(msgspec.Struct, frozen=True):
    skill_id: SkillId


class TtrChange(msgspec.Struct, frozen=True):
    ttr: Ttr


class CsatChange(msgspec.Struct, frozen=True):
    csat: Csat


class NoteChange(msgspec.Struct, frozen=True):
    note: str


class TopicChange(msgspec.Struct, frozen=True):
    topic: str


class ManualEttrChange(msgspec.Struct, frozen=True):
    moment_ms: int | None


class DelayChange(msgspec.Struct, frozen=True):
    delay: Delay | None


class CloseConversation(msgspec.Struct, frozen=True):
    """`ConversationStateField` and `Stage`, both with CLOSE."""


class CloseDialog(msgspec.Struct, frozen=True):
    """`DialogChange` with state CLOSE."""

    dialog_id: DialogId
    cause: str = ""


FieldChange = (
    ParticipantsChange
    | SkillChange
    | TtrChange
    | CsatChange
    | NoteChange
    | TopicChange
    | ManualEttrChange
    | DelayChange
    | CloseConversation
    | CloseDialog
)
"""One item of `cm.UpdateConversationField`. Source: docs/protocol.md 5.5."""


class Skill(msgspec.Struct, frozen=True):
    """A routing target of an account."""

    account_id: AccountId
    skill_id: SkillId
    name: str
    description: str = ""
    created_at_ms: int = 0
    modified_at_ms: int = 0
