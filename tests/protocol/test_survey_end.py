"""What clients hear when a survey that nobody answers ends. Source: docs/protocol.md 5.5, Appendix A16."""

import pytest

from protocol.stage import Cast, Json, Socket, Stage
from talkwire.accounts.model import PropertyChange
from talkwire.accounts.properties import SURVEY_APP, SURVEY_SECONDS


async def told(socket: Socket, talk: str, stage: str) -> Json:
    """The next change in which a conversation is at a stage."""
    while True:
        for change in (await socket.note("ExConversationChangeNotification"))["changes"]:
            found: Json = change["result"]["conversationDetails"]
            if change["result"]["convId"] == talk and found["stage"] == stage and found["state"] == "CLOSE":
                return {"type": change["type"], **found}


@pytest.mark.asyncio(loop_scope="module")
async def test_subscribers_are_told_and_the_dialog_takes_no_answer_any_more(stage: Stage, cast: Cast) -> None:
    for prop, value in ((SURVEY_APP, "survey-app"), (SURVEY_SECONDS, 600)):
        await stage.node.accounts.set_property(cast.account, PropertyChange(prop.name, value))
    consumer, manager = await cast.connect("consumer"), await cast.connect("manager", "3")
    talk = await cast.talk(consumer)
    for socket in (consumer, manager):
        assert (await socket.ask("cqm.SubscribeExConversations", {"stage": ["OPEN"]}))["code"] == 200
    close = {"field": "DialogChange", "type": "UPDATE", "dialog": {"dialogId": talk, "state": "CLOSE"}}
    update = {"conversationId": talk, "conversationField": close}
    assert (await consumer.ask("cm.UpdateConversationField", update))["code"] == 200
    survey = (await told(consumer, talk, "OPEN"))["dialogs"][1]["dialogId"]

    stage.clock.advance(600)
    await stage.node.worker.run_once(
        next(job for job in stage.node.worker._jobs if job.name == "conversations.end_surveys")
    )

    for socket in (consumer, manager):
        ended = await told(socket, talk, "CLOSE")
        dialogs = {d["dialogType"]: d for d in ended["dialogs"]}
        assert (ended["type"], ended["closeReason"]) == ("DELETE", "CONSUMER")
        assert (dialogs["POST_SURVEY"]["state"], dialogs["POST_SURVEY"]["closedBy"]) == ("CLOSE", "TIMEOUT")
    answer = {"type": "ContentEvent", "contentType": "text/plain", "message": "5"}
    late = await consumer.ask("ms.PublishEvent", {"dialogId": survey, "event": answer})
    assert late["code"] == 400
    rating = {"field": "CSATRate", "csatRate": 5, "csatResolutionConfirmation": True, "status": "FILLED"}
    rated = {"conversationId": talk, "conversationField": rating}
    assert (await consumer.ask("cm.UpdateConversationField", rated))["code"] == 200
