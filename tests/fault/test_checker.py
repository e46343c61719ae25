"""The checker of the kill test sees what it is there to see."""

from collections.abc import Sequence

import pytest

from fault.ledger import Publish, Register, complaints
from fault.wire import Json


def text(token: str) -> Json:
    return {"type": "ContentEvent", "contentType": "text/plain", "message": token}


def logged(sequence: int, token: str, **other: str) -> Json:
    metadata = [{"type": "ExternalId", "id": token}]
    return {
        "sequence": sequence,
        "event": text(token),
        "originatorPId": "me",
        "metadata": metadata,
        "messageAudience": "ALL",
    } | other


def sent(token: str, code: int | None = None, sequence: int = -1) -> Publish:
    return Publish(token, "me", "talk", text(token), code=code, sequence=sequence)


GOOD = [sent("a", 200, 0), sent("b"), sent("c", 400), sent("d", 200, 1), sent("e")]


@pytest.mark.parametrize(
    "log",
    [
        [logged(0, "a"), logged(1, "d")],
        [logged(0, "a"), logged(1, "d"), logged(2, "e"), logged(3, "b")],
    ],
)
def test_a_log_with_all_that_was_acknowledged_is_good(log: Sequence[Json]) -> None:
    assert complaints(log, GOOD, "talk") == []


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ([logged(0, "a")], "was acknowledged and is not there"),
        ([logged(0, "d"), logged(1, "a")], "was acknowledged as 0"),
        ([logged(0, "a"), logged(1, "d"), logged(3, "e")], "a gap or a double"),
        ([logged(0, "a"), logged(1, "d"), logged(2, "e"), logged(3, "e")], "is also at 2"),
        ([logged(0, "a"), logged(1, "d"), logged(2, "c")], "was refused with 400 and is there"),
        ([logged(0, "a"), logged(1, "d"), logged(2, "x")], "nobody sent"),
        ([logged(0, "a", originatorPId="you"), logged(1, "d")], "sent was it by me"),
        ([logged(0, "a", messageAudience="AGENTS_AND_MANAGERS"), logged(1, "d")], "sent was it for ALL"),
        ([logged(0, "a") | {"event": text("b")}, logged(1, "d")], "holds"),
    ],
)
def test_a_log_that_is_wrong_is_told(log: Sequence[Json], said: str) -> None:
    assert any(said in complaint for complaint in complaints(log, GOOD, "talk"))


def test_a_register_holds_the_last_acknowledged_value_or_one_asked_for_since() -> None:
    register = Register("")
    first, second, third = register.ask("1"), register.ask("2"), register.ask("3")
    assert register.possible == ["", "1", "2", "3"]
    register.acknowledge(first)
    register.refuse(third)
    assert register.possible == ["1", "2"]
    register.acknowledge(second)
    assert register.possible == ["2"]
    register.doubt_refusals()
    assert register.possible == ["2", "3"]
