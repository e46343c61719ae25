"""An SMS connector: what phones send becomes conversations, what agents answer becomes SMS.

The "SMS gateway" is whatever speaks this to us and hears this from us:

    POST /sms/{number}            text/plain: an SMS from that number; image/*: a picture
    POST {gateway}/{number}       the same in the other direction

Run it with the variables of `demo.env`:  python connector.py --port 9090 --gateway http://127.0.0.1:9091
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from channel import Channel, Json, Refused

EVENTS = ["cqm.ExConversationChangeNotification", "ms.MessagingEventNotification.ContentEvent"]
MOST_REMEMBERED = 10_000
log = logging.getLogger("sms")


@dataclass
class Phone:
    """What we keep of a number: the token that speaks for it, and its open conversation."""

    token: str
    conversation: str = ""
    opened: int = 0  # how many so far, so that a repeated request opens no second one


@dataclass
class Book:
    """All phones, in a file, so that a restart forgets nobody."""

    path: Path
    phones: dict[str, Phone] = field(default_factory=dict)

    def load(self) -> None:
        if self.path.exists():
            self.phones = {n: Phone(**kept) for n, kept in json.loads(self.path.read_text()).items()}

    def save(self) -> None:
        aside = self.path.with_suffix(".new")
        aside.write_text(json.dumps({number: asdict(phone) for number, phone in self.phones.items()}))
        aside.replace(self.path)

    def find(self, conversation: str) -> tuple[str, Phone] | None:
        held = ((n, phone) for n, phone in self.phones.items() if phone.conversation == conversation)
        return next(held, None)


class SmsConnector:
    """Joins a gateway and a channel."""

    def __init__(self, channel: Channel, book: Book, gateway: str) -> None:
        self.channel = channel
        self.book = book
        self.gateway = gateway
        self.locks: dict[str, asyncio.Lock] = {}
        self.seen: OrderedDict[tuple[str, int], None] = OrderedDict()

    # --- from the phone to the agent

    async def from_phone(self, request: web.Request) -> web.Response:
        """One SMS or picture at a time per number, so that they arrive in order."""
        number, body = request.match_info["number"], await request.read()
        async with self.locks.setdefault(number, asyncio.Lock()):
            phone = await self._phone(number)
            conversation = await self._conversation(number, phone)
            if request.content_type.startswith("image/"):
                file_type = request.content_type.removeprefix("image/").upper()
                await self.channel.show(phone.token, conversation, body, file_type)
            else:
                await self.channel.say(phone.token, conversation, body.decode())
        return web.Response(status=202)

    async def _phone(self, number: str) -> Phone:
        if number not in self.book.phones:
            self.book.phones[number] = Phone(await self.channel.consumer(number))
            self.book.save()
        return self.book.phones[number]

    async def _conversation(self, number: str, phone: Phone) -> str:
        if not phone.conversation:
            profile = {"nickName": number, "privateData": {"mobileNum": number}}
            key = f"{number} {phone.opened}"
            phone.conversation = await self.channel.open(phone.token, profile, key)
            phone.opened += 1
            self.book.save()
        return phone.conversation

    # --- from the agent to the phone

    async def from_server(self, request: web.Request) -> web.Response:
        """A webhook. 200 says that we have it; anything else and it comes again."""
        body = await request.read()
        if not self.channel.is_genuine(request.headers, body):
            return web.Response(status=401)
        notification = json.loads(body)
        for change in notification["body"]["changes"]:
            if notification["type"] == "cqm.ExConversationChangeNotification":
                self._conversation_changed(change["result"])
            else:
                await self._event(change)
        return web.Response()

    def _conversation_changed(self, result: Json) -> None:
        found = self.book.find(result["convId"])
        if found and result["conversationDetails"]["stage"] == "CLOSE":
            found[1].conversation = ""
            self.book.save()

    async def _event(self, change: Json) -> None:
        """Each event once: deliveries are repeated when our answer was lost."""
        key = change["dialogId"], change["sequence"]
        found = self.book.find(change["conversationId"])
        if found is None or key in self.seen or change["originatorMetadata"]["role"] == "CONSUMER":
            return
        number, phone = found
        await self._to_phone(number, phone, change["event"])
        self.seen[key] = None
        if len(self.seen) > MOST_REMEMBERED:
            self.seen.popitem(last=False)
        await self.channel.accept(phone.token, change["dialogId"], change["sequence"])

    async def _to_phone(self, number: str, phone: Phone, event: Json) -> None:
        if event["contentType"] == "hosted/file":
            data, content_type = await self.channel.fetch(phone.token, event["message"]["relativePath"])
        else:
            data, content_type = str(event["message"]).encode(), "text/plain"
        headers = {"Content-Type": content_type}
        async with self.channel.http.post(f"{self.gateway}/{number}", data=data, headers=headers) as sent:
            sent.raise_for_status()


@web.middleware
async def refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    """What the server or the gateway refuses is told to whoever asked us, who may try again."""
    try:
        response: web.StreamResponse = await handler(request)
    except (Refused, aiohttp.ClientError) as error:
        log.warning("%s %s: %s", request.method, request.path, error)
        return web.Response(status=502, text=str(error))
    return response


async def serve(options: argparse.Namespace) -> None:
    env = os.environ
    async with aiohttp.ClientSession() as http:
        channel = Channel(
            http,
            env["LP_CSDS"],
            env["LP_ACCOUNT"],
            env["LP_APP_CLIENT_ID"],
            env["LP_APP_CLIENT_SECRET"],
        )
        await channel.discover()
        book = Book(options.book)
        book.load()
        connector = SmsConnector(channel, book, options.gateway)
        app = web.Application(middlewares=[refusals], client_max_size=8 * 1024 * 1024)
        app.add_routes(
            [web.post("/sms/{number}", connector.from_phone), web.post("/webhooks", connector.from_server)]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.port).start()
        port = runner.addresses[0][1]
        if "LP_USER" in env:
            endpoint = options.endpoint or f"http://127.0.0.1:{port}/webhooks"
            await channel.subscribe(env["LP_USER"], env["LP_PASS"], endpoint, EVENTS)
        print(f"The SMS connector listens on http://127.0.0.1:{port}", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="Phones on one side, agents on the other.")
    parser.add_argument("--port", type=int, default=9090, help="where the gateway and the webhooks reach us")
    parser.add_argument("--gateway", default="http://127.0.0.1:9091", help="where SMS for phones go")
    parser.add_argument(
        "--endpoint", default="", help="our webhooks' address as the server reaches it, https"
    )
    parser.add_argument("--book", type=Path, default=Path("phones.json"), help="what we keep of the phones")
    logging.basicConfig(level=logging.INFO)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
