"""The storage endpoint, as clients and curl see it. Source: docs/protocol.md 9.4."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from shutil import which

import aiohttp
import pytest
from aiohttp import web

from files_desk import ACCOUNT, AGENT, CONSUMER, Desk, pieces
from pictures import png
from talkwire.files.model import FileLimits, TempUrl
from talkwire.httpapi import storage
from talkwire.kernel.errors import StorageFull
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.metrics import Metrics

PICTURE = png(40, 40)
LARGE = PICTURE[:-12] + bytes(2_000_000) + PICTURE[-12:]
INVALID = b"401 Unauthorized: Temp URL invalid\n"


@dataclass
class Server:
    desk: Desk
    base: str
    port: int
    session: aiohttp.ClientSession

    def link(self, url: TempUrl, extra: str = "", slash: str = "") -> str:
        query = f"temp_url_sig={url.signature}&temp_url_expires={url.expires}{extra}"
        return f"{self.base}{slash}{url.relative_path}?{query}"

    async def put(self, url: TempUrl, data: object, **more: object) -> aiohttp.ClientResponse:
        sent = BytesIO(data) if isinstance(data, bytes) else data
        return await self.session.put(self.link(url), data=sent, **more)  # type: ignore[arg-type]

    async def download(self, data: bytes = PICTURE) -> TempUrl:
        return await self.desk.files.open_download(CONSUMER, await self.desk.uploaded(CONSUMER, data))

    async def raw(self, text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text)
        await writer.drain()
        return reader, writer


async def serve(desk: Desk, limits: FileLimits | None = None) -> tuple[web.AppRunner, int]:
    files = desk.files if limits is None else desk.reopened(limits)
    app = web.Application(client_max_size=1024)
    app.add_routes(storage.routes(files.storage, IncidentLog(Metrics())))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    return runner, listener.getsockname()[1]


@pytest.fixture
async def server(desk: Desk) -> AsyncIterator[Server]:
    runner, port = await serve(desk)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Server(desk, f"http://127.0.0.1:{port}", port, session)
    await runner.cleanup()


@pytest.mark.parametrize("data", [PICTURE, LARGE, b""], ids=["small", "large", "empty"])
async def test_a_put_is_answered_201_with_an_etag_and_no_body(server: Server, data: bytes) -> None:
    answer = await server.put(await server.desk.slot(CONSUMER), data)
    assert answer.status == 201
    assert await answer.read() == b""
    assert len(answer.headers["Etag"]) == 32
    assert parsedate_to_datetime(answer.headers["Last-Modified"]).tzinfo
    await server.desk.until_objects(1 if data else 0)  # what is no picture is not kept


async def test_a_chunked_body_without_a_length_is_taken(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    answer = await server.put(url, pieces(LARGE), headers={"Content-Type": "text/html"})
    assert answer.status == 201
    assert await server.desk.fetched(url.relative_path) == LARGE


@pytest.mark.parametrize("slash", ["", "/", "///"])
async def test_any_number_of_leading_slashes_names_the_same_path(server: Server, slash: str) -> None:
    url = await server.desk.slot(CONSUMER)
    assert (await server.session.put(server.link(url, slash=slash), data=PICTURE)).status == 201


async def test_the_order_of_the_query_is_free(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    link = f"{server.base}{url.relative_path}?x=1&temp_url_expires={url.expires}&temp_url_sig={url.signature}"
    assert (await server.session.put(link, data=PICTURE)).status == 201


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "COPY"])
async def test_another_method_is_refused_as_swift_refuses_it(server: Server, method: str) -> None:
    url = await server.desk.slot(CONSUMER)
    answer = await server.session.request(method, server.link(url))
    assert answer.status == 401
    assert await answer.read() == INVALID
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "query", ["", "?temp_url_sig=0", "?temp_url_expires=1", "?temp_url_sig=%ff&temp_url_expires=9"]
)
async def test_a_missing_or_broken_signature_is_refused(server: Server, query: str) -> None:
    url = await server.desk.slot(CONSUMER)
    answer = await server.session.put(f"{server.base}{url.relative_path}{query}", data=BytesIO(LARGE))
    assert (answer.status, await answer.read()) == (401, INVALID)
    assert answer.headers["Content-Type"].startswith("text/plain")
    head = await server.session.head(f"{server.base}{url.relative_path}{query}")
    assert (head.status, await head.read()) == (401, b"")


async def test_a_path_outside_the_account_is_refused(server: Server) -> None:
    for path in (
        "/v1/AUTH_async-images/",
        "/v1/AUTH_async-images/a/b?inline",
    ):
        assert (await server.session.get(server.base + path)).status == 401


async def test_an_expired_url_is_refused(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    server.desk.clock.advance(seconds=61)
    assert (await server.put(url, PICTURE)).status == 401


async def test_a_spent_slot_takes_the_same_bytes_and_no_others(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    first = await server.put(url, PICTURE)
    again = await server.put(url, PICTURE)
    other = await server.put(url, LARGE)
    assert [first.status, again.status, other.status] == [201, 201, 401]
    assert first.headers["Etag"] == again.headers["Etag"]


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_limit_is_413_and_not_kept(server: Server, *, chunked: bool) -> None:
    url = await server.desk.slot(CONSUMER, 1000)
    data = bytes(3_145_729)
    answer = await server.put(url, pieces(data) if chunked else data)
    assert answer.status == 413
    assert await answer.text() == "413 Request Entity Too Large: at most 3145728 bytes\n"
    assert "Retry-After" not in answer.headers  # nobody's waiting makes it smaller
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    await server.desk.until_objects(0)
    assert (await server.put(url, PICTURE)).status == 201


async def test_an_agents_body_may_be_larger(server: Server) -> None:
    assert (await server.put(await server.desk.slot(AGENT, 1000), bytes(5_242_880))).status == 201
    assert (await server.put(await server.desk.slot(AGENT, 1000), bytes(5_242_881))).status == 413


async def test_a_full_disk_is_507(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*args: object) -> None:
        raise StorageFull("no space left")

    monkeypatch.setattr(server.desk.disk, "put", full)
    answer = await server.put(await server.desk.slot(CONSUMER), PICTURE)
    assert answer.status == 507
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_what_was_put_is_got_with_every_guard(server: Server) -> None:
    for data in (PICTURE, LARGE):
        url = await server.download(data)
        answer = await server.session.get(server.link(url))
        assert answer.status == 200
        assert await answer.read() == data
        headers = answer.headers
        name = url.relative_path.rpartition("/")[2]
        assert headers["Content-Type"] == "image/png"
        assert headers["Content-Length"] == str(len(data))
        assert headers["Content-Disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["Accept-Ranges"] == "bytes"
        assert parsedate_to_datetime(headers["Expires"]).timestamp() == url.expires
        assert headers["Access-Control-Allow-Origin"] == "*"


async def test_a_file_name_may_be_chosen_and_is_quoted(server: Server) -> None:
    url = await server.download()

    async def disposition(extra: str) -> str:
        return (await server.session.get(server.link(url, extra))).headers["Content-Disposition"]

    assert await disposition("&inline") == "inline"
    assert await disposition("&filename=a.png") == "attachment; filename=\"a.png\"; filename*=UTF-8''a.png"
    chosen = await disposition("&filename=%22%0d%0aX:%20y&inline")
    assert chosen == "inline; filename=\"%22%0D%0AX%3A y\"; filename*=UTF-8''%22%0D%0AX%3A%20y"


async def test_a_head_tells_the_size_with_either_signature(server: Server) -> None:
    put = await server.desk.slot(CONSUMER)
    assert (await server.session.head(server.link(put))).status == 404
    await server.put(put, LARGE)
    get = await server.desk.files.open_download(CONSUMER, put.relative_path)
    for url in (put, get):
        answer = await server.session.head(server.link(url))
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(LARGE)))
        assert answer.headers["Content-Type"] == "image/png"
        assert await answer.read() == b""


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=100-", 100, None),
        ("bytes=-5", -5, None),
        ("bytes=-99999999", 0, None),
        ("bytes=1000000-99999999", 1_000_000, None),
    ],
)
async def test_a_single_range_is_206(server: Server, asked: str, start: int, end: int | None) -> None:
    answer = await server.session.get(server.link(await server.download(LARGE)), headers={"Range": asked})
    wanted = LARGE[start:end]
    first = len(LARGE) + start if start < 0 else start
    assert answer.status == 206
    assert await answer.read() == wanted
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(LARGE)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
async def test_a_range_outside_is_416(server: Server, asked: str) -> None:
    answer = await server.session.get(server.link(await server.download()), headers={"Range": asked})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(PICTURE)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=5-2", "bytes=-", "items=0-1", "bytes=a-b", ""])
async def test_other_ranges_mean_all_of_it(server: Server, asked: str) -> None:
    answer = await server.session.get(server.link(await server.download()), headers={"Range": asked})
    assert (answer.status, await answer.read()) == (200, PICTURE)


async def test_what_the_client_holds_is_not_sent_again(server: Server) -> None:
    link = server.link(await server.download())
    etag = (await server.session.head(link)).headers["Etag"]
    for held in (etag, f'"{etag}"', f'W/"{etag}", "x"', "*"):
        assert (await server.session.get(link, headers={"If-None-Match": held})).status == 304
    part = {"Range": "bytes=0-0", "If-Range": etag}
    assert (await server.session.get(link, headers=part)).status == 206
    assert (await server.session.get(link, headers=part | {"If-Range": '"other"'})).status == 200


async def test_a_genuine_url_of_a_vanished_object_is_404(server: Server) -> None:
    url = await server.download()
    server.desk.objects()[0].unlink()
    answer = await server.session.get(server.link(url))
    assert answer.status == 404
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_page_of_another_origin_may_ask_first(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    asked = {
        "Origin": "https://example.test",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-own",
    }
    answer = await server.session.options(f"{server.base}/{url.relative_path}", headers=asked)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type,x-own"


def put_head(url: TempUrl, signature: str, *more: str) -> bytes:
    target = f"{url.relative_path}?temp_url_sig={signature}&temp_url_expires={url.expires}"
    return "\r\n".join([f"PUT {target} HTTP/1.1", "Host: x", *more, "", ""]).encode()


async def test_a_body_is_invited_only_when_the_url_is_genuine(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    expects = ("Expect: 100-continue", f"Content-Length: {len(PICTURE)}")
    reader, writer = await server.raw(put_head(url, "0" * 40, *expects))
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    reader, writer = await server.raw(put_head(url, url.signature, *expects))
    assert (await reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(PICTURE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    writer.close()


async def test_a_body_that_announces_too_much_is_not_invited(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    reader, writer = await server.raw(
        put_head(url, url.signature, "Expect: 100-continue", "Content-Length: 3145729")
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_an_upload_that_breaks_off_leaves_nothing_and_its_slot_open(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    _, writer = await server.raw(put_head(url, url.signature, "Content-Length: 1000000"))
    writer.write(bytes(600_000))
    await writer.drain()
    await server.desk.until_objects(1)
    writer.close()
    await server.desk.until_objects(0)
    assert (await server.put(url, PICTURE)).status == 201


async def test_a_malformed_chunked_body_is_refused(server: Server) -> None:
    url = await server.desk.slot(CONSUMER)
    reader, writer = await server.raw(put_head(url, url.signature, "Transfer-Encoding: chunked") + b"zz\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    assert (await server.put(url, PICTURE)).status == 201


async def test_a_sender_that_trickles_is_told_408(desk: Desk) -> None:
    runner, port = await serve(desk, FileLimits(upload_bytes_per_second=1000, upload_slow_seconds=0.2))
    url = await desk.slot(CONSUMER)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(put_head(url, url.signature, "Content-Length: 1000") + b"x")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    told = await reader.read()
    assert told.endswith(b"\r\n\r\n408 Request Timeout: at least 1000 bytes a second, at most 120 s\n")
    assert b"Retry-After: 1\r\n" in told
    writer.close()
    await runner.cleanup()


async def test_an_account_that_holds_its_share_of_uploads_is_told_429_and_when_to_come_back(
    desk: Desk,
) -> None:
    runner, port = await serve(desk, FileLimits(uploads_per_account=1))
    slow, quick = await desk.slot(AGENT), await desk.slot(CONSUMER)
    async with aiohttp.ClientSession() as session:
        server = Server(desk, f"http://127.0.0.1:{port}", port, session)
        more = "Content-Length: 1000\r\nExpect: 100-continue"
        reader, writer = await server.raw(put_head(slow, slow.signature, more))
        assert (await reader.readline()).startswith(b"HTTP/1.1 100")  # its body is wanted: it has its place
        refused = await server.put(quick, PICTURE)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert await refused.text() == "429 Too Many Requests: at most 1 uploads of one account at once\n"
        writer.close()
        async with asyncio.timeout(5):
            while (await server.put(quick, PICTURE)).status != 201:  # noqa: ASYNC110 -- the server rings no bell
                await asyncio.sleep(0.01)
    await runner.cleanup()


async def test_many_slow_senders_do_not_hold_up_a_quick_one(server: Server) -> None:
    slow = []
    for number in range(200):
        url = await server.desk.slot(AGENT)
        _, writer = await server.raw(put_head(url, url.signature, "Content-Length: 1000") + b"x")
        slow.append(writer)
        if number % 50 == 0:
            async with asyncio.timeout(2):
                assert (await server.put(await server.desk.slot(CONSUMER), PICTURE)).status == 201
    for writer in slow:
        writer.close()


async def curl(*arguments: str) -> tuple[int, str]:
    program = which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    process = await asyncio.create_subprocess_exec(
        program, "-sS", "-o", os.devnull, "-w", "%{http_code}", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, complaint = await process.communicate()
    return int(out), complaint.decode()


async def test_curl_puts_a_file_and_sees_every_refusal(server: Server, tmp_path: Path) -> None:
    picture, huge = tmp_path / "picture.png", tmp_path / "huge.png"
    picture.write_bytes(LARGE)
    huge.write_bytes(bytes(20_000_000))
    url = await server.desk.slot(CONSUMER)
    assert await curl("-T", str(picture), server.link(url)) == (201, "")
    url = await server.desk.slot(CONSUMER)
    wrong = server.link(url).replace("temp_url_sig=", "temp_url_sig=0")
    assert await curl("-T", str(huge), wrong) == (401, "")
    assert await curl("-H", "Expect:", "-T", str(huge), server.link(url)) == (413, "")
    assert await curl(
        "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "-T", str(huge), server.link(url)
    ) == (413, "")
    assert await curl("-H", "Expect:", "-T", str(huge), wrong) == (401, "")
    assert await curl("-X", "PUT", "--data-binary", f"@{picture}", server.link(url)) == (201, "")


@pytest.mark.parametrize("size", [400_000, 2_900_000], ids=["at once", "in chunks"])
async def test_who_takes_nothing_of_a_file_is_cut(
    server: Server, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(storage, "TAKE_SECONDS", 0.2)
    url = await server.download(PICTURE[:-12] + bytes(size) + PICTURE[-12:])
    runner, port = await serve(server.desk)
    assert runner.server is not None
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    link = server.link(url).removeprefix(server.base)
    asked = f"GET {link} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    await loop.sock_sendall(client, asked * 30)  # more than the kernel holds for it
    while not runner.server.connections:  # noqa: ASYNC110 -- nor does one that begins
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while runner.server.connections:  # noqa: ASYNC110 -- a connection that ends rings no bell
            await asyncio.sleep(0.01)
    client.close()
    await runner.cleanup()


async def test_what_is_given_is_on_record_once_with_its_bytes(server: Server) -> None:
    url = await server.download()
    size = len(await (await server.session.get(server.link(url))).read())
    await (await server.session.get(server.link(url), headers={"Range": "bytes=5-9"})).read()
    etag = (await server.session.head(server.link(url))).headers["Etag"]
    assert (await server.session.get(server.link(url), headers={"If-None-Match": etag})).status == 304
    rows = await server.desk.database.read(
        "SELECT detail FROM audit_records WHERE act = $1 AND account_id = $2 ORDER BY number",
        "served",
        ACCOUNT,
    )
    assert [json.loads(row["detail"]) for row in rows] == [
        {"start": 0, "bytes": size},
        {"start": 5, "bytes": 5},
    ]
