"""Who may do what: each role, each request, each target. Source: docs/protocol.md 4.5, Appendix A5, A10.

What one may not know of looks like what is not there: such answers are compared letter by letter.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from pictures import png
from protocol.stage import CLOSE, Cast, Socket, Stage, new_cast, say, update
from talkwire.kernel.ids import new_uuid
from talkwire.protocol.catalog import BY_SPELLING, REQUESTS

ROLES = ("consumer", "consumer2", "agent", "agent2", "manager", "administrator", "bot")
"""`consumer` opened the target, `agent` is or was assigned to it, the others have no part in it."""

FOREIGN = ("consumer", "administrator")
"""Of another account."""

PICTURE = png(4, 3)
Body = Callable[["Target"], Any]


@dataclass
class Target:
    """Ids that a request may name."""

    talk: str
    consumer: str
    agent: str
    newcomer: str
    path: str = ""
    subscription: str = ""

    @classmethod
    def nothing(cls, account: str) -> "Target":
        """Ids of the right form that stand for nothing."""
        path = f"/v1/AUTH_async-images/{account}/{new_uuid()}_uuid_{new_uuid()}_02-01-2024_03-04-05-678.PNG"
        return cls(new_uuid(), new_uuid(), new_uuid(), new_uuid(), path, new_uuid())


@dataclass(frozen=True)
class Row:
    """One thing to ask for. The codes stand in the order of ROLES; `-` is what the catalogue says of the wrong side."""

    request: str
    what: str
    body: Body
    open: str
    closed: str = ""
    foreign: str = "404"
    hides: bool = field(default=True)  # 404 answers must look like those for what is not there

    def codes(self, state: str) -> dict[str, int]:
        text = self.closed if state == "closed" and self.closed else self.open
        return {
            role: 403 if code == "-" else int(code) for role, code in zip(ROLES, text.split(), strict=True)
        }

    @property
    def id(self) -> str:
        return f"{self.request}: {self.what}"


def change(**item: object) -> Body:
    return lambda t: {"conversationId": t.talk, "conversationField": item}


def participants(kind: str, role: str, user: str = "") -> Body:
    item = {"field": "ParticipantsChange", "type": kind, "role": role}
    return lambda t: {
        "conversationId": t.talk,
        "conversationField": item | ({"userId": getattr(t, user)} if user else {}),
    }


def event(event_type: str, **members: object) -> Body:
    audience = members.pop("audience", "ALL")
    told = {"type": event_type, **members}
    return lambda t: {"dialogId": t.talk, "event": told, "messageAudience": audience}


def plain(**body: object) -> Body:
    return lambda _target: body


UPDATE, PUBLISH = "cm.UpdateConversationField", "ms.PublishEvent"
ROWS = (
    #                                                                      c   c2  a   a2  m   ad  bot
    Row("InitConnection", "again", plain(), "200 200 - - - - -", foreign="200"),
    Row("GetClock", "", plain(), "200 200 200 200 200 200 200", foreign="200"),
    Row("KeepAlive", "", plain(), "200 200 200 200 200 200 200", foreign="200"),
    Row("cm.ConsumerRequestConversation", "", plain(), "200 200 - - - - -", foreign="200"),
    Row(
        "cm.ConsumerRequestConversation",
        "for another brand",
        plain(brandId="12"),
        "400 400 - - - - -",
        foreign="400",
    ),
    Row("cm.AgentRequestConversation", "", lambda t: {"consumerId": t.consumer}, "- - 200 404 200 200 200"),
    Row(
        "cm.AgentRequestConversation",
        "resuming",
        lambda t: {"consumerId": t.consumer, "conversationContext": {"originConversationId": t.talk}},
        "- - 400 404 400 400 400",
        "- - 200 404 200 200 200",
    ),
    Row(
        UPDATE,
        "close",
        change(**CLOSE),
        "200 404 200 404 200 200 403",
        "400 404 400 404 400 400 403",
    ),
    Row(
        UPDATE,
        "close the dialog",
        lambda t: {
            "conversationId": t.talk,
            "conversationField": {"field": "DialogChange", "dialog": {"dialogId": t.talk, "state": "CLOSE"}},
        },
        "200 404 200 404 200 200 403",
        "400 404 400 404 400 400 403",
    ),
    Row(
        UPDATE,
        "join as MANAGER",
        participants("ADD", "MANAGER"),
        "403 404 403 404 200 200 200",
        "403 404 403 404 400 400 400",
    ),
    Row(
        UPDATE,
        "join as READER",
        participants("ADD", "READER"),
        "403 404 403 404 200 200 200",
        "403 404 403 404 400 400 400",
    ),
    Row(
        UPDATE,
        "join as CONTROLLER",
        participants("ADD", "CONTROLLER"),
        "403 404 403 404 403 403 200",
        "403 404 403 404 403 403 400",
    ),
    Row(
        UPDATE,
        "join as ASSIGNED_AGENT where there is one",
        participants("ADD", "ASSIGNED_AGENT"),
        "403 404 200 404 403 403 400",
        "403 404 400 404 403 403 400",
    ),
    Row(
        UPDATE,
        "add another",
        participants("ADD", "MANAGER", "newcomer"),
        "403 404 403 404 200 200 403",
        "403 404 403 404 400 400 403",
    ),
    Row(
        UPDATE,
        "take the assigned agent away",
        participants("REMOVE", "ASSIGNED_AGENT", "agent"),
        "403 404 200 404 200 200 403",
        "403 404 400 404 400 400 403",
    ),
    Row(
        UPDATE,
        "suggest another agent",
        participants("SUGGEST", "ASSIGNED_AGENT", "newcomer"),
        "403 404 200 404 403 403 403",
        "403 404 400 404 403 403 403",
    ),
    Row(
        UPDATE,
        "accept without an offer",
        participants("ACCEPT", "ASSIGNED_AGENT"),
        "403 404 200 404 403 403 403",
        "403 404 400 404 403 403 403",
    ),
    Row(
        UPDATE,
        "Skill",
        change(field="Skill", type="UPDATE", skill="-1"),
        "403 404 200 404 403 403 403",
        "403 404 400 404 403 403 403",
    ),
    Row(
        UPDATE,
        "TTR",
        change(field="TTRField", ttrType="URGENT", value=5),
        "200 404 200 404 403 403 403",
        "400 404 400 404 403 403 403",
    ),
    Row(
        UPDATE,
        "Note",
        change(field="Note", note="x"),
        "403 404 200 404 403 403 403",
        "403 404 400 404 403 403 403",
    ),
    Row(UPDATE, "CSAT", change(field="CSATRate", csatRate=4), "200 404 403 404 403 403 403"),
    Row(
        PUBLISH,
        "a text",
        event("ContentEvent", contentType="text/plain", message="x"),
        "200 404 200 404 403 403 403",
        "400 404 400 404 403 403 403",
    ),
    Row(
        PUBLISH,
        "a private text",
        event("ContentEvent", contentType="text/plain", message="x", audience="AGENTS_AND_MANAGERS"),
        "403 404 200 404 403 403 403",
        "400 404 400 404 403 403 403",
    ),
    Row(
        PUBLISH,
        "a receipt",
        event("AcceptStatusEvent", status="READ", sequenceList=[0]),
        "200 404 200 404 403 403 403",
    ),
    Row(
        PUBLISH,
        "a chat state",
        event("ChatStateEvent", chatState="ACTIVE"),
        "200 404 200 404 403 403 403",
        "400 404 400 404 403 403 403",
    ),
    Row(
        PUBLISH,
        "a file one may not know of",
        lambda t: {
            "dialogId": t.talk,
            "event": {"type": "HostedFile", "message": {"relativePath": "/v1/x", "fileType": "PNG"}},
        },
        "400 404 400 404 403 403 403",
    ),
    Row("ms.QueryMessages", "", lambda t: {"dialogId": t.talk}, "200 404 200 404 200 200 200"),
    Row("ms.SubscribeMessagingEvents", "", lambda t: {"dialogId": t.talk}, "200 404 200 404 200 200 200"),
    Row(
        "ms.UnsubscribeMessagingEvents",
        "where one does not follow",
        lambda _target: {"dialogId": new_uuid()},
        "404 404 404 404 404 404 404",
    ),
    Row("cqm.SubscribeExConversations", "", plain(), "200 200 200 200 200 200 200", foreign="200"),
    Row(
        "cqm.UpdateExConversationSubscription",
        "another socket's",
        lambda t: {"subscriptionId": t.subscription},
        "404 404 404 404 404 404 404",
    ),
    Row(
        "cqm.UnsubscribeExConversations",
        "another socket's",
        lambda t: {"subscriptionId": t.subscription},
        "404 404 404 404 404 404 404",
    ),
    Row("userprofile.SetUserProfile", "", plain(), "200 200 - - - - -", foreign="200"),
    Row("userprofile.GetUserProfile", "", lambda t: t.consumer, "200 404 200 404 200 200 200"),
    Row(
        "ms.GenerateURLForUploadFile",
        "",
        plain(fileSize=9, fileType="PNG"),
        "200 200 200 200 200 200 200",
        foreign="403",
    ),
    Row(
        "ms.GenerateURLForDownloadFile",
        "",
        lambda t: {"relativePath": t.path},
        "200 404 200 404 404 404 404",
        "200 404 200 404 200 200 404",
    ),
    Row(
        "routing.SubscribeRoutingTasks",
        "another's",
        lambda t: {"agentId": t.agent},
        "- - 200 403 403 403 403",
        foreign="403",
    ),
    Row(
        "routing.UpdateRoutingTaskSubscription",
        "another socket's",
        lambda t: {"subscriptionId": t.subscription},
        "- - 404 404 404 404 404",
    ),
    Row(
        "routing.UpdateRingState",
        "of an offer that is not there",
        lambda t: {"ringId": f"{t.talk}_1_1", "ringState": "ACCEPTED"},
        "- - 404 404 404 404 404",
    ),
    Row(
        "routing.SetAgentState",
        "another's",
        lambda t: {"availability": "AWAY", "agentUserId": t.agent},
        "- - 202 403 403 403 403",
        foreign="403",
    ),
    Row("routing.SubscribeAgentsState", "", lambda t: {"agentId": t.agent}, "- - 200 404 200 200 200"),
    Row("ms.token.GenerateDownloadToken", "", plain(), "501 501 501 501 501 501 501", foreign="501"),
    Row("ms.GenerateUploadToken", "", plain(), "501 501 501 501 501 501 501", foreign="501"),
    Row("brandprofile.GetBrands", "", plain(), "- - 501 501 501 501 501", foreign="501"),
    Row("brandprofile.GetBrandProfile", "", plain(), "- - 501 501 501 501 501", foreign="501"),
    Row("brandprofile.SetBrandProfile", "", plain(), "- - 501 501 501 501 501", foreign="501"),
)


@dataclass
class House:
    """Two brands and their people, each with a socket on v3."""

    cast: Cast
    sockets: dict[str, Socket]
    foreign: Cast
    foreign_sockets: dict[str, Socket]
    subscription: str  # of somebody else's socket

    async def target(self, state: str, *, with_file: bool = False) -> Target:
        """A fresh conversation of `consumer` with `agent`, open or closed."""
        consumer, agent = self.sockets["consumer"], self.cast.people["agent"]
        talk = await self.cast.talk(consumer)
        added = await self.cast.join(self.sockets["manager"], talk, "ASSIGNED_AGENT", agent.id)
        assert added["code"] == 200
        path = await self._share(consumer, talk) if with_file else ""
        if state == "closed":
            assert (await update(consumer, talk, CLOSE))["code"] == 200
        people = self.cast.people
        return Target(talk, people["consumer"].id, agent.id, people["agent3"].id, path, self.subscription)

    async def _share(self, consumer: Socket, talk: str) -> str:
        url = (await consumer.ask("ms.GenerateURLForUploadFile", {"fileSize": 100, "fileType": "PNG"}))[
            "body"
        ]
        path: str = url["relativePath"]
        storage = f"http://{self.cast.stage.address}{path}"
        async with self.cast.stage.http.put(storage, params=url["queryParams"], data=PICTURE) as response:
            assert response.status == 201
        message = {"relativePath": path, "fileType": "PNG"}
        body = {"dialogId": talk, "event": {"type": "HostedFile", "message": message}}
        assert (await consumer.ask("ms.PublishEvent", body))["code"] == 200
        return path


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(stage: Stage) -> AsyncIterator[House]:
    cast, foreign = await new_cast(stage), await new_cast(stage)
    await cast.share_files()
    sockets = {name: await cast.connect(name, "3") for name in ROLES}
    foreign_sockets = {name: await foreign.connect(name, "3") for name in FOREIGN}
    other = await cast.connect("agent3", "3")
    subscription = (await other.ask("cqm.SubscribeExConversations", {}))["body"]["subscriptionId"]
    yield House(cast, sockets, foreign, foreign_sockets, subscription)
    await asyncio.gather(cast.leave(), foreign.leave())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("state", ["open", "closed"])
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_each_role_may_do_what_it_may_and_nothing_else(house: House, row: Row, state: str) -> None:
    target = None
    for role, code in row.codes(state).items():
        if target is None:
            target = await house.target(state, with_file="Download" in row.request)
        answer = json.loads(await house.sockets[role].ask_text(row.request, row.body(target)))
        assert answer["code"] == code, (role, answer)
        assert code < 400 or answer["type"] == ".ReqBody$ErrorResp"
        if code < 300:
            target = None  # it may be another conversation now


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_people_of_another_account_do_nothing_here(house: House, row: Row) -> None:
    target = await house.target("open", with_file="Download" in row.request)
    for role, socket in house.foreign_sockets.items():
        answer = json.loads(await socket.ask_text(row.request, row.body(target)))
        side = "consumer" if role == "consumer" else "brand"
        code = int(row.foreign) if side in BY_SPELLING[row.request].roles else 403
        assert answer["code"] == code, (role, answer)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_what_one_may_not_know_of_looks_like_what_is_not_there(house: House, row: Row) -> None:
    for state in ("open", "closed"):
        target = await house.target(state, with_file="Download" in row.request)
        for role, code in row.codes(state).items():
            if code == 404:
                socket = house.sockets[role]
                hidden = await socket.ask_text(row.request, row.body(target))
                nothing = await socket.ask_text(row.request, row.body(Target.nothing(house.cast.account)))
                assert hidden == nothing
        for socket in house.foreign_sockets.values():
            hidden = await socket.ask_text(row.request, row.body(target))
            nothing = await socket.ask_text(row.request, row.body(Target.nothing(house.foreign.account)))
            assert json.loads(hidden)["code"] < 300 or hidden == nothing


def test_every_request_of_the_catalogue_is_in_the_table() -> None:
    assert {row.request for row in ROWS} == {request.name for request in REQUESTS}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("role", "seen"), list(zip(ROLES, (True, False, True, False, True, True, True), strict=True))
)
async def test_a_subscription_shows_what_one_may_see_and_nothing_else(
    house: House, role: str, seen: bool
) -> None:
    target = await house.target("open")
    socket = await house.cast.connect(role, "3")
    answer = await socket.ask("cqm.SubscribeExConversations", {"consumerId": target.consumer})
    told = await socket.note("ExConversationChangeNotification")
    assert told["subscriptionId"] == answer["body"]["subscriptionId"]
    assert (target.talk in {item["result"]["convId"] for item in told["changes"]}) is seen


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("role", FOREIGN)
async def test_a_subscription_shows_nothing_of_another_account(house: House, role: str) -> None:
    target = await house.target("open")
    socket = await house.foreign.connect(role, "3")
    await socket.ask(
        "cqm.SubscribeExConversations", {"consumerId": target.consumer, "agentIds": [target.agent]}
    )
    assert (await socket.note("ExConversationChangeNotification"))["changes"] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_profile_is_set_for_oneself_whatever_id_is_named(house: House) -> None:
    consumer, consumer2 = house.sockets["consumer"], house.sockets["consumer2"]
    first = house.cast.people["consumer"].id
    await consumer2.ask("userprofile.SetUserProfile", {"userId": first, "firstName": "Mallory"})
    assert (await consumer.ask("userprofile.GetUserProfile", {}))["body"].get("firstName") != "Mallory"
    assert (await consumer2.ask("userprofile.GetUserProfile", {}))["body"]["firstName"] == "Mallory"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("role", FOREIGN)
async def test_a_token_of_another_account_opens_no_socket(house: House, role: str) -> None:
    """Source: docs/protocol.md 3.7."""
    token = house.foreign.people[role].token
    side = house.foreign.people[role].role
    for rest, headers in ((f"/{token}", {}), ("", {"Authorization": f"jwt {token}"})):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await house.cast.dial("stranger", house.cast.url(side, f"{rest}?v=3"), headers=headers)
        assert refused.value.status == 401


@pytest.mark.asyncio(loop_scope="module")
async def test_who_left_a_conversation_hears_nothing_more_of_it(house: House) -> None:
    target = await house.target("open")
    agent, consumer = house.sockets["agent"], house.sockets["consumer"]
    await agent.ask("ms.SubscribeMessagingEvents", {"dialogId": target.talk})
    await update(
        agent, target.talk, {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}
    )
    said = {"type": "ContentEvent", "contentType": "text/plain", "message": "is he gone?"}
    answer = await consumer.ask("ms.PublishEvent", {"dialogId": target.talk, "event": said})
    assert answer["code"] == 200
    await agent.settled()
    heard = [frame for frame in agent.waiting if "is he gone?" in json.dumps(frame)]
    assert heard == []


@pytest.mark.asyncio(loop_scope="module")
async def test_who_was_rung_in_vain_hears_nothing_more_of_it(stage: Stage) -> None:
    cast = await new_cast(stage)
    agent, manager = await cast.connect("agent", "3"), await cast.connect("manager", "3")
    await agent.ask("routing.SetAgentState", {"availability": "ONLINE"})
    await agent.ask("routing.SubscribeRoutingTasks")
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    await agent.take(lambda frame: talk in json.dumps(frame))
    assert (await agent.ask("ms.SubscribeMessagingEvents", {"dialogId": talk}))["code"] == 200
    await say(consumer, talk, "before")
    await agent.take(lambda frame: "before" in json.dumps(frame))
    await cast.person("agent2")
    assert (await cast.join(manager, talk, "ASSIGNED_AGENT", cast.people["agent2"].id))["code"] == 200
    await agent.take(lambda frame: "CANCELLED" in json.dumps(frame))
    await say(consumer, talk, "after")
    await agent.settled()
    assert [frame for frame in agent.waiting if "after" in json.dumps(frame)] == []
    assert (await agent.ask("ms.QueryMessages", {"dialogId": talk}))["code"] == 404
    await cast.leave()
