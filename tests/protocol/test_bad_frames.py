"""Whatever is sent is answered, by an error or a close code, and harms nobody else.

Source: docs/protocol.md 3.8, 4.1, 4.2; RFC 6455.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from protocol.raw import BINARY, CONTINUATION, PING, TEXT, Raw, frame
from protocol.stage import Cast, Socket, Stage, new_cast

DEEP = '{"a":' * 1_000 + "1" + "}" * 1_000
CLOCK = '{"kind":"req","id":"good","type":"GetClock"}'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cast(stage: Stage) -> AsyncIterator[Cast]:
    made = await new_cast(stage)
    yield made
    await made.leave()


@pytest_asyncio.fixture(loop_scope="module")
async def bystander(stage: Stage, cast: Cast) -> AsyncIterator[Socket]:
    """Somebody else's socket, which goes on undisturbed; and no bug is recorded."""
    socket = await cast.connect("consumer2")
    before = stage.incidents
    yield socket
    assert (await socket.ask("GetClock"))["code"] == 200
    assert stage.incidents == before
    await socket.ws.close()


@pytest_asyncio.fixture(loop_scope="module")
async def raw(cast: Cast, bystander: Socket) -> AsyncIterator[Raw]:
    person = await cast.person("consumer")
    opened = await Raw.dial(cast.url("consumer", "?v=3"), person.token)
    yield opened
    await opened.close()


def request(type_name: str, body: str, rest: str = "") -> str:
    return f'{{"kind":"req","id":"7","type":"{type_name}","body":{body}{rest}}}'


ANSWERED = {
    "empty": ("", 400, ""),
    "spaces": ("   ", 400, ""),
    "no JSON": ("garbage", 400, ""),
    "half of it": ('{"kind":"req","id":"7","type":"GetClock"', 400, "7"),
    "two of it": (CLOCK + CLOCK, 400, "good"),
    "an array": ("[]", 400, ""),
    "a number": ("7", 400, ""),
    "a text": ('"GetClock"', 400, ""),
    "null": ("null", 400, ""),
    "no type": ('{"kind":"req","id":"7"}', 400, "7"),
    "a type that is none": ('{"kind":"req","id":"7","type":7}', 400, "7"),
    "an id that is none": ('{"kind":"req","id":{"a":1},"type":"GetClock"}', 400, ""),
    "an unknown type": ('{"kind":"req","id":"7","type":"ms.Nothing"}', 404, "7"),
    "an unknown type of great length": ('{"kind":"req","id":"7","type":"' + "x" * 100_000 + '"}', 404, "7"),
    "a kind that is none": ('{"kind":{},"id":"7","type":"GetClock"}', 400, "7"),
    "a deep body where none is read": (request("ms.Nothing", DEEP), None, None),
    "a deep body": (request("userprofile.SetUserProfile", f'{{"claims":{DEEP}}}'), 400, None),
    "a deep context": (
        request("cm.ConsumerRequestConversation", f'{{"conversationContext":{DEEP}}}'),
        400,
        None,
    ),
    "deep headers": ('{"id":"7","type":"InitConnection","headers":[' + DEEP + "]}", None, None),
    "arrays a thousand deep": ("[" * 1_000, 400, ""),
    "a million brackets": ("[" * 1_000_000, 400, ""),
    "a body of the wrong kind": (request("ms.QueryMessages", "[1]"), 400, "7"),
    "members of the wrong kind": (request("ms.QueryMessages", '{"dialogId":{"a":1}}'), 400, "7"),
    "a lone surrogate": (request("ms.QueryMessages", r'{"dialogId":"\ud800"}'), None, None),
    "a lone surrogate in the type": (r'{"id":"7","type":"\udc00"}', None, None),
    "a lone surrogate in the id": (r'{"id":"\ud800","type":"GetClock"}', None, None),
    "a zero byte": (request("ms.QueryMessages", r'{"dialogId":"a\u0000b"}'), 400, "7"),
    "a number beyond all bounds": (request("ms.QueryMessages", '{"dialogId":"x","fromSeq":1e999}'), 400, "7"),
    "headers of the wrong kind": ('{"id":"7","type":"GetClock","headers":7}', 400, "7"),
    "a header item of the wrong kind": ('{"id":"7","type":"GetClock","headers":[7,null,"x"]}', 200, "7"),
    "NaN": (request("ms.QueryMessages", '{"dialogId":"x","fromSeq":NaN}'), 400, None),
    "a comment": ("/* x */" + CLOCK, 400, "good"),
}
"""Frame, code (None: any error), and the id under which it is answered (None: any)."""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ANSWERED)
async def test_a_bad_frame_is_answered_and_the_socket_stays(raw: Raw, name: str) -> None:
    text, code, request_id = ANSWERED[name]
    await raw.send(frame(text.encode()))
    answer = await raw.answer()
    assert answer["kind"] == "resp"
    assert answer["code"] == code or (code is None and 400 <= answer["code"] < 500), answer
    assert request_id is None or answer["reqId"] == request_id
    assert answer["code"] == 200 or answer["type"] == ".ReqBody$ErrorResp"
    await raw.send(frame(CLOCK.encode()))
    assert (await raw.answer())["reqId"] == "good"


@pytest.mark.asyncio(loop_scope="module")
async def test_of_two_members_of_one_name_the_last_counts(raw: Raw) -> None:
    await raw.send(frame(b'{"id":"1","type":"ms.Nothing","id":"2","type":"GetClock"}'))
    answer = await raw.answer()
    assert (answer["reqId"], answer["code"]) == ("2", 200)


