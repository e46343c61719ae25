"""The sample SMS connector, a process of its own, between a phone and an agent of a live demo server."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from consumer import http_to
from live import ROOT, Live, serving
from pictures import picture_size, png

CONNECTOR = ROOT / "examples/sms_connector/connector.py"
NUMBER = "+491701234567"
PATIENCE_SECONDS = 20.0
Json = dict[str, Any]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live


@dataclass
class Phone:
    """The gateway's side: what reached the phone, and a way to send."""

    gateway: str = ""
    connector: str = ""
    heard: asyncio.Queue[tuple[str, str, bytes]] = field(default_factory=asyncio.Queue)

    async def receive(self, request: web.Request) -> web.Response:
        self.heard.put_nowait((request.match_info["number"], request.content_type, await request.read()))
        return web.Response()

    async def send(self, data: bytes, content_type: str) -> None:
        headers = {"Content-Type": content_type}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.connector}/sms/{NUMBER}", data=data, headers=headers) as sent,
        ):
            assert sent.status == 202, await sent.text()

    async def hears(self) -> tuple[str, str, bytes]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.heard.get()


@contextlib.asynccontextmanager
async def phone_through(live: Live, folder: Path) -> AsyncIterator[Phone]:
    """A phone whose network is the connector, started as its README says."""
    phone = Phone()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.add_routes([web.post("/{number}", phone.receive)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    phone.gateway = f"http://127.0.0.1:{runner.addresses[0][1]}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CONNECTOR), "--port", "0", "--gateway", phone.gateway,
        "--book", str(folder / "phones.json"),
        env=live.shell_env, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", said)
        assert found, said
        phone.connector = found[0]
        yield phone
    finally:
        process.terminate()
        await process.wait()
        await runner.cleanup()


class Agent:
    """A bot of the demo brand on `v=2.1`, which joins what is open."""

    def __init__(
        self, live: Live, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.live, self.http, self.socket = live, http, socket
        self.count = 0
        self.kept: list[Json] = []

    async def take(self, wanted: Callable[[Json], Any]) -> Json:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for frame in self.kept:
                    if wanted(frame):
                        self.kept.remove(frame)
                        return frame
                self.kept.append(await self.socket.receive_json())

    async def ask(self, type_name: str, body: object) -> Json:
        self.count += 1
        id_ = str(self.count)
        await self.socket.send_json({"kind": "req", "id": id_, "type": f".ams.{type_name}", "body": body})
        answer = await self.take(lambda frame: frame.get("reqId") == id_)
        assert answer["code"] < 400, answer
        given: Json = answer["body"]
        return given

    async def next_event(self, kind: str) -> Json:
        """The next content event of this kind that somebody else said."""
        frame = await self.take(
            lambda frame: (
                frame["type"].endswith("OnlineEventDistribution")
                and frame["body"]["event"].get("contentType") == kind
                and frame["body"]["originatorMetadata"]["role"] == "CONSUMER"
            )
        )
        body: Json = frame["body"]
        return body

    async def publish(self, dialog_id: str, event: Json) -> int:
        answer = await self.ask("ms.PublishEvent", {"dialogId": dialog_id, "event": event})
        return int(answer["sequence"])


@contextlib.asynccontextmanager
async def agent_of(live: Live) -> AsyncIterator[Agent]:
    async with http_to(live) as http:
        login = {"username": live.env["LP_BOT_USER"], "password": live.env["LP_BOT_PASS"]}
        async with http.post(live.url("AGENTVEP", "login?v=1.3"), json=login) as answer:
            bearer = (await answer.json())["bearer"]
        async with http.ws_connect(live.socket_url(f"brand/{bearer}?v=2.1"), max_msg_size=0) as socket:
            yield Agent(live, http, socket)


async def test_a_phone_and_an_agent_talk_and_share_pictures(live: Live, tmp_path: Path) -> None:
    async with phone_through(live, tmp_path) as phone, agent_of(live) as agent:
        await phone.send("Mein Päckchen fehlt".encode(), "text/plain")
        await agent.ask("aam.SubscribeExConversations", {"convState": ["OPEN"]})
        note = await agent.take(
            lambda frame: (
                frame["type"].endswith("ExConversationChangeNotification") and frame["body"]["changes"]
            )
        )
        result = note["body"]["changes"][0]["result"]
        conversation = result["convId"]
        assert result["lastContentEventNotification"]["event"]["message"] == "Mein Päckchen fehlt"
        join = {"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}
        await agent.ask(
            "cm.UpdateConversationField", {"conversationId": conversation, "conversationField": [join]}
        )
        consumer_id = result["conversationDetails"]["participants"]["CONSUMER"][0]
        profile = await agent.ask("userprofile.GetUserProfile", consumer_id)
        assert profile["nickName"] == NUMBER

        text = {"type": "ContentEvent", "contentType": "text/plain", "message": "Wir suchen es 📦"}
        said = await agent.publish(conversation, text)
        assert await phone.hears() == (NUMBER, "text/plain", "Wir suchen es 📦".encode())
        accepted = await agent.take(
            lambda frame: "AcceptStatusEvent" in str(frame) and f"[{said}]" in str(frame)
        )
        assert accepted["body"]["event"]["status"] == "ACCEPT"

        await phone.send(png(30, 20, seed=1), "image/png")
        picture = (await agent.next_event("hosted/file"))["event"]["message"]
        slot = await agent.ask("ms.GenerateURLForDownloadFile", {"relativePath": picture["relativePath"]})
        url = f"https://{live.env['LP_SWIFT']}{slot['relativePath']}"
        async with agent.http.get(url, params=slot["queryParams"]) as got:
            assert picture_size(await got.read()) == (30, 20)

        answer = png(16, 24, seed=2)
        slot = await agent.ask("ms.GenerateURLForUploadFile", {"fileSize": len(answer), "fileType": "PNG"})
        url = f"https://{live.env['LP_SWIFT']}{slot['relativePath']}"
        async with agent.http.put(url, params=slot["queryParams"], data=answer) as put:
            assert put.status == 201
        message = {"relativePath": slot["relativePath"], "fileType": "PNG"}
        file = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
        await agent.publish(conversation, file)
        number, content_type, data = await phone.hears()
        assert (number, content_type, picture_size(data)) == (NUMBER, "image/png", (16, 24))

        close = {"field": "ConversationStateField", "conversationState": "CLOSE"}
        await agent.ask(
            "cm.UpdateConversationField", {"conversationId": conversation, "conversationField": [close]}
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while conversation in (tmp_path / "phones.json").read_text():  # noqa: ASYNC110 -- another process writes it
                await asyncio.sleep(0.05)
        await phone.send(b"And another thing", "text/plain")
        again = await agent.take(
            lambda frame: (
                frame["type"].endswith("ExConversationChangeNotification")
                and frame["body"]["changes"]
                and frame["body"]["changes"][0]["result"]["convId"] != conversation
            )
        )
        assert again["body"]["changes"][0]["result"]["conversationDetails"]["state"] == "OPEN"


async def test_a_webhook_that_is_not_the_servers_is_refused(live: Live, tmp_path: Path) -> None:
    async with phone_through(live, tmp_path) as phone, aiohttp.ClientSession() as http:
        for headers in ({}, {"X-Liveperson-Signature": "sha1=AAAA"}):
            async with http.post(f"{phone.connector}/webhooks", data=b"{}", headers=headers) as answer:
                assert answer.status == 401
