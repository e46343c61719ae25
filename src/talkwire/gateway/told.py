"""Frames of what a socket follows."""

from collections.abc import Sequence

from talkwire.conversations.visibility import may_see
from talkwire.gateway.frames import event_frame, text_frame
from talkwire.identity.model import Principal
from talkwire.messaging.feeds import ChangeType, ConversationChange
from talkwire.messaging.logged import LoggedEvent
from talkwire.protocol import codec
from talkwire.protocol.conversation_details import CHANGES_V2, CHANGES_V3, conversation_result
from talkwire.protocol.envelope import Dialect
from talkwire.protocol.notify import replay_notification_v3
from talkwire.protocol.routing_details import (
    RING_UPDATED,
    STATES_V2,
    STATES_V3,
    TASKS_V2,
    TASKS_V3,
    agent_state,
    ring_updated,
    routing_task,
)
from talkwire.routing.model import AgentState, RingView


def replay_frame(dialog_id: str, events: list[LoggedEvent], *, is_v3: bool) -> list[bytes]:
    """v3: one notification for all. v2 has no list form: one frame each."""
    if is_v3:
        return [text_frame(replay_notification_v3(dialog_id, list(events)))]
    return [event_frame(event, is_v3=False) for event in events]


def conversations_frame(
    subscription_id: str,
    changes: list[tuple[ChangeType, ConversationChange]],
    dialect: Dialect,
    who: Principal,
) -> bytes:
    """One ExConversationChangeNotification."""
    items = ",".join(
        f'{{"type":"{kind}","result":{_result(change, dialect, who).decode()}}}' for kind, change in changes
    )
    name = CHANGES_V3 if dialect.is_v3 else CHANGES_V2
    return text_frame(
        (
            f'{{"kind":"notification","type":"{name}","body":'
            f'{{"subscriptionId":"{subscription_id}","changes":[{items}]}}}}'
        ).encode()
    )


def _result(change: ConversationChange, dialect: Dialect, who: Principal) -> bytes:
    """Who has just lost sight of it (a DELETE) is not told what was said since."""
    sees_private, tells_last = not who.is_consumer, may_see(who, change.view.conversation)
    key = (dialect, sees_private, tells_last)
    encoded = change.encoded.get(key)
    if encoded is None:
        encoded = codec.encode(
            conversation_result(change.view, dialect, sees_private=sees_private, tells_last=tells_last)
        )
        change.encoded[key] = encoded
    return encoded


def rings_frame(subscription_id: str, rings: Sequence[RingView], dialect: Dialect) -> bytes:
    """One RoutingTaskNotification."""
    body = {
        "subscriptionId": subscription_id,
        "changes": [{"type": "UPSERT", "result": routing_task(ring)} for ring in rings],
    }
    return text_frame(codec.encode_notification(TASKS_V3 if dialect.is_v3 else TASKS_V2, body))


def ring_updated_frame(ring: RingView) -> bytes:
    """COMPAT: the deprecated form that old bots listen to. Source: docs/protocol.md 6.5."""
    return text_frame(codec.encode_notification(RING_UPDATED, ring_updated(ring)))


def agent_state_frame(subscription_id: str, state: AgentState, dialect: Dialect) -> bytes:
    """One AgentStateNotification."""
    body = {"subscriptionId": subscription_id, "changes": [{"type": "UPSERT", "result": agent_state(state)}]}
    return text_frame(codec.encode_notification(STATES_V3 if dialect.is_v3 else STATES_V2, body))
