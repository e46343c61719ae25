"""A shift at work with node-agent-sdk: what every walk with it does first, and the words it listens for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.sdk_agent import SdkAgent, signed_in
from consumer import Consumer, Refused, signed_up
from listening import Heard
from live import Live

VERSIONS = ("1.2.0", "1.1.6", "0.2.22")
LATER = ("1.2.0", "1.1.6")  # 0.2.22 overwrites `userId`: it cannot name another agent


@dataclass(frozen=True)
class Talk:
    """A conversation that an agent has accepted."""

    id: str
    agent: SdkAgent
    consumer: Consumer


@asynccontextmanager
async def on_shift(version: str, live: Live, who: str = "AGENT") -> AsyncIterator[SdkAgent]:
    """A brand user who is online and subscribed to what concerns it, and goes offline at the end."""
    async with signed_in(version, live, who) as agent:
        await agent.call("subscribeExConversations", {"agentIds": [agent.agent_id], "convState": ["OPEN"]})
        await agent.call("subscribeRoutingTasks", {})
        answer = await agent.call("setAgentState", {"availability": "ONLINE"})
        assert answer == "Agent state updated successfully"
        yield agent
        await agent.call("setAgentState", {"availability": "OFFLINE"})


async def accept(agent: SdkAgent, conversation_id: str, *, since: int = 0) -> Heard:
    """Take the ring for that conversation; its details once the agent is assigned."""
    ring_id = await agent.is_rung(conversation_id, since=since)
    answer = await agent.call("updateRingState", {"ringId": ring_id, "ringState": "ACCEPTED"})
    assert answer == "Ring state updated successfully"

    def mine(change: Heard) -> bool:
        return change["type"] == "UPSERT" and role_of(change, agent.agent_id) == "ASSIGNED_AGENT"

    return await agent.sees(conversation_id, "itself assigned", mine, since=since)


def role_of(change: Heard, participant_id: str) -> str | None:
    """The role of a participant, as the SDK shows it: a list, agents by their UUID."""
    participants = change["result"]["conversationDetails"]["participants"]
    return next((p["role"] for p in participants if p["id"] == participant_id), None)


@asynccontextmanager
async def talking(version: str, live: Live, *, skill_id: str = "-1") -> AsyncIterator[Talk]:
    """An agent and a consumer in a conversation, closed at the end."""
    async with signed_up(live) as consumer, on_shift(version, live) as agent:
        conversation_id = await consumer.open_conversation(skill_id=skill_id)
        await accept(agent, conversation_id)
        await agent.call("subscribeMessagingEvents", {"dialogId": conversation_id})
        yield Talk(conversation_id, agent, consumer)
        await end(consumer, conversation_id)


async def end(consumer: Consumer, conversation_id: str) -> None:
    """Close the conversation if it is still open."""
    field = {"field": "ConversationStateField", "conversationState": "CLOSE"}
    body = {"conversationId": conversation_id, "conversationField": field}
    try:
        await consumer.ask("cm.UpdateConversationField", body)
    except Refused as refusal:
        if refusal.code != 400:
            raise


def text(words: str) -> Any:
    return lambda change: change["event"].get("message") == words


def status(name: str, sequence: int) -> Any:
    return lambda c: c["event"].get("status") == name and sequence in c["event"]["sequenceList"]


def chat_state(name: str) -> Any:
    return lambda change: change["event"].get("chatState") == name


def is_picture(change: Heard) -> bool:
    return bool(change["event"].get("contentType") == "hosted/file")


async def request_url(agent: SdkAgent, version: str, way: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for a URL as that version can: 0.2.22 has no functions for files."""
    if version == "0.2.22":
        answer = await agent.call("request", f".ams.ms.GenerateURLFor{way}File", body)
    else:
        answer = await agent.call(f"generateURLFor{way}File", body)
    assert set(answer["queryParams"]) == {"temp_url_sig", "temp_url_expires"}
    return dict(answer)


async def share(
    agent: SdkAgent, version: str, consumer: Consumer, conversation_id: str, picture: Path
) -> str:
    claim = {"fileSize": picture.stat().st_size, "fileType": "PNG"}
    slot = await request_url(agent, version, "Upload", claim)
    put = await agent.call("put", consumer.storage_url(slot), str(picture))
    assert put["status"] == 201, put
    message = {"caption": "noise", "relativePath": slot["relativePath"], "fileType": "PNG"}
    await agent.publish(
        conversation_id, {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
    )
    return str(slot["relativePath"])
