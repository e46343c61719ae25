"""Conversations as notifications show them, in both shapes. Source: docs/protocol.md 6.3, 6.4."""

from typing import Any

import msgspec

from talkwire.conversations.model import Conversation, Dialog, Participant, ParticipantState, Role
from talkwire.conversations.views import DialogLog, View
from talkwire.protocol.envelope import Dialect
from talkwire.protocol.notify import event_change

CHANGES_V3 = "cqm.ExConversationChangeNotification"
CHANGES_V2 = ".ams.aam.ExConversationChangeNotification"

Json = dict[str, Any]


def conversation_result(view: View, dialect: Dialect, *, sees_private: bool, tells_last: bool = True) -> Json:
    """The `result` of an UPSERT or DELETE. Consumers see nothing that agents keep to themselves.

    That is: private events, shown or counted; the note, and the topic. Without `tells_last` what was said
    last is left out.
    """
    conversation = view.conversation
    log = view.logs[conversation.main.dialog_id]
    result: Json = {
        "convId": conversation.conversation_id,
        "effectiveTTR": view.effective_ttr_ms,
        "lastUpdateTime": view.last_update_ms,
        "numberOfunreadMessages": _unread(conversation, log, sees_private=sees_private),
        "conversationDetails": _details(conversation, dialect, sees_private=sees_private),
    }
    last = log.last_content if sees_private else log.last_public_content
    if last is not None and tells_last:
        result["lastContentEventNotification"] = msgspec.Raw(event_change(last, is_v3=dialect.is_v3))
    return result


def _unread(conversation: Conversation, log: DialogLog, *, sees_private: bool) -> dict[str, int]:
    """By participant. A consumer is shown the counts of public content only, the agents' too."""
    return {
        p.id: log.unread(p.id, sees_private=sees_private and p.role is not Role.CONSUMER)
        for p in conversation.participants
        if p.state is ParticipantState.ACTIVE
    }


def _details(conversation: Conversation, dialect: Dialect, *, sees_private: bool) -> Json:
    c = conversation
    details: Json = {
        "convId": c.conversation_id,
        "skillId": c.skill_id,
        "brandId": c.account_id,
        "state": c.state,
        "stage": c.stage,
        "startTs": c.created_at_ms,
        "metaDataLastUpdateTs": c.updated_at_ms,
        "firstConversation": c.first_conversation,
        **(_participant_list(c) if dialect.is_v3 else _participant_maps(c)),
        "dialogs": [_dialog(c, d, dialect) for d in c.dialogs],
        "ttr": {"ttrType": c.ttr.type, "value": c.ttr.seconds},
        "csatRate": c.csat.rate if c.csat and c.csat.rate is not None else 0,
        "note": c.note if sees_private else "",
        "context": c.context,
        "conversationHandlerDetails": {"accountId": c.account_id, "skillId": c.skill_id},
    }
    if c.topic and sees_private:
        details["topic"] = c.topic
    return details | _optional_details(c)


def _optional_details(c: Conversation) -> Json:
    found: Json = {}
    if c.closed_at_ms is not None:
        found["endTs"] = c.closed_at_ms
    if c.close_reason is not None:
        found["closeReason"] = c.close_reason
    if c.csat is not None:
        found["csat"] = _without_none(
            csatRate=c.csat.rate, csatResolutionConfirmation=c.csat.resolution_confirmed, status=c.csat.status
        )
    if c.delay is not None:
        found["delay"] = {"type": c.delay.type, "tillWhen": c.delay.till_ms}
    if c.manual_ettr_ms is not None:
        found["manualETTR"] = c.manual_ettr_ms
    if c.campaign is not None:
        found["campaignInfo"] = {
            "campaignId": c.campaign.campaign_id,
            "engagementId": c.campaign.engagement_id,
        }
    return found


def _participant_list(c: Conversation) -> Json:
    """v3: ACTIVE participants, agents by PId."""
    return {"participants": [{"id": p.id, "role": p.role} for p in _active(c)]}


def _participant_maps(c: Conversation) -> Json:
    """v2: two maps by role. Every role that occurs anywhere is a key of both, ACTIVE ones by the same position."""
    roles = dict.fromkeys((Role.CONSUMER, Role.ASSIGNED_AGENT, Role.MANAGER, Role.READER))
    roles |= dict.fromkeys(p.role for p in c.participants)
    active = _active(c)
    return {
        "participants": {role: [p.old_id or p.id for p in active if p.role is role] for role in roles},
        "participantsPId": {role: [p.id for p in active if p.role is role] for role in roles},
    }


def _dialog(c: Conversation, dialog: Dialog, dialect: Dialect) -> Json:
    """One dialog; a survey's names the app that asks."""
    shown = c.participants if dialect is Dialect.V2_1 else _active(c)
    return {
        "dialogId": dialog.dialog_id,
        "conversationId": c.conversation_id,
        "dialogType": dialog.type,
        "channelType": "MESSAGING",
        "state": dialog.state,
        "creationTs": dialog.created_at_ms,
        "metaDataLastUpdateTs": dialog.updated_at_ms,
        "participantsDetails": [_participant(p, dialect) for p in shown],
        **_without_none(
            endTs=dialog.closed_at_ms,
            closedBy=dialog.closed_by,
            closedCause=dialog.closed_cause or None,
            metaData={"appInstallId": dialog.app_install_id} if dialog.app_install_id else None,
        ),
    }


def _participant(p: Participant, dialect: Dialect) -> Json:
    return {"id": p.id if dialect.is_v3 else (p.old_id or p.id), "role": p.role, "state": p.state}


def _active(c: Conversation) -> list[Participant]:
    return [p for p in c.participants if p.state is ParticipantState.ACTIVE]


def _without_none(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}
