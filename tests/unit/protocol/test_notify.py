"""Events as they are told, put together by hand. Source: docs/protocol.md 6.1, 6.2."""

import json
from typing import Any

import pytest

from talkwire.protocol.codec import encode
from talkwire.protocol.notify import (
    event_change,
    event_notification_v2,
    event_notification_v3,
    events_array,
    publish_answer,
    replay_notification_v3,
)
from told import Told

ODD = 'a "quoted" \\ text\n\u2028 ünï 🙂 </script>\x00'


def test_a_v3_notification_holds_one_change_with_every_member() -> None:
    assert json.loads(event_notification_v3(Told())) == {
        "kind": "notification",
        "type": "ms.MessagingEventNotification",
        "body": {
            "dialogId": "d",
            "changes": [
                {
                    "sequence": 3,
                    "serverTimestamp": 1_704_164_705_123,
                    "originatorId": "pid",
                    "originatorMetadata": {"id": "pid", "role": "MANAGER"},
                    "event": {"type": "ContentEvent"},
                    "conversationId": "c",
                    "dialogId": "d",
                    "messageAudience": "ALL",
                }
            ],
        },
    }


def test_a_v2_notification_is_one_event_with_both_ids() -> None:
    told = json.loads(event_notification_v2(Told()))
    assert told["type"] == ".ams.ms.OnlineEventDistribution"
    assert (told["body"]["originatorId"], told["body"]["originatorPId"]) == ("1.2", "pid")
    assert told["body"]["originatorMetadata"] == {"id": "pid", "role": "MANAGER"}


@pytest.mark.parametrize("is_v3", [True, False])
def test_chat_state_has_neither_sequence_nor_timestamp(is_v3: bool) -> None:
    told = json.loads(event_change(Told(sequence=-1), is_v3=is_v3))
    assert not {"sequence", "serverTimestamp"} & told.keys()
    assert json.loads(event_change(Told(sequence=0), is_v3=is_v3))["sequence"] == 0


@pytest.mark.parametrize("is_v3", [True, False])
def test_what_people_wrote_arrives_as_they_wrote_it(is_v3: bool) -> None:
    properties: dict[str, Any] = {"type": ".ClientProperties", "appId": ODD}
    event = Told(
        told_event=encode({"type": "ContentEvent", "message": ODD}),
        metadata=encode([{"type": "ExternalId", "id": ODD}]),
        client_properties=encode(properties),
    )
    told = json.loads(event_change(event, is_v3=is_v3))
    assert told["event"]["message"] == ODD
    assert told["metadata"] == [{"type": "ExternalId", "id": ODD}]
    assert told["originatorClientProperties"] == properties
    assert told["originatorMetadata"]["clientProperties"] == properties


def test_a_replay_holds_many_changes_or_none() -> None:
    told = json.loads(replay_notification_v3("d", [Told(), Told(sequence=4)]))
    assert [change["sequence"] for change in told["body"]["changes"]] == [3, 4]
    assert json.loads(replay_notification_v3("d", []))["body"] == {"dialogId": "d", "changes": []}


@pytest.mark.parametrize("is_v3", [True, False])
def test_a_query_is_answered_by_a_bare_array(is_v3: bool) -> None:
    assert json.loads(events_array([], is_v3=is_v3)) == []
    assert len(json.loads(events_array([Told(), Told()], is_v3=is_v3))) == 2


def test_the_answer_to_a_publish_escapes_the_id() -> None:
    answer = publish_answer(encode(ODD), b"ms.PublishEventResponse", 7)
    assert json.loads(answer) == {
        "kind": "resp",
        "reqId": ODD,
        "code": 200,
        "type": "ms.PublishEventResponse",
        "body": {"sequence": 7},
    }
