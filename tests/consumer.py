"""A consumer on `v=3`, of ours: small enough to read, for tests that need the other side of a conversation."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from listening import Ears, Heard, changes
from live import Live


class Refused(AssertionError):
    """The server answered a request with a code of 400 or more."""

    def __init__(self, answer: Heard) -> None:
        super().__init__(str(answer))
        self.code: int = answer["code"]


class Consumer:
    """One consumer with one socket; `ears.all` are the notifications it got."""

    def __init__(
        self, live: Live, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.ears = Ears("the consumer")
        self._live, self._http, self._socket = live, http, socket
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Heard]] = {}
        self._closed = asyncio.Event()

    async def listen(self) -> None:
        """Sort what arrives into answers and notifications, until the socket closes."""
        async for frame in self._socket:
            message: Heard = frame.json()
            if message["kind"] == "resp":
                self._waiting.pop(message["reqId"]).set_result(message)
            else:
                await self.ears.note(message)
        self._closed.set()

    async def hangs_up(self) -> int | None:
        """Wait until the server has closed the socket; the close code."""
        async with asyncio.timeout(10):
            await self._closed.wait()
        return self._socket.close_code

    async def ask(self, type_: str, body: Any = None) -> Any:
        """Send a request and return the body of its answer. Raises Refused."""
        id_ = str(next(self._ids))
        answer = self._waiting[id_] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"kind": "req", "id": id_, "type": type_, "body": body or {}})
        async with asyncio.timeout(10):
            message = await answer
        if message["code"] >= 400:
            raise Refused(message)
        return message.get("body")

    async def open_conversation(self, *, skill_id: str = "-1") -> str:
        """Ask for a conversation and listen to it; its id is also its dialog's."""
        await self.ask("cqm.SubscribeExConversations", {"convState": ["OPEN", "CLOSE"]})
        answer = await self.ask("cm.ConsumerRequestConversation", {"skillId": skill_id})
        conversation_id = str(answer["conversationId"])
        await self.ask("ms.SubscribeMessagingEvents", {"dialogId": conversation_id, "fromSeq": 0})
        return conversation_id

    async def publish(self, conversation_id: str, event: dict[str, Any]) -> int:
        body = {"dialogId": conversation_id, "conversationId": conversation_id, "event": event}
        return int((await self.ask("ms.PublishEvent", body))["sequence"])

    async def say(self, conversation_id: str, text: str) -> int:
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        return await self.publish(conversation_id, event)

    async def share(self, conversation_id: str, picture: Path, caption: str) -> str:
        """Upload and publish a picture; returns its relative path."""
        type_ = picture.suffix[1:].upper()
        claim = {"fileSize": picture.stat().st_size, "fileType": type_}
        slot = await self.ask("ms.GenerateURLForUploadFile", claim)
        async with self._http.put(self.storage_url(slot), data=picture.read_bytes()) as put:
            assert put.status == 201, await put.text()
        message = {"caption": caption, "relativePath": slot["relativePath"], "fileType": type_}
        event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
        await self.publish(conversation_id, event)
        return str(slot["relativePath"])

    async def fetch(self, relative_path: str) -> tuple[str, bytes]:
        """Download a shared file: its content type and its bytes."""
        slot = await self.ask("ms.GenerateURLForDownloadFile", {"relativePath": relative_path})
        async with self._http.get(self.storage_url(slot)) as got:
            assert got.status == 200, await got.text()
            return got.content_type, await got.read()

    def storage_url(self, slot: dict[str, Any]) -> str:
        query = "&".join(f"{name}={value}" for name, value in slot["queryParams"].items())
        return f"https://{self._live.env['LP_SWIFT']}{slot['relativePath']}?{query}"

    async def hears_event(self, what: str, wanted: Callable[[Heard], bool]) -> Heard:
        """The first event of a dialog that is wanted, with its sequence and originator."""

        def event(message: Heard) -> Heard | None:
            return next(filter(wanted, changes(message, "ms.MessagingEventNotification")), None)

        message = await self.ears.first(lambda heard: event(heard) is not None, what)
        return event(message) or {}

    async def hears_conversation(self, what: str, wanted: Callable[[Heard], bool]) -> Heard:
        """The first state of a conversation (`result` of the notification) that is wanted."""

        def result(message: Heard) -> Heard | None:
            all_ = changes(message, "cqm.ExConversationChangeNotification")
            return next((change["result"] for change in all_ if wanted(change["result"])), None)

        message = await self.ears.first(lambda heard: result(heard) is not None, what)
        return result(message) or {}


@asynccontextmanager
async def http_to(live: Live) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that trusts that server and no other."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=live.trust())) as http:
        yield http
    for _ in range(5):  # sockets are closed by callbacks, which the loop has yet to run before it ends
        await asyncio.sleep(0)


@asynccontextmanager
async def signed_up(live: Live) -> AsyncIterator[Consumer]:
    """A consumer nobody knew before, with an open socket."""
    async with http_to(live) as http:
        async with http.post(live.url("IDP", "signup")) as answer:
            jwt = (await answer.json())["jwt"]
        headers = {"Authorization": f"jwt {jwt}"}
        async with http.ws_connect(live.socket_url("consumer?v=3"), headers=headers) as socket:
            consumer = Consumer(live, http, socket)
            listening = asyncio.create_task(consumer.listen())
            try:
                yield consumer
            finally:
                connection = socket._response.connection
                transport = connection.transport if connection else None
                await socket.close()
                await listening
                if transport:
                    transport.abort()  # TLS takes its leave at leisure, this loop ends now
