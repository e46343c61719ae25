"""Past conversations as the wire shows them. Pure. Source: docs/protocol.md 9.10."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from talkwire.conversations.model import Conversation, Dialog, Participant, Role, State
from talkwire.history import messages, turns
from talkwire.history.search_model import Content, Names, Past
from talkwire.kernel.ids import ANY_SKILL

Json = dict[str, Any]
UNASSIGNED = "Unassigned"
SOURCE = "SHARK"
NO_DEVICE = "NA"
KINDS_OF_SDE = {
    "ctmrinfo": ("CUSTOMER_INFO", "customerInfo", "info"),
    "personal": ("PERSONAL_INFO", "personalInfo", "personal"),
}


def record_of(past: Past, names: Names, wanted: frozenset[Content], now_ms: int) -> Json:
    """One of `conversationHistoryRecords`: `info`, and the parts that were asked for."""
    record: Json = {"info": info_of(past, names, now_ms)}
    for content, part in _PARTS.items():
        if content in wanted:
            record[content.value] = part(past, names)
    return record


def info_of(past: Past, names: Names, now_ms: int) -> Json:
    """What a record always has."""
    c = past.conversation
    is_open = c.stage is State.OPEN
    end_ms = c.closed_at_ms or 0
    main = c.main
    return {
        "conversationId": c.conversation_id,
        "brandId": c.account_id,
        "status": "OPEN" if is_open else "CLOSE",
        "fullDialogStatus": "OPEN" if c.state is State.OPEN else "CLOSE",
        "startTime": time_of(c.created_at_ms),
        "startTimeL": c.created_at_ms,
        "endTime": time_of(end_ms) if end_ms else "",
        "endTimeL": end_ms,
        "duration": max(0, (end_ms or now_ms) - c.created_at_ms),
        "closeReason": c.close_reason.value if c.close_reason else "",
        "closeReasonDescription": main.closed_cause,
        "csatRate": c.csat.rate if c.csat and c.csat.rate is not None else 0,
        "mcs": 50,
        "source": SOURCE,
        "device": _client(c, "deviceFamily", NO_DEVICE),
        "browser": _client(c, "browser", NO_DEVICE),
        "operatingSystem": _client(c, "os", NO_DEVICE),
        **_latest_agent(c, names),
        "latestSkillId": _number(c.skill_id),
        "latestSkillName": skill_name(c.skill_id, names),
        "latestAgentGroupId": -1,
        "latestAgentGroupName": UNASSIGNED,
        "latestQueueState": "IN_QUEUE" if c.queued_at_ms else "ACTIVE",
        "firstConversation": c.first_conversation,
        "isPartial": past.is_partial,
        "integration": _client(c, "integration", ""),
        "appId": c.app_id or _client(c, "appId", ""),
    }


def agent_members(agent_id: str, names: Names, prefix: str, *, id_name: str = "") -> Json:
    """An agent by id and names; ids are the decimal user ids that configuration knows."""
    name = names.agents.get(agent_id)
    return {
        id_name or f"{prefix}Id": name.user_id if name else agent_id,
        f"{prefix}LoginName": name.login_name if name else "",
        f"{prefix}Nickname": name.nickname if name else "",
        f"{prefix}FullName": name.full_name if name else "",
    }


def skill_name(skill_id: str, names: Names) -> str:
    return UNASSIGNED if skill_id == ANY_SKILL else names.skills.get(skill_id, "")


def timed(at_ms: int) -> Json:
    return {"time": time_of(at_ms), "timeL": at_ms}


def time_of(at_ms: int) -> str:
    """`2024-01-02 03:04:05.678+0000`."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}+0000"


def _latest_agent(c: Conversation, names: Names) -> Json:
    if not c.last_agent_id:
        return {"latestAgentId": "", "agentDeleted": False}
    name = names.agents.get(c.last_agent_id)
    return {
        **agent_members(c.last_agent_id, names, "latestAgent"),
        "agentDeleted": name is None or name.is_deleted,
    }


def _number(skill_id: str) -> int | str:
    return int(skill_id) if skill_id.lstrip("-").isdecimal() else skill_id


def _client(c: Conversation, member: str, default: str) -> str:
    properties = c.context.get("clientProperties")
    value = properties.get(member) if isinstance(properties, dict) else None
    return value if isinstance(value, str) else default


def _campaign(past: Past, _names: Names) -> Json:
    campaign = past.conversation.campaign
    if campaign is None:
        return {}
    return {"campaignId": campaign.campaign_id, "campaignEngagementId": campaign.engagement_id}


def _messages(past: Past, names: Names) -> list[Json]:
    c = past.conversation
    shared = {"source": SOURCE, "device": _client(c, "deviceFamily", NO_DEVICE)}
    return [
        {**messages.message_of(event, names), **timed(event.at_ms), **shared}
        for event in past.events
        if messages.is_message(event)
    ]


def _statuses(past: Past, names: Names) -> list[Json]:
    return [
        {**status, **timed(event.at_ms)}
        for event in past.events
        for status in messages.statuses_of(event, names)
    ]


def _agents(past: Past, names: Names) -> list[Json]:
    return [
        {
            **agent_members(turn.agent_id, names, "agent"),
            **_kind_of_user(turn.agent_id, names),
            "role": "MANAGER" if turn.role == Role.MANAGER else "AGENT",
            "agentGroupName": UNASSIGNED,
            "agentGroupId": -1,
            **timed(turn.at_ms),
            "permission": turn.role,
            "dialogId": past.conversation.main.dialog_id,
        }
        for turn in turns.joined(past)
    ]


