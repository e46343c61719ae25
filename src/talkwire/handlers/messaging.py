"""Requests about events. Source: docs/protocol.md 5.6, 5.7. (Publishing itself is in `publish.py`.)"""

import msgspec

from talkwire.conversations.views import View
from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.kernel.errors import TalkwireError
from talkwire.messaging.errors import DialogNotFound, SubscriptionNotFound
from talkwire.protocol.messaging import QueryMessages, SubscribeMessagingEvents, UnsubscribeMessagingEvents
from talkwire.protocol.notify import events_array


async def subscribe_events(services: Services, call: Call, body: SubscribeMessagingEvents) -> dict[str, str]:
    """Answer `ms.SubscribeMessagingEvents`; what the log holds follows, then what comes."""
    await _get_readable(services, call, body.dialog_id)
    call.connection.follow_dialog(body.dialog_id, max(body.from_seq or 0, 0))
    return {}


async def unsubscribe_events(_services: Services, call: Call, body: UnsubscribeMessagingEvents) -> str:
    """Answer `ms.UnsubscribeMessagingEvents`."""
    if not call.connection.unfollow_dialog(body.dialog_id) and body.dialog_id:
        raise SubscriptionNotFound("No such subscription")
    return "OK Unsubscribed successfully"


async def query_messages(services: Services, call: Call, body: QueryMessages) -> msgspec.Raw:
    """Answer `ms.QueryMessages`: a bare array, never an absent body."""
    await _get_readable(services, call, body.dialog_id)
    start = body.from_seq if body.from_seq is not None else body.newer_than_sequence
    events = await services.log.query(call.who, body.dialog_id, max(start or 0, 0), body.max_quantity)
    return msgspec.Raw(events_array(list(events), is_v3=call.dialect.is_v3))


async def _get_readable(services: Services, call: Call, dialog_id: str) -> View:
    """The dialog's conversation, if this one may read it. Absent and forbidden look alike."""
    try:
        return await services.conversations.get_of_dialog_for(call.who, dialog_id)
    except TalkwireError as refusal:
        if refusal.kind.value == "not found":
            raise DialogNotFound("No such dialog") from None
        raise
