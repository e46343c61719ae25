"""Notifications, encoded. Events are put together from fragments, because this is the hot path.

Ids are ours and plain ASCII (UUIDs, hex, digits), so they stand in the text without escaping.
Source: docs/protocol.md 6.
"""

from talkwire.messaging.model import ToldEvent

EVENTS_V3 = "ms.MessagingEventNotification"
EVENT_V2 = ".ams.ms.OnlineEventDistribution"


def event_notification_v3(event: ToldEvent) -> bytes:
    """`ms.MessagingEventNotification` with this one change."""
    return (
        f'{{"kind":"notification","type":"{EVENTS_V3}","body":{{"dialogId":"{event.dialog_id}",'
        f'"changes":[{event_change(event, is_v3=True)}]}}}}'
    ).encode()


def event_notification_v2(event: ToldEvent) -> bytes:
    """`.ams.ms.OnlineEventDistribution`: the body is one event, with both ids of its originator."""
    return f'{{"kind":"notification","type":"{EVENT_V2}","body":{event_change(event, is_v3=False)}}}'.encode()


def replay_notification_v3(dialog_id: str, events: list[ToldEvent]) -> bytes:
    """Past events of one dialog in one notification; `changes` is empty when there are none."""
    changes = ",".join([event_change(event, is_v3=True) for event in events])
    return (
        f'{{"kind":"notification","type":"{EVENTS_V3}","body":{{"dialogId":"{dialog_id}","changes":[{changes}]}}}}'
    ).encode()


def events_array(events: list[ToldEvent], *, is_v3: bool) -> bytes:
    """The bare array that answers QueryMessages."""
    return f"[{','.join([event_change(event, is_v3=is_v3) for event in events])}]".encode()


def event_change(event: ToldEvent, *, is_v3: bool) -> str:
    """One item of `changes`, as JSON text. Chat states have neither sequence nor timestamp."""
    numbered = f'"sequence":{event.sequence},"serverTimestamp":{event.at_ms},' if event.sequence >= 0 else ""
    originator = (
        f'"originatorId":"{event.originator_id}"'
        if is_v3
        else f'"originatorId":"{event.originator_old_id}","originatorPId":"{event.originator_id}"'
    )
    if event.client_properties is None:
        role = f'"originatorMetadata":{{"id":"{event.originator_id}","role":"{event.originator_role}"}}'
    else:
        properties = event.client_properties.decode()
        role = (
            f'"originatorMetadata":{{"id":"{event.originator_id}","role":"{event.originator_role}",'
            f'"clientProperties":{properties}}},"originatorClientProperties":{properties}'
        )
    metadata = "" if event.metadata is None else f',"metadata":{event.metadata.decode()}'
    return (
        f'{{{numbered}{originator},{role},"event":{event.told_event.decode()},'
        f'"conversationId":"{event.conversation_id}","dialogId":"{event.dialog_id}",'
        f'"messageAudience":"{event.audience}"{metadata}}}'
    )


def publish_answer(request_id: bytes, type_name: bytes, sequence: int) -> bytes:
    """The answer to a publish. `request_id` is JSON already."""
    return b'{"kind":"resp","reqId":%b,"code":200,"type":"%b","body":{"sequence":%d}}' % (
        request_id,
        type_name,
        sequence,
    )
