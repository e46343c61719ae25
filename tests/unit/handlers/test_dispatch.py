"""Catalogue, handlers and codes fit together. Source: docs/protocol.md 4.4, 4.5."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from talkwire.handlers.call import Call
from talkwire.handlers.dispatch import ELSEWHERE, HANDLERS, Dispatch, missing_handlers
from talkwire.handlers.services import Services
from talkwire.kernel.clock import MovableClock
from talkwire.protocol import codec
from talkwire.protocol.catalog import BY_SPELLING, REQUESTS
from talkwire.protocol.envelope import Dialect


def test_every_request_of_the_catalogue_has_a_handler() -> None:
    assert missing_handlers() == set()


def test_no_handler_is_for_a_request_that_is_not_there() -> None:
    assert HANDLERS.keys() | ELSEWHERE == {request.name for request in REQUESTS}
    assert not HANDLERS.keys() & ELSEWHERE


@pytest.mark.parametrize("request_type", REQUESTS, ids=lambda request: request.name)
def test_answers_are_named_by_the_rule_and_by_no_error_s_name(request_type: Any) -> None:
    v3, v2 = request_type.answer_type(Dialect.V3), request_type.answer_type(Dialect.V2_1)
    assert request_type.answer_type(Dialect.V2) == v2
    assert not v3.startswith(".")
    assert v2.startswith(".")
    if v2 != ".ReqBody$StringResp":
        assert v2.replace(".ams.aam.", "cqm.").removeprefix(".ams.").lstrip(".").replace("$", "") == v3
    assert codec.ERROR_TYPE not in {v3, v2}


class Incidents:
    def __init__(self) -> None:
        self.recorded: list[tuple[str, str]] = []

    def record(self, error: BaseException, what: str) -> str:
        self.recorded.append((str(error), what))
        return "inc-1"


async def perform(dispatch: Dispatch, frame: str) -> dict[str, Any]:
    request = codec.decode_request(frame.encode())
    call = cast("Call", SimpleNamespace(dialect=Dialect.V3, who=None))
    found: dict[str, Any] = json.loads(await dispatch.perform(call, request, BY_SPELLING[request.type]))
    return found


async def test_a_bug_of_ours_is_recorded_once_and_answered_by_its_id_alone() -> None:
    incidents = Incidents()

    class Broken:
        def now_ms(self) -> int:
            raise ZeroDivisionError("secret")

    dispatch = Dispatch(cast("Services", SimpleNamespace(clock=Broken())), incidents)
    answer = await perform(dispatch, '{"id":7,"type":"GetClock"}')
    assert answer == {
        "kind": "resp",
        "reqId": "7",
        "code": 500,
        "type": ".ReqBody$ErrorResp",
        "body": {"title": "Internal error", "details": "Incident inc-1", "errorCode": 50000},
    }
    assert incidents.recorded == [("secret", "GetClock")]


async def test_a_refusal_is_an_answer_and_no_incident() -> None:
    incidents = Incidents()
    dispatch = Dispatch(cast("Services", SimpleNamespace(clock=MovableClock(5))), incidents)
    assert (await perform(dispatch, '{"type":"GetClock","body":[1]}'))["body"] == {"currentTime": 5}
    assert (await perform(dispatch, '{"type":"ms.QueryMessages","body":[1]}'))["code"] == 400
    assert (await perform(dispatch, '{"type":"brandprofile.GetBrands"}'))["code"] == 501
    assert incidents.recorded == []
