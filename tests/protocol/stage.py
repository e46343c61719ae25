"""The whole server in this process, and people who talk to it over real sockets.

One node for a test module; each `Cast` has a brand of its own, so that nobody is rung for another test.
"""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from talkwire.accounts.model import PropertyChange
from talkwire.accounts.properties import AGENT_FILE_SHARING_GRANT
from talkwire.assembly.node import Node, assemble
from talkwire.identity.credentials import Credentials
from talkwire.identity.model import Privilege
from talkwire.identity.users import AgentChange
from talkwire.kernel.ids import AccountId
from talkwire.settings import Messages, Process, Settings, Storage

WAIT_SECONDS = 8.0
"""How long an expected frame may take on a busy machine."""

FILE_PRIVILEGES = frozenset({Privilege.SEND_FILES, Privilege.SEND_FILES_FROM_WIDGETS})
PROFILES = {"manager": "manager", "bot": "bot", "administrator": "administrator"}
PASSWORD = "correct-horse-7"
_accounts = itertools.count(20_000_001)
Json = dict[str, Any]


class ShiftedClock:
    """The machine's clock, put forward as a test needs it."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def advance(self, seconds: float) -> None:
        self._ahead_ms += int(seconds * 1000)


@dataclass
class Stage:
    """A node that is served on loopback."""

    node: Node
    clock: ShiftedClock
    address: str
    http: aiohttp.ClientSession

    @property
    def incidents(self) -> int:
        """How many bugs were recorded so far. No client may cause one."""
        for line in self.node.metrics.render().decode().splitlines():
            if line.startswith("talkwire_incidents_total "):
                return int(float(line.split()[1]))
        raise LookupError("no counter of incidents")


@contextlib.asynccontextmanager
async def staged(folder: Path, settings: Settings | None = None) -> AsyncIterator[Stage]:
    """A node with its data in `folder`, served for as long as the block lasts."""
    settings = msgspec.structs.replace(
        settings or Settings(messages=Messages(composing_seconds=0.3)),
        storage=Storage(data_folder=str(folder / "data"), keys_folder=str(folder / "keys")),
    )
    (folder / "data").mkdir(exist_ok=True)
    clock = ShiftedClock()
    node = await assemble(settings, clock)
    runner = web.AppRunner(node.app, handle_signals=False, shutdown_timeout=1, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Stage(node, clock, f"127.0.0.1:{port}", http)
    finally:
        await node.drain()
        await runner.cleanup()
        await node.close()


@contextlib.asynccontextmanager
async def staged_demo(folder: Path) -> AsyncIterator[Stage]:
    """The same as a demo node, whose webhooks may go to loopback."""
    (folder / "keys").mkdir(exist_ok=True)
    async with staged(folder, Settings(process=Process(demo=True))) as stage:
        yield stage


@dataclass
class Person:
    """Somebody with a token: `id` is the consumer id or the old id, `pid` the consumer id or the PId."""

    role: str  # "consumer" or "brand"
    id: str
    pid: str
    token: str


class Socket:
    """A client's end of one socket. Frames wait here until a test takes them."""

    def __init__(self, name: str, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.name = name
        self.ws = ws
        self.waiting: list[Json] = []
        self._ids = itertools.count(1)

    async def send(self, frame: Json | str) -> None:
        await self.ws.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def take(self, wanted: Callable[[Json], bool]) -> Json:
        """The first frame that is wanted, of those that wait and those that come; the others go on waiting."""
        for frame in self.waiting:
            if wanted(frame):
                self.waiting.remove(frame)
                return frame
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                frame = await self._receive()
                if wanted(frame):
                    return frame
                self.waiting.append(frame)

    async def ask(self, type_name: str, body: object = None, **members: Any) -> Json:
        """Send a request and take its answer."""
        request_id = f"ask-{next(self._ids)}"
        await self.send({"kind": "req", "id": request_id, "type": type_name, "body": body, **members})
        return await self.take(lambda frame: frame.get("reqId") == request_id)

    async def ask_text(self, type_name: str, body: object) -> str:
        """The same, always under the same id, and the answer as it stands on the wire."""
        await self.send({"kind": "req", "id": "same", "type": type_name, "body": body})
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                message = await self.ws.receive()
                if '"reqId":"same"' in message.data:
                    return str(message.data)
                self.waiting.append(json.loads(message.data))

    async def settled(self) -> None:
        """Everything that the server has put on its way to us so far is here."""
        await self.ask("GetClock")

    async def note(self, type_end: str) -> Json:
        """The next notification whose type ends so; gives its body."""
        frame = await self.take(lambda f: f["kind"] == "notification" and f["type"].endswith(type_end))
        body: Json = frame["body"]
        return body

    async def close_code(self) -> int:
        """Wait for the server to end this socket."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (message := await self.ws.receive()).type is aiohttp.WSMsgType.TEXT:
                self.waiting.append(json.loads(message.data))
        assert self.ws.close_code is not None
        return self.ws.close_code

    async def _receive(self) -> Json:
        message = await self.ws.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(f"{self.name} was closed: {message.type.name} {self.ws.close_code}")
        found: Json = json.loads(message.data)
        return found


@dataclass
class Cast:
    """The people of one brand, made when they are first named."""

    stage: Stage
    account: AccountId
    people: dict[str, Person] = field(default_factory=dict)
    sockets: list[Socket] = field(default_factory=list)
    skills: dict[str, str] = field(default_factory=dict)

    async def skill(self, name: str) -> str:
        if name not in self.skills:
            made = await self.stage.node.skills.create(self.account, name)
            self.skills[name] = made.skill_id
        return self.skills[name]

    async def person(self, name: str) -> Person:
        """`consumer…`, `agent…`, `manager…`, `administrator…`, `bot…`: the name says the role."""
        if name not in self.people:
            make = self._consumer if name.startswith("consumer") else self._agent
            self.people[name] = await make(name)
        return self.people[name]

    async def _consumer(self, name: str) -> Person:
        consumers = self.stage.node.services.consumers
        jwt = await consumers.sign_up(self.account)
        who = await consumers.principal_of_jwt(self.account, jwt)
        return Person("consumer", who.id, who.id, jwt)

    async def _agent(self, name: str) -> Person:
        profile = PROFILES.get(name.rstrip("0123456789"), "agent")
        granted = frozenset() if name == "agent9" else FILE_PRIVILEGES
        skills = (AccountId(await self.skill("sales")), await self.skill("support"))
        details = AgentChange(full_name=f"{name} full", nickname=name, skills=skills, granted=granted)  # type: ignore[arg-type]
        services = self.stage.node.services
        user = await services.agents.create_user(self.account, name, PASSWORD, profile, details)
        signed_in = await services.sign_in.sign_in(self.account, Credentials(name, PASSWORD), "127.0.0.1")
        return Person("brand", user.old_id, user.id, signed_in.bearer)

    async def set_property(self, name: str, value: object) -> None:
        await self.stage.node.accounts.set_property(self.account, PropertyChange(name, value))

    async def share_files(self) -> None:
        """Open the account's gates of file sharing."""
        await self.set_property("messaging.file.sharing.enabled", value=True)
        await self.set_property("messaging.agent.file.sharing.enabled", value=True)
        await self.stage.node.accounts.set_grants(self.account, {AGENT_FILE_SHARING_GRANT: "true"})

    def url(self, role: str, rest: str = "") -> str:
        return f"http://{self.stage.address}/ws_api/account/{self.account}/messaging/{role}{rest}"

    async def dial(self, name: str, url: str, **options: Any) -> Socket:
        """Open a socket by its whole address. Raises aiohttp.WSServerHandshakeError."""
        async with asyncio.timeout(WAIT_SECONDS):
            ws = await self.stage.http.ws_connect(url, max_msg_size=0, **options)
        socket = Socket(name, ws)
        self.sockets.append(socket)
        return socket

    async def connect(self, name: str, version: str = "", way: str = "", **options: Any) -> Socket:
        """A person's socket; `way` is how the token comes: `header`, `bare`, `scheme`, `path`, or `init` for not yet."""
        person = await self.person(name)
        version = version or ("3" if person.role == "consumer" else "2.1")
        way = way or ("header" if person.role == "consumer" else "path")
        rest = f"/{person.token}" if way == "path" else ""
        headers = dict(options.pop("headers", {}))
        if way in _HEADERS:
            headers["Authorization"] = _HEADERS[way].format(person.token)
        query = f"?v={version}" + options.pop("query", "")
        return await self.dial(name, self.url(person.role, rest + query), headers=headers, **options)

    async def leave(self) -> None:
        """Close everything, and see no agent online any more."""
        await asyncio.gather(*(socket.ws.close() for socket in self.sockets))

    # --- what most tests begin with

    async def talk(self, consumer: Socket, **body: object) -> str:
        """A new conversation; gives its id."""
        answer = await consumer.ask("cm.ConsumerRequestConversation", body)
        conversation_id: str = answer["body"]["conversationId"]
        return conversation_id

    async def join(self, agent: Socket, conversation_id: str, role: str, user_id: str = "") -> Json:
        change = {"field": "ParticipantsChange", "type": "ADD", "role": role}
        if user_id:
            change["userId"] = user_id
        return await update(agent, conversation_id, change)

    async def assign(self, agent: Socket, conversation_id: str) -> None:
        """Give a conversation to an agent, by a manager's word."""
        manager = await self.connect("manager")
        answer = await self.join(manager, conversation_id, "ASSIGNED_AGENT", self.people[agent.name].id)
        assert answer["code"] == 200, answer
        await manager.ws.close()


_HEADERS = {
    "header": "jwt {}",
    "bearer": "Bearer {}",
    "glued": "jwt{}",
    "bare": "{}",
    "shouted": "JWT {}",
}


async def update(socket: Socket, conversation_id: str, *changes: Json) -> Json:
    """Change fields of a conversation; gives the answer."""
    body = {"conversationId": conversation_id, "conversationField": list(changes)}
    return await socket.ask("cm.UpdateConversationField", body)


async def say(socket: Socket, dialog_id: str, text: str, **members: object) -> Json:
    """Publish a text; gives the answer."""
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
    return await socket.ask("ms.PublishEvent", {"dialogId": dialog_id, "event": event, **members})


CLOSE = {"field": "ConversationStateField", "conversationState": "CLOSE"}


async def new_cast(stage: Stage) -> Cast:
    """A brand of its own, with nobody in it yet."""
    account = AccountId(str(next(_accounts)))
    await stage.node.accounts.create(account)
    return Cast(stage, account)
