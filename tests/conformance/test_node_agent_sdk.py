"""Agents and bots on the npm package node-agent-sdk, unmodified, work a shift against a demo server.

Source: the package's README and its examples.
"""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from conformance.sdk_agent import JS, SdkAgent, SdkRefused, install_clients, signed_in
from consumer import Consumer, Refused, signed_up
from listening import Heard
from live import ROOT, Live, serving
from pictures import picture_size, png_file

VERSIONS = ("1.2.0", "1.1.6", "0.2.22")
LATER = ("1.2.0", "1.1.6")  # 0.2.22 overwrites `userId`: it cannot name another agent
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    install_clients()
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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
        events = [heard["event"] for heard in agent.ears.all[position:] if heard["event"] != "http"]
        assert events[:2] == ["closed", "connected"], (
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
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=live.trust())) as http:
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
    async with talking(version, live) as talk, on_shift(version, live, "BOT") as other:
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
    async with talking(version, live) as talk, on_shift(version, live, "BOT") as other:
        since = len(talk.agent.ears.all)
        assert await talk.agent.change(talk.id, LEAVE) == "OK Agent removed successfully"
        await taken_over(talk, other, since)


@pytest.mark.parametrize("version", LATER)
async def test_an_agent_transfers_to_another_agent(version: str, live: Live) -> None:
    skill_id = await a_skill(live)
    async with talking(version, live) as talk, on_shift(version, live, "BOT") as other:
        await other.call("subscribeExConversations", {"convState": ["OPEN"]})  # a bot profile sees all
        since = len(talk.agent.ears.all)
        suggest = {"field": "ParticipantsChange", "type": "SUGGEST", "role": "ASSIGNED_AGENT"}
        answer = await talk.agent.change(
            talk.id,
            LEAVE,
            {**suggest, "userId": other.agent_id},
            {"field": "Skill", "type": "UPDATE", "skill": skill_id},
        )
        assert answer == "OK Agent removed successfully"
        suggested = await other.sees(talk.id, "itself suggested", lambda c: bool(suggested_agents(c)))
        assert role_of(suggested, other.agent_id) is None, "suggested is not yet a participant"
        await taken_over(talk, other, since)


def suggested_agents(change: Heard) -> list[str]:
    """Who is suggested in any dialog of the conversation."""
    dialogs = change["result"]["conversationDetails"]["dialogs"]
    everybody = (participant for dialog in dialogs for participant in dialog["participantsDetails"])
    return [participant["id"] for participant in everybody if participant["state"] == "SUGGESTED"]


# --- bots ---


async def test_a_bot_joins_as_manager_sends_a_picture_and_leaves(
    version: str, live: Live, tmp_path: Path
) -> None:
    async with talking(version, live) as talk, signed_in(version, live, "BOT") as bot:
        await bot.call("subscribeExConversations", {"convState": ["OPEN"]})
        await bot.sees(talk.id, "the conversation", lambda c: c["type"] == "UPSERT")
        join = {"field": "ParticipantsChange", "type": "ADD", "role": "MANAGER"}
        assert await bot.change(talk.id, join) == "OK Agent added successfully"
        await bot.sees(talk.id, "itself manager", lambda c: role_of(c, bot.agent_id) == "MANAGER")
        await bot.say(talk.id, "look at this")
        heard = await talk.consumer.hears_event("the bot", text("look at this"))
        assert heard["originatorMetadata"]["role"] == "MANAGER"
        path = await share(bot, version, talk.consumer, talk.id, png_file(tmp_path, 90, 30))
        await talk.consumer.hears_event("the bot's picture", is_picture)
        assert picture_size((await talk.consumer.fetch(path))[1]) == (90, 30)

        await talk.consumer.say(talk.id, "nice")
        await bot.hears_event("the consumer, without a subscription", text("nice"))
        go = {"field": "ParticipantsChange", "type": "REMOVE", "role": "MANAGER"}
        assert await bot.change(talk.id, go) == "OK Agent removed successfully"
        with pytest.raises(SdkRefused, match="Agent does not exist in conversation"):
            await bot.change(talk.id, go)


async def test_a_plain_agent_may_not_join_as_manager(version: str, live: Live) -> None:
    async with signed_up(live) as consumer, signed_in(version, live) as agent:
        conversation_id = await consumer.open_conversation()
        with pytest.raises(SdkRefused) as refusal:
            await agent.change(
                conversation_id, {"field": "ParticipantsChange", "type": "ADD", "role": "MANAGER"}
            )
        assert refusal.value.code == 403
        await end(consumer, conversation_id)


@pytest.mark.parametrize("version", VERSIONS)
async def test_our_example_bot_sends_a_picture_to_every_open_conversation(
    version: str, live: Live, tmp_path: Path
) -> None:
    async with signed_up(live) as early, signed_up(live) as late:
        conversations = {early: await early.open_conversation()}
        async with example_bot(version, live, tmp_path):
            conversations[late] = await late.open_conversation()
            for consumer, conversation_id in conversations.items():
                heard = await consumer.hears_event("a picture", is_picture)
                assert heard["originatorMetadata"]["role"] == "MANAGER"
                type_, data = await consumer.fetch(heard["event"]["message"]["relativePath"])
                assert (type_, picture_size(data)) == ("image/jpeg", (480, 360))
                await end(consumer, conversation_id)


@asynccontextmanager
async def example_bot(version: str, live: Live, folder: Path) -> AsyncIterator[None]:
    """`examples/bots/picture-bot.js` as it stands, beside that version of the SDK."""
    shutil.copy(ROOT / "examples/bots/picture-bot.js", folder)
    (folder / "node_modules").mkdir()
    (folder / "node_modules/node-agent-sdk").symlink_to(JS / "node_modules" / f"node-agent-sdk-{version}")
    bot = await asyncio.create_subprocess_exec(
        "node", "--no-deprecation", "picture-bot.js", str(ROOT / "examples/pictures/cat.jpg"),
        cwd=folder, env=live.shell_env,
    )  # fmt: skip
    try:
        yield
        assert bot.returncode is None, "the bot ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            bot.terminate()
        await bot.wait()
