"""A mixed load: consumers, agents and a bot who do everything at once, and write down what they were told.

Everybody goes on until the scene is over: most often because the server is gone.
"""

import asyncio
import base64
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fault.ledger import Publish, Register, Round, Talk, Upload
from fault.wire import Answer, Gone, Json, Line, Refused, Socket, open_socket
from pictures import png

TOKENS = itertools.count(1)
PRIVATE = "AGENTS_AND_MANAGERS"


@dataclass(frozen=True)
class Employee:
    """Somebody of the brand who has signed in once; the bearer must outlive every crash."""

    name: str
    pid: str
    old_id: str
    bearer: str


@dataclass
class Scene:
    """What the people of one round share."""

    line: Line
    round: Round
    rng: random.Random
    nobodys_skill: str
    may_fail: bool = False
    """Whether something behind the server fails: then it may refuse, and people try anew."""
    is_over: bool = False
    refusals: int = 0
    sockets: list[Socket] = field(default_factory=list)

    def token(self) -> str:
        return f"r{self.round.number}-{next(TOKENS)}"

    async def open(self, rest: str, jwt: str = "", heard: Callable[[Json], None] = lambda _: None) -> Socket:
        socket = await open_socket(self.line, rest, jwt=jwt, heard=heard)
        self.sockets.append(socket)
        return socket

    def talk(self, conversation_id: str) -> Talk | None:
        return next((talk for talk in self.round.talks if talk.id == conversation_id), None)


class Person:
    """What consumers, agents and bots have in common: they talk and share files."""

    def __init__(self, scene: Scene, socket: Socket, me: str) -> None:
        self.scene, self.socket, self.me = scene, socket, me
        self.rng = random.Random(scene.rng.random())

    async def say_some(self, talk: Talk, *, private: bool = False) -> None:
        """A burst of texts, pipelined; now and then a receipt among them."""
        answers = []
        for _ in range(self.rng.randint(1, 12)):
            publish = self._entry(talk, private=private)
            answers.append(await self._publish(publish))
        answers.append(await self.socket.send("ms.PublishEvent", _chat_state(talk.id)))
        await _all(answers)

    async def share(self, talk: Talk) -> None:
        """Upload a picture, and when it is kept publish it."""
        data = png(40, 30, seed=self.rng.getrandbits(32))
        claim = {"fileSize": len(data), "fileType": "PNG"}
        slot = await self.socket.ask("ms.GenerateURLForUploadFile", claim)
        upload = Upload(self.me, slot.expect(), data)
        self.scene.round.uploads.append(upload)
        status = await self.scene.line.put(upload.slot, data)
        if status != 201:
            raise Refused(status)
        upload.is_kept = True
        publish = self._entry(talk)
        publish.path = upload.path
        message = {"caption": publish.token, "relativePath": upload.path, "fileType": "PNG"}
        publish.event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
        publish.key = publish.key or publish.token
        await _all([await self._publish(publish)])

    def _entry(self, talk: Talk, *, private: bool = False) -> Publish:
        token = self.scene.token()
        if self.rng.random() < 0.2 and not private:
            event = {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [self.rng.randint(0, 9)]}
        else:
            text = f"{token} {'é' * self.rng.randint(0, 200)}"
            event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        return Publish(
            token,
            self.me,
            talk.id,
            event,
            audience=PRIVATE if private else "ALL",
            key=token if self.rng.random() < 0.5 else "",
        )

    async def _publish(self, publish: Publish) -> asyncio.Future[Answer]:
        self.scene.round.publishes.append(publish)
        return await send_publish(self.socket, publish)

    async def change(self, talk: Talk, *fields: Json, **registers: tuple[Register[Any], Any]) -> Answer:
        """One UpdateConversationField; the registers follow what becomes of it."""
        body = {"conversationId": talk.id, "conversationField": list(fields)}
        asked = [(register, register.ask(value)) for register, value in registers.values()]
        answer = await self.socket.send("cm.UpdateConversationField", body)
        for register, number in asked:
            answer.add_done_callback(partial(_follow, register, number))
        return await answer


