"""What connectors send into their conversations. Source: docs/protocol.md 7."""

import asyncio
import json
from typing import Any

import pytest

from pictures import png
from protocol.connector import Connector, new_connector, publish
from protocol.stage import CLOSE, say, staged
from talkwire.settings import Connectors, Messages, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
TYPING = {"type": "ChatStateEvent", "chatState": "COMPOSING"}


async def event_count(connector: Connector) -> int:
    rows = await connector.stage.node.database.read(
        "SELECT COUNT(*) AS n FROM events WHERE account_id = $1", connector.cast.account
    )
    return int(rows[0]["n"])


async def test_a_message_is_sent_and_heard(connector: Connector) -> None:
    cast = connector.cast
    agent = await cast.connect("agent")
    conversation_id = await connector.open()
    await cast.assign(agent, conversation_id)
    first = await connector.say(conversation_id, "Hi from SendLine")
    assert first.status == 200
    assert {**first.body, "reqId": ""} == {"code": "OK", "body": {"sequence": 0}, "reqId": ""}
    heard = await agent.note("OnlineEventDistribution")
    assert heard["event"]["message"] == "Hi from SendLine"
    assert heard["originatorMetadata"]["role"] == "CONSUMER"
    assert len(heard["originatorId"]) == 64
    await say(agent, conversation_id, "hello back")
    assert (await connector.say(conversation_id)).body["body"] == {"sequence": 2}
    asked = await connector.send("ms.QueryMessages", {"dialogId": conversation_id})
    texts = [change["event"]["message"] for change in asked.body["body"]]
    assert texts == ["Hi from SendLine", "hello back", "hello"]
    await cast.leave()


async def test_typing_is_told_and_takes_no_number(connector: Connector) -> None:
    conversation_id = await connector.open()
    manager = await connector.cast.connect("manager", "3")
    await manager.ask("ms.SubscribeMessagingEvents", {"dialogId": conversation_id})
    await manager.note("MessagingEventNotification")  # the past, which is empty: from here on it is live
    for state in ("COMPOSING", "PAUSE", "ACTIVE", "INACTIVE", "GONE"):
        body = {"dialogId": conversation_id, "event": {"type": "ChatStateEvent", "chatState": state}}
        answer = await connector.send("ms.PublishEvent", body)
        assert (answer.status, answer.body["body"]) == (200, {"sequence": 0})
        told = await manager.take(lambda frame, wanted=state: wanted in json.dumps(frame))  # type: ignore[misc]
        assert "sequence" not in told["body"]["changes"][0]
    assert await event_count(connector) == 0
    await connector.cast.leave()


