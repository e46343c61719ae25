"""Who may know of a conversation, and which ones a query means.

Source: docs/protocol.md 5.8, Appendix A5.
"""

from talkwire.conversations.model import Conversation, ConversationQuery, ParticipantState
from talkwire.conversations.views import View
from talkwire.identity.model import Principal, Privilege


def may_see(who: Principal, conversation: Conversation, *, is_offered: bool = False) -> bool:
    """Consumers see their own; agents what they take part in, are suggested for or offered, or all by privilege.

    `is_offered`: routing holds a waiting ring of this conversation for `who`.
    """
    if who.account_id != conversation.account_id:
        return False
    if who.is_consumer:
        return conversation.consumer_id == who.id
    return (
        is_offered
        or who.may(Privilege.SEE_ALL_CONVERSATIONS)
        or any(p.id == who.id for p in conversation.participants)
    )


def may_read_private(who: Principal) -> bool:
    """Whether events with audience AGENTS_AND_MANAGERS are for these eyes."""
    return not who.is_consumer


def matches(query: ConversationQuery, view: View, who: Principal, now_ms: int) -> bool:
    """Whether a subscription of `who` with this query shows the conversation as it stands."""
    conversation = view.conversation
    return (
        (not query.states or conversation.state in query.states)
        and (not query.stages or conversation.stage in query.stages)
        and (not query.consumer_id or conversation.consumer_id == query.consumer_id)
        and (not query.agent_ids or _takes_part(query, conversation))
        and _in_time(query, view, now_ms)
        and may_see(who, conversation)
    )


def _in_time(query: ConversationQuery, view: View, now_ms: int) -> bool:
    last_update_ms = view.last_update_ms
    if query.min_last_update_ms is not None and last_update_ms < query.min_last_update_ms:
        return False
    if query.max_last_update_ms is not None and last_update_ms > query.max_last_update_ms:
        return False
    if query.max_ettr_seconds is None:
        return True
    effective_ttr_ms = view.effective_ttr_ms
    return effective_ttr_ms >= 0 and effective_ttr_ms <= now_ms + query.max_ettr_seconds * 1000


def _takes_part(query: ConversationQuery, conversation: Conversation) -> bool:
    """Suggested agents do not take part yet: they hear of it by their ring."""
    return any(
        p.id in query.agent_ids and p.state is ParticipantState.ACTIVE for p in conversation.participants
    )
