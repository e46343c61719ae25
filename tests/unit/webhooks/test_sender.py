"""The sender against real sockets: what it refuses to reach, what it takes for an answer."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from talkwire.webhooks.sender import Sender, SendPolicy

POLICY = SendPolicy(
    connect_seconds=1, read_seconds=0.3, allowed_hosts=frozenset(), ca_file="", allow_plain_loopback=False
)
DEMO = POLICY._replace(allow_plain_loopback=True)
Serve = Callable[..., Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(handler: Any, tls: ssl.SSLContext | None = None) -> str:
        app = web.Application()
        app.router.add_post("/{rest:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        runners.append(runner)
        return f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/"

    yield start
    for runner in runners:
        await runner.cleanup()


async def post(policy: SendPolicy, url: str) -> tuple[int, str]:
    sender = Sender(policy)
    try:
        return tuple(await sender.post(url, {"X-One": "1"}, b"{}"))  # type: ignore[return-value]
    finally:
        await sender.close()


async def fine(_request: web.Request) -> web.Response:
    return web.Response(status=204)


async def test_any_2xx_is_success(serve: Serve) -> None:
    assert await post(DEMO, await serve(fine)) == (204, "")


@pytest.mark.parametrize("status", [302, 400, 410, 429, 500, 503])
async def test_anything_else_is_not(serve: Serve, status: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    assert await post(DEMO, await serve(answer)) == (status, f"answered {status}")


async def test_plain_http_is_refused_outside_a_demo(serve: Serve) -> None:
    _, error = await post(POLICY, await serve(fine))
    assert "https://" in error


async def test_loopback_is_refused_outside_a_demo(serve: Serve) -> None:
    url = (await serve(fine)).replace("http:", "https:")
    _, error = await post(POLICY, url)
    assert "not a public address" in error


@pytest.mark.parametrize(
    "url", ["https://2130706433/", "https://0x7f.1/", "https://[::ffff:127.0.0.1]/", "https://localhost/"]
)
async def test_other_spellings_of_loopback_are_refused_too(url: str) -> None:
    _, error = await post(POLICY, url)
    assert error


class Rebinding(AbstractResolver):
    """Says a public address when it is asked first, ours afterwards."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_name_that_changes_its_address_is_judged_by_the_one_that_is_connected_to(
    serve: Serve,
) -> None:
    port = int((await serve(fine)).rsplit(":", 1)[1].strip("/"))
    sender = Sender(POLICY)
    resolver = Rebinding(["93.184.216.34", "127.0.0.1"])
    sender._guarded.connector._resolver = resolver  # type: ignore[union-attr]
    await resolver.resolve("rebind.example")  # whoever looked before saw a public address
    answer = await sender.post(f"https://rebind.example:{port}/", {}, b"{}")
    await sender.close()
    assert "not a public address" in answer.error


async def test_an_allowed_host_may_be_anywhere(serve: Serve, tmp_path: Path) -> None:
    ca_file, context = certificate(tmp_path)
    url = await serve(fine, context)
    policy = POLICY._replace(ca_file=str(ca_file))
    assert "not a public address" in (await post(policy, url))[1]
    allowed = policy._replace(allowed_hosts=frozenset({"127.0.0.1"}))
    assert await post(allowed, url) == (204, "")
    port = url.rsplit(":", 1)[1].strip("/")
    assert await post(policy._replace(allowed_hosts=frozenset({f"127.0.0.1:{port}"})), url) == (204, "")
    assert (await post(policy._replace(allowed_hosts=frozenset({"127.0.0.1:1"})), url))[1]


async def test_a_certificate_that_nobody_vouches_for_is_refused(serve: Serve, tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    status, error = await post(DEMO, await serve(fine, context))
    assert status == 0
    assert "ertificate" in error


async def test_tls_older_than_1_2_is_refused() -> None:
    sender = Sender(POLICY)
    assert sender._trust.minimum_version is ssl.TLSVersion.TLSv1_2
    await sender.close()


async def test_proxies_of_the_environment_are_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await post(DEMO, await serve(fine)) == (204, "")


async def test_an_answer_that_does_not_come_is_given_up(serve: Serve) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    assert await post(DEMO, await serve(silent)) == (0, "no answer in time")


async def test_an_answer_that_drips_is_given_up(serve: Serve) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await asyncio.sleep(0.1)
            await response.write(b".")
        return response

    assert await post(DEMO, await serve(drip)) == (0, "no answer in time")


async def test_an_endless_answer_is_not_read_to_its_end(serve: Serve) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b"x" * 65_536)
        return response

    assert await post(DEMO, await serve(endless)) == (200, "")


@pytest.mark.parametrize(
    "said", [b"garbage\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", b"HTTP/1.1 2"]
)
async def test_garbage_and_broken_answers_are_failures(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        _, error = await post(DEMO, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()
    assert error


async def test_a_connection_that_idled_too_long_costs_no_attempt() -> None:
    connections = 0

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read(1)  # the next request finds it closed
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    sender = Sender(DEMO)
    try:
        answers = [await sender.post(url, {}, b"{}") for _ in range(2)]
    finally:
        await sender.close()
        server.close()
    assert [answer.is_ok for answer in answers] == [True, True]
    assert connections == 2


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://a.example/", "https://", "file:///etc/passwd"])
async def test_what_is_no_address_of_a_webhook_is_an_answer_too(url: str) -> None:
    assert (await post(DEMO, url))[1]


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that vouches for itself, and a server's context with it."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca_file, key_file = folder / "ca.pem", folder / "key.pem"
    ca_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ca_file, key_file)
    return ca_file, context