@pytest.mark.asyncio(loop_scope="module")
async def test_text_that_is_no_utf_8_is_refused(raw: Raw) -> None:
    await raw.send(frame(b'{"id":"1","type":"GetClock","body":"\xff\xfe"}'))
    opcode, payload = await raw.receive()
    if opcode == TEXT:
        assert json.loads(payload)["code"] in {200, 400}
    else:
        assert int.from_bytes(payload[:2], "big") == 1007


@pytest.mark.asyncio(loop_scope="module")
async def test_content_that_is_no_utf_8_is_never_published(cast: Cast, raw: Raw) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    body = b'{"dialogId":"%b","event":{"type":"ContentEvent","message":"\xff\xc0\x80"}}' % talk.encode()
    await raw.send(frame(b'{"id":"1","type":"ms.PublishEvent","body":%b}' % body))
    opcode, payload = await raw.receive()
    assert opcode != TEXT or json.loads(payload)["code"] == 400
    assert (await consumer.ask("ms.QueryMessages", {"dialogId": talk}))["body"] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_frame_of_one_mebibyte_is_taken_and_a_longer_one_closes_with_1009(raw: Raw) -> None:
    filler = 1024 * 1024 - len(CLOCK) - 16
    taken = CLOCK.replace("}", ',"filler":"' + "x" * filler + '"}').encode()
    assert len(taken) <= 1024 * 1024
    await raw.send(frame(taken))
    assert (await raw.answer())["code"] == 200
    raw.writer.write(frame(b"x" * (2 * 1024 * 1024)))
    assert await raw.close_code() == 1009


@pytest.mark.asyncio(loop_scope="module")
async def test_many_fragments_are_one_frame_and_have_one_bound(raw: Raw) -> None:
    head, middle, tail = CLOCK[:9].encode(), CLOCK[9:20].encode(), CLOCK[20:].encode()
    await raw.send(frame(head, final=False) + frame(b"?", PING) + frame(middle, CONTINUATION, final=False))
    await raw.send(frame(tail, CONTINUATION))
    opcode, _ = await raw.receive()
    assert opcode == 0xA  # the ping was answered in between
    assert (await raw.answer())["code"] == 200
    raw.writer.write(frame(b"x" * 1_000_000, final=False) + frame(b"x" * 100_000, CONTINUATION))
    assert await raw.close_code() == 1009


@pytest.mark.asyncio(loop_scope="module")
async def test_a_binary_frame_with_a_request_is_answered_like_a_text_frame(raw: Raw) -> None:
    await raw.send(frame(CLOCK.encode(), BINARY))
    assert (await raw.answer())["code"] == 200
    await raw.send(frame(b"\x00\xff\x00", BINARY))
    assert (await raw.answer())["code"] == 400


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "data",
    [
        b"\xf1\x80" + bytes(4),
        b"\x83\x80" + bytes(4),
        b"\x81\xff" + b"\xff" * 8 + bytes(4),
        b"\x00\x80" + bytes(4),
    ],
    ids=["reserved bits", "reserved opcode", "a length beyond all bounds", "continuation of nothing"],
)
async def test_what_is_no_web_socket_ends_the_socket(raw: Raw, data: bytes) -> None:
    raw.writer.write(data)
    assert await raw.close_code() in {1002, 1009}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_goes_without_a_word_is_forgotten(stage: Stage, raw: Raw) -> None:
    before = len(stage.node.registry)
    raw.writer.transport.abort()
    async with asyncio.timeout(8):
        while len(stage.node.registry) >= before:  # noqa: ASYNC110 -- the server's part ends by itself
            await asyncio.sleep(0.01)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", ["init", "header"])
@pytest.mark.parametrize("jwt", ["x" * 2_049, 7, ["t"]], ids=["too long", "a number", "a list"])
async def test_what_cannot_be_a_token_is_refused_and_ends_the_socket(
    cast: Cast, bystander: Socket, way: str, jwt: object
) -> None:
    """Source: docs/protocol.md 5.1."""
    socket = await cast.connect("consumer", way=way)
    answer = await socket.ask("InitConnection", headers=[{"type": "ConsumerAuthentication", "jwt": jwt}])
    assert (answer["code"], answer["type"]) == (401, ".ReqBody$ErrorResp")
    assert await socket.close_code() == 4401


@pytest.mark.asyncio(loop_scope="module")
async def test_a_thousand_requests_in_one_go_are_answered_in_their_order(raw: Raw) -> None:
    """Source: docs/protocol.md 4.2."""
    good = [f'{{"id":{number},"type":"GetClock"}}' for number in range(1000)]
    await raw.send(b"".join(frame(text.encode()) for text in good))
    assert [(await raw.answer())["reqId"] for _ in good] == [str(number) for number in range(1000)]


@pytest.mark.asyncio(loop_scope="module")
async def test_refusals_keep_their_place_among_publishes(cast: Cast, raw: Raw) -> None:
    """Source: docs/protocol.md 4.2."""
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    event = '{"type":"ContentEvent","message":"x"}'
    told = f'{{"id":%d,"type":"ms.PublishEvent","body":{{"dialogId":"{talk}","event":{event}}}}}'
    frames = [
        told % 0, "garbage", told % 2, '{"id":3,"type":"GetClock"}', '{"id":4,"type":"ms.PublishEvent"}', told % 5,
    ]  # fmt: skip
    await raw.send(b"".join(frame(text.encode()) for text in frames))
    answers = [await raw.answer() for _ in frames]
    assert [answer["reqId"] for answer in answers] == ["0", "", "2", "3", "4", "5"]
    assert [answer["code"] for answer in answers] == [200, 400, 200, 200, 400, 200]