async def send_publish(socket: Socket, publish: Publish) -> asyncio.Future[Answer]:
    """Send it, for the first time or again, and write down what comes back."""
    metadata = [{"type": "ExternalId", "id": publish.token}]
    answer = await socket.send("ms.PublishEvent", publish.body, key=publish.key, metadata=metadata)

    def note(answer: asyncio.Future[Answer]) -> None:
        if answer.exception() is None and publish.code is None:
            publish.code = answer.result().code
            if publish.is_acknowledged:
                publish.sequence = answer.result().body["sequence"]

    answer.add_done_callback(note)
    return answer


class ConsumerAtWork(Person):
    """Opens conversations, talks, shares, tells its name, closes."""

    async def work(self) -> None:
        names = self.scene.round.profiles[self.me] = Register("")
        while True:
            talk = await self.open_talk()
            await self._set_name(names)
            for _ in range(self.rng.randint(3, 12)):
                await self.rng.choice([self.say_some, self.say_some, self.say_some, self.share])(talk)
            close = {"field": "ConversationStateField", "conversationState": "CLOSE"}
            await self.change(talk, close, closed=(talk.is_closed, True))

    async def open_talk(self) -> Talk:
        token = self.scene.token()
        talk = Talk(token, self.me, key=token)
        self.scene.round.talks.append(talk)
        opened = await send_opening(self.socket, talk)
        talk.is_refused = not opened.is_ok
        talk.id = str(opened.expect()["conversationId"])
        await self.socket.ask("ms.SubscribeMessagingEvents", {"dialogId": talk.id})
        return talk

    async def _set_name(self, names: Register[str]) -> None:
        name = self.scene.token()
        number = names.ask(name)
        answer = await self.socket.send("userprofile.SetUserProfile", {"firstName": name})
        answer.add_done_callback(partial(_follow, names, number))
        (await answer).expect()


async def send_opening(socket: Socket, talk: Talk) -> Answer:
    """Ask for the conversation, for the first time or again."""
    context = {"type": "CustomContext", "name": talk.token}
    return await socket.ask("cm.ConsumerRequestConversation", {"conversationContext": context}, key=talk.key)


