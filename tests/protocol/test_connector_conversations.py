"""Conversations that connectors open: whole or not at all. Source: docs/protocol.md 7."""

import asyncio
import json
from typing import Any

import pytest

from protocol.connector import PROFILE, Connector, count_rows, install
from protocol.stage import Stage, new_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_conversation_is_opened_as_printed(connector: Connector) -> None:
    answer = await connector.post([PROFILE, connector.opening("2,")], path="")
    assert answer.status == 200
    profile, opened = answer.body
    assert profile == {"code": "OK", "body": {"msg": "OK User Profile set successfully"}, "reqId": "1,"}
    assert (opened["code"], opened["reqId"]) == ("OK", "2,")
    agent = await connector.cast.connect("manager")
    subscribed = await agent.ask(".ams.aam.SubscribeExConversations", {"convState": ["OPEN"]})
    assert subscribed["code"] == 200
    note = await agent.note("ExConversationChangeNotification")
    details = note["changes"][0]["result"]["conversationDetails"]
    assert details["convId"] == opened["body"]["conversationId"]
    assert (details["state"], details["ttr"]["ttrType"], details["skillId"]) == ("OPEN", "NORMAL", "-1")
    consumer_id = details["participants"]["CONSUMER"][0]
    assert len(consumer_id) == 64
    known = await agent.ask(".ams.userprofile.GetUserProfile", consumer_id)
    assert known["body"]["authenticatedData"] == PROFILE["body"]["authenticatedData"]
    view = await connector.stage.node.services.conversations.view(connector.cast.account, details["convId"])
    assert view.conversation.app_id == connector.client_id
    await connector.cast.leave()


@pytest.mark.parametrize("ids", [("2,", "1,"), ("1,", "1,"), (1, 2), (None, None)])
async def test_answers_stand_in_the_order_of_the_array(ids: tuple[Any, Any], connector: Connector) -> None:
    first, second = {**PROFILE, "id": ids[0]}, connector.opening(ids[1])
    expected = ["" if one is None else str(one) for one in ids]
    one = await connector.post([first, second], path="")
    assert [answer["reqId"] for answer in one.body] == expected
    assert "msg" in one.body[0]["body"]
    assert "conversationId" in one.body[1]["body"]
    other = await connector.post([second, first], path="")
    assert [answer["reqId"] for answer in other.body] == expected[::-1]
    assert "conversationId" in other.body[0]["body"]


async def test_a_profile_is_not_needed(connector: Connector) -> None:
    answer = await connector.post([connector.opening()], path="")
    assert (answer.status, len(answer.body)) == (200, 1)


async def test_skills_and_campaigns_route(connector: Connector) -> None:
    cast = connector.cast
    sales, support = await cast.skill("sales"), await cast.skill("support")
    await cast.stage.node.accounts.set_campaign(cast.account, "2739101812", "2739121912", support)  # type: ignore[arg-type]
    campaign = {"campaignId": "2739101812", "engagementId": "2739121912"}
    for body, skill in (
        ({"skillId": sales}, sales),
        ({"skillId": int(sales)}, sales),
        ({"skillId": "-1"}, "-1"),
        ({"skillId": -1}, "-1"),
        ({"campaignInfo": campaign}, support),
        ({"campaignInfo": campaign, "skillId": sales}, sales),
    ):
        conversation_id = await connector.open(**body)
        view = await cast.stage.node.services.conversations.view(cast.account, conversation_id)
        assert view.conversation.skill_id == skill, body


async def test_what_the_client_is_able_to_do_is_kept_with_the_conversation(connector: Connector) -> None:
    properties = json.dumps({"type": ".ClientProperties", "features": ["AUTO_MESSAGES"]})
    context = {
        "visitorId": "",
        "sessionId": "",
        "interactionContextId": "2",
        "type": "SharkContext",
        "lang": "en-US",
    }
    request = connector.opening(conversationContext=context)
    answer = await connector.post([PROFILE, request], path="", Client_Properties=properties)
    view = await connector.stage.node.services.conversations.view(
        connector.cast.account, answer.body[1]["body"]["conversationId"]
    )
    kept = view.conversation.context
    assert kept["clientProperties"]["features"] == ["AUTO_MESSAGES"]
    assert kept["lang"] == "en-US"


@pytest.mark.parametrize("text", ["[object Object]", "undefined", "null", "[]", "{", "", "ünclear"])
async def test_client_properties_that_are_none_are_ignored(text: str, connector: Connector) -> None:
    answer = await connector.post([PROFILE, connector.opening()], path="", Client_Properties=text)
    assert answer.status == 200


