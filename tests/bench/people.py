"""Consumers and agents for the figures: signed in, on their sockets, in conversations with each other."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load import End
from bench.server import Talkwire
from bench.talker import Talker, open_talker
from bench.web import Connection

AGENT_PASSWORD = "Bench-" + secrets.token_urlsafe(12)


@dataclass(frozen=True)
class Agent:
    login_name: str
    pid: str
    old_id: str
    bearer: str


@dataclass(frozen=True)
class Pair:
    """A consumer (v=3) and an agent (v=2.1) in one conversation, both sent its events."""

    consumer: Talker
    agent: Talker
    agent_name: str
    dialog_id: str
    next_sequence: int

    def ends(self) -> tuple[End, End]:
        """Turn both into light ends for the hot path: consumer, agent. The talkers are used up by it."""
        consumer, agent = End(self.next_sequence), End(self.next_sequence)
        consumer.take_over(self.consumer)
        agent.take_over(self.agent)
        return consumer, agent


async def sign_up(connection: Connection, account: str) -> str:
    """Return a new consumer's token."""
    answer = await connection.call("POST", f"/api/account/{account}/signup")
    return str(answer["jwt"])


async def log_in(connection: Connection, account: str, user: str, password: str) -> Agent:
    body = {"username": user, "password": password}
    answer = await connection.call("POST", f"/api/account/{account}/login?v=1.3", body)
    config = answer["config"]
    return Agent(user, pid=config["userPid"], old_id=f"{account}.{config['userId']}", bearer=answer["bearer"])


async def log_in_administrator(server: Talkwire, connection: Connection) -> Agent:
    return await log_in(connection, server.account, server.names["LP_USER"], server.names["LP_PASS"])


async def open_consumer(server: Talkwire, token: str, source: str | None = None) -> Talker:
    path = f"/ws_api/account/{server.account}/messaging/consumer?v=3"
    return await open_talker(server.address, path, f"jwt {token}", source)


async def open_agent(server: Talkwire, agent: Agent) -> Talker:
    path = f"/ws_api/account/{server.account}/messaging/brand/{agent.bearer}?v=2.1"
    return await open_talker(server.address, path)


async def make_agents(server: Talkwire, count: int) -> list[Agent]:
    """Create agents and log them in."""
    connection = await server.connect()
    administrator = await log_in_administrator(server, connection)
    names = [f"bench-{secrets.token_hex(4)}-{number}" for number in range(count)]
    await _create_users(connection, server.account, administrator.bearer, names)
    agents = [await log_in(connection, server.account, name, AGENT_PASSWORD) for name in names]
    connection.close()
    return agents


async def _create_users(connection: Connection, account: str, bearer: str, names: Sequence[str]) -> None:
    path = f"/api/account/{account}/configuration/le-users/users?v=5.0"
    for name in names:
        user = {
            "loginName": name,
            "fullName": name,
            "nickname": name,
            "password": AGENT_PASSWORD,
            "profile": "agent",
        }
        await connection.call("POST", path, user, bearer, If_Match="-1")


async def make_pairs(server: Talkwire, count: int) -> list[Pair]:
    """Bring `count` consumers into a conversation with an agent each; an administrator joins them."""
    agents = await make_agents(server, count)
    connection = await server.connect()
    administrator = await open_agent(server, await log_in_administrator(server, connection))
    pairs = [await _make_pair(server, connection, administrator, agent) for agent in agents]
    connection.close()
    administrator.close()
    return pairs


async def _make_pair(server: Talkwire, connection: Connection, administrator: Talker, agent: Agent) -> Pair:
    consumer = await open_consumer(server, await sign_up(connection, server.account))
    socket = await open_agent(server, agent)
    opened = await consumer.ask("cm.ConsumerRequestConversation", {"channelType": "MESSAGING"})
    dialog_id = opened["conversationId"]
    join = {"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT", "userId": agent.old_id}
    await administrator.ask(
        ".ams.cm.UpdateConversationField", {"conversationId": dialog_id, "conversationField": [join]}
    )
    return Pair(consumer, socket, agent.login_name, dialog_id, await subscribe(consumer, dialog_id))


async def subscribe(consumer: Talker, dialog_id: str) -> int:
    """Follow a dialog; return the sequence that its next event will have."""
    await consumer.ask("ms.SubscribeMessagingEvents", {"dialogId": dialog_id, "fromSeq": 0})
    while True:
        notification = await consumer.notified()
        if notification["type"] == "ms.MessagingEventNotification":
            changes = notification["body"]["changes"]
            return int(changes[-1]["sequence"]) + 1 if changes else 0
