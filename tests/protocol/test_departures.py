"""What clients hear when an agent is deleted or disabled. Source: docs/protocol.md 5.5."""

import pytest

from protocol.stage import Cast, Json, Socket, Stage
from talkwire.identity.users import AgentChange

ONLINE = {"availability": "ONLINE", "channels": ["MESSAGING"]}


async def come_online(agent: Socket) -> None:
    await agent.ask("routing.SubscribeRoutingTasks")
    assert (await agent.ask("routing.SetAgentState", ONLINE))["code"] == 202


async def accept_ring(agent: Socket, talk: str) -> None:
    """Take the conversation when it rings here."""
    ring_id = await ring_of(agent, talk)
    answer = await agent.ask("routing.UpdateRingState", {"ringId": ring_id, "ringState": "ACCEPTED"})
    assert answer["code"] == 202


async def ring_of(agent: Socket, talk: str) -> str:
    while True:
        for change in (await agent.note("RoutingTaskNotification"))["changes"]:
            for ring in change["result"]["ringsDetails"]:
                if ring["convId"] == talk and ring["ringState"] == "WAITING":
                    return str(ring["ringId"])


async def told(socket: Socket, talk: str, roles: set[str]) -> Json:
    """The next details of a conversation in which exactly these roles take part."""
    while True:
        for change in (await socket.note("ExConversationChangeNotification"))["changes"]:
            details: Json = change["result"]["conversationDetails"]
            if change["result"]["convId"] == talk and {p["role"] for p in details["participants"]} == roles:
                return details


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", ["disabled", "deleted"])
async def test_what_a_departed_agent_held_is_told_as_back_in_the_queue_and_rings_for_another(
    stage: Stage, cast: Cast, way: str
) -> None:
    consumer, watcher = await cast.connect("consumer"), await cast.connect("manager", "3")
    leaving = await cast.connect("agent", "3")
    await come_online(leaving)
    talk = await cast.talk(consumer, skillId=await cast.skill("sales"))
    await accept_ring(leaving, talk)
    await cast.join(watcher, talk, "MANAGER")
    for socket in (consumer, watcher):
        assert (await socket.ask("cqm.SubscribeExConversations", {}))["code"] == 200
        before = await told(socket, talk, {"CONSUMER", "ASSIGNED_AGENT", "MANAGER"})
    other = await cast.connect("agent2", "3")
    await come_online(other)

    if way == "disabled":
        change = AgentChange(enabled=False)
        await stage.node.agents.update_user(cast.account, cast.people["agent"].pid, change)
    else:
        await stage.node.agents.delete_user(cast.account, cast.people["agent"].pid)

    assert await leaving.close_code() == 4401
    for socket in (consumer, watcher):
        after = await told(socket, talk, {"CONSUMER", "MANAGER"})
        assert (after["skillId"], after["ttr"], after["state"]) == (before["skillId"], before["ttr"], "OPEN")
    await accept_ring(other, talk)
    for socket in (consumer, watcher):
        await told(socket, talk, {"CONSUMER", "ASSIGNED_AGENT", "MANAGER"})


@pytest.mark.asyncio(loop_scope="module")
async def test_a_deleted_manager_who_joined_is_a_participant_no_more_and_the_agent_stays(
    stage: Stage, cast: Cast
) -> None:
    consumer, agent = await cast.connect("consumer"), await cast.connect("agent", "3")
    manager2 = await cast.connect("manager2", "3")
    talk = await cast.talk(consumer)
    await cast.assign(agent, talk)
    await cast.join(manager2, talk, "READER")
    await consumer.ask("cqm.SubscribeExConversations", {})
    await told(consumer, talk, {"CONSUMER", "ASSIGNED_AGENT", "READER"})
    await stage.node.agents.delete_user(cast.account, cast.people["manager2"].pid)
    await told(consumer, talk, {"CONSUMER", "ASSIGNED_AGENT"})
