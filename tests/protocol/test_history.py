"""The past over HTTP: service `msgHist`. Source: docs/protocol.md 9.10."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from pictures import png
from protocol.stage import CLOSE, Cast, Json, Socket, Stage, new_cast, say, update

PICTURE = png(24, 24)
PREVIEW = "data:image/png;base64," + base64.b64encode(png(4, 4)).decode()


@dataclass
class Archive:
    cast: Cast

    async def post(self, name: str, path: str, body: Json, query: str = "", status: int = 200) -> Json:
        token = (await self.cast.person(name)).token if name else ""
        url = f"http://{self.cast.stage.address}/messaging_history/api/account/{self.cast.account}/{path}{query}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.cast.stage.http.post(url, json=body, headers=headers) as response:
            found: Json = await response.json()
            assert response.status == status, found
            return found

    async def search(self, name: str, body: Json | None = None, query: str = "") -> list[Json]:
        found = await self.post(name, "conversations/search", body or {}, query)
        records: list[Json] = found["conversationHistoryRecords"]
        return records

    async def one(self, name: str, talk: str) -> Json:
        body = {"conversationId": talk}
        found = await self.post(name, "conversations/conversation/search", body)
        assert found["_metadata"]["count"] == 1
        record: Json = found["conversationHistoryRecords"][0]
        return record

    async def own(self, name: str, talk: str, status: int = 200) -> Any:
        token = (await self.cast.person(name)).token
        url = (
            f"http://{self.cast.stage.address}/messaging_history/api/account/{self.cast.account}"
            f"/conversations/conversation/content/search?conversationId={talk}"
        )
        async with self.cast.stage.http.get(url, headers={"Authorization": f"Bearer {token}"}) as response:
            assert response.status == status
            return await response.json()


@pytest_asyncio.fixture(loop_scope="module")
async def archive(stage: Stage) -> AsyncIterator[Archive]:
    made = await new_cast(stage)
    before = stage.incidents
    yield Archive(made)
    await made.leave()
    assert stage.incidents == before


async def upload(cast: Cast, socket: Socket) -> str:
    answer = await socket.ask("ms.GenerateURLForUploadFile", {"fileSize": len(PICTURE), "fileType": "PNG"})
    url = answer["body"]
    async with cast.stage.http.put(link(cast, url), data=PICTURE) as response:
        assert response.status == 201
    path: str = url["relativePath"]
    return path


def link(cast: Cast, url: Json) -> str:
    query = url["queryParams"]
    signed = f"temp_url_sig={query['temp_url_sig']}&temp_url_expires={query['temp_url_expires']}"
    return f"http://{cast.stage.address}{url['relativePath']}?{signed}"


async def show(socket: Socket, talk: str, path: str, caption: str = "logo") -> None:
    message = {"caption": caption, "relativePath": path, "fileType": "PNG", "preview": PREVIEW}
    event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
    answer = await socket.ask("ms.PublishEvent", {"dialogId": talk, "event": event})
    assert answer["code"] == 200, answer


@pytest.mark.asyncio(loop_scope="module")
async def test_a_whole_conversation_is_read_afterwards_with_its_file(archive: Archive) -> None:
    cast = archive.cast
    await cast.share_files()
    consumer, agent = await cast.connect("consumer"), await cast.connect("agent")
    await consumer.ask(
        "userprofile.SetUserProfile",
        {
            "firstName": "Ada",
            "privateData": {"email": "ada@example.org"},
            "authenticatedData": {"lp_sdes": [{"type": "ctmrinfo", "info": {"ctype": "vip"}}]},
        },
    )
    talk = await cast.talk(consumer, skillId=await cast.skill("sales"))
    await say(consumer, talk, "hello")
    await cast.assign(agent, talk)
    await say(agent, talk, "good day")
    await say(agent, talk, "just us", messageAudience="AGENTS_AND_MANAGERS")
    path = await upload(cast, consumer)
    await show(consumer, talk, path)
    await agent.ask(
        "ms.PublishEvent",
        {"dialogId": talk, "event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0, 3]}},
    )
    await say(agent, talk, "a fine logo")
    content = {"type": "vertical", "elements": [{"type": "text", "text": "Hi"}]}
    await agent.ask(
        "ms.PublishEvent", {"dialogId": talk, "event": {"type": "RichContentEvent", "content": content}}
    )
    await update(agent, talk, {"field": "Note", "note": "nice"}, CLOSE)

    record = await archive.one("agent", talk)
    info = record["info"]
    user_id = cast.people["agent"].id.partition(".")[2]
    assert info["status"] == info["fullDialogStatus"] == "CLOSE"
    assert (info["closeReason"], info["latestAgentId"]) == ("AGENT", user_id)
    assert (info["latestSkillId"], info["latestSkillName"]) == (int(await cast.skill("sales")), "sales")
    assert info["endTimeL"] >= info["startTimeL"]
    assert info["startTime"].endswith("+0000")
    assert info["isPartial"] is False
    kinds = [(m["seq"], m["type"], m["sentBy"], m["messageAudience"]) for m in record["messageRecords"]]
    assert kinds == [
        (0, "TEXT_PLAIN", "Consumer", "ALL"),
        (1, "TEXT_PLAIN", "Agent", "ALL"),
        (2, "TEXT_PLAIN", "Agent", "AGENTS_AND_MANAGERS"),
        (3, "HOSTED_FILE", "Consumer", "ALL"),
        (5, "TEXT_PLAIN", "Agent", "ALL"),
        (6, "RICH_CONTENT", "Agent", "ALL"),
    ]
    file = record["messageRecords"][3]["messageData"]["file"]
    assert (file["relativePath"], file["fileType"], file["caption"]) == (path, "PNG", "logo")
    assert file["preview"].startswith("data:image/")
    assert record["messageRecords"][0]["messageData"] == {"msg": {"text": "hello"}}
    assert record["messageRecords"][0]["messageId"] == f"ms::dialog:{talk}::msg:0"
    assert record["messageRecords"][1]["participantId"] == user_id
    assert [
        (s["seq"], s["messageDeliveryStatus"], s["participantType"]) for s in record["messageStatuses"]
    ] == [
        (0, "READ", "Agent"),
        (3, "READ", "Agent"),
    ]
    [joined] = record["agentParticipants"]
    assert (joined["agentId"], joined["permission"], joined["agentFullName"]) == (
        user_id,
        "ASSIGNED_AGENT",
        "agent full",
    )
    [person] = record["consumerParticipants"]
    assert (person["firstName"], person["email"]) == ("Ada", "ada@example.org")
    assert [i["interactiveSequence"] for i in record["interactions"]] == [1, 2]
    assert record["transfers"] == []
    assert record["summary"]["text"] == "nice"
    assert record["sdes"]["events"] == [
        {"sdeType": "CUSTOMER_INFO", "customerInfo": {"customerInfo": {"ctype": "vip"}}}
    ]
    assert [d["dialogType"] for d in record["dialogs"]] == ["MAIN"]

    [found] = await archive.search("manager", {"start": {"from": info["startTimeL"], "to": str(2**42)}})
    assert "preview" not in found["messageRecords"][3]["messageData"]["file"]
    for name in ("agent", "manager"):
        socket = await cast.connect(name)
        answer = await socket.ask("ms.GenerateURLForDownloadFile", {"relativePath": path})
        async with cast.stage.http.get(link(cast, answer["body"])) as response:
            assert response.status == 200
            assert await response.read()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_consumer_reads_its_own_past_and_nothing_that_agents_keep_to_themselves(
    archive: Archive,
) -> None:
    cast = archive.cast
    await cast.share_files()
    consumer, agent = await cast.connect("consumer"), await cast.connect("agent")
    talk = await cast.talk(consumer)
    await cast.assign(agent, talk)
    await say(consumer, talk, "hello")
    await say(agent, talk, "just us", messageAudience="AGENTS_AND_MANAGERS")
    await show(consumer, talk, await upload(cast, consumer))
    records = (await archive.own("consumer", talk))["messageEventRecords"]
    assert [record["sequence"] for record in records] == [0, 2]
    assert records[0]["event"] == {"type": "ContentEvent", "contentType": "text/plain", "message": "hello"}
    assert records[1]["event"]["contentType"] == "hosted/file"
    assert records[1]["event"]["message"]["preview"].startswith("data:image/")
    assert records[0]["originatorId"] == cast.people["consumer"].id
    await archive.own("consumer2", talk, status=404)
    await archive.own("consumer", "no such conversation", status=404)
    await archive.own("agent", talk, status=401)


@pytest.mark.asyncio(loop_scope="module")
async def test_managers_read_the_account_and_agents_what_they_took_part_in(archive: Archive) -> None:
    cast = archive.cast
    consumer, agent, other = [await cast.connect(n) for n in ("consumer", "agent", "agent2")]
    first, second, third = [await cast.talk(consumer) for _ in range(3)]
    await cast.assign(agent, first)
    await cast.assign(other, second)
    await update(agent, first, {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"})

    async def seen(name: str, **filters: object) -> set[str]:
        return {r["info"]["conversationId"] for r in await archive.search(name, dict(filters))}

    everything = {first, second, third}
    assert await seen("manager") == await seen("administrator") == everything
    assert await seen("agent") == {first}  # though it left
    assert await seen("agent2") == {second}
    assert await seen("agent", agentIds=[cast.people["agent2"].id]) == set()
    assert await seen("manager", agentIds=[cast.people["agent2"].pid, "no such agent"]) == {second}
    assert await seen("manager", agentIds=["no such agent"]) == set()
    assert await seen("manager", latestAgentIds=[cast.people["agent2"].id]) == {second}
    body = {"conversationId": second}
    hidden = await archive.post("agent", "conversations/conversation/search", body)
    assert hidden["conversationHistoryRecords"] == []
    consumers = {"consumer": cast.people["consumer"].id, "status": ["OPEN"]}
    found = await archive.post("agent2", "conversations/consumer/search", consumers)
    assert [r["info"]["conversationId"] for r in found["conversationHistoryRecords"]] == [second]
    found = await archive.post("manager", "conversations/consumer/search", consumers)
    assert found["_metadata"]["count"] == 3
    await archive.post("", "conversations/search", {}, status=401)
    await archive.post("consumer", "conversations/search", {}, status=401)


@pytest.mark.asyncio(loop_scope="module")
async def test_transfers_are_told_in_their_order(archive: Archive) -> None:
    cast = archive.cast
    consumer, agent, other = [await cast.connect(n) for n in ("consumer", "agent", "agent2")]
    talk = await cast.talk(consumer, skillId=await cast.skill("sales"))
    leave = {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}
    await cast.assign(agent, talk)
    await update(
        agent, talk, leave, {"field": "Skill", "type": "UPDATE", "skill": await cast.skill("support")}
    )
    await cast.assign(other, talk)
    await update(other, talk, leave)
    record = await archive.one("manager", talk)
    told = [(t["reason"], t["sourceSkillName"], t["targetSkillName"]) for t in record["transfers"]]
    assert told == [("Skill", "sales", "support"), ("Back2Q", "support", "support")]
    assert [t["sourceAgentNickname"] for t in record["transfers"]] == ["agent", "agent2"]
    assert [p["agentNickname"] for p in record["agentParticipants"]] == ["agent", "agent2"]
    assert record["info"]["latestQueueState"] == "IN_QUEUE"
    for skill in ("sales", "support"):
        assert len(await archive.search("manager", {"skillIds": [int(await cast.skill(skill))]})) == 1
    latest = {"latestSkillIds": [await cast.skill("sales")]}
    assert await archive.search("manager", latest) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_pages_follow_each_other_in_either_order(archive: Archive) -> None:
    cast = archive.cast
    consumer = await cast.connect("consumer")
    talks = [await cast.talk(consumer) for _ in range(5)]
    await update(consumer, talks[0], CLOSE)
    for order in ("asc", "desc"):
        pages = [
            await archive.search("manager", query=f"?limit=2&offset={at}&sort=start:{order}&v=2&source=test")
            for at in (0, 2, 4)
        ]
        ids = [record["info"]["conversationId"] for page in pages for record in page]
        times = [record["info"]["startTimeL"] for page in pages for record in page]
        assert sorted(ids) == sorted(talks)
        assert times == sorted(times, reverse=order == "desc")
    found = await archive.post("manager", "conversations/search", {"status": ["CLOSE"]}, "?limit=1")
    assert found["_metadata"]["count"] == 1
    found = await archive.post("manager", "conversations/search", {}, "?limit=2&offset=1")
    assert found["_metadata"]["count"] == 5
    assert "limit=2&offset=1" in found["_metadata"]["self"]["href"]
    found = await archive.post("manager", "conversations/search", {}, "?limit=2&offset=10")
    assert (found["_metadata"]["count"], found["conversationHistoryRecords"]) == (5, [])


@pytest.mark.asyncio(loop_scope="module")
async def test_only_what_is_asked_for_is_retrieved(archive: Archive) -> None:
    cast = archive.cast
    await cast.talk(await cast.connect("consumer"))
    [record] = await archive.search("manager", {"contentToRetrieve": ["dialogs", "of another time"]})
    assert record.keys() == {"info", "dialogs"}
    [record] = await archive.search("manager")
    assert {"messageRecords", "transfers", "interactions", "messageStatuses"} <= record.keys()


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({}, "?limit=101"),
        ({}, "?limit=0"),
        ({}, "?limit=many"),
        ({}, "?offset=-1"),
        ({}, "?sort=end:desc"),
        ({}, "?v=3"),
        ({"start": {"from": 5, "to": 4}}, ""),
        ({"start": {}}, ""),
        ({"start": [1, 2]}, ""),
        ({"start": {"from": 2**60}}, ""),
        ({"status": ["ASLEEP"]}, ""),
        ({"agentIds": [{}]}, ""),
        ({"agentIds": ["x"] * 1001}, ""),
        ({"keyword": "gold"}, ""),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_search_that_cannot_be_is_refused(archive: Archive, body: Json, query: str) -> None:
    await archive.post("manager", "conversations/search", body, query, status=400)


@pytest.mark.asyncio(loop_scope="module")
async def test_managers_see_how_agents_stand_and_agents_how_they_do(archive: Archive) -> None:
    cast = archive.cast
    agent = await cast.connect("agent")
    await cast.person("agent2")
    await agent.ask(".ams.routing.SetAgentState", {"availability": "ONLINE", "channels": ["MESSAGING"]})

    async def states(name: str, **filters: object) -> dict[str, str]:
        found = await archive.post(name, "agent-view/status", dict(filters))
        return {r["agentLoginName"]: r["currentStatus"] for r in found["agentStatusRecords"]}

    assert await states("manager") == {"agent": "ONLINE", "agent2": "OFFLINE", "manager": "OFFLINE"}
    assert await states("manager", agentIds=[cast.people["agent"].id]) == {"agent": "ONLINE"}
    assert await states("manager", status=["online"]) == {"agent": "ONLINE"}
    assert await states("agent2") == {"agent2": "OFFLINE"}
