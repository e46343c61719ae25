"""Who may change which field of a conversation. Pure.

Rights count as they were before the request, or as they are after the items before this one: who hands
a conversation over removes itself first and goes on, and who joins may act at once.
Source: docs/protocol.md, Appendix A10.
"""

from typing import NamedTuple

from talkwire.conversations.errors import MayNotChange
from talkwire.conversations.model import Conversation, Participant, Role, TtrType
from talkwire.identity.model import Principal, Privilege
from talkwire.routing.model import (
    ChangeType,
    CloseConversation,
    CloseDialog,
    CsatChange,
    FieldChange,
    ParticipantsChange,
    TtrChange,
)

JOINING = {
    Role.MANAGER: Privilege.JOIN_AS_MANAGER,
    Role.READER: Privilege.JOIN_AS_MANAGER,
    Role.AGENT: Privilege.JOIN_AS_MANAGER,
    Role.CONTROLLER: Privilege.PUBLISH_AS_CONTROLLER,
    Role.ASSIGNED_AGENT: Privilege.JOIN_AS_ASSIGNED_AGENT,
}
"""The privilege that lets an agent join by itself in a role."""


class Standing(NamedTuple):
    """How `who` stands to a conversation."""

    who: Principal
    roles: frozenset[Role]  # held before or by now
    is_offered: bool  # holds a waiting ring, or is suggested

    @property
    def takes_part(self) -> bool:
        return bool(self.roles)

    @property
    def manages(self) -> bool:
        return self.who.may(Privilege.MANAGE_CONVERSATIONS)


def standing(who: Principal, before: Conversation, now: Conversation, *, holds_ring: bool) -> Standing:
    """How `who` stands after some items of a request are applied."""
    is_suggested = any(p.id == who.id for c in (before, now) for p in c.suggested_agents)
    roles = frozenset((*before.roles_of(who.id), *now.roles_of(who.id)))
    return Standing(who, roles, holds_ring or is_suggested)


def check_may_change(standing: Standing, change: FieldChange, subject: Participant | None) -> None:
    """Raises MayNotChange. `subject` is whom a ParticipantsChange is about."""
    if standing.who.is_consumer:
        allowed = _consumer_may(change)
    elif isinstance(change, ParticipantsChange):
        allowed = subject is not None and _may_change_participants(standing, change, subject)
    elif isinstance(change, CsatChange):
        allowed = False
    elif isinstance(change, CloseConversation | CloseDialog):
        allowed = standing.manages or bool(standing.roles - {Role.READER})
    else:
        allowed = standing.takes_part
    if not allowed:
        raise MayNotChange(type(change).__name__)


def _consumer_may(change: FieldChange) -> bool:
    if isinstance(change, TtrChange):
        return change.ttr.type in {TtrType.URGENT, TtrType.NORMAL}
    return isinstance(change, CloseConversation | CloseDialog | CsatChange)


def _may_change_participants(standing: Standing, change: ParticipantsChange, subject: Participant) -> bool:
    is_self = subject.id == standing.who.id
    match change.type:
        case ChangeType.ADD | ChangeType.UPDATE:
            return _may_join(standing, change.role) if is_self else standing.manages
        case ChangeType.REMOVE:
            return is_self or standing.manages or _may_take_away(standing, change.role)
        case ChangeType.SUGGEST:
            return standing.takes_part
        case ChangeType.ACCEPT:
            return is_self and (standing.is_offered or Role.ASSIGNED_AGENT in standing.roles)
        case ChangeType.REJECT:
            return is_self or standing.manages or standing.takes_part


def _may_join(standing: Standing, role: Role) -> bool:
    if role in standing.roles:
        return True  # joining twice changes nothing
    if role is Role.ASSIGNED_AGENT and standing.is_offered:
        return True
    privilege = JOINING.get(role)
    return privilege is not None and standing.who.may(privilege)


def _may_take_away(standing: Standing, role: Role) -> bool:
    """Any agent who takes part may end an assignment: that is how a transfer begins."""
    return role is Role.ASSIGNED_AGENT and standing.takes_part
