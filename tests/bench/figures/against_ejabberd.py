"""The same exchange of messages and files through ejabberd, in the same run, as ratios.

A message counts when the other side has it; ejabberd sends its publisher neither an answer nor a copy, so it is asked
for less than we are. Its upload module neither encrypts, checks nor syncs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.context import Bench
from bench.ejabberd import HOST, Ejabberd
from bench.files import get, put
from bench.pictures import grey_jpeg
from bench.report import Result
from bench.shift import shift
from bench.volleys import Throughput, gauge, run_volleys
from bench.web import Connection, connect
from bench.xmpp import Chat, Party, sign_in

PAIRS = 50
EXCHANGING_PAIRS = 16
FILE_BYTES = 200_000
PICTURE = grey_jpeg(FILE_BYTES)
USERS = [f"user{number}" for number in range(2 * PAIRS)]


@dataclass
class Exchange:
    sender: Party
    other: Party
    to: str
    sender_http: Connection
    other_http: Connection
    done: int = 0


async def measure(bench: Bench) -> AsyncIterator[Result]:
    for archive in (False, True):
        where = "with archive" if archive else "without archive"
        async with bench.ejabberd(USERS, archive=archive) as server:
            parties = [await sign_in(server.c2s, user) for user in USERS]
            for in_flight in (8, 1):
                throughput = await _chat(bench, server, parties, in_flight)
                yield Result(
                    f"ejabberd {where}, {in_flight} in flight",
                    throughput.per_second,
                    "messages/s",
                    throughput.note,
                )
                ours = bench.measured.get(f"publish, {in_flight} in flight")
                if ours:
                    name = f"publish ÷ ejabberd {where}, {in_flight} in flight"
                    yield Result(name, ours / throughput.per_second, "×")
            if not archive:
                throughput = await _exchange(bench, server, parties)
                yield Result("ejabberd file exchange", throughput.per_second, "files/s", throughput.note)
                if "file exchange" in bench.measured:
                    ratio = bench.measured["file exchange"] / throughput.per_second
                    yield Result("file exchange ÷ ejabberd", ratio, "×")


async def _chat(bench: Bench, server: Ejabberd, parties: Sequence[Party], in_flight: int) -> Throughput:
    chats = [Chat(parties[at], parties[at + 1], USERS[at + 1], in_flight) for at in range(0, len(USERS), 2)]
    return await run_volleys(chats, server.cpu_seconds, bench.seconds / 2)


async def _exchange(bench: Bench, server: Ejabberd, parties: Sequence[Party]) -> Throughput:
    store = ("127.0.0.1", server.http)
    exchanges = []
    for at in range(0, 2 * EXCHANGING_PAIRS, 2):
        sender, other = parties[at], parties[at + 1]
        other.course = None
        exchanges.append(Exchange(sender, other, USERS[at + 1], await connect(store), await connect(store)))
    async with shift(exchanges, _exchange_one):
        return await gauge(
            lambda: sum(exchange.done for exchange in exchanges), server.cpu_seconds, bench.seconds / 2
        )


async def _exchange_one(exchange: Exchange) -> None:
    put_url, get_url = await exchange.sender.ask_for_slot(FILE_BYTES)
    await put(exchange.sender_http, _path_of(put_url), PICTURE)
    body = f"<body>{get_url}</body><x xmlns='jabber:x:oob'><url>{get_url}</url></x>"
    message = f"<message type='chat' to='{exchange.to}@{HOST}/b' id='file'>{body}</message>"
    exchange.sender.send(message.encode())
    heard = await exchange.other.until(b"</message>")
    url = heard.decode().partition("<url>")[2].partition("</url>")[0]
    await get(exchange.other_http, _path_of(url), FILE_BYTES)
    exchange.done += 1


def _path_of(url: str) -> str:
    return urlsplit(url).path
