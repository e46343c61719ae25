"""XMPP clients for the comparison: sign-in by SASL PLAIN, chat messages, upload slots (XEP-0363)."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from typing import cast

from bench.ejabberd import HOST, PASSWORD
from bench.load import Course, send_now

ID = re.compile(rb"<message[^>]* id='(\d{8})'")
PATIENCE_SECONDS = 60
STREAM = f"<stream:stream to='{HOST}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


class Party(asyncio.Protocol):
    """One signed-in user. While `course` is set, it only counts messages and checks that their numbers are in order."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.course: Course | None = None
        self.seen = 0
        self.fault = ""
        self._text = b""
        self._arrival = asyncio.Event()
        self._descriptor = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._descriptor = transport.get_extra_info("socket").fileno()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fault = self.fault or f"stream closed: {exc}"
        self._arrival.set()

    def send(self, data: bytes) -> None:
        send_now(self.transport, self._descriptor, data)

    def data_received(self, data: bytes) -> None:
        self._text += data
        if self.course is None:
            self._arrival.set()
            return
        end = self._text.rfind(b"</message>") + 10
        if end < 10:
            return
        whole, self._text = self._text[:end], self._text[end:]
        for number in ID.findall(whole):
            if int(number) != self.seen:
                self.fault = f"expected {self.seen}, got {number.decode()}"
            self.seen += 1
        self.course.advance()

    async def until(self, sign: bytes) -> bytes:
        """Return what came up to and including `sign`, and forget it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sign not in self._text:
                if self.fault:
                    raise ConnectionError(self.fault)
                self._arrival.clear()
                await self._arrival.wait()
        at = self._text.index(sign) + len(sign)
        taken, self._text = self._text[:at], self._text[at:]
        return taken

    async def sign_in(self, user: str) -> None:
        self.send(STREAM.encode())
        await self.until(b"</stream:features>")
        secret = b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.send(
            f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>".encode()
        )
        await self.until(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        self.send(STREAM.encode())
        await self.until(b"</stream:features>")
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>b</resource></bind>"
        self.send(f"<iq type='set' id='bind'>{bind}</iq>".encode())
        await self.until(b"</iq>")
        self.send(b"<presence/>")
        await self.until(b"<presence")
        await asyncio.sleep(0.05)
        self._text = b""

    async def ask_for_slot(self, size: int) -> tuple[str, str]:
        """Return where to PUT and where to GET a file."""
        ask = f"<request xmlns='urn:xmpp:http:upload:0' filename='a.jpg' size='{size}' content-type='image/jpeg'/>"
        self.send(f"<iq type='get' id='slot' to='upload.{HOST}'>{ask}</iq>".encode())
        answer = (await self.until(b"</iq>")).decode()
        put, get = re.search(r"<put url='([^']+)'", answer), re.search(r"<get url='([^']+)'", answer)
        if put is None or get is None:
            raise ConnectionError(answer)
        return put[1], get[1]


async def sign_in(port: int, user: str) -> Party:
    _, party = await asyncio.get_running_loop().create_connection(Party, "127.0.0.1", port)
    await party.sign_in(user)
    return party


class Chat(Course):
    """Keep `in_flight` messages of one party to the other on the way; delivered means the other has it."""

    def __init__(self, sender: Party, other: Party, to: str, in_flight: int) -> None:
        self.sender, self.other = sender, other
        self.running = True
        self._goal = in_flight
        self._sent = other.seen
        self._base = other.seen
        self.delivered = 0
        self._head = f"<message type='chat' to='{to}@{HOST}/b' id='".encode()
        text = "The parcel has left the depot and should reach you on Friday.…"
        self._tail = f"'><body>{text}</body></message>".encode()
        other.course = self

    def start(self) -> None:
        self._send(self._goal)

    def advance(self) -> None:
        fresh = self.other.seen - self._base - self.delivered
        self.delivered += fresh
        if fresh and self.running:
            self._send(fresh)

    def _send(self, count: int) -> None:
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        self.sender.send(b"".join([b"%b%08d%b" % (self._head, n, self._tail) for n in numbers]))

    @property
    def outstanding(self) -> int:
        return self._sent - self._base - self.delivered

    @property
    def faults(self) -> list[str]:
        return [party.fault for party in (self.sender, self.other) if party.fault]
