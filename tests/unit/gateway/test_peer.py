"""One client as a state machine. Source: docs/protocol.md 3.7, 4.2, 5.1, Appendix A8."""

import json
from typing import Any

import pytest

from talkwire.gateway.peer import Connect, Dismiss, Peer, PeerLimits, Perform, Refuse, Step
from talkwire.identity.model import Kind, Principal
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.protocol.catalog import BRAND, CONSUMER, REQUESTS
from talkwire.protocol.envelope import Dialect

JO = Principal(AccountId("1"), ParticipantId("c"), Kind.CONSUMER)
GRACE = Principal(AccountId("1"), ParticipantId("a"), Kind.AGENT, old_id="1.2")
LIMITS = PeerLimits(requests_per_second=10, burst=5, token_characters=20)


def consumer(who: Principal | None = JO, dialect: Dialect = Dialect.V3) -> Peer:
    return Peer(CONSUMER, dialect, who, PeerLimits(), 0)


def frame(type_name: str, request_id: object = "1", **members: object) -> bytes:
    return json.dumps({"kind": "req", "id": request_id, "type": type_name, **members}).encode()


def refused(step: Step) -> dict[str, Any]:
    assert isinstance(step, Refuse), step
    found: dict[str, Any] = json.loads(step.payload)
    assert found["type"] == ".ReqBody$ErrorResp"
    return found


def init(*items: object) -> bytes:
    return frame("InitConnection", headers=list(items))


def test_a_known_client_may_ask() -> None:
    step = consumer().receive(frame("GetClock"), 0)
    assert isinstance(step, Perform)
    assert step.request_type.name == "GetClock"


@pytest.mark.parametrize(
    ("bad", "code", "request_id"),
    [
        (b"", 400, ""),
        (b"\xff", 400, ""),
        (b'{"id":"9"}', 400, "9"),
        (b'{"id":null,"type":7}', 400, ""),
        (b'{"id":[],"type":"GetClock"}', 400, ""),
        (b"[" * 100_000, 400, ""),
        (frame("Nothing", 9), 404, "9"),
        (frame("routing.SetAgentState", 9), 403, "9"),
        (frame("InitConnection", 9, headers=7), 400, "9"),
        (frame("InitConnection", 9, headers="x"), 400, "9"),
    ],
)
def test_what_is_wrong_with_a_frame_is_answered(bad: bytes, code: int, request_id: str) -> None:
    answer = refused(consumer().receive(bad, 0))
    assert (answer["code"], answer["reqId"]) == (code, request_id)


def test_headers_too_deep_to_read_are_refused() -> None:
    deep = b'{"id":"9","type":"InitConnection","headers":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert refused(consumer().receive(deep, 0))["code"] == 400


def test_headers_that_cannot_be_read_are_refused() -> None:
    beyond = b'{"id":"9","type":"InitConnection","headers":[1e999]}'
    answer = refused(consumer().receive(beyond, 0))
    assert (answer["code"], answer["reqId"]) == (400, "9")


def test_a_refusal_of_a_request_without_an_id_has_an_empty_one() -> None:
    assert refused(consumer().receive(b'{"type":"Nothing"}', 0))["reqId"] == ""


def test_before_it_is_known_a_client_may_only_say_who_it_is() -> None:
    peer = consumer(None)
    for request in REQUESTS:
        if CONSUMER in request.roles:
            assert refused(peer.receive(frame(request.name), 0))["code"] == 401
    step = peer.receive(init({"type": ".ams.headers.ConsumerAuthentication", "jwt": "t"}), 0)
    assert step == Connect("1", "t", None)


@pytest.mark.parametrize("name", [".ams.headers.ClientProperties", ".ClientProperties", "ClientProperties"])
def test_properties_have_three_spellings_and_need_no_token_when_one_came_by_header(name: str) -> None:
    item = {"type": name, "os": "LINUX"}
    assert consumer().receive(init(item), 0) == Connect("1", None, item)
    assert consumer().receive(frame("InitConnection", headers=item), 0) == Connect("1", None, item)
    assert consumer().receive(init({"type": "other"}, 7, None), 0) == Connect("1", None, None)


@pytest.mark.parametrize("headers", [None, []])
def test_no_header_at_all_is_fine_when_the_client_is_known(headers: object) -> None:
    assert consumer().receive(frame("InitConnection", headers=headers), 0) == Connect("1", None, None)
    assert consumer().receive(frame("InitConnection"), 0) == Connect("1", None, None)


