"""Events of the log as message records and message statuses. Pure. Source: docs/protocol.md 9.10."""

from typing import Any

import msgspec

from talkwire.conversations.model import Role
from talkwire.history.search_model import Names, PastEvent
from talkwire.messaging.model import HOSTED_FILE, TEXT, EventKind

Json = dict[str, Any]
_decode = msgspec.json.Decoder().decode
_SENT_BY = {
    Role.CONSUMER.value: "Consumer",
    Role.MANAGER.value: "Manager",
    Role.CONTROLLER.value: "Controller",
    Role.READER.value: "Reader",
}
_FORMS = {
    "forms/secure-invitation": ("SECURE_FORM_INVITATION", "secureFormInvitation"),
    "forms/secure-submission": ("SECURE_FORM_SUBMIT", "secureFormSubmit"),
}


def is_message(event: PastEvent) -> bool:
    return event.kind != EventKind.ACCEPT.value


def message_of(event: PastEvent, names: Names) -> Json:
    """A record without its time: type, content, who and where."""
    kind, data = _content(event)
    return {
        "type": kind,
        "messageData": data,
        "messageId": message_id(event.dialog_id, event.sequence),
        "seq": event.sequence,
        "dialogId": event.dialog_id,
        "participantId": participant_id(event, names),
        "sentBy": sent_by(event.role),
        "messageAudience": event.audience,
        **_context(event),
    }


def message_id(dialog_id: str, sequence: int) -> str:
    return f"ms::dialog:{dialog_id}::msg:{sequence}"


def sent_by(role: str) -> str:
    return _SENT_BY.get(role, "Agent")


def participant_id(event: PastEvent, names: Names) -> str:
    """Consumers by their id, agents by the user id that configuration knows."""
    name = names.agents.get(event.originator_id)
    return name.user_id if name else event.originator_id


def statuses_of(event: PastEvent, names: Names) -> list[Json]:
    """What an accept status says of each message it names; nothing for other events."""
    if event.kind != EventKind.ACCEPT.value:
        return []
    said = _decode(event.event)
    listed = said.get("sequenceList")
    return [
        {
            "messageId": message_id(event.dialog_id, sequence),
            "seq": sequence,
            "dialogId": event.dialog_id,
            "participantId": participant_id(event, names),
            "participantType": sent_by(event.role),
            "messageDeliveryStatus": said.get("status", ""),
        }
        for sequence in (listed if isinstance(listed, list) else [listed])
    ]


def path_of(event: bytes) -> str:
    """The relative path in a stored file; empty once it was erased."""
    message = _decode(event).get("message")
    return str(message.get("relativePath") or "") if isinstance(message, dict) else ""


def event_record(event: PastEvent) -> Json:
    """A whole event, as a consumer reads its own past."""
    return {
        "sequence": event.sequence,
        "originatorId": event.originator_id,
        "originatorMetadata": {"id": event.originator_id, "role": event.role},
        "serverTimestamp": event.at_ms,
        "event": msgspec.Raw(event.event),
        "dialogId": event.dialog_id,
        "messageAudience": event.audience,
    }


def _content(event: PastEvent) -> tuple[str, Json]:
    """Type and `messageData`. What erasing left is shown as it stands."""
    said = _decode(event.event)
    if event.kind == EventKind.RICH.value:
        return "RICH_CONTENT", {"richContent": {"content": _text(said.get("content"))}, **_replies(said)}
    content_type, message = said.get("contentType"), said.get("message")
    if content_type == HOSTED_FILE and isinstance(message, dict):
        return "HOSTED_FILE", {"file": _file(message)}
    if content_type in _FORMS and isinstance(message, dict):
        kind, member = _FORMS[content_type]
        return kind, {member: message}
    text = message if isinstance(message, str) else _text(message)
    kind = "TEXT_PLAIN" if content_type in (TEXT, None) or isinstance(message, str) else "UNKNOWN"
    return kind, {"msg": {"text": text}, **_replies(said)}


def _file(message: Json) -> Json:
    shown = {name: message.get(name) or "" for name in ("relativePath", "fileType", "caption")}
    return {**shown, "preview": message["preview"]} if message.get("preview") else shown


def _replies(said: Json) -> Json:
    replies = said.get("quickReplies")
    return {"quickReplies": {"content": _text(replies)}} if replies else {}


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _context(event: PastEvent) -> Json:
    if event.metadata is None:
        return {}
    return {"contextData": {"rawMetadata": event.metadata.decode(), "structuredMetadata": []}}
