"""How a conversation opens, changes and ends. Pure: the caller gives the moment and fresh ids."""

import msgspec

from talkwire.conversations.errors import (
    ConversationClosed,
    DialogClosed,
    DialogNotFound,
    FieldInvalid,
    StillOpen,
)
from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    Csat,
    Delay,
    Dialog,
    DialogType,
    NewConversation,
    Participant,
    ParticipantState,
    Role,
    State,
    Survey,
    Ttr,
)
from talkwire.kernel.ids import ConversationId, DialogId, ParticipantId, SkillId

MAX_TEXT_CHARACTERS = 8192
"""Of a note or a topic."""

MAX_SECONDS = 31_536_000  # a year: longer promises are typing errors
MIN_RATE, MAX_RATE = 1, 5


def new_conversation(
    new: NewConversation, conversation_id: ConversationId, now_ms: int, *, is_first: bool
) -> Conversation:
    """Version 1 of a conversation: OPEN, one MAIN dialog, the consumer, and the agent who opened it if one did.

    Source: docs/protocol.md 1 (lifecycle), 5.3, 5.4.
    """
    consumer = Participant(id=new.consumer_id, role=Role.CONSUMER, old_id=new.consumer_id)
    main = Dialog(DialogId(conversation_id), DialogType.MAIN, created_at_ms=now_ms, updated_at_ms=now_ms)
    return Conversation(
        account_id=new.account_id,
        conversation_id=conversation_id,
        consumer_id=new.consumer_id,
        version=1,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        ttr=new.ttr,
        participants=(consumer, new.agent) if new.agent else (consumer,),
        dialogs=(main,),
        skill_id=new.skill_id,
        first_conversation=is_first,
        campaign=new.campaign,
        context=new.context,
        app_id=new.app_id,
        resumed_from=new.resumed_from,
        resume_depth=new.resume_depth,
        queued_at_ms=0 if new.agent else now_ms,
        last_agent_id=new.agent.id if new.agent else ParticipantId(""),
    )


def resume_depth(origin: Conversation) -> int:
    """How deep a conversation is that resumes `origin`: 1, or 2 and more when that was a resume itself.

    Raises StillOpen. Source: docs/protocol.md 5.4, 9.6.
    """
    if origin.stage is not State.CLOSE:
        raise StillOpen
    return origin.resume_depth + 1


def next_version(before: Conversation, decided: Conversation, now_ms: int) -> Conversation:
    """The record as it is to be written: one version on, and never earlier than what it follows."""
    return msgspec.structs.replace(
        decided, version=before.version + 1, updated_at_ms=max(now_ms, before.updated_at_ms)
    )


def check_open(conversation: Conversation) -> None:
    """Whether anybody still answers: not during a survey, for the main dialog is closed then.

    Raises ConversationClosed. Source: docs/protocol.md 1 (state), 5.5.
    """
    if conversation.state is not State.OPEN:
        raise ConversationClosed


def check_not_over(conversation: Conversation) -> None:
    """Whether there is anything left to end; a survey is. Raises ConversationClosed."""
    if conversation.stage is State.CLOSE:
        raise ConversationClosed


def waiting(conversation: Conversation, now_ms: int) -> Conversation:
    """Put it in the queue, or take it out, as its state and participants say."""
    waits = conversation.state is State.OPEN and conversation.assigned_agent is None
    queued_at_ms = (conversation.queued_at_ms or now_ms) if waits else 0
    return msgspec.structs.replace(conversation, queued_at_ms=queued_at_ms)


def close(conversation: Conversation, reason: CloseReason, now_ms: int) -> Conversation:
    """End the conversation and all its dialogs, without a survey. Raises ConversationClosed.

    Source: docs/protocol.md 5.5, ConversationStateField.
    """
    check_not_over(conversation)
    dialogs = tuple(d if d.state is State.CLOSE else _closed(d, reason, now_ms) for d in conversation.dialogs)
    return msgspec.structs.replace(
        conversation,
        dialogs=dialogs,
        participants=_active(conversation),
        state=State.CLOSE,
        stage=State.CLOSE,
        closed_at_ms=now_ms,
        close_reason=conversation.close_reason or reason,
        queued_at_ms=0,
    )


