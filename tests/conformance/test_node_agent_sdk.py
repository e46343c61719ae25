"""Agents and bots on the npm package node-agent-sdk, unmodified, work a shift against a demo server.

Source: the package's README and its examples.
"""

import asyncio
import re
from pathlib import Path

import pytest

from conformance.sdk_agent import SdkAgent, SdkRefused, signed_in
from conformance.shift import (
    LATER,
    Talk,
    accept,
    chat_state,
    end,
    is_picture,
    on_shift,
    request_url,
    role_of,
    share,
    status,
    talking,
    text,
)
from consumer import http_to, signed_up
from listening import Heard
from live import Live
from pictures import picture_size, png_file

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# --- the session ---


async def test_an_agent_signs_in_pings_and_keeps_its_session_alive(version: str, live: Live) -> None:
    async with signed_in(version, live, refreshSessionInterval=300) as agent:
        assert UUID.fullmatch(agent.agent_id)
        assert agent.old_id.startswith(f"{live.account}.")
        await agent.hears("pong")
        assert (await agent.call("getClock", {}))["currentTime"] > 1_700_000_000_000

        def refreshed(call: Heard) -> bool:
            return "/refresh" in call["path"]

        for _ in range(2):  # the SDK never changes its csrf, so neither may the server
            position = len(agent.ears.all)
            assert (await agent.hears("http", refreshed, since=position))["status"] == 200


@pytest.mark.parametrize("same_token", [True, False])
async def test_an_agent_reconnects(version: str, live: Live, same_token: bool) -> None:
    async with signed_in(version, live) as agent:
        position = len(agent.ears.all)
        await agent.call("reconnect", same_token)
        await agent.hears("closed", since=position)
        await agent.hears("connected", since=position)
        events = (heard["event"] for heard in agent.ears.all[position:])
        assert [event for event in events if event in {"closed", "connected"}] == ["closed", "connected"], (
            "the old socket must end first, or the SDK thinks it is offline"
        )
        assert await agent.call("getClock", {})


async def test_wrong_passwords_and_foreign_tokens_are_refused_in_the_words_the_sdk_knows(
    version: str, live: Live
) -> None:
    with pytest.raises(SdkRefused):
        async with signed_in(version, live, password="wrong"):
            pass
    with pytest.raises(SdkRefused, match="401"):
        async with signed_in(version, live, username="", password="", token="f" * 64, userId="1"):
            pass


# --- talking ---


async def test_an_agent_is_rung_accepts_talks_and_closes(version: str, live: Live) -> None:
    async with talking(version, live) as talk:
        agent, consumer = talk.agent, talk.consumer
        asked = await consumer.say(talk.id, "do you sell cats?")
        heard = await agent.hears_event("the question", text("do you sell cats?"))
        assert heard["originatorMetadata"]["role"] == "CONSUMER"
        assert heard["originatorId"] == heard["originatorMetadata"]["id"]
        assert (heard["sequence"], heard["dialogId"]) == (asked, talk.id)

        await agent.publish(talk.id, {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [asked]})
        await consumer.hears_event("that it was read", status("READ", asked))

        await agent.publish(talk.id, {"type": "ChatStateEvent", "chatState": "COMPOSING"})
        await consumer.hears_event("the agent typing", chat_state("COMPOSING"))
        answered = await agent.say(talk.id, "only pictures of them")
        heard = await consumer.hears_event("the answer", text("only pictures of them"))
        assert heard["originatorId"] == agent.agent_id
        assert heard["originatorMetadata"]["role"] == "ASSIGNED_AGENT"
        own = await agent.hears_event("its own words", text("only pictures of them"))
        assert own["__isMe"]
        assert own["originatorId"] == agent.agent_id

        receipt = {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [answered]}
        await consumer.publish(talk.id, receipt)
        await agent.hears_event("that it was read", status("READ", answered))
        await consumer.publish(talk.id, {"type": "ChatStateEvent", "chatState": "COMPOSING"})
        await agent.hears_event("the consumer typing", chat_state("COMPOSING"))

        closing = {"field": "ConversationStateField", "conversationState": "CLOSE"}
        assert await agent.change(talk.id, closing) == "OK Conversation resolved successfully"
        gone = await agent.sees(talk.id, "the end", lambda c: c["type"] == "DELETE")
        assert gone["result"]["conversationDetails"]["state"] == "CLOSE"
        done = await consumer.hears_conversation(
            "the end", lambda r: r["conversationDetails"]["state"] == "CLOSE"
        )
        assert done["conversationDetails"]["closeReason"] == "AGENT"