@pytest.mark.parametrize(
    "field",
    [
        CLOSE,
        [CLOSE],
        {"field": "Stage", "conversationState": "CLOSE"},
        {"field": "DialogChange", "type": "UPDATE", "dialog": {"dialogId": "{id}", "state": "CLOSE"}},
    ],
)
async def test_a_conversation_is_closed(field: Any, connector: Connector) -> None:
    conversation_id = await connector.open()
    field = json.loads(json.dumps(field).replace("{id}", conversation_id))
    body = {"conversationId": conversation_id, "conversationField": field}
    answer = await connector.post(
        {"kind": "req", "id": 1, "body": body, "type": "cm.UpdateConversationField"}
    )
    assert answer.status == 200
    assert (answer.body["code"], answer.body["reqId"]) == ("OK", "1")
    assert list(answer.body["body"]) == ["msg"]
    view = await connector.stage.node.services.conversations.view(connector.cast.account, conversation_id)
    assert view.conversation.stage.value == "CLOSE"
    late = await connector.say(conversation_id)
    assert (late.status, late.number // 100) == (400, 400)


async def test_the_words_of_a_close(connector: Connector) -> None:
    body = {"conversationId": await connector.open(), "conversationField": CLOSE}
    answer = await connector.send("cm.UpdateConversationField", body)
    assert answer.body["body"] == {"msg": "OK Conversation resolved successfully"}


async def test_a_profile_is_set_later(connector: Connector) -> None:
    answer = await connector.send("userprofile.SetUserProfile", {"firstName": "Ann"})
    assert answer.body["body"] == {"msg": "OK User Profile set successfully"}


async def test_a_file_goes_its_seven_steps(connector: Connector) -> None:
    cast = connector.cast
    await cast.share_files()
    conversation_id = await connector.open()
    picture = png(20, 20)
    request = {"kind": "req", "id": 3, "body": {"fileSize": str(len(picture)), "fileType": "PNG"}}
    slot = await connector.post({**request, "type": "ms.GenerateURLForUploadFile"})
    assert (slot.status, slot.body["code"], slot.body["reqId"]) == (200, "OK", "3")
    body = slot.body["body"]
    assert set(body["queryParams"]) == {"temp_url_sig", "temp_url_expires"}
    at = f"http://{cast.stage.address}{body['relativePath']}"
    put = await connector.call("PUT", at, params=body["queryParams"], data=picture)
    assert put.status == 201
    message = {"caption": "File logo", "relativePath": body["relativePath"], "fileType": "PNG"}
    event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
    published = await connector.send("ms.PublishEvent", {"dialogId": conversation_id, "event": event})
    assert (published.status, published.body["body"]) == (200, {"sequence": 0})
    wanted = {"relativePath": body["relativePath"]}
    got = await connector.send("ms.GenerateURLForDownloadFile", wanted)
    assert got.body["body"]["relativePath"] == body["relativePath"]
    back = await connector.call("GET", at, params=got.body["body"]["queryParams"])
    assert (back.status, back.headers["Content-Type"]) == (200, "image/png")
    assert (await connector.send("ms.GenerateURLForDownloadFile", wanted, by="bob")).status == 404


@pytest.mark.parametrize("path", ["/v1/AUTH_async-images/1/no.PNG", "1234.JPG", "", 7])
async def test_a_file_that_is_none_is_not_published(path: Any, connector: Connector) -> None:
    await connector.cast.share_files()
    event = {
        "type": "ContentEvent",
        "contentType": "hosted/file",
        "message": {"relativePath": path, "fileType": "PNG"},
    }
    answer = await connector.send("ms.PublishEvent", {"dialogId": await connector.open(), "event": event})
    assert (answer.status, answer.number // 100) == (400, 400)
    assert await event_count(connector) == 0


async def test_client_properties_go_with_each_event(connector: Connector) -> None:
    properties = json.dumps({"type": ".ClientProperties", "features": ["AUTO_MESSAGES"]})
    conversation_id = await connector.open()
    await connector.say(conversation_id, Client_Properties=properties)
    for text in ("[object Object]", "undefined", "7", "{}"):
        assert (await connector.say(conversation_id, Client_Properties=text)).status == 200
    asked = await connector.send("ms.QueryMessages", {"dialogId": conversation_id})
    first, *others = asked.body["body"]
    assert first["originatorClientProperties"]["features"] == ["AUTO_MESSAGES"]
    assert all("originatorClientProperties" not in other for other in others)


async def test_another_consumers_conversation_is_401_and_so_is_none(connector: Connector) -> None:
    mine, other = await connector.open(), await connector.open(by="bob")
    for target in (other, "00000000-0000-4000-8000-000000000000", "x"):
        for type_name, body in (
            ("ms.PublishEvent", publish(target, "x")),
            ("ms.PublishEvent", {"dialogId": target, "event": TYPING}),
            ("cm.UpdateConversationField", {"conversationId": target, "conversationField": CLOSE}),
            ("ms.QueryMessages", {"dialogId": target}),
        ):
            answer = await connector.send(type_name, body)
            assert (answer.status, answer.number // 100) == (401, 401), (target, type_name)
            assert answer.body["body"]["details"] == "The conversation is not this consumer's"
    assert (await connector.say(other, by="bob")).body["body"] == {"sequence": 0}
    assert (await connector.say(mine)).body["body"] == {"sequence": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff\xfe", b"[object Object]", b"{}", b'{"kind":"req"}',
        b'{"type":7}', b'{"type":"no.Such"}', b'{"type":"GetClock"}', b'{"type":"cm.ConsumerRequestConversation"}',
        b'{"type":"ms.SubscribeMessagingEvents","body":{"dialogId":"x"}}',
        b'{"type":"routing.SetAgentState","body":{"availability":"ONLINE"}}',
        b'{"type":"ms.PublishEvent"}', b'{"type":"ms.PublishEvent","body":7}',
        b'{"type":"ms.PublishEvent","body":{"dialogId":"x"}}',
        b'{"type":"ms.PublishEvent","body":{"dialogId":7,"event":{"type":"ContentEvent","message":"x"}}}',
        b'{"type":"ms.PublishEvent","body":{"dialogId":"x","event":{"type":"NoEvent"}}}',
        (b'{"type":"ms.PublishEvent","metadata":"x","body":{"dialogId":"x","event":'
        b'{"type":"ContentEvent","contentType":"text/plain","message":"x"}}}'),
        b'{"type":"ms.PublishEvent","body":{"dialogId":"\\u0000","event":{"type":"ContentEvent","message":"x"}}}',
        b'{"type":"cm.UpdateConversationField","body":{"conversationId":"x"}}',
        b'{"type":"ms.GenerateURLForUploadFile","body":{"fileSize":"many","fileType":"PNG"}}',
        b"[" * 5000 + b"]" * 5000,
        b'{"type":"ms.PublishEvent","body":' + b'{"a":' * 3000 + b"1" + b"}" * 3001,
        json.dumps([{"type": "ms.PublishEvent"}] * 10_000).encode(),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused(body: bytes, connector: Connector) -> None:
    answer = await connector.post(body)
    assert (answer.status, answer.number) == (400, 40001), answer
    assert await event_count(connector) == 0


async def test_what_may_not_be_said_is_refused(connector: Connector) -> None:
    conversation_id = await connector.open()
    for event in (
        {"type": "ContentEvent", "contentType": "text/plain"},
        {"type": "ContentEvent", "contentType": "text/plain", "message": "x" * (33 * 1024)},
        {"type": "ChatStateEvent", "chatState": "SLEEPING"},
        {"type": "AcceptStatusEvent", "status": "EATEN", "sequenceList": [0]},
    ):
        answer = await connector.send("ms.PublishEvent", {"dialogId": conversation_id, "event": event})
        assert (answer.status, answer.number // 100) == (400, 400), event
    private = {**publish(conversation_id, "psst"), "messageAudience": "AGENTS_AND_MANAGERS"}
    assert (await connector.send("ms.PublishEvent", private)).status == 403
    assert await event_count(connector) == 0


async def test_a_body_over_a_megabyte_is_refused(connector: Connector) -> None:
    answer = await connector.post(b" " * ((1 << 20) + 1))
    assert (answer.status, answer.number // 100) == (413, 413)


async def test_a_repeat_with_its_key_is_said_once(connector: Connector) -> None:
    conversation_id = await connector.open()
    answers = [await connector.say(conversation_id, "once", Idempotency_Key="k") for _ in range(3)]
    assert [answer.body["body"]["sequence"] for answer in answers] == [0, 0, 0]
    assert await event_count(connector) == 1
    other = await connector.say(conversation_id, "twice", Idempotency_Key="k")
    assert (other.status, other.number // 100) == (400, 400)
    body = {"conversationId": conversation_id, "conversationField": CLOSE}
    await connector.send("cm.UpdateConversationField", body)
    late = await connector.say(conversation_id, "once", Idempotency_Key="k")
    assert (late.status, late.body["body"]) == (200, {"sequence": 0})
    for key in ("", "x" * 129):
        assert (await connector.say(conversation_id, Idempotency_Key=key)).status == 400


async def test_many_at_once_are_numbered_without_a_gap(connector: Connector) -> None:
    conversation_id = await connector.open()
    answers = await asyncio.gather(*(connector.say(conversation_id, f"text {n}") for n in range(200)))
    assert sorted(answer.body["body"]["sequence"] for answer in answers) == list(range(200))


async def test_answers_have_a_type_that_clients_parse(connector: Connector) -> None:
    answer = await connector.say(await connector.open())
    assert answer.headers["Content-Type"].startswith("application/json")
    assert set(answer.body) == {"code", "body", "reqId"}


async def test_an_app_that_calls_too_often_is_told_when_to_come_back(tmp_path: Any) -> None:
    settings = Settings(
        messages=Messages(), connectors=Connectors(app_requests_per_second=2, app_requests_burst=5)
    )
    async with staged(tmp_path, settings) as stage:
        connector = await new_connector(stage)
        conversation_id = await connector.open()  # with its token of the consumer: two
        answers = [await connector.say(conversation_id) for _ in range(6)]
        assert [answer.status for answer in answers[:3]] == [200] * 3
        assert (answers[-1].status, answers[-1].number) == (429, 42901)
        assert int(answers[-1].headers["Retry-After"]) >= 1
        stage.clock.advance(int(answers[-1].headers["Retry-After"]))
        assert (await connector.say(conversation_id)).status == 200
