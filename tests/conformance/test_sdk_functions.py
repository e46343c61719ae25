"""What else node-agent-sdk can do: its other ways to sign in, and the functions no walk needs.

Source: the package's README.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from conformance.sdk_agent import SdkAgent, SdkRefused, signed_in
from conformance.shift import LATER, accept, end, on_shift, talking, text
from consumer import http_to, signed_up
from live import Live, kill, serving, start_server, stop


async def bearer_of(live: Live, prefix: str) -> str:
    login = {"username": live.env[f"{prefix}USER"], "password": live.env[f"{prefix}PASS"]}
    async with http_to(live) as http, http.post(live.url("AGENTVEP", "login?v=1.3"), json=login) as answer:
        return str((await answer.json())["bearer"])


async def user_id_of(live: Live, who: str) -> str:
    async with signed_in("1.2.0", live, who) as agent:
        return agent.old_id.partition(".")[2]


async def works(agent: SdkAgent) -> None:
    """It can go online, so the server knows who it is."""
    answer = await agent.call("setAgentState", {"availability": "AWAY"})
    assert answer == "Agent state updated successfully"


# --- signing in otherwise ---


async def test_a_bot_signs_in_with_application_keys(version: str, live: Live) -> None:
    headers = {"Authorization": f"Bearer {await bearer_of(live, 'LP_')}"}
    path = f"configuration/le-users/users/{await user_id_of(live, 'BOT')}/api-keys"
    async with http_to(live) as http, http.post(live.url("IDP", path), headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        keys = await answer.json()
    assert set(keys) == {"appKey", "secret", "accessToken", "accessTokenSecret"}
    async with signed_in(version, live, "BOT", password="", **keys) as bot:
        await works(bot)
    with pytest.raises(SdkRefused):
        async with signed_in(version, live, "BOT", password="", **{**keys, "secret": "wrong"}):
            pass


async def test_a_bot_brings_a_token_of_its_own(version: str, live: Live) -> None:
    token, user_id = await bearer_of(live, "LP_BOT_"), await user_id_of(live, "BOT")
    async with signed_in(version, live, "BOT", token=token, userId=user_id) as bot:
        await works(bot)
        await bot.call("subscribeRoutingTasks", {})  # this way the SDK leaves `brandId` out


async def test_newer_versions_look_up_another_service(live: Live) -> None:
    async with (
        http_to(live) as http,
        http.get(live.url("CSDS", "service/baseURI.json?version=1.0")) as answer,
    ):
        services = {entry["service"]: entry["baseURI"] for entry in (await answer.json())["baseURIs"]}
    assert services["facadeMsg"] == services["asyncMessagingEnt"] == live.env["LP_ASYNCMESSAGINGENT"]


# --- coming back ---


@pytest.mark.parametrize("end_server", [stop, kill])
async def test_an_agent_goes_on_after_the_server_was_away(
    version: str, end_server: Any, tmp_path: Path
) -> None:
    live = start_server(tmp_path)
    async with signed_up(live) as consumer, signed_in(version, live) as agent:
        await agent.call("subscribeRoutingTasks", {})
        await agent.call("subscribeExConversations", {"agentIds": [agent.agent_id], "convState": ["OPEN"]})
        await agent.call("setAgentState", {"availability": "ONLINE"})
        conversation_id = await consumer.open_conversation()
        await accept(agent, conversation_id)
        await consumer.say(conversation_id, "remember this")
        await agent.hears_event("the words", text("remember this"))

        assert not await asyncio.to_thread(end_server, live)
        code = 1001 if end_server is stop else 1006
        assert await agent.hears("closed") == code
        assert await consumer.hangs_up() == code
        ports = [live.env[name].rpartition(":")[2] for name in ("LP_CSDS", "LP_HTTP")]
        with serving(tmp_path, "--port", ports[0], "--http-port", ports[1]):
            since = len(agent.ears.all)
            await agent.call("reconnect", True)  # the session outlives the server
            await agent.hears("connected", since=since)
            await agent.call(
                "subscribeExConversations", {"agentIds": [agent.agent_id], "convState": ["OPEN"]}
            )
            await agent.sees(
                conversation_id, "its conversation", lambda c: c["type"] == "UPSERT", since=since
            )
            await agent.call("subscribeMessagingEvents", {"dialogId": conversation_id})
            past = text("remember this")
            heard = await agent.hears_change("MessagingEventNotification", "the past", past, since=since)
            assert heard["sequence"] == 0
            assert await agent.say(conversation_id, "I do") == 1


# --- the other functions ---


async def test_an_agent_hears_of_its_own_state(version: str, live: Live) -> None:
    async with signed_in(version, live) as agent:
        assert (await agent.call("subscribeAgentsState", {}))["subscriptionId"]
        await agent.call("setAgentState", {"availability": "BACK_SOON"})
        change = await agent.hears_change(
            "AgentStateNotification", "its state", lambda c: c["result"]["availability"] == "BACK_SOON"
        )
        assert change["result"]["channels"] == ["MESSAGING"]


async def test_an_agent_declines_and_the_next_one_is_rung(version: str, live: Live) -> None:
    async with signed_up(live) as consumer, on_shift(version, live) as agent:
        conversation_id = await consumer.open_conversation()
        ring_id = await agent.is_rung(conversation_id)
        async with on_shift(version, live, "AGENT2") as other:
            answer = await agent.call("updateRingState", {"ringId": ring_id, "ringState": "REJECTED"})
            assert answer == "Ring state updated successfully"
            await accept(other, conversation_id)
            with pytest.raises(SdkRefused):
                await agent.call("updateRingState", {"ringId": ring_id, "ringState": "ACCEPTED"})
            await end(consumer, conversation_id)


@pytest.mark.parametrize("version", LATER)
async def test_nothing_is_heard_of_what_one_no_longer_subscribes_to(version: str, live: Live) -> None:
    async with signed_up(live) as consumer, signed_in(version, live, "BOT") as bot:
        answers = [await bot.call("subscribeExConversations", {"convState": ["OPEN"]}) for _ in range(2)]
        first, second = (answer["subscriptionId"] for answer in answers)
        assert await bot.call("unsubscribeExConversations", {"subscriptionId": first})
        since = len(bot.ears.all)
        conversation_id = await consumer.open_conversation()
        await bot.sees(conversation_id, "the new conversation", lambda c: c["type"] == "UPSERT", since=since)
        bodies = [heard["data"]["body"] for heard in bot.ears.all[since:] if heard["event"] == "notification"]
        assert {body["subscriptionId"] for body in bodies} == {second}
        await end(consumer, conversation_id)


async def test_a_routing_subscription_is_updated(version: str, live: Live) -> None:
    async with signed_in(version, live) as agent:
        subscription = await agent.call("subscribeRoutingTasks", {})
        body = {"subscriptionId": subscription["subscriptionId"], "channelType": "MESSAGING"}
        await agent.call("updateRoutingTaskSubscription", body)


async def test_an_agent_resumes_a_closed_conversation(version: str, live: Live) -> None:
    async with talking(version, live) as talk:
        await talk.consumer.say(talk.id, "bye")
        consumer_id = (await talk.agent.hears_event("bye", text("bye")))["originatorId"]
        await end(talk.consumer, talk.id)
        await talk.agent.sees(talk.id, "the end", lambda c: c["type"] == "DELETE")
        context = {"type": "ProactiveContext", "originConversationId": talk.id}
        body = {"consumerId": consumer_id, "conversationContext": context, "skillId": "-1"}
        resumed = (await talk.agent.call("agentRequestConversation", body))["conversationId"]
        assert resumed != talk.id
        await talk.consumer.hears_conversation("the new one", lambda result: result["convId"] == resumed)
        await end(talk.consumer, resumed)