async def test_an_agent_who_comes_later_reads_what_was_said_before(version: str, live: Live) -> None:
    async with signed_up(live) as consumer, on_shift(version, live) as agent:
        conversation_id = await consumer.open_conversation()
        for words in ("is anybody there?", "hello?"):
            await consumer.say(conversation_id, words)
        await accept(agent, conversation_id)
        await agent.call("subscribeMessagingEvents", {"dialogId": conversation_id})
        past = await agent.hears_event("the past", text("is anybody there?"))
        assert past["sequence"] == 0
        assert (await agent.hears_event("the past", text("hello?")))["sequence"] == 1
        await end(consumer, conversation_id)


async def test_rich_content_arrives_with_its_metadata_and_quick_replies(version: str, live: Live) -> None:
    async with talking(version, live) as talk:
        replies = [
            {"type": "button", "title": "Yes", "click": {"actions": [{"type": "publishText", "text": "Yes"}]}}
        ]
        event = {
            "type": "RichContentEvent",
            "content": {"type": "vertical", "elements": [{"type": "text", "text": "A cat?"}]},
            "quickReplies": {"type": "quickReplies", "itemsPerRow": 8, "replies": replies},
        }
        metadata = [{"type": "ExternalId", "id": "card-1"}]
        headers = None  # how one leaves it out to give what comes after
        body = {"dialogId": talk.id, "event": event}
        assert await talk.agent.call("publishEvent", body, headers, metadata) == {"sequence": 0}
        heard = await talk.consumer.hears_event(
            "the card", lambda c: c["event"]["type"] == "RichContentEvent"
        )
        assert (heard["event"], heard["metadata"]) == (event, metadata)


async def test_an_agent_gets_the_consumers_profile(version: str, live: Live) -> None:
    async with talking(version, live) as talk:
        profile = {
            "firstName": "Ada",
            "lastName": "L",
            "privateData": {"mobileNum": "0123", "email": "ada@example.org"},
            "authenticatedData": {"lp_sdes": [{"type": "ctmrinfo", "info": {"customerId": "c-7"}}]},
        }
        await talk.consumer.ask("userprofile.SetUserProfile", profile)
        await talk.consumer.say(talk.id, "hello")
        consumer_id = (await talk.agent.hears_event("hello", text("hello")))["originatorId"]
        details = await talk.agent.call("getUserProfile", consumer_id)
        personal = next(item["personal"] for item in details if item["type"] == "personal")
        assert personal["firstname"] == "Ada"
        assert personal["contacts"] == [{"email": "ada@example.org", "phone": "0123"}]
        customers = [item["info"].get("customerId") for item in details if item["type"] == "ctmrinfo"]
        assert "c-7" in customers


# --- files ---


async def test_an_agent_and_a_consumer_share_pictures(version: str, live: Live, tmp_path: Path) -> None:
    async with talking(version, live) as talk:
        path = await talk.consumer.share(talk.id, png_file(tmp_path, 64, 48, seed=1), "mine")
        heard = await talk.agent.hears_event("a picture", is_picture)
        assert heard["event"]["message"]["relativePath"] == path
        assert heard["event"]["message"]["caption"] == "mine"
        slot = await request_url(talk.agent, version, "Download", {"relativePath": path})
        got = await talk.agent.call("get", talk.consumer.storage_url(slot), str(tmp_path / "got.png"))
        assert got == {"status": 200, "type": "image/png"}
        assert picture_size((tmp_path / "got.png").read_bytes()) == (64, 48)

        theirs = png_file(tmp_path, 80, 60, seed=2)
        path = await share(talk.agent, version, talk.consumer, talk.id, theirs)
        await talk.consumer.hears_event(
            "the agent's picture", lambda c: is_picture(c) and c["event"]["message"]["relativePath"] == path
        )
        type_, data = await talk.consumer.fetch(path)
        assert (type_, picture_size(data)) == ("image/png", (80, 60))


async def test_a_download_url_may_be_asked_for_before_the_publish_is_answered(
    version: str, live: Live, tmp_path: Path
) -> None:
    """As the SDK's example for file sharing does."""
    async with talking(version, live) as talk:
        picture = png_file(tmp_path, 100, 50)
        claim = {"fileSize": 5020, "fileType": "PNG"}  # that example says so of every file
        slot = await request_url(talk.agent, version, "Upload", claim)
        put = await talk.agent.call("put", talk.consumer.storage_url(slot), str(picture))
        assert put["status"] == 201
        path = {"relativePath": slot["relativePath"]}
        event = {"type": "ContentEvent", "contentType": "hosted/file", "message": {**path, "fileType": "PNG"}}
        sequence, download = await asyncio.gather(
            talk.agent.publish(talk.id, event), request_url(talk.agent, version, "Download", path)
        )
        assert sequence == 0
        target = str(tmp_path / "got.png")
        got = await talk.agent.call("get", talk.consumer.storage_url(download), target)
        assert got == {"status": 200, "type": "image/png"}