@pytest.mark.parametrize("jwt", [7, "x" * 21, ["t"], {"jwt": "t"}, True])
@pytest.mark.parametrize("who", [None, JO])
def test_what_cannot_be_a_token_ends_the_socket(jwt: object, who: Principal | None) -> None:
    peer = Peer(CONSUMER, Dialect.V3, who, LIMITS, 0)
    item = {"type": "ConsumerAuthentication", "jwt": jwt}
    step = peer.receive(init(item), 0)
    assert isinstance(step, Dismiss)
    answer = json.loads(step.payload)
    assert (answer["code"], answer["reqId"], answer["type"]) == (401, "1", ".ReqBody$ErrorResp")


def test_a_token_of_the_longest_is_checked() -> None:
    peer = Peer(CONSUMER, Dialect.V3, None, LIMITS, 0)
    item = {"type": "ConsumerAuthentication", "jwt": "x" * 20}
    assert peer.receive(init(item), 0) == Connect("1", "x" * 20, None)


@pytest.mark.parametrize(
    ("dialect", "name"), [(Dialect.V3, "StringResponse"), (Dialect.V2, ".ReqBody$StringResp")]
)
def test_the_answer_to_init_connection_is_one_text_letter_by_letter(dialect: Dialect, name: str) -> None:
    peer = consumer(None, dialect)
    payload = peer.connected(JO, "7")
    assert peer.who is JO
    assert payload == (
        b'{"kind":"resp","reqId":"7","code":200,"type":"%b","body":"Connection initialized successfully"}'
        % name.encode()
    )


def test_whoever_asks_too_much_is_refused_until_time_has_passed() -> None:
    peer = Peer(CONSUMER, Dialect.V3, JO, LIMITS, 0)
    ask = frame("GetClock", 3)
    assert all(isinstance(peer.receive(ask, 0), Perform) for _ in range(5))
    answer = refused(peer.receive(ask, 99))
    assert (answer["code"], answer["reqId"]) == (429, "3")
    assert isinstance(peer.receive(ask, 200), Perform)
    assert isinstance(peer.receive(ask, 10_000), Perform)
    assert [type(peer.receive(ask, 10_000)) for _ in range(5)] == [Perform] * 4 + [Refuse]


@pytest.mark.parametrize("bad", [b"garbage", b'{"id":"9"}', frame("InitConnection", 9, headers=7)])
def test_frames_that_cannot_be_read_count_once_and_are_held_back_too(bad: bytes) -> None:
    peer = Peer(CONSUMER, Dialect.V3, JO, LIMITS, 0)
    assert [refused(peer.receive(bad, 0))["code"] for _ in range(7)] == [400] * 5 + [429] * 2
    assert refused(peer.receive(frame("GetClock"), 0))["code"] == 429


def test_who_is_held_back_is_told_for_which_request() -> None:
    peer = Peer(CONSUMER, Dialect.V3, JO, LIMITS, 0)
    for _ in range(5):
        peer.receive(b"garbage", 0)
    ids = [
        refused(peer.receive(bad, 0))["reqId"] for bad in (b"garbage", b'{"id":9}', frame("GetClock", "1,"))
    ]
    assert ids == ["", "9", "1,"]


def test_what_was_refused_is_not_owed_afterwards() -> None:
    peer = Peer(CONSUMER, Dialect.V3, JO, LIMITS, 0)
    codes = [refused(peer.receive(b"garbage", 0))["code"] for _ in range(1_000)]
    assert codes == [400] * 5 + [429] * 995
    assert isinstance(peer.receive(frame("GetClock"), 100), Perform)


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    peer = Peer(CONSUMER, Dialect.V3, JO, LIMITS, 10_000)
    assert all(isinstance(peer.receive(frame("GetClock"), 0), Perform) for _ in range(5))
    assert refused(peer.receive(frame("GetClock"), 0))["code"] == 429


def test_a_peer_knows_which_side_it_is_on() -> None:
    agent = Peer(BRAND, Dialect.V2_1, GRACE, LIMITS, 0)
    assert (agent.is_agent, agent.is_consumer) == (True, False)
    assert (consumer().is_agent, consumer().is_consumer) == (False, True)
    assert not consumer(None).is_agent
    assert refused(agent.receive(frame("InitConnection"), 0))["code"] == 403
