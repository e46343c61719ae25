"""`conversationField` items to routing's changes. Source: docs/protocol.md 5.5."""

from collections.abc import Callable, Sequence

from talkwire.conversations.model import Csat, Delay, Role, Ttr, TtrType
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import ANY_SKILL, DialogId, SkillId
from talkwire.protocol.conversations import ConversationField
from talkwire.routing.model import (
    ChangeType,
    CloseConversation,
    CloseDialog,
    CsatChange,
    DelayChange,
    FieldChange,
    ManualEttrChange,
    NoteChange,
    ParticipantsChange,
    SkillChange,
    TopicChange,
    TtrChange,
)

CSAT_STATUSES = frozenset({"FILLED", "PARTIALLY_FILLED", "SKIPPED"})
MAX_SKILL_DIGITS = 10


def field_changes(fields: Sequence[ConversationField], dialog_id: str | None) -> list[FieldChange]:
    """The changes a request asks for, in order. `dialog_id` stands for dialogs not named. Raises Invalid."""
    changes = []
    for field in fields:
        translate = _TRANSLATIONS.get(field.field)
        if translate is None:
            raise Invalid(f"Unknown conversation field {field.field[:64]!r}")
        changes.append(translate(field, dialog_id))
    return changes


def check_skill(text: str) -> SkillId:
    """A skill's id as clients send it. Raises Invalid."""
    if text != ANY_SKILL and not (text.isascii() and text.isdigit() and len(text) <= MAX_SKILL_DIGITS):
        raise Invalid("A skill is a number of at most ten digits, or -1")
    return SkillId(text)


def _close(field: ConversationField, _dialog_id: str | None) -> FieldChange:
    if field.conversation_state != "CLOSE":
        raise Invalid("conversationState can only become CLOSE")
    return CloseConversation()


def _close_dialog(field: ConversationField, dialog_id: str | None) -> FieldChange:
    dialog = field.dialog
    if dialog is None or dialog.state != "CLOSE":
        raise Invalid("A dialog's state can only become CLOSE")
    named = dialog.dialog_id or dialog_id
    if not named:
        raise Invalid("dialogId is missing")
    return CloseDialog(DialogId(named), dialog.closed_cause or "")


def _participants(field: ConversationField, _dialog_id: str | None) -> FieldChange:
    try:
        return ParticipantsChange(ChangeType(field.type or ""), Role(field.role or ""), field.user_id or "")
    except ValueError:
        raise Invalid("ParticipantsChange needs a known type and role") from None


def _skill(field: ConversationField, _dialog_id: str | None) -> FieldChange:
    return SkillChange(check_skill("" if field.skill is None else str(field.skill).strip()))


def _ttr(field: ConversationField, _dialog_id: str | None) -> FieldChange:
    if field.value is None or field.value < 0:
        raise Invalid("value is missing or negative")
    try:
        return TtrChange(Ttr(TtrType(field.ttr_type or ""), field.value))
    except ValueError:
        raise Invalid("ttrType is NORMAL, URGENT, PRIORITIZED or CUSTOM") from None


def _csat(field: ConversationField, _dialog_id: str | None) -> FieldChange:
    status = field.status or "FILLED"
    if status not in CSAT_STATUSES:
        raise Invalid("status is FILLED, PARTIALLY_FILLED or SKIPPED")
    return CsatChange(Csat(field.csat_rate, field.csat_resolution_confirmation, status))


def _delay(field: ConversationField, _dialog_id: str | None) -> FieldChange:
    return DelayChange(None if field.delay is None else Delay(field.delay.type[:32], field.delay.till_when))


_TRANSLATIONS: dict[str, Callable[[ConversationField, str | None], FieldChange]] = {
    "ConversationStateField": _close,
    "Stage": _close,
    "DialogChange": _close_dialog,
    "ParticipantsChange": _participants,
    "Skill": _skill,
    "TTRField": _ttr,
    "CSATRate": _csat,
    "Note": lambda field, _dialog_id: NoteChange(field.note or ""),
    "TopicField": lambda field, _dialog_id: TopicChange(field.topic or ""),
    "ManualETTR": lambda field, _dialog_id: ManualEttrChange(field.manual_ettr),
    "DelayField": _delay,
}
