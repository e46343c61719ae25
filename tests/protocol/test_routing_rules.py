"""Routing rules over HTTP, and the conversations they route. Source: docs/protocol.md 5.3, 5.9."""

from typing import Any

import pytest

from protocol.connector import PROFILE, install
from protocol.stage import Cast, Json

ACME = {"authenticatedData": {"lp_sdes": [{"type": "ctmrinfo", "info": {"companyBranch": "ACME"}}]}}


async def configure(cast: Cast, name: str, body: object = None, **headers: str) -> tuple[int, Any, str]:
    """PUT the rules, or GET them without a body; gives status, answer, revision."""
    token = (await cast.person(name)).token
    url = f"http://{cast.stage.address}/api/account/{cast.account}/configuration/routing-rules"
    method = "GET" if body is None else "PUT"
    sent = {"Authorization": f"Bearer {token}", **headers}
    async with cast.stage.http.request(method, url, json=body, headers=sent) as response:
        return response.status, await response.json(), response.headers.get("ac-revision", "")


def rule(skill: str | int, **members: object) -> Json:
    condition = {"field": "companyBranch", "values": ["acme"]}
    return {"name": "acme", "skillId": skill, "conditions": [condition], **members}


async def skill_of(cast: Cast, talk: str) -> str:
    return (await cast.stage.node.services.conversations.view(cast.account, talk)).conversation.skill_id


@pytest.mark.asyncio(loop_scope="module")
async def test_a_conversation_goes_where_the_rules_say(cast: Cast) -> None:
    sales, support = await cast.skill("sales"), await cast.skill("support")
    status, kept, revision = await configure(cast, "administrator", [rule(int(sales))])
    assert (status, revision) == (200, "1")
    assert kept[0]["conditions"] == [
        {"field": "ctmrinfo.info.companyBranch", "operator": "is", "values": ["acme"]}
    ]
    assert (await configure(cast, "administrator"))[1] == kept
    consumer = await cast.connect("consumer")
    assert await skill_of(cast, await cast.talk(consumer)) == "-1"
    await consumer.ask("userprofile.SetUserProfile", ACME)
    assert await skill_of(cast, await cast.talk(consumer)) == sales
    assert await skill_of(cast, await cast.talk(consumer, skillId=support)) == support
    await cast.stage.node.accounts.set_campaign(cast.account, "c", "e", support)  # type: ignore[arg-type]
    campaign = {"campaignId": "c", "engagementId": "e"}
    assert await skill_of(cast, await cast.talk(consumer, campaignInfo=campaign)) == support
    unknown = {"campaignId": "c", "engagementId": "another"}
    assert await skill_of(cast, await cast.talk(consumer, campaignInfo=unknown)) == sales


@pytest.mark.asyncio(loop_scope="module")
async def test_the_ids_of_a_campaign_are_kept_whole_or_refused(cast: Cast) -> None:
    """By them an engagement is erased: two that begin alike are two."""
    consumer = await cast.connect("consumer")
    for kind in ("campaignId", "engagementId"):
        campaign = {"campaignId": "c", "engagementId": "e", kind: "x" * 257}
        answer = await consumer.ask("cm.ConsumerRequestConversation", {"campaignInfo": campaign})
        assert answer["code"] == 400
    longest = "E-" + "x" * 254
    talk = await cast.talk(consumer, campaignInfo={"campaignId": "c", "engagementId": longest})
    found = await cast.stage.node.database.read(
        "SELECT record FROM conversations WHERE account_id = $1 AND conversation_id = $2", cast.account, talk
    )
    assert longest in found[0]["record"]


@pytest.mark.asyncio(loop_scope="module")
async def test_only_administrators_write_rules_and_only_good_ones(cast: Cast) -> None:
    assert (await configure(cast, "agent"))[0] == 403
    assert (await configure(cast, "manager", []))[0] == 403
    bad: list[object] = [
        {},
        [5],
        [rule("4711")],
        [rule("-1", conditions=[])],
        [rule("-1", conditions=[{"field": "cart.total", "values": ["1"]}])],
        [rule("-1", conditions=[{"field": "ctype", "operator": "like", "values": ["1"]}])],
        [rule("-1", surprise=True)],
        [rule(True)],
        [rule("-1", conditions=[{"field": "ctype", "values": [True]}])],
        [rule("-1"), rule("-1")],
    ]
    for body in bad:
        assert (await configure(cast, "administrator", body))[0] == 400, body
    assert (await configure(cast, "administrator", [rule("-1")], **{"If-Match": "7"}))[0] == 412
    assert (await configure(cast, "administrator"))[1] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("order", ["profile first", "profile last"])
async def test_a_batch_is_routed_by_the_profile_in_it_in_either_order(cast: Cast, order: str) -> None:
    vips = await cast.skill("sales")
    conditions = [
        {"field": "ctype", "values": ["VIP"]},
        {"field": "personal.gender", "operator": "isNot", "values": ["FEMALE"]},
    ]
    status, kept, _ = await configure(cast, "administrator", [rule(vips, conditions=conditions)])
    assert status == 200, kept
    connector = await install(cast)
    batch = [PROFILE, connector.opening()]
    if order == "profile last":
        batch.reverse()
    answer = await connector.post(batch, path="")
    assert answer.status == 200, answer
    [talk] = [item["body"]["conversationId"] for item in answer.body if "conversationId" in item["body"]]
    assert await skill_of(cast, talk) == vips