async def test_a_file_nobody_shared_looks_like_one_that_is_not_there(version: str, live: Live) -> None:
    async with talking(version, live) as talk:
        path = f"/v1/AUTH_async-images/{live.account}/1234.JPG"
        with pytest.raises(SdkRefused) as refusal:
            await request_url(talk.agent, version, "Download", {"relativePath": path})
        assert refusal.value.code == 500


# --- handing over ---

LEAVE = {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}


async def a_skill(live: Live) -> str:
    """The id of a skill that the demo's people have."""
    login = {"username": live.env["LP_USER"], "password": live.env["LP_PASS"]}
    async with http_to(live) as http:
        async with http.post(live.url("AGENTVEP", "login?v=1.3"), json=login) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['bearer']}"}
        url = live.url("ACCOUNTCONFIGREADONLY", "configuration/le-users/skills?v=2.0")
        async with http.get(url, headers=headers) as answer:
            return str((await answer.json())[0]["id"])


async def taken_over(talk: Talk, other: SdkAgent, since: int) -> None:
    """The other has the conversation now, the first agent has not, and the consumer is answered."""
    await accept(other, talk.id)
    left = await talk.agent.sees(talk.id, "the conversation go", lambda c: c["type"] == "DELETE", since=since)
    assert role_of(left, talk.agent.agent_id) is None
    await other.say(talk.id, "here I am")
    heard = await talk.consumer.hears_event("the other agent", text("here I am"))
    assert heard["originatorId"] == other.agent_id
    with pytest.raises(SdkRefused):
        await talk.agent.say(talk.id, "me too")


async def test_an_agent_transfers_to_a_skill(version: str, live: Live) -> None:
    skill_id = await a_skill(live)
    async with talking(version, live) as talk, on_shift(version, live, "AGENT2") as other:
        since = len(talk.agent.ears.all)
        answer = await talk.agent.change(
            talk.id, LEAVE, {"field": "Skill", "type": "UPDATE", "skill": skill_id}
        )
        assert answer == "OK Agent removed successfully"
        await talk.consumer.hears_conversation(
            "the new skill", lambda r: r["conversationDetails"]["skillId"] == skill_id
        )
        await taken_over(talk, other, since)


async def test_an_agent_gives_a_conversation_back_to_the_queue(version: str, live: Live) -> None:
    async with talking(version, live) as talk, on_shift(version, live, "AGENT2") as other:
        since = len(talk.agent.ears.all)
        assert await talk.agent.change(talk.id, LEAVE) == "OK Agent removed successfully"
        await taken_over(talk, other, since)


@pytest.mark.parametrize("version", LATER)
async def test_an_agent_transfers_to_another_agent(version: str, live: Live) -> None:
    skill_id = await a_skill(live)
    async with (
        talking(version, live) as talk,
        on_shift(version, live, "AGENT2") as other,
        signed_in(version, live, "BOT") as watcher,  # a bot profile sees every conversation
    ):
        await watcher.call("subscribeExConversations", {"convState": ["OPEN"]})
        since = len(talk.agent.ears.all)
        suggest = {"field": "ParticipantsChange", "type": "SUGGEST", "role": "ASSIGNED_AGENT"}
        answer = await talk.agent.change(
            talk.id,
            LEAVE,
            {**suggest, "userId": other.agent_id},
            {"field": "Skill", "type": "UPDATE", "skill": skill_id},
        )
        assert answer == "OK Agent removed successfully"
        suggested = await watcher.sees(talk.id, "a suggestion", lambda c: other.old_id in suggested_agents(c))
        assert role_of(suggested, other.agent_id) is None, "suggested is not yet a participant"
        await taken_over(talk, other, since)


def suggested_agents(change: Heard) -> list[str]:
    """Who is suggested in any dialog of the conversation, by old id: the SDK knows no other for them."""
    dialogs = change["result"]["conversationDetails"]["dialogs"]
    everybody = (participant for dialog in dialogs for participant in dialog["participantsDetails"])
    return [participant["id"] for participant in everybody if participant["state"] == "SUGGESTED"]
