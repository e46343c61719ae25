"""What attackers try, and what they get for it: a plain no, and never a bug of ours.

Source: docs/protocol.md 3.7, 4.2, 5.3, 5.5 to 5.8, Appendix A10.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from protocol.stage import CLOSE, WAIT_SECONDS, Cast, Stage, new_cast, say, staged, update
from talkwire.accounts.model import PropertyChange
from talkwire.httpapi import bodies
from talkwire.kernel.ids import AccountId
from talkwire.settings import Messages, Settings

HUGE = 10**30


@pytest.fixture
async def stage(tmp_path: Any) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage
        assert stage.incidents == 0


@pytest.fixture
async def cast(stage: Stage) -> AsyncIterator[Cast]:
    cast = await new_cast(stage)
    yield cast
    await cast.leave()


@pytest.mark.parametrize(
    ("type_name", "body"),
    [
        ("ms.QueryMessages", {"fromSeq": HUGE}),
        ("ms.QueryMessages", {"newerThanSequence": HUGE}),
        ("ms.SubscribeMessagingEvents", {"fromSeq": HUGE}),
        ("cqm.SubscribeExConversations", {"minLastUpdatedTime": HUGE}),
        ("cqm.SubscribeExConversations", {"maxLastUpdatedTime": -HUGE}),
        ("cqm.SubscribeExConversations", {"maxETTR": HUGE}),
    ],
)
async def test_a_number_that_no_database_holds_is_refused(cast: Cast, type_name: str, body: Any) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    assert (await consumer.ask(type_name, {"dialogId": talk, **body}))["code"] == 400
    assert (await consumer.ask(type_name, {"dialogId": talk, **dict.fromkeys(body, 2**63 - 1)}))[
        "code"
    ] == 200
    await consumer.settled()


async def test_no_field_takes_a_number_that_clients_cannot_read(cast: Cast) -> None:
    talk = await cast.talk(await cast.connect("consumer"))
    manager = await cast.connect("manager")
    for field in (
        {"field": "ManualETTR", "manualETTR": HUGE},
        {"field": "DelayField", "delay": {"type": "NIGHT", "tillWhen": HUGE}},
    ):
        assert (await update(manager, talk, field))["code"] == 400


async def test_a_context_is_bounded_because_every_notification_carries_it(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    for size, code in ((16_000, 200), (17_000, 400)):
        context = {"type": "CustomContext", "name": "x" * size}
        answer = await consumer.ask("cm.ConsumerRequestConversation", {"conversationContext": context})
        assert answer["code"] == code


@pytest.mark.parametrize(
    "event",
    [
        {"type": "RichContentEvent", "content": {"type": "text", "text": "x" * 5000}},
        {"type": "RichContentEvent", "content": {"type": "text"}, "quickReplies": ["x" * 5000]},
        {"type": "ContentEvent", "message": "short", "quickReplies": ["x" * 5000]},
        {"type": "ContentEvent", "contentType": "forms/secure-invitation", "message": {"title": "x" * 5000}},
    ],
)
async def test_the_limit_of_rich_content_is_the_one_that_was_set(tmp_path: Any, event: Any) -> None:
    for limit, code in ((4000, 400), (6000, 200)):
        (tmp_path / str(limit)).mkdir()
        settings = Settings(messages=Messages(rich_content_bytes=limit))
        async with staged(tmp_path / str(limit), settings) as stage:
            cast = await new_cast(stage)
            consumer = await cast.connect("consumer")
            body = {"dialogId": await cast.talk(consumer), "event": event}
            assert (await consumer.ask("ms.PublishEvent", body))["code"] == code
            await cast.leave()


async def test_a_consumer_cannot_find_out_who_works_for_the_brand(cast: Cast) -> None:
    agent = await cast.person("agent")
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    answers = [
        await update(consumer, talk, {**change, "role": "MANAGER", "userId": user_id})
        for user_id in (agent.id, agent.pid, agent.id.partition(".")[2], "1", "nobody")
        for change in ({"field": "ParticipantsChange", "type": "ADD"},)
    ]
    assert {answer["code"] for answer in answers} == {403}
    assert len({str(answer["body"]) for answer in answers}) == 1


async def test_what_agents_keep_to_themselves_does_not_even_count_for_a_consumer(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    agent, manager = await cast.connect("agent"), await cast.connect("manager")
    await cast.assign(agent, talk)
    await cast.join(manager, talk, "MANAGER")
    await update(
        manager, talk, {"field": "TopicField", "topic": "fraud?"}, {"field": "Note", "note": "check"}
    )
    await say(manager, talk, "between us", messageAudience="AGENTS_AND_MANAGERS")
    unread, details = {}, {}
    for socket in (consumer, manager):
        await socket.ask("cqm.SubscribeExConversations", {})
        body = await socket.note("ExConversationChangeNotification")
        result = body["changes"][0]["result"]
        unread[socket.name] = result["numberOfunreadMessages"][cast.people["agent"].pid]
        details[socket.name] = result["conversationDetails"]
    assert unread == {"consumer": 0, "manager": 1}
    assert "topic" not in details["consumer"]
    assert details["consumer"]["note"] == ""
    assert (details["manager"]["topic"], details["manager"]["note"]) == ("fraud?", "check")


SOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"  # fmt: skip
CONSUMER, BRAND = "/ws_api/account/{0}/messaging/consumer?v=3", "/ws_api/account/{0}/messaging/brand?v=2"
USERS, REFRESH = "/api/account/{0}/configuration/le-users/users", "/api/account/{0}/refresh"


async def status_of(stage: Stage, method: str, path: str, headers: bytes, body: bytes = b"") -> int:
    """The status that answers a request whose headers are these very bytes."""
    host, port = stage.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {path} HTTP/1.1\r\nHost: {stage.address}\r\nContent-Length: {len(body)}\r\n".encode()
    writer.write(head + headers + b"\r\n" + body)
    async with asyncio.timeout(WAIT_SECONDS):
        status = int((await reader.readline()).split()[1])
    writer.close()
    return status


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", CONSUMER, SOCKET + b"Authorization: jwt \xff\xfe\r\n", 401),
        ("GET", CONSUMER, SOCKET + b"Authorization: \xff\r\n", 401),
        ("GET", BRAND, SOCKET + b"Authorization: Bearer \xff\r\n", 401),
        ("GET", CONSUMER, SOCKET + b'Client-Properties: {"appId":"\xff"}\r\n', 101),
        ("POST", REFRESH, b"Cookie: Session_id=\xff\r\n", 401),
        ("GET", USERS, b"Authorization: Bearer \xff\r\n", 401),
        ("GET", USERS, b'Authorization: OAuth oauth_consumer_key="\xff"\r\n', 401),
        ("GET", USERS, b"Authorization: OAuth oauth_consumer_key=%ED%A0%80\r\n", 401),
    ],
)
async def test_headers_that_are_no_text_let_nobody_in(
    stage: Stage, cast: Cast, method: str, path: str, headers: bytes, status: int
) -> None:
    body = b'{"csrf":"x"}' if method == "POST" else b""
    assert await status_of(stage, method, path.format(cast.account), headers, body) == status


async def test_half_a_body_does_not_hold_its_connection_for_ever(
    stage: Stage, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    host, port = stage.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /api/account/{cast.account}/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode()
    )
    async with asyncio.timeout(WAIT_SECONDS):
        assert (await reader.readline()).split()[1] == b"408"
    writer.close()


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 99\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\nno chunk"]
)
async def test_a_body_that_breaks_off_is_no_bug_of_ours(stage: Stage, cast: Cast, rest: bytes) -> None:
    host, port = stage.address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /api/account/{cast.account}/login HTTP/1.1\r\nHost: x\r\n".encode() + rest)
    await writer.drain()
    await (await cast.connect("consumer")).settled()  # it was taken up
    writer.transport.abort()
    await (await cast.connect("consumer")).settled()  # its end was noticed; `stage` counts incidents


async def test_an_account_whose_id_is_no_number_shares_files_too(stage: Stage) -> None:
    account = AccountId("my-brand_2")
    await stage.node.accounts.create(account)
    await stage.node.accounts.set_property(
        account, PropertyChange("messaging.file.sharing.enabled", value=True)
    )
    cast = Cast(stage, account)
    consumer = await cast.connect("consumer")
    answer = await consumer.ask("ms.GenerateURLForUploadFile", {"fileSize": 10, "fileType": "PNG"})
    path, query = answer["body"]["relativePath"], answer["body"]["queryParams"]
    url = f"http://{stage.address}{path}"
    async with stage.http.put(url, params=query, data=b"x" * 10) as response:
        assert response.status == 201
    await cast.leave()


async def test_whoever_is_let_go_hears_nothing_more(cast: Cast) -> None:
    consumer, manager = await cast.connect("consumer"), await cast.connect("manager")
    talk = await cast.talk(consumer)
    agents = [await cast.connect("agent"), await cast.connect("agent", version="3")]
    await cast.assign(agents[0], talk)
    for agent in agents:
        await agent.ask("ms.SubscribeMessagingEvents", {"dialogId": talk})
        await agent.settled()
    let_go = {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}
    assert (await update(manager, talk, {**let_go, "userId": cast.people["agent"].id}))["code"] == 200
    assert (await say(consumer, talk, "secret"))["code"] == 200
    for agent in agents:
        await agent.settled()
        assert not [frame for frame in agent.waiting if "secret" in str(frame)]


async def test_the_notice_of_being_let_go_does_not_tell_what_was_said_since(cast: Cast) -> None:
    manager, agent = await cast.connect("manager"), await cast.connect("agent")
    talk = await cast.talk(await cast.connect("consumer"))
    await cast.assign(agent, talk)
    await cast.join(manager, talk, "MANAGER")
    await agent.ask("cqm.SubscribeExConversations", {"agentIds": [cast.people["agent"].id]})
    await say(manager, talk, "with you")  # the next change is told 250 ms later, as it stands then
    await agent.take(lambda frame: "UPSERT" in str(frame) and "with you" in str(frame))
    let_go = {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}
    await update(manager, talk, {**let_go, "userId": cast.people["agent"].id})
    await say(manager, talk, "without you", messageAudience="AGENTS_AND_MANAGERS")
    notice = await agent.take(lambda frame: "DELETE" in str(frame))
    assert "without you" not in str(notice)


async def test_ready_is_asked_of_the_disk_once_for_all_who_ask_together(stage: Stage) -> None:
    async def ask() -> int:
        async with stage.http.get(f"http://{stage.address}/readyz") as response:
            return response.status

    assert set(await asyncio.gather(*(ask() for _ in range(40)))) == {200}


async def test_a_closed_conversation_takes_no_more_of_its_consumer_s_words(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    await update(consumer, talk, CLOSE)
    assert (await say(consumer, talk, "still here"))["code"] == 400