def close_dialog(
    conversation: Conversation,
    dialog_id: str,
    reason: CloseReason,
    now_ms: int,
    *,
    cause: str = "",
    survey: Survey | None = None,
) -> Conversation:
    """Close one dialog; with the last open one the conversation ends.

    Closing MAIN opens the POST_SURVEY dialog of accounts that have a `survey`. Raises ConversationClosed,
    DialogNotFound, DialogClosed.
    Source: docs/protocol.md 5.5, DialogChange; Appendix A16.
    """
    check_not_over(conversation)
    dialog = conversation.dialog(dialog_id)
    if dialog is None:
        raise DialogNotFound
    if dialog.state is State.CLOSE:
        raise DialogClosed
    done = _closed(dialog, reason, now_ms, cause[:MAX_TEXT_CHARACTERS])
    dialogs = tuple(done if d is dialog else d for d in conversation.dialogs)
    if dialog.type is DialogType.MAIN and survey is not None:
        dialogs += (_survey_dialog(survey, now_ms),)
    after = msgspec.structs.replace(conversation, dialogs=dialogs)
    if all(d.state is State.CLOSE for d in dialogs):
        return close(after, reason, now_ms)
    if dialog.type is not DialogType.MAIN:
        return after
    return msgspec.structs.replace(
        after, participants=_active(after), state=State.CLOSE, close_reason=reason, queued_at_ms=0
    )


def end_survey(conversation: Conversation, opened_by_ms: int, now_ms: int) -> Conversation:
    """Close a survey that was opened at `opened_by_ms` or before; the same object when none such is open.

    Source: docs/protocol.md 5.5, Appendix A16.
    """
    for dialog in conversation.dialogs:
        is_survey = dialog.type is DialogType.POST_SURVEY and dialog.state is State.OPEN
        if is_survey and dialog.created_at_ms <= opened_by_ms:
            return close_dialog(conversation, dialog.dialog_id, CloseReason.TIMEOUT, now_ms)
    return conversation


def set_skill(conversation: Conversation, skill_id: SkillId) -> Conversation:
    """Put it under another skill; who waits keeps its place by waiting time."""
    return msgspec.structs.replace(conversation, skill_id=skill_id)


def set_ttr(conversation: Conversation, ttr: Ttr) -> Conversation:
    """Promise another time to response; a manual one is forgotten. Raises FieldInvalid."""
    if not 0 <= ttr.seconds <= MAX_SECONDS:
        raise FieldInvalid("TTR value is out of range")
    return msgspec.structs.replace(conversation, ttr=ttr, manual_ettr_ms=None)


def set_csat(conversation: Conversation, csat: Csat) -> Conversation:
    """The consumer's rating; after close too. Raises FieldInvalid."""
    if csat.rate is not None and not MIN_RATE <= csat.rate <= MAX_RATE:
        raise FieldInvalid(f"csatRate is between {MIN_RATE} and {MAX_RATE}")
    return msgspec.structs.replace(conversation, csat=csat)


def set_note(conversation: Conversation, note: str) -> Conversation:
    return msgspec.structs.replace(conversation, note=_text(note))


def set_topic(conversation: Conversation, topic: str) -> Conversation:
    return msgspec.structs.replace(conversation, topic=_text(topic))


def set_manual_ettr(conversation: Conversation, moment_ms: int | None) -> Conversation:
    return msgspec.structs.replace(conversation, manual_ettr_ms=moment_ms)


def set_delay(conversation: Conversation, delay: Delay | None) -> Conversation:
    return msgspec.structs.replace(conversation, delay=delay)


def _text(text: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise FieldInvalid(f"Text is longer than {MAX_TEXT_CHARACTERS} characters")
    return text


def _closed(dialog: Dialog, reason: CloseReason, now_ms: int, cause: str = "") -> Dialog:
    return msgspec.structs.replace(
        dialog,
        state=State.CLOSE,
        updated_at_ms=now_ms,
        closed_at_ms=now_ms,
        closed_by=reason,
        closed_cause=cause,
    )


def _survey_dialog(survey: Survey, now_ms: int) -> Dialog:
    return Dialog(
        survey.dialog_id,
        DialogType.POST_SURVEY,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        app_install_id=survey.app_install_id,
    )


def _active(conversation: Conversation) -> tuple[Participant, ...]:
    """Without those who were only suggested: nobody waits for them any more."""
    return tuple(p for p in conversation.participants if p.state is ParticipantState.ACTIVE)
