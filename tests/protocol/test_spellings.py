"""Every spelling of every request, on each kind of socket. Source: docs/protocol.md 4.4, 4.5."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from protocol.stage import Cast, Socket, Stage, new_cast
from talkwire.protocol.catalog import BY_SPELLING, REQUESTS, RequestType

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
SOCKETS = [("consumer", "3"), ("consumer2", "2"), ("agent", "2"), ("agent", "2.1"), ("agent", "3")]
NOWHERE = "00000000-0000-4000-8000-000000000000"
NOT_OFFERED = {"ms.token.GenerateDownloadToken", "ms.GenerateUploadToken"} | {
    request.name for request in REQUESTS if request.name.startswith("brandprofile.")
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cast(stage: Stage) -> AsyncIterator[Cast]:
    made = await new_cast(stage)
    await made.share_files()
    yield made
    await made.leave()


async def bodies(cast: Cast, consumer: Socket, socket: Socket) -> dict[str, Any]:
    """A body for each request that is answered by its success, however often it is sent."""
    talk = await cast.talk(consumer)
    if socket is not consumer:
        await cast.assign(socket, talk)
    kept = (await socket.ask("cqm.SubscribeExConversations", {}))["body"]["subscriptionId"]
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "x"}
    note: dict[str, Any] = {"field": "TTRField", "ttrType": "NORMAL", "value": 5}
    found: dict[str, Any] = {
        "cm.ConsumerRequestConversation": None,
        "cm.AgentRequestConversation": {"consumerId": cast.people[consumer.name].id},
        "cm.UpdateConversationField": {"conversationId": talk, "conversationField": note},
        "ms.PublishEvent": {"dialogId": talk, "event": event},
        "ms.QueryMessages": {"dialogId": talk},
        "ms.SubscribeMessagingEvents": {"dialogId": talk},
        "ms.UnsubscribeMessagingEvents": {},
        "cqm.UpdateExConversationSubscription": {"subscriptionId": kept},
        "userprofile.GetUserProfile": cast.people[consumer.name].id,
        "ms.GenerateURLForUploadFile": {"fileSize": "10", "fileType": "JPG"},
        "routing.SetAgentState": {"availability": "AWAY"},
    }
    if socket is not consumer:
        tasks = (await socket.ask("routing.SubscribeRoutingTasks", {}))["body"]["subscriptionId"]
        found["routing.UpdateRoutingTaskSubscription"] = {"subscriptionId": tasks}
    return found


def expected(request: RequestType, role: str) -> int:
    """The code of an answer to the bodies above, or to none."""
    if role not in request.roles:
        return 403
    if request.name in NOT_OFFERED:
        return 501
    if request.name in {
        "ms.GenerateURLForDownloadFile",
        "routing.UpdateRingState",
        "cqm.UnsubscribeExConversations",
    }:
        return 400  # their bodies cannot be repeated; without one a member is missing
    return request.code


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("person", "version"), SOCKETS)
async def test_every_spelling_is_understood_and_answered_in_the_words_of_the_version(
    cast: Cast, person: str, version: str
) -> None:
    socket = await cast.connect(person, version)
    consumer = socket if person.startswith("consumer") else await cast.connect("consumer")
    known = await bodies(cast, consumer, socket)
    role = cast.people[person].role
    for spelling, request in BY_SPELLING.items():
        answer = await socket.ask(spelling, known.get(request.name, {}))
        code = expected(request, role)
        assert answer["code"] == code, (spelling, answer)
        wanted = (
            (request.answer if version == "3" else request.answer_v2) if code < 400 else ".ReqBody$ErrorResp"
        )
        assert answer["type"] == wanted, (spelling, answer)


def documented() -> list[list[str]]:
    """Rows of the table of requests: names of v3, of v2, and the three columns of who may send it."""
    section = PAGE.read_text().partition("### 4.5")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_names_every_request_of_the_catalogue() -> None:
    text = "\n".join(f"{v3} {v2}" for v3, v2, *_ in documented())
    brands = {f"brandprofile.{name}" for name in re.findall(r"\w+BrandProfile|GetBrands", text)}
    named = set(re.findall(r"`([\w.]+)`", text)) | brands
    assert {BY_SPELLING[name].name for name in named if name in BY_SPELLING} == {r.name for r in REQUESTS}
    assert {name for name in named if name not in BY_SPELLING} == set()


@pytest.mark.parametrize("row", documented(), ids=[row[0] for row in documented()])
def test_each_request_is_for_those_whom_the_page_says(row: list[str]) -> None:
    v3, v2, consumers, _connectors, agents = row
    roles = {role for role, sign in (("consumer", consumers), ("brand", agents)) if sign}
    names = re.findall(r"`([\w.]+)`", f"{v3} {v2}") or ["brandprofile.GetBrands"]
    for name in names:
        assert BY_SPELLING[name].roles == roles, name


def test_a_v2_name_is_the_v3_name_with_its_prefix() -> None:
    for request in REQUESTS:
        assert {f".{request.name}", f".ams.{request.name.replace('cqm.', 'aam.')}"} <= set(request.spellings)


def test_no_spelling_stands_for_two_requests() -> None:
    assert len(BY_SPELLING) == len({name for request in REQUESTS for name in request.spellings})
    assert all(BY_SPELLING[name] is request for request in REQUESTS for name in request.spellings)
