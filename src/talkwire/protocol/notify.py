"""Notifications, encoded. Events are put together from fragments, because this is the hot path.

Ids are ours and plain ASCII (UUIDs, hex, digits), so they stand in the text without escaping.
Source: docs/protocol.md 6.
"""

from talkwire.messaging.model import ToldEvent

EVENTS_V3 = "ms.MessagingEventNotification"
EVENT_V2 = ".ams.ms.OnlineEventDistribution"


def event_notification_v3(event: ToldEvent) -> bytes:
    """`ms.MessagingEventNotification` with this one change."""
    start = (
        f'{{"kind":"notification","type":"{EVENTS_V3}","body":{{"dialogId":"{event.dialog_id}",'
        f'"changes":[{_before(event, is_v3=True)}'
    )
    return b"".join((start.encode(), event.told_event, _after(event), b"]}}"))


def event_notification_v2(event: ToldEvent) -> bytes:
    """`.ams.ms.OnlineEventDistribution`: the body is one event, with both ids of its originator."""
    start = f'{{"kind":"notification","type":"{EVENT_V2}","body":{_before(event, is_v3=False)}'
    return b"".join((start.encode(), event.told_event, _after(event), b"}"))


def replay_notification_v3(dialog_id: str, events: list[ToldEvent]) -> bytes:
    """Past events of one dialog in one notification; `changes` is empty when there are none."""
    start = f'{{"kind":"notification","type":"{EVENTS_V3}","body":{{"dialogId":"{dialog_id}","changes":['
    return b"".join(
        (start.encode(), b",".join([event_change(event, is_v3=True) for event in events]), b"]}}")
    )


def events_array(events: list[ToldEvent], *, is_v3: bool) -> bytes:
    """The bare array that answers QueryMessages."""
    return b"[%b]" % b",".join([event_change(event, is_v3=is_v3) for event in events])


def event_change(event: ToldEvent, *, is_v3: bool) -> bytes:
    """One item of `changes`, as JSON. Chat states have neither sequence nor timestamp."""
    return b"".join((_before(event, is_v3=is_v3).encode(), event.told_event, _after(event)))


def _before(event: ToldEvent, *, is_v3: bool) -> str:
    """What stands before the event itself. Text, because it is ASCII; the event stays bytes: it may not be."""
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
    return f'{{{numbered}{originator},{role},"event":'


def _after(event: ToldEvent) -> bytes:
    """What stands behind the event itself."""
    ids = (
        f',"conversationId":"{event.conversation_id}","dialogId":"{event.dialog_id}",'
        f'"messageAudience":"{event.audience}"'
    ).encode()
    return ids + b"}" if event.metadata is None else b'%b,"metadata":%b}' % (ids, event.metadata)


def publish_answer(request_id: bytes, type_name: bytes, sequence: int) -> bytes:
    """The answer to a publish. `request_id` is JSON already."""
    return b'{"kind":"resp","reqId":%b,"code":200,"type":"%b","body":{"sequence":%d}}' % (
        request_id,
        type_name,
        sequence,
    )