class AgentAtWork(Person):
    """Takes what rings, talks to everybody it holds, writes notes and hands over."""

    def __init__(self, scene: Scene, socket: Socket, me: str, rings: "asyncio.Queue[Json]") -> None:
        super().__init__(scene, socket, me)
        self._rings = rings
        self._held: list[Talk] = []

    async def work(self) -> None:
        await self.socket.ask("routing.SetAgentState", {"availability": "ONLINE", "channels": ["MESSAGING"]})
        await self.socket.ask("routing.SubscribeRoutingTasks", {})
        while True:
            await self._take_ring()
            for talk in tuple(self._held):
                await self._go_on(talk)

    async def _take_ring(self) -> None:
        """A ring, if there is one; with nobody to talk to, a moment's patience."""
        try:
            async with asyncio.timeout(0.001 if self._held else 0.02):
                ring = await self._rings.get()
        except TimeoutError:
            await self.socket.ask("GetClock")  # and hear that the server is gone
            return
        talk = self.scene.talk(ring["convId"])
        if talk is None:  # its consumer has not read the answer yet, or never will
            self._rings.put_nowait(ring)
            await asyncio.sleep(0.001)
            await self.socket.ask("GetClock")
            return
        number = talk.agent.ask(self.me)
        body = {"ringId": ring["ringId"], "ringState": "ACCEPTED"}
        answer = await self.socket.send("routing.UpdateRingState", body)
        answer.add_done_callback(partial(_follow, talk.agent, number))
        if (await answer).is_ok:
            self._held.append(talk)

    async def _go_on(self, talk: Talk) -> None:
        if talk.is_closed.latest:
            self._held.remove(talk)
            return
        if self.rng.random() < 0.1:
            await self._transfer(talk)
            return
        whisper = partial(self.say_some, private=True)
        acts: list[Callable[[Talk], Awaitable[None]]] = [
            self.say_some, self.say_some, whisper, self._note, self.share
        ]  # fmt: skip
        await self.rng.choice(acts)(talk)

    async def _note(self, talk: Talk) -> None:
        note = self.scene.token()
        await self.change(talk, {"field": "Note", "note": note}, note=(talk.note, note))

    async def _transfer(self, talk: Talk) -> None:
        """To a skill that nobody has: three fields, one transaction."""
        self._held.remove(talk)
        note = f"transfer {self.scene.token()}"
        await self.change(
            talk,
            {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"},
            {"field": "Skill", "type": "UPDATE", "skill": self.scene.nobodys_skill},
            {"field": "Note", "note": note},
            agent=(talk.agent, ""),
            note=(talk.note, note),
        )


class BotAtWork(Person):
    """Joins every conversation as MANAGER and talks in all of them."""

    async def work(self) -> None:
        joined: set[str] = set()
        while True:
            talks = [talk for talk in self.scene.round.known_talks if not talk.is_closed.latest]
            for talk in talks:
                if talk.id not in joined:
                    join = {"field": "ParticipantsChange", "type": "ADD", "role": "MANAGER"}
                    await self.change(talk, join)
                    joined.add(talk.id)
                await self.say_some(talk, private=self.rng.random() < 0.3)
            if not talks:
                await asyncio.sleep(0.01)
                await self.socket.ask("GetClock")


async def work_until_over(scene: Scene, employees: Sequence[Employee], consumers: int) -> None:
    """The whole load; returns when the scene is over and every answer that came is written down."""
    shifts = [partial(_employee, scene, employee) for employee in employees]
    shifts += [partial(_consumer, scene) for _ in range(consumers)]
    try:
        await asyncio.gather(*(_until_over(scene, shift) for shift in shifts))
    finally:
        for socket in scene.sockets:
            await socket.closed()


async def _until_over(scene: Scene, shift: Callable[[], Awaitable[None]]) -> None:
    while not scene.is_over:
        try:
            await shift()
        except (Gone, Refused) as error:
            scene.refusals += isinstance(error, Refused)
            if not (scene.may_fail or _has_ended(scene)):
                raise
            await asyncio.sleep(0.1)


def _has_ended(scene: Scene) -> bool:
    """What the loop asks too, but it may have changed meanwhile."""
    return scene.is_over


async def _consumer(scene: Scene) -> None:
    jwt = await scene.line.sign_up()
    me = id_in(jwt)
    scene.round.jwts[me] = jwt
    await ConsumerAtWork(scene, await scene.open("consumer?v=3", jwt), me).work()


async def _employee(scene: Scene, employee: Employee) -> None:
    rings: asyncio.Queue[Json] = asyncio.Queue()
    socket = await scene.open(f"brand/{employee.bearer}?v=2.1", heard=partial(_hear_rings, rings))
    person: AgentAtWork | BotAtWork
    if employee.name == "bot":
        person = BotAtWork(scene, socket, employee.pid)
    else:
        person = AgentAtWork(scene, socket, employee.pid, rings)
    await person.work()


def _hear_rings(rings: "asyncio.Queue[Json]", notification: Json) -> None:
    if not notification["type"].endswith("RoutingTaskNotification"):
        return
    for change in notification["body"]["changes"]:
        for ring in change["result"]["ringsDetails"]:
            if ring["ringState"] == "WAITING":
                rings.put_nowait(ring)


def id_in(jwt: str) -> str:
    """Whose token this is."""
    claims = jwt.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"])


def _chat_state(dialog_id: str) -> Json:
    return {"dialogId": dialog_id, "event": {"type": "ChatStateEvent", "chatState": "COMPOSING"}}


async def _all(answers: Sequence[asyncio.Future[Answer]]) -> None:
    """Wait for all of them, so that none is left when the first is Gone."""
    results = await asyncio.gather(*answers, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _follow(register: Register[Any], number: int, answer: asyncio.Future[Answer]) -> None:
    if answer.exception() is not None:
        return
    if answer.result().is_ok:
        register.acknowledge(number)
    else:
        register.refuse(number)
