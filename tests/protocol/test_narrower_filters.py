"""What a subscription takes back when its filter changes. Source: docs/protocol.md 5.8."""

import pytest

from protocol.stage import Cast, Json, Socket
from talkwire.messaging import feeds

CLOSED: Json = {"field": "ConversationStateField", "conversationState": "CLOSE"}


async def told(socket: Socket) -> list[tuple[str, str, str]]:
    """The next notification: what becomes of which conversation, and how that stands."""
    changes = (await socket.note("ExConversationChangeNotification"))["changes"]
    results = [change["result"] for change in changes]
    return [
        (change["type"], result["convId"], result["conversationDetails"]["state"])
        for change, result in zip(changes, results, strict=True)
    ]


async def close(socket: Socket, talk: str) -> None:
    body = {"conversationId": talk, "conversationField": [CLOSED]}
    assert (await socket.ask("cm.UpdateConversationField", body))["code"] == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_shown_is_taken_back_in_as_many_notifications_as_it_takes(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer, manager = await cast.connect("consumer"), await cast.connect("manager", "3")
    talks = []
    for _ in range(3):
        talks.append(await cast.talk(consumer))
        await close(consumer, talks[-1])
    shown = {"consumerId": cast.people["consumer"].id}
    subscription = (await manager.ask("cqm.SubscribeExConversations", shown))["body"]
    assert await told(manager) == [("UPSERT", talk, "CLOSE") for talk in reversed(talks)]

    monkeypatch.setattr(feeds, "MAX_SNAPSHOT", 2)
    narrower = {**subscription, **shown, "convState": ["OPEN"]}
    assert (await manager.ask("cqm.UpdateExConversationSubscription", narrower))["code"] == 200
    gone = [await told(manager), await told(manager)]
    assert [len(part) for part in gone] == [2, 1]
    assert sorted(gone[0] + gone[1]) == [("DELETE", talk, "CLOSE") for talk in sorted(talks)]
    assert await told(manager) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_one_that_still_matches_but_is_too_old_to_be_told_again_stays(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer, manager = await cast.connect("consumer"), await cast.connect("manager", "3")
    old = await cast.talk(consumer)
    await close(consumer, old)
    shown = {"consumerId": cast.people["consumer"].id}
    subscription = (await manager.ask("cqm.SubscribeExConversations", shown))["body"]
    assert await told(manager) == [("UPSERT", old, "CLOSE")]
    new = await cast.talk(consumer)
    assert await told(manager) == [("UPSERT", new, "OPEN")]

    monkeypatch.setattr(feeds, "MAX_SNAPSHOT", 1)
    both = {**subscription, **shown, "convState": ["OPEN", "CLOSE"]}
    assert (await manager.ask("cqm.UpdateExConversationSubscription", both))["code"] == 200
    assert await told(manager) == [("UPSERT", new, "OPEN")]
    opened = {**subscription, **shown, "convState": ["OPEN"]}
    assert (await manager.ask("cqm.UpdateExConversationSubscription", opened))["code"] == 200
    assert await told(manager) == [("DELETE", old, "CLOSE")]
    assert await told(manager) == [("UPSERT", new, "OPEN")]