def _kind_of_user(agent_id: str, names: Names) -> Json:
    name = names.agents.get(agent_id)
    is_bot = name is not None and name.is_bot
    return {
        "agentPid": agent_id,
        "agentDeleted": name is None or name.is_deleted,
        "userType": "2" if is_bot else "1",
        "userTypeName": "Bot" if is_bot else "Human",
    }


def _consumers(past: Past, _names: Names) -> list[Json]:
    c, profile = past.conversation, past.profile or {}
    private = profile.get("privateData") or {}
    first, last = str(profile.get("firstName") or ""), str(profile.get("lastName") or "")
    return [
        {
            "participantId": c.consumer_id,
            "firstName": first,
            "lastName": last,
            "consumerName": str(profile.get("nickName") or f"{first} {last}".strip()),
            "email": str(private.get("email") or private.get("mail") or ""),
            "phone": str(private.get("mobileNum") or ""),
            "avatarURL": str(profile.get("avatarUrl") or ""),
            "token": "",
            **timed(c.created_at_ms),
            "dialogId": c.main.dialog_id,
        }
    ]


def _transfers(past: Past, names: Names) -> list[Json]:
    return [
        {
            **timed(transfer.at_ms),
            **agent_members(transfer.target_agent_id, names, "assignedAgent"),
            "targetSkillId": _number(transfer.target_skill_id),
            "targetSkillName": skill_name(transfer.target_skill_id, names),
            "reason": transfer.reason,
            "by": agent_members(transfer.source_agent_id, names, "by")["byId"],
            "sourceSkillId": _number(transfer.source_skill_id),
            "sourceSkillName": skill_name(transfer.source_skill_id, names),
            **agent_members(transfer.source_agent_id, names, "sourceAgent"),
            "dialogId": past.conversation.main.dialog_id,
        }
        for transfer in turns.transfers(past)
    ]


def _interactions(past: Past, names: Names) -> list[Json]:
    return [
        {
            **agent_members(event.originator_id, names, "assignedAgent"),
            "interactionTime": time_of(event.at_ms),
            "interactionTimeL": event.at_ms,
            "interactiveSequence": number,
            "dialogId": event.dialog_id,
        }
        for number, event in enumerate(turns.interactions(past), 1)
    ]


def _dialogs(past: Past, _names: Names) -> list[Json]:
    return [_dialog(past.conversation, dialog) for dialog in past.conversation.dialogs]


def _dialog(c: Conversation, dialog: Dialog) -> Json:
    end_ms = dialog.closed_at_ms or 0
    return {
        "dialogId": dialog.dialog_id,
        "dialogType": dialog.type.value,
        "dialogChannelType": "MESSAGING",
        "status": "OPEN" if dialog.state is State.OPEN else "CLOSE",
        "startTime": time_of(dialog.created_at_ms),
        "startTimeL": dialog.created_at_ms,
        "endTime": time_of(end_ms) if end_ms else "",
        "endTimeL": end_ms,
        "closeReason": dialog.closed_by.value if dialog.closed_by else "",
        "closeReasonDescription": dialog.closed_cause,
        "participants": [_participant(p) for p in c.participants],
        "metaData": {"appInstallId": dialog.app_install_id} if dialog.app_install_id else {},
    }


def _participant(p: Participant) -> Json:
    return {"participantId": p.old_id or p.id, "role": p.role.value}


def _sdes(past: Past, _names: Names) -> Json:
    """What the consumer's profile says now; a moment of its own is not kept."""
    profile, found = past.profile or {}, []
    for part in ("claims", "authenticatedData"):
        section = profile.get(part)
        items = section.get("lp_sdes") if isinstance(section, dict) else None
        for item in items if isinstance(items, list) else ():
            kind = KINDS_OF_SDE.get(str(item.get("type"))) if isinstance(item, dict) else None
            if kind is not None:
                sde_type, member, inner = kind
                found.append({"sdeType": sde_type, member: {member: item.get(inner) or {}}})
    return {"events": found}


def _surveys(past: Past, _names: Names) -> list[Json]:
    csat = past.conversation.csat
    if csat is None:
        return []
    data = [{"question": "Rate your experience", "answer": str(csat.rate)}] if csat.rate is not None else []
    if csat.resolution_confirmed is not None:
        answer = "Yes" if csat.resolution_confirmed else "No"
        data.append({"question": "Confirm Resolution", "answer": answer})
    return [{"surveyType": "Satisfaction", "surveyStatus": csat.status, "surveyData": data}]


def _nothing(_past: Past, _names: Names) -> list[Json]:
    """COMPAT: clients go through these; nothing here scores messages."""
    return []


def _summary(past: Past, _names: Names) -> Json:
    c = past.conversation
    return {"text": c.note, "lastUpdatedTime": c.updated_at_ms} if c.note else {}


_PARTS: dict[Content, Callable[[Past, Names], Any]] = {
    Content.CAMPAIGN: _campaign,
    Content.MESSAGE_RECORDS: _messages,
    Content.MESSAGE_STATUSES: _statuses,
    Content.AGENT_PARTICIPANTS: _agents,
    Content.CONSUMER_PARTICIPANTS: _consumers,
    Content.TRANSFERS: _transfers,
    Content.INTERACTIONS: _interactions,
    Content.DIALOGS: _dialogs,
    Content.SDES: _sdes,
    Content.SURVEYS: _surveys,
    Content.SCORES: _nothing,
    Content.SUMMARY: _summary,
}
