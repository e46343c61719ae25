"""A receiver of webhooks on loopback that behaves as it is told, and an app whose conversations it hears of."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from talkwire.assembly.node import Node
from talkwire.connectors.model import App, AppDraft, EventKey, Webhook
from talkwire.conversations.model import Conversation, NewConversation, Ttr, TtrType
from talkwire.identity.model import Kind, Principal
from talkwire.kernel.ids import AccountId, ParticipantId, new_uuid
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import ContentEvent, Event
from talkwire.messaging.publishing import NO_EXTRAS, Extras

Json = dict[str, Any]
WAIT_SECONDS = 20.0
ALL_KEYS = tuple(EventKey)


@dataclass
class Got:
    """One delivery as it arrived."""

    headers: dict[str, str]
    raw: bytes
    body: Json
    answered: int = 0

    @property
    def delivery_id(self) -> str:
        return self.headers["X-Talkwire-Delivery-Id"]

    @property
    def kind(self) -> str:
        return str(self.body["type"])

    @property
    def change(self) -> Json:
        found: Json = self.body["body"]["changes"][0]
        return found

    @property
    def conversation_id(self) -> str:
        change = self.change
        return str(change["result"]["convId"] if "result" in change else change["conversationId"])

    @property
    def sequence(self) -> int:
        return int(self.change.get("sequence", -1))

    @property
    def text(self) -> str:
        return str(self.change.get("event", {}).get("message", ""))


Behave = Callable[[Got], Any]
"""Gives a status, or is awaited for one; may answer by itself with a web.StreamResponse."""


@dataclass
class Receiver:
    """Counts what comes and answers by `behave`."""

    url: str = ""
    behave: Behave = lambda _got: 200
    got: list[Got] = field(default_factory=list)
    runner: web.AppRunner | None = None
    port: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        got = Got(dict(request.headers), raw, json.loads(raw))
        self.got.append(got)
        answer = self.behave(got)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer == CUT:
            return await _cut(request)
        if answer == GARBAGE:
            assert request.transport is not None
            request.transport.write(b"this is not HTTP\r\n\r\n")
            request.transport.close()
            return web.Response()
        got.answered = int(answer)
        headers = {"Location": f"{self.url}/elsewhere"} if 300 <= got.answered < 400 else {}
        return web.Response(status=got.answered, headers=headers)

    @property
    def delivered(self) -> list[Got]:
        return [got for got in self.got if 200 <= got.answered < 300]

    def texts(self, conversation_id: str = "") -> list[str]:
        """Of what was taken, in the order of arrival."""
        return [g.text for g in self.delivered if g.text and conversation_id in {"", g.conversation_id}]

    async def until(self, wanted: Callable[[], object], what: str = "it never came") -> None:
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while not wanted():
            assert asyncio.get_running_loop().time() < deadline, f"{what}: {len(self.got)} requests"
            await asyncio.sleep(0.01)

    async def start(self) -> None:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{rest:.*}", self.handle)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None


CUT, GARBAGE = -1, -2


async def _cut(request: web.Request) -> web.StreamResponse:
    """Promise a long answer and break off in it."""
    response = web.StreamResponse(status=200, headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"so far so good")
    assert request.transport is not None
    request.transport.close()
    return response


@contextlib.asynccontextmanager
async def receiving(behave: Behave = lambda _got: 200) -> AsyncIterator[Receiver]:
    receiver = Receiver(behave=behave)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@dataclass
class Channel:
    """An app and its people, on a node in this process."""

    node: Node
    account: AccountId
    app: App
    secret: str

    async def talk(self, app_id: str | None = None) -> tuple[Conversation, Principal]:
        """A conversation opened through the app, and its consumer."""
        consumer = ParticipantId(new_uuid())
        new = NewConversation(
            account_id=self.account,
            consumer_id=consumer,
            ttr=Ttr(TtrType.NORMAL, 600),
            app_id=self.app.client_id if app_id is None else app_id,
        )
        view = await self.node.services.conversations.open(new)
        return view.conversation, Principal(account_id=self.account, id=consumer, kind=Kind.CONSUMER)

    async def say(self, who: Principal, conversation: Conversation, text: str) -> int:
        return await self.publish(who, conversation, ContentEvent(message=text))

    async def publish(
        self, who: Principal, conversation: Conversation, event: Event, extras: Extras = NO_EXTRAS
    ) -> int:
        """Durable when it returns; the sequence."""
        publishing = self.node.services.publishing
        view = await publishing.get_view(who, conversation.conversation_id)
        done: asyncio.Future[LoggedEvent] = asyncio.get_running_loop().create_future()
        publishing.submit(who, view, conversation.conversation_id, event, done.set_result, extras)
        entry = await done
        if entry.refusal is not None:
            raise entry.refusal
        return entry.sequence

    async def change(self, **draft: Any) -> None:
        self.app = await self.node.apps.update(self.account, self.app.client_id, AppDraft(**draft))


async def new_channel(
    node: Node,
    account: AccountId,
    url: str,
    *,
    keys: tuple[str, ...] = ALL_KEYS,
    retention_seconds: int | None = 259_200,
    max_retries: int | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Channel:
    """An app told of these events at one address."""
    hooks = {str(key): Webhook(url, headers, max_retries) for key in keys}
    draft = AppDraft(name="a connector", webhooks=hooks, retention_seconds=retention_seconds)
    made = await node.apps.create(account, draft)
    return Channel(node, account, made.app, made.secret)