def wrong(name: str, brand: str) -> Any:
    """Arrays of which nothing may be done."""
    opening = {
        "kind": "req",
        "id": "2,",
        "type": "cm.ConsumerRequestConversation",
        "body": {"brandId": brand},
    }
    other = {"kind": "req", "id": "3", "type": "ms.QueryMessages", "body": {"dialogId": "x"}}
    deep: Any = "x"
    for _ in range(80):
        deep = {"type": [deep]}
    sdes = {"authenticatedData": {"lp_sdes": [{"type": "ctmrinfo", "info": {"userName": "x" * 70_000}}]}}
    return {
        "no array": opening,
        "an empty array": [],
        "an array of numbers": [1, 2],
        "an array of arrays": [[opening]],
        "no conversation": [PROFILE],
        "two conversations": [PROFILE, opening, opening],
        "no brand": [PROFILE, {**opening, "body": {}}],
        "no body": [PROFILE, {"kind": "req", "type": "cm.ConsumerRequestConversation"}],
        "another brand": [PROFILE, {**opening, "body": {"brandId": "999"}}],
        "an unknown skill": [PROFILE, {**opening, "body": {"brandId": brand, "skillId": "123456789"}}],
        "a skill that is none": [PROFILE, {**opening, "body": {"brandId": brand, "skillId": "sales"}}],
        "a time to response that is none": [
            PROFILE,
            {**opening, "body": {"brandId": brand, "ttrDefName": "X"}},
        ],
        "another request": [PROFILE, opening, other],
        "a first message": [
            PROFILE,
            opening,
            {**other, "type": "ms.PublishEvent", "body": {"event": {"type": "ContentEvent", "message": "x"}}},
        ],
        "an unknown request": [PROFILE, opening, {**other, "type": "no.Such"}],
        "a profile of the wrong kind": [{**PROFILE, "body": {"authenticatedData": 7}}, opening],
        "sdes of the wrong kind": [{**PROFILE, "body": {"authenticatedData": {"lp_sdes": "x"}}}, opening],
        "a profile too deep": [{**PROFILE, "body": {"authenticatedData": {"lp_sdes": [deep]}}}, opening],
        "a profile too large, first": [{**PROFILE, "body": sdes}, opening],
        "a profile too large, last": [opening, {**PROFILE, "body": sdes}],
        "ten thousand elements": [PROFILE] * 10_000,
        "no JSON": b"{[",
        "nothing": b"",
        "no UTF-8": b'[{"type":"\xff"}]',
        "the character zero": b'[{"type":"cm.ConsumerRequestConversation","body":{"brandId":"\\u0000"}}]',
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "no array", "an empty array", "an array of numbers", "an array of arrays", "no conversation",
        "two conversations", "no brand", "no body", "another brand", "an unknown skill", "a skill that is none",
        "a time to response that is none", "another request", "a first message", "an unknown request",
        "a profile of the wrong kind", "sdes of the wrong kind", "a profile too deep",
        "a profile too large, first", "a profile too large, last", "ten thousand elements", "no JSON", "nothing",
        "no UTF-8", "the character zero",
    ],
)  # fmt: skip
async def test_what_is_wrong_creates_nothing(name: str, connector: Connector) -> None:
    answer = await connector.post(wrong(name, connector.cast.account), path="")
    tooled = "too large" in name or name == "ten thousand elements"
    assert answer.status in ({400, 413} if tooled else {400}), answer
    assert answer.number == answer.status * 100 + 1
    account = connector.cast.account
    assert await count_rows(connector.stage, "conversations", account) == 0
    assert await count_rows(connector.stage, "consumers", account) == 0


async def test_a_missing_brand_is_named(connector: Connector) -> None:
    answer = await connector.post([PROFILE, {**connector.opening(), "body": {"skillId": "-1"}}], path="")
    assert (answer.status, answer.number) == (400, 40001)
    assert answer.body["body"]["details"] == "Brand Id is missing"


async def test_a_body_over_a_megabyte_is_refused(connector: Connector) -> None:
    answer = await connector.post(b"[" + b" " * (1 << 20) + b"]", path="")
    assert answer.status == 413
    assert answer.number // 100 == 413


@pytest.mark.parametrize("query", ["", "?v=2", "?v=", "?v=3.0", "?V=3"])
async def test_there_is_only_version_three(query: str, connector: Connector) -> None:
    assert (await connector.post([connector.opening()], path="", query=query)).status == 404
    assert (await connector.post({}, query=query)).status == 404
    assert (await connector.post([connector.opening()], path="", query="?x=1&v=3")).status == 200


async def test_a_repeat_with_its_key_opens_nothing_new(connector: Connector) -> None:
    batch = [PROFILE, connector.opening()]
    first = await connector.post(batch, path="", Idempotency_Key="k-1")
    renumbered = [{**one, "id": "9"} for one in batch]
    again = await connector.post(renumbered, path="", Idempotency_Key="k-1")
    assert again.body[1]["body"] == first.body[1]["body"]
    assert await count_rows(connector.stage, "conversations", connector.cast.account) == 1
    other = await connector.post([connector.opening(skillId="-1")], path="", Idempotency_Key="k-1")
    assert (other.status, other.number // 100) == (400, 400)
    bob = await connector.post(batch, path="", by="bob", Idempotency_Key="k-1")
    assert bob.body[1]["body"] != first.body[1]["body"]
    for key in ("", "x" * 129):
        assert (await connector.post(batch, path="", Idempotency_Key=key)).status == 400


async def test_at_once_under_one_key_one_conversation_is_opened(connector: Connector) -> None:
    await connector.consumer()
    batch = [PROFILE, connector.opening()]
    answers = await asyncio.gather(
        *(connector.post(batch, path="", Idempotency_Key="same") for _ in range(12))
    )
    assert len({answer.body[1]["body"]["conversationId"] for answer in answers}) == 1


async def test_consumers_are_the_same_per_account_app_and_name(connector: Connector, stage: Stage) -> None:
    async def consumer_of(one: Connector, name: str) -> str:
        found = await stage.node.services.conversations.view(one.cast.account, await one.open(by=name))
        return found.conversation.consumer_id

    twin = await install(connector.cast, "twin")
    stranger = await install(await new_cast(stage))
    ann = await consumer_of(connector, "ann")
    assert await consumer_of(connector, "ann") == ann
    others = {
        await consumer_of(connector, "bob"),
        await consumer_of(twin, "ann"),
        await consumer_of(stranger, "ann"),
    }
    assert len(others | {ann}) == 4
