"""No body, however odd, makes a request fail by a bug of ours. Source: docs/protocol.md 4.2.

`HYPOTHESIS_PROFILE=fuzz` or `--hypothesis-profile=fuzz` looks much longer.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.stage import Cast, Socket, Stage, new_cast, staged
from talkwire.protocol import codec
from talkwire.protocol.catalog import REQUESTS, RequestType
from talkwire.protocol.conversations import CampaignInfo, ConversationField, DelayField, DialogField
from talkwire.protocol.errors import BadFrame

PROFILE = settings.default or settings()
EXAMPLES = settings(max_examples=max(25, PROFILE.max_examples // 4), suppress_health_check=list(HealthCheck))
WORDS = [
    "OPEN", "CLOSE", "MAIN", "CONSUMER", "ASSIGNED_AGENT", "MANAGER", "READER", "ADD", "REMOVE",
    "UPDATE", "SUGGEST", "ACCEPT", "REJECT", "NORMAL", "URGENT", "ONLINE", "OFFLINE", "ACCEPTED",
    "REJECTED", "ALL", "AGENTS_AND_MANAGERS", "text/plain", "hosted/file", "READ", "COMPOSING",
    "ACTIVE", "PNG", "-1", "0", "1", "ContentEvent", "HostedFile", "RichContentEvent",
    "AcceptStatusEvent", "ChatStateEvent", "ConversationStateField", "Stage", "FILLED",
    "DialogChange", "ParticipantsChange", "Skill", "TTRField", "CSATRate", "Note", "TopicField",
    "ManualETTR", "DelayField",
]  # fmt: skip
EDGES = [0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, -(2**64), 10**30, 10**400]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["\0", "x" * 40_000, ""]
)
words = st.sampled_from(WORDS)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(EDGES)
    | st.floats(allow_nan=False, allow_infinity=False)
)
odd = st.recursive(
    plain | texts | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | words, inner, max_size=3),
    max_leaves=6,
)
EVENT_MEMBERS = [
    "type", "contentType", "message", "content", "quickReplies", "status", "sequenceList",
    "chatState", "relativePath", "fileType", "preview",
]  # fmt: skip
NESTED = (ConversationField, DialogField, DelayField, CampaignInfo)


def names_of(body: Any) -> list[str]:
    """The members that a body type knows."""
    if isinstance(body, type) and issubclass(body, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(body)]
    return ["userId"]


@dataclass
class Night:
    """A stage in a loop of its own, so that Hypothesis can drive it from outside."""

    loop: asyncio.Runner
    stage: Stage
    cast: Cast
    consumer: Socket
    manager: Socket
    talks: list[str]

    def ask(self, socket: Socket, type_name: str, body: str, **rest: str) -> dict[str, Any]:
        members = "".join(f',"{name}":{value}' for name, value in rest.items())
        return self.loop.run(
            self._ask(socket, f'{{"id":"fuzz","type":"{type_name}","body":{body}{members}}}')
        )

    async def _ask(self, socket: Socket, frame: str) -> dict[str, Any]:
        socket.waiting.clear()
        await socket.send(frame)
        return await socket.take(
            lambda answer: answer.get("reqId") in {"fuzz", ""} and answer["kind"] == "resp"
        )


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    with asyncio.Runner() as loop:
        opening = contextlib.AsyncExitStack()
        made = loop.run(_open(opening, loop, tmp_path_factory))
        yield made
        loop.run(made.cast.leave())
        loop.run(opening.aclose())


async def _open(
    opening: contextlib.AsyncExitStack, loop: asyncio.Runner, folders: pytest.TempPathFactory
) -> Night:
    stage = await opening.enter_async_context(staged(folders.mktemp("stage")))
    cast = await new_cast(stage)
    await cast.share_files()
    consumer, manager = await cast.connect("consumer"), await cast.connect("manager", "3")
    talks = [await cast.talk(consumer) for _ in range(2)]
    for talk in talks:
        await cast.join(manager, talk, "MANAGER")
    return Night(loop, stage, cast, consumer, manager, talks)


def bodies(request: RequestType, night: Night) -> st.SearchStrategy[Any]:
    """Objects with known members and odd values, ids that exist among them; or anything at all."""
    ids = st.sampled_from([*night.talks, *(p.id for p in night.cast.people.values())])
    items = st.dictionaries(
        st.sampled_from([n for s in NESTED for n in names_of(s)] + ["field"]), words | odd | ids, max_size=5
    )
    events = st.dictionaries(st.sampled_from(EVENT_MEMBERS), words | odd | ids, max_size=5)
    value = odd | ids | words | items | events | st.lists(items, max_size=2)
    known = st.dictionaries(st.sampled_from(names_of(request.body)), value, max_size=5)
    likely = st.fixed_dictionaries({}, optional={"conversationId": ids, "dialogId": ids, "event": events})
    return st.builds(lambda first, second: {**first, **second}, known, likely) | known | odd


@pytest.mark.parametrize("request_type", REQUESTS, ids=[request.name for request in REQUESTS])
def test_no_body_is_answered_by_an_incident(night: Night, request_type: RequestType) -> None:
    before = night.stage.incidents

    @EXAMPLES
    @given(bodies(request_type, night), st.booleans(), odd, odd)
    def ask(body: Any, by_manager: bool, headers: Any, metadata: Any) -> None:
        socket = night.manager if by_manager else night.consumer
        rest = (
            {"headers": json.dumps(headers), "metadata": json.dumps(metadata)}
            if len(str(headers)) % 2
            else {}
        )
        answer = night.ask(socket, request_type.name, json.dumps(body), **rest)
        assert answer["code"] < 500 or answer["code"] in {501, 503}, answer
        if answer["code"] >= 400:
            assert answer["type"] == ".ReqBody$ErrorResp"

    ask()
    assert night.stage.incidents == before


@settings(max_examples=300)
@given(st.binary(max_size=200) | odd.map(lambda value: json.dumps(value).encode()))
def test_the_codec_reads_a_request_or_says_that_it_is_none(frame: bytes) -> None:
    with contextlib.suppress(BadFrame):
        request = codec.decode_request(frame)
        assert isinstance(request.text_id, str)
        for request_type in REQUESTS:
            with contextlib.suppress(BadFrame):
                codec.decode_body(request.body, request_type.body)


@settings(max_examples=200)
@given(st.sampled_from(REQUESTS), odd)
def test_a_body_is_read_or_refused(request_type: RequestType, body: Any) -> None:
    with contextlib.suppress(BadFrame):
        codec.decode_body(msgspec.Raw(json.dumps(body).encode()), request_type.body)
