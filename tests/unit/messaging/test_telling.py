"""What a view learns from a committed event: the same arithmetic as the commit's."""

import pytest

from talkwire.conversations.views import DialogLog
from talkwire.messaging.telling import note
from told import Told

NOW_MS = 1_704_164_705_123


def told(sequence: int, role: str, audience: str = "ALL") -> Told:
    event = Told(sequence=sequence, at_ms=NOW_MS + sequence, originator_role=role, audience=audience)
    event.is_content, event.read_up_to = True, None  # type: ignore[attr-defined]
    return event


@pytest.mark.parametrize(
    ("said", "owed_since_ms"),
    [
        ([("CONSUMER", "ALL")], NOW_MS),
        ([("CONSUMER", "ALL"), ("CONSUMER", "ALL")], NOW_MS),
        ([("CONSUMER", "ALL"), ("ASSIGNED_AGENT", "ALL")], 0),
        ([("CONSUMER", "ALL"), ("ASSIGNED_AGENT", "AGENTS_AND_MANAGERS")], NOW_MS),
        ([("CONSUMER", "ALL"), ("CONTROLLER", "ALL")], NOW_MS),
        ([("ASSIGNED_AGENT", "AGENTS_AND_MANAGERS")], 0),
    ],
)
def test_an_answer_is_owed_until_the_consumer_hears_one(
    said: list[tuple[str, str]], owed_since_ms: int
) -> None:
    log = DialogLog()
    for sequence, (role, audience) in enumerate(said):
        note(log, told(sequence, role, audience))  # type: ignore[arg-type]
    assert log.owed_since_ms == owed_since_ms
