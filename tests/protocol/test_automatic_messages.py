"""Automatic messages: only for whom they are meant, and once. Source: docs/protocol.md 7."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from protocol.connector import PROFILE, install
from protocol.stage import WAIT_SECONDS, Cast, Json, Socket, new_cast, say, staged
from talkwire.messaging.automatic_rules import AutomaticMessage, Trigger
from talkwire.messaging.automatic_sending import controller_of

ASKS = {"Client-Properties": json.dumps({"type": ".ClientProperties", "features": ["AUTO_MESSAGES"]})}
WELCOME = AutomaticMessage("welcome", Trigger.CONVERSATION_OPENED, "Welcome! Somebody is with you soon.")
FIRST = AutomaticMessage("first", Trigger.FIRST_CONVERSATION, "Glad to meet you.")


@pytest_asyncio.fixture(loop_scope="module")
async def cast(cast: Cast) -> Cast:
    await declare(cast)
    return cast


async def declare(cast: Cast, *, allowed: bool = True) -> None:
    await cast.set_property("messaging.controller.bots.enabled", allowed)
    await cast.stage.node.services.automatic_messages.replace(cast.account, [WELCOME, FIRST])


async def texts(socket: Socket, talk: str) -> list[tuple[str, str]]:
    """Role and text of everything in a dialog."""
    answer = await socket.ask("ms.QueryMessages", {"dialogId": talk})
    return [(c["originatorMetadata"]["role"], c["event"]["message"]) for c in answer["body"]]


async def settled(cast: Cast) -> None:
    """Nothing is due any more."""
    async with asyncio.timeout(WAIT_SECONDS):
        while await cast.stage.node.database.read("SELECT 1 FROM automatic_messages_due"):  # noqa: ASYNC110 -- polled
            await asyncio.sleep(0.02)


async def spoken(cast: Cast, wait_seconds: float = 0, **options: Json) -> list[tuple[str, str]]:
    """What is in a conversation once its consumer has spoken, after a while."""
    socket = await cast.connect("consumer", **{"headers": ASKS, **options})  # type: ignore[arg-type]
    talk = await cast.talk(socket)
    cast.stage.clock.advance(wait_seconds)
    await say(socket, talk, "hello")
    await settled(cast)
    return (await texts(socket, talk))[1:]


@pytest.mark.asyncio(loop_scope="module")
async def test_who_asks_and_speaks_in_time_is_welcomed_by_a_controller(cast: Cast) -> None:
    socket = await cast.connect("consumer", headers=ASKS)
    talk = await cast.talk(socket)
    await socket.ask("ms.SubscribeMessagingEvents", {"dialogId": talk})
    await socket.note("MessagingEventNotification")
    await say(socket, talk, "hello")
    heard: list[Json] = []
    while len(heard) < 3:
        heard += (await socket.note("MessagingEventNotification"))["changes"]
    assert [change["sequence"] for change in heard] == [0, 1, 2]
    assert [change["originatorMetadata"]["role"] for change in heard] == ["CONSUMER", *["CONTROLLER"] * 2]
    assert heard[1]["event"]["message"] == WELCOME.text
    assert heard[1]["originatorId"] == controller_of(cast.account).id
    manager = await cast.connect("manager")
    await manager.ask(".ams.aam.SubscribeExConversations", {"agentIds": []})
    details = (await manager.note("ExConversationChangeNotification"))["changes"][0]["result"]
    assert details["conversationDetails"]["participantsPId"]["CONTROLLER"] == [controller_of(cast.account).id]
    assert details["effectiveTTR"] > 0  # an automatic word is no answer


@pytest.mark.asyncio(loop_scope="module")
async def test_the_first_message_comes_within_ten_seconds_or_nothing_is_said(cast: Cast) -> None:
    assert len(await spoken(cast, 9.0)) == 2
    assert len(await spoken(cast, 10.1)) == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_who_does_not_ask_hears_nothing(cast: Cast) -> None:
    for headers in ({}, {"Client-Properties": "[object Object]"}, {"Client-Properties": '{"features":[]}'}):
        assert await spoken(cast, headers=headers) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_send_must_ask_too(cast: Cast) -> None:
    asking, silent = await cast.connect("consumer", headers=ASKS), await cast.connect("consumer")
    talk = await cast.talk(asking)
    await say(silent, talk, "hello")
    await settled(cast)
    assert await texts(silent, talk) == [("CONSUMER", "hello")]
    talk = await cast.talk(silent)
    await say(asking, talk, "hello")
    assert await texts(silent, talk) == [("CONSUMER", "hello")]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_account_that_does_not_allow_it_says_nothing(cast: Cast) -> None:
    await declare(cast, allowed=False)
    assert await spoken(cast) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_only_the_first_message_brings_them_about_and_once(cast: Cast) -> None:
    socket = await cast.connect("consumer", headers=ASKS)
    talk = await cast.talk(socket)
    await say(socket, talk, "hello")
    await say(socket, talk, "anybody?")
    sending = cast.stage.node.services.controller._sending
    view = await cast.stage.node.services.conversations.view(cast.account, talk)
    await asyncio.gather(*(sending.settle(cast.account, view.conversation.conversation_id) for _ in range(5)))
    await settled(cast)
    assert [text for role, text in await texts(socket, talk) if role == "CONTROLLER"] == [
        WELCOME.text,
        FIRST.text,
    ]


async def test_what_a_restart_interrupted_is_said_afterwards_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        cast = await new_cast(stage)
        await declare(cast)
        stage.node.services.controller.first_message = lambda *_: None  # type: ignore[method-assign]
        socket = await cast.connect("consumer", headers=ASKS)
        talk = await cast.talk(socket)
        await say(socket, talk, "hello")
        assert len(await texts(socket, talk)) == 1
        await cast.leave()
    async with staged(tmp_path) as stage:
        stage.clock.advance(3600)
        again = Cast(stage, cast.account, cast.people)
        for _ in range(2):
            await stage.node.services.controller.settle_missed()
        events = await stage.node.database.read("SELECT originator_role FROM events ORDER BY sequence")
        assert [row["originator_role"] for row in events] == ["CONSUMER", "CONTROLLER", "CONTROLLER"]
        await settled(again)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_consumer_who_never_speaks_is_given_up(cast: Cast) -> None:
    await cast.talk(await cast.connect("consumer", headers=ASKS))
    controller = cast.stage.node.services.controller
    await controller.settle_missed()
    assert await cast.stage.node.database.read("SELECT 1 FROM automatic_messages_due")
    cast.stage.clock.advance(100)
    await controller.settle_missed()
    await settled(cast)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_connector_asks_by_the_header_on_the_opening_and_on_the_send(cast: Cast) -> None:
    connector = await install(cast)
    header = ASKS["Client-Properties"]

    async def answers(on_opening: str | None, on_send: str | None) -> int:
        opened = await connector.post([PROFILE, connector.opening()], path="", Client_Properties=on_opening)
        talk = opened.body[1]["body"]["conversationId"]
        assert (await connector.say(talk, Client_Properties=on_send)).status == 200
        await settled(cast)
        rows = await cast.stage.node.database.read(
            "SELECT COUNT(*) AS n FROM events WHERE account_id = $1 AND conversation_id = $2 "
            "AND originator_role = 'CONTROLLER'",
            cast.account,
            talk,
        )
        return int(rows[0]["n"])

    assert await answers(header, header) == 2
    assert await answers(header, None) == 0
    assert await answers(None, header) == 0
    assert await answers("[object Object]", header) == 0


async def configure(cast: Cast, *messages: Json) -> tuple[int, Any]:
    """PUT the messages as an administrator; gives status and answer."""
    token = (await cast.person("administrator")).token
    url = f"http://{cast.stage.address}/api/account/{cast.account}/configuration/automatic-messages"
    headers = {"Authorization": f"Bearer {token}"}
    async with cast.stage.http.put(url, json=messages, headers=headers) as response:
        return response.status, await response.json()


def greeting(*skill_ids: object) -> Json:
    return {"name": "m", "trigger": "conversationOpened", "text": "Hello", "skillIds": skill_ids}


@pytest.mark.asyncio(loop_scope="module")
async def test_skills_are_texts_or_numbers(cast: Cast) -> None:
    status, kept = await configure(cast, greeting(5, "6", -1))
    assert (status, kept[0]["skillIds"]) == (200, ["5", "6", "-1"])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("skill_id", [True, False, None, 1.5, -2, "sales", "", " 5", "12345678901", [5], {}])
async def test_what_is_no_skill_is_refused_and_nothing_changes(skill_id: object, cast: Cast) -> None:
    before = await cast.stage.node.services.automatic_messages.list_items(cast.account)
    status, _ = await configure(cast, greeting("5", skill_id))
    assert status == 400
    assert await cast.stage.node.services.automatic_messages.list_items(cast.account) == before
