"""Webhooks as a receiver sees them: bodies, headers, signatures, which events, in which order."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.stage import CLOSE, Stage, new_cast, staged_demo, update
from talkwire.connectors.model import EventKey, Webhook
from talkwire.conversations.model import State
from talkwire.messaging.model import AcceptStatusEvent, ChatStateEvent, RichContentEvent
from webhook_receiver import Channel, Receiver, new_channel, receiving


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged_demo(tmp_path) as stage:
        yield stage


async def channel_to(stage: Stage, receiver: Receiver, **options: object) -> Channel:
    cast = await new_cast(stage)
    channel = await new_channel(stage.node, cast.account, f"{receiver.url}/hook", **options)  # type: ignore[arg-type]
    await receiver.until(lambda: any(not one.is_paused for one in stage.node.webhooks.couriers()))
    return channel


async def test_a_text_arrives_signed_and_named(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver, headers=(("X-Shop", "north"),))
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "Grüße 😀")
    await receiver.until(receiver.texts)
    got = next(g for g in receiver.got if g.text)
    assert got.headers["X-Liveperson-Account-Id"] == channel.account
    assert got.headers["X-Liveperson-Client-Id"] == channel.app.client_id
    assert got.headers["X-Shop"] == "north"
    assert got.headers["Content-Type"] == "application/json"
    for header, name in (("X-Liveperson-Signature", "sha1"), ("X-Liveperson-Signature-256", "sha256")):
        digest = hmac.digest(channel.secret.encode(), got.raw, getattr(hashlib, name))
        assert got.headers[header] == f"{name}={base64.b64encode(digest).decode()}"
    assert got.raw.isascii()
    assert b": " not in got.raw.replace(b"X: ", b"")
    assert b"Gr\\u00fc\\u00dfe \\ud83d\\ude00" in got.raw
    assert got.text == "Grüße 😀"
    assert got.delivery_id == f"{conversation.conversation_id}.0"
    assert got.kind == "ms.MessagingEventNotification"
    assert set(got.body["body"]) == {"changes"}
    assert got.change["originatorMetadata"]["role"] == "CONSUMER"
    assert got.change["conversationId"] == conversation.conversation_id


async def test_the_conversation_is_told_before_what_is_said_and_its_end_behind(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver)
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "one")
    await receiver.until(lambda: len(receiver.got) == 2)
    opened, said = receiver.got
    assert opened.kind == "cqm.ExConversationChangeNotification"
    assert opened.change["type"] == "UPSERT"
    assert "subscriptionId" not in opened.body["body"]
    details = opened.change["result"]["conversationDetails"]
    assert details["participants"] == [{"id": who.id, "role": "CONSUMER"}]
    assert opened.delivery_id == f"{conversation.conversation_id}.v1"
    assert said.text == "one"


async def test_only_configured_keys_are_delivered(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.CONTENT,))
    conversation, who = await channel.talk()
    await channel.publish(who, conversation, RichContentEvent(content={"type": "text", "text": "hi"}))
    await channel.publish(who, conversation, AcceptStatusEvent(status="READ", sequence_list=[0]))
    await channel.publish(who, conversation, ChatStateEvent(chat_state="COMPOSING"))
    await channel.say(who, conversation, "only this")
    await receiver.until(lambda: receiver.got)
    await asyncio.sleep(0.1)
    assert [got.text for got in receiver.got] == ["only this"]
    assert receiver.got[0].sequence == 2


async def test_every_kind_arrives_under_its_key(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver)
    conversation, who = await channel.talk()
    await channel.publish(who, conversation, RichContentEvent(content={"type": "text", "text": "hi"}))
    await channel.publish(who, conversation, AcceptStatusEvent(status="READ", sequence_list=[0]))
    await channel.publish(who, conversation, ChatStateEvent(chat_state="COMPOSING"))
    await receiver.until(lambda: len(receiver.got) == 4)
    types = sorted(got.change.get("event", {}).get("type", "") for got in receiver.got)
    assert types == ["", "AcceptStatusEvent", "ChatStateEvent", "RichContentEvent"]
    chat = next(g for g in receiver.got if g.change.get("event", {}).get("type") == "ChatStateEvent")
    assert "sequence" not in chat.change


async def test_private_messages_and_other_conversations_never_arrive(
    stage: Stage, receiver: Receiver
) -> None:
    cast = await new_cast(stage)
    channel = await new_channel(stage.node, cast.account, receiver.url, keys=(EventKey.CONTENT,))
    conversation, who = await channel.talk()
    other, stranger = await channel.talk(app_id="")
    agent = await cast.connect("agent")
    await cast.assign(agent, conversation.conversation_id)
    private = {
        "dialogId": conversation.conversation_id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "psst"},
        "messageAudience": "AGENTS_AND_MANAGERS",
    }
    answer = await agent.ask("ms.PublishEvent", private)
    assert answer["code"] == 200, answer
    await channel.say(stranger, other, "not for them")
    await channel.say(who, conversation, "public")
    await receiver.until(lambda: receiver.got)
    await asyncio.sleep(0.1)
    assert [got.text for got in receiver.got] == ["public"]
    await cast.leave()


async def test_that_an_agent_types_privately_is_not_told(stage: Stage, receiver: Receiver) -> None:
    cast = await new_cast(stage)
    channel = await new_channel(stage.node, cast.account, receiver.url, keys=(EventKey.CHAT_STATE,))
    conversation, who = await channel.talk()
    agent = await cast.connect("agent")
    await cast.assign(agent, conversation.conversation_id)
    typing = {
        "dialogId": conversation.conversation_id,
        "event": {"type": "ChatStateEvent", "chatState": "COMPOSING"},
        "messageAudience": "AGENTS_AND_MANAGERS",
    }
    answer = await agent.ask("ms.PublishEvent", typing)
    assert answer["code"] == 200, answer
    await channel.publish(who, conversation, ChatStateEvent(chat_state="PAUSE"))
    await receiver.until(lambda: receiver.got)
    await asyncio.sleep(0.1)
    assert [got.change["event"]["chatState"] for got in receiver.got] == ["PAUSE"]
    await cast.leave()


async def test_order_holds_within_each_of_many_conversations(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.CONTENT,))
    talks = [await channel.talk() for _ in range(20)]
    for number in range(25):
        await asyncio.gather(*(channel.say(who, c, f"{number}") for c, who in talks))
    await receiver.until(lambda: len(receiver.got) >= 500)
    for conversation, _ in talks:
        assert receiver.texts(conversation.conversation_id) == [str(n) for n in range(25)]


async def test_a_changed_endpoint_goes_on_where_the_old_one_stopped(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.CONTENT,))
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "one")
    await receiver.until(lambda: receiver.texts() == ["one"])
    async with receiving() as other:
        await channel.change(webhooks={EventKey.CONTENT: Webhook(f"{other.url}/new")}, retention_seconds=3600)
        await channel.say(who, conversation, "two")
        await other.until(lambda: other.texts() == ["two"])
        await asyncio.sleep(0.1)
    assert receiver.texts() == ["one"]


async def test_a_disabled_app_hears_nothing_until_it_is_enabled_again(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.CONTENT,))
    conversation, who = await channel.talk()
    await channel.change(enabled=False)
    await channel.say(who, conversation, "while off")
    await asyncio.sleep(0.3)
    assert not receiver.got
    await channel.change(enabled=True)
    await receiver.until(lambda: receiver.texts() == ["while off"])


async def test_a_deleted_app_hears_nothing(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.CONTENT,))
    conversation, who = await channel.talk()
    await channel.node.apps.delete(channel.account, channel.app.client_id)
    await channel.say(who, conversation, "to nobody")
    await asyncio.sleep(0.3)
    assert not receiver.got


async def test_a_rotated_secret_signs_the_next_delivery(stage: Stage, receiver: Receiver) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.CONTENT,))
    conversation, who = await channel.talk()
    rotated = await channel.node.apps.rotate_secret(channel.account, channel.app.client_id)
    await channel.say(who, conversation, "signed anew")
    await receiver.until(lambda: receiver.got)
    got = receiver.got[0]
    digest = hmac.digest(rotated.secret.encode(), got.raw, "sha1")
    assert got.headers["X-Liveperson-Signature"] == f"sha1={base64.b64encode(digest).decode()}"


async def test_what_was_said_before_an_endpoint_existed_is_not_delivered(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver, keys=(EventKey.RICH_CONTENT,))
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "before")
    await channel.change(webhooks={})
    await asyncio.sleep(0.05)
    stage.clock.advance(1)
    await channel.change(webhooks={EventKey.CONTENT: Webhook(receiver.url)}, retention_seconds=3600)
    stage.clock.advance(1)
    await channel.say(who, conversation, "after")
    await receiver.until(lambda: receiver.got)
    assert receiver.texts() == ["after"]


async def test_redirects_are_not_followed(stage: Stage, receiver: Receiver) -> None:
    receiver.behave = lambda _got: 302
    channel = await channel_to(
        stage, receiver, keys=(EventKey.CONTENT,), retention_seconds=None, max_retries=0
    )
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "hello")
    await receiver.until(lambda: receiver.got)
    await asyncio.sleep(0.2)
    assert len(receiver.got) == 1
    assert json.loads(receiver.got[0].raw)


async def test_the_closed_state_is_always_told(stage: Stage, receiver: Receiver) -> None:
    cast = await new_cast(stage)
    channel = await new_channel(stage.node, cast.account, receiver.url, keys=(EventKey.CONVERSATION,))
    conversation, _ = await channel.talk()
    manager = await cast.connect("manager")
    await cast.join(manager, conversation.conversation_id, "MANAGER")
    answer = await update(manager, conversation.conversation_id, CLOSE)
    assert answer["code"] == 200, answer
    await receiver.until(
        lambda: any(g.change["result"]["conversationDetails"]["state"] == State.CLOSE for g in receiver.got)
    )
    assert receiver.got[-1].change["result"]["conversationDetails"]["stage"] == "CLOSE"
    await cast.leave()


async def test_an_administrator_sees_and_replays_what_was_given_up(stage: Stage, receiver: Receiver) -> None:
    receiver.behave = lambda _got: 500
    cast = await new_cast(stage)
    channel = await new_channel(
        stage.node, cast.account, receiver.url, keys=(EventKey.CONTENT,), max_retries=0
    )
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "lost")
    administrator = await cast.person("administrator")
    agent = await cast.person("agent")
    base = f"http://{stage.address}/api/account/{cast.account}/configuration/webhooks"
    headers = {"Authorization": f"Bearer {administrator.token}"}

    async def dead() -> list[dict[str, object]]:
        async with stage.http.get(f"{base}/dead-letters", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found: list[dict[str, object]] = await answer.json()
            return found

    deadline = asyncio.get_running_loop().time() + 10
    while not (found := await dead()):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    delivery_id = found[0]["deliveryId"]
    assert delivery_id == f"{conversation.conversation_id}.0"
    async with stage.http.get(f"{base}/endpoints", headers=headers) as answer:
        [endpoint] = await answer.json()
    assert (endpoint["state"], endpoint["dead"], endpoint["waitingConversations"]) == ("UP", 1, 0)
    refused = {"Authorization": f"Bearer {agent.token}"}
    async with stage.http.post(f"{base}/dead-letters/{delivery_id}/replay", headers=refused) as answer:
        assert answer.status == 403
    receiver.behave = lambda _got: 200
    async with stage.http.post(f"{base}/dead-letters/{delivery_id}/replay", headers=headers) as answer:
        assert answer.status == 200
    await receiver.until(lambda: receiver.texts() == ["lost"])
    assert await dead() == []
    async with stage.http.post(f"{base}/dead-letters/{delivery_id}/replay", headers=headers) as answer:
        assert answer.status == 404
    async with stage.http.delete(f"{base}/dead-letters/nothing", headers=headers) as answer:
        assert answer.status == 404
    async with stage.http.get(f"{base}/dead-letters?limit=all", headers=headers) as answer:
        assert answer.status == 400
