"""Bytes to requests and answers to bytes. Source: docs/protocol.md 4.2."""

import msgspec
import pytest

from talkwire.protocol import codec
from talkwire.protocol.conversations import (
    ConversationField,
    SubscribeExConversations,
    UpdateConversationField,
)
from talkwire.protocol.envelope import NOTHING
from talkwire.protocol.errors import BadFrame
from talkwire.protocol.files import GenerateUrlForUploadFile
from talkwire.protocol.messaging import PublishEvent, QueryMessages


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ('"1"', "1"), ("1", "1"), ('"1,"', "1,"), ("null", ""), ('""', ""), ("1.5", "1.5"), ("-3", "-3"),
        ("12345678901234567890123", "12345678901234567890123"), ('"ü\\""', 'ü"'),
    ],
)  # fmt: skip
def test_an_id_is_echoed_as_text(sent: str, echoed: str) -> None:
    assert codec.decode_request(f'{{"id":{sent},"type":"GetClock"}}'.encode()).text_id == echoed


def test_of_two_members_the_last_counts() -> None:
    request = codec.decode_request(b'{"type":"a","id":1,"type":"b","id":2}')
    assert (request.type, request.text_id) == ("b", "2")


@pytest.mark.parametrize(
    ("frame", "request_id"),
    [
        (b"", ""), (b"[]", ""), (b'{"id":"7"}', "7"), (b'{"id":7,"type":{}}', "7"), (b'{"id":"7","type":"\xff"}', "7"),
        (b'{"id":{},"type":"x"}', ""), (b'{"type":7}', ""),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_under_its_id(frame: bytes, request_id: str) -> None:
    with pytest.raises(BadFrame) as refusal:
        codec.decode_request(frame)
    assert refusal.value.request_id == request_id


DEEP = "[" * 1_000
LONG = "y" * 1_000_000


@pytest.mark.parametrize(
    ("frame", "request_id", "reason"),
    [
        (r'{"id":"7","type":"x","body":{"message":"hi \ud83d"}}', "7", "surrogate"),
        (r'{"type":"x","body":{"id":"8","message":"\udc00 \\ud83d"},"id" : 7}', "7", "surrogate"),
        (r'{"id":"\ud800","type":"x"}', "", "surrogate"),
        (r'{"type":"x","y":"\"id\":\"8\" \ud83d","id":"7"}', "7", "surrogate"),
        ('{"id":"79","type":"x","body":' + DEEP, "79", "deep"),
        ('{"id":"79","type":"x","y":"' + LONG + '","body":' + DEEP, "79", "deep"),
        ('{"id":"7","type":"x","body":{"id":"8', "7", "truncated"),
        ('{"id":"7","type":"x","id":"8","body":', "8", "truncated"),
        ('{"id":7.5e1,"type":"x","body":', "75.0", "truncated"),
        ('{"x":"id","y":["id",7],"type":', "", "truncated"),
        ("[" * 10_000 + '{"id":"7"', "", ""),
        ('{"id":-', "", "invalid number"),
        ('{"id":"7","y":"' + '\\"' * 500_000, "7", "truncated"),
    ],
)
def test_what_is_no_json_is_refused_under_its_id_where_one_can_be_read(
    frame: str, request_id: str, reason: str
) -> None:
    with pytest.raises(BadFrame) as refusal:
        codec.decode_request(frame.encode())
    assert refusal.value.request_id == request_id
    assert reason in str(refusal.value)


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_what_is_not_utf8_is_refused_wherever_it_stands(text: bytes) -> None:
    """Source: RFC 6455, 8.1."""
    for frame in (
        b'{"id":"7","type":"a","x":"%b"}' % text,
        b'{"id":"7","type":"a","body":{"dialogId":["%b"]}}' % text,
    ):
        with pytest.raises(BadFrame, match="UTF-8") as refusal:
            codec.decode_request(frame)
        assert refusal.value.request_id == "7"
        with pytest.raises(BadFrame, match="UTF-8"):
            codec.decode_requests(b"[%b]" % frame, 5)


def test_what_reads_like_half_of_a_pair_is_not_blamed_for_what_is_missing() -> None:
    with pytest.raises(BadFrame, match="type"):
        codec.decode_request(rb'{"id":"7","x":"a path: C:\\ud83d"}')


def test_whole_pairs_are_no_halves() -> None:
    request = codec.decode_request(rb'{"id":"\ud83d\ude00","type":"x"}')
    assert request.text_id == "\U0001f600"


@pytest.mark.parametrize("text", [r"\u0000", r"a\u0000b", r"\\\u0000", r"\\u0000\u0000"])
def test_the_character_zero_is_refused_wherever_it_stands(text: str) -> None:
    """Source: PostgreSQL, "Character Types": a text cannot hold it."""
    for frame in (
        f'{{"id":"7","type":"a","body":{{"dialogId":["{text}"]}}}}',
        f'{{"id":"7","type":"{text}"}}',
        f'{{"id":"7","type":"a","{text}":1}}',
    ):
        with pytest.raises(BadFrame) as refusal:
            codec.decode_request(frame.encode())
        assert refusal.value.request_id == "7"


@pytest.mark.parametrize("text", [r"\\u0000", r"\\\\u0000", r"u0000", r"\u00000".replace("0000", "0030")])
def test_whoever_writes_of_the_character_zero_is_understood(text: str) -> None:
    assert codec.decode_request(f'{{"type":"a","body":"{text}"}}'.encode()).type == "a"


@pytest.mark.parametrize("raw", [NOTHING, msgspec.Raw(b"null"), msgspec.Raw(b"{}"), msgspec.Raw(b" {} ")])
def test_no_body_null_and_an_empty_body_are_the_same(raw: msgspec.Raw) -> None:
    assert codec.decode_body(raw, SubscribeExConversations) == SubscribeExConversations()


def test_numbers_may_come_as_text() -> None:
    assert codec.decode_body(msgspec.Raw(b'{"fileSize":"1000"}'), GenerateUrlForUploadFile).file_size == 1000
    assert codec.decode_body(msgspec.Raw(b'{"dialogId":"x","fromSeq":"7"}'), QueryMessages).from_seq == 7


def test_a_list_of_one_may_come_as_its_bare_element() -> None:
    bare = codec.decode_body(
        msgspec.Raw(b'{"conversationId":"c","conversationField":{"field":"Note","note":"x"}}'),
        UpdateConversationField,
    )
    listed = codec.decode_body(
        msgspec.Raw(b'{"conversationId":"c","conversationField":[{"field":"Note","note":"x"}]}'),
        UpdateConversationField,
    )
    assert bare.fields == listed.fields == [ConversationField(field="Note", note="x")]


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"7",
        b'{"dialogId":7,"event":{"type":"Nothing"}}',
        b'{"event":{"type":"ContentEvent"}}',
        b"{",
        b'{"a":"\xff"}',
    ],
)
def test_a_body_of_another_kind_is_refused(raw: bytes) -> None:
    with pytest.raises(BadFrame):
        codec.decode_body(msgspec.Raw(raw), PublishEvent)


def test_a_body_too_deep_to_read_is_refused() -> None:
    with pytest.raises(BadFrame):
        codec.decode_body(msgspec.Raw(b'{"x":' * 100_000 + b"1" + b"}" * 100_000), PublishEvent)


def nested(depth: int) -> object:
    value: object = "leaf"
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


def test_free_form_content_may_be_as_deep_as_the_limit() -> None:
    codec.check_depth(nested(codec.MAX_DEPTH - 1))
    codec.check_depth("leaf")
    with pytest.raises(BadFrame):
        codec.check_depth(nested(codec.MAX_DEPTH))


def test_our_json_is_compact_and_begins_with_kind() -> None:
    assert codec.encode_response("1", 200, "T", {"a": 1}) == (
        b'{"kind":"resp","reqId":"1","code":200,"type":"T","body":{"a":1}}'
    )
    assert codec.encode_response("", 202, "T") == b'{"kind":"resp","reqId":"","code":202,"type":"T"}'
    assert codec.encode_notification("N", {}) == b'{"kind":"notification","type":"N","body":{}}'
