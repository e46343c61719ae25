"""The scanner port against a real clamd, over both of its doors."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from clamd import EICAR, NAME, ClamdServer, clamd_server
from files_desk import pieces
from talkwire.assembly.scanner import scanner_of, watch_scanner
from talkwire.backends.scanner.clamd import Clamd, ClamdAddress
from talkwire.backends.scanner.none import NoScanner
from talkwire.backends.scanner.port import CLEAN, NoAnswer, Scanner, ScannerDown, Unscannable, Verdict
from talkwire.backends.scanner.watched import WatchedScanner
from talkwire.cli import checks
from talkwire.ops.metrics import Metrics
from talkwire.settings import Scanner as ScannerSettings
from talkwire.settings import Settings
from wrappings import GIF, JPEG, PNG, wrappings


@pytest.fixture(scope="module")
def server() -> Iterator[ClamdServer]:
    with clamd_server() as running:
        yield running


@pytest.fixture(params=["unix", "tcp"])
def clamd(request: pytest.FixtureRequest, server: ClamdServer) -> Clamd:
    return Clamd(ClamdAddress.parse(getattr(server, request.param)))


@pytest.fixture(params=["none", "clamd"])
def scanner(request: pytest.FixtureRequest) -> Scanner:
    if request.param == "none":
        return NoScanner()
    server = request.getfixturevalue("server")
    return Clamd(ClamdAddress.parse(server.unix))


@pytest.mark.parametrize("image", [JPEG, PNG, GIF], ids=["jpeg", "png", "gif"])
async def test_a_picture_without_malware_is_clean(scanner: Scanner, image: bytes) -> None:
    assert await scanner.scan(pieces(image, 100)) == CLEAN


async def test_who_is_there_answers_a_ping(scanner: Scanner) -> None:
    await scanner.ping()


@pytest.mark.parametrize("way", wrappings(b""))
async def test_eicar_is_found_in_every_wrapping(clamd: Clamd, way: str) -> None:
    verdict = await clamd.scan(pieces(wrappings(EICAR)[way], 1000))
    assert (verdict.clean, verdict.name) == (False, f"{NAME}.UNOFFICIAL")


async def test_what_is_split_over_chunks_and_empty_ones_is_found(clamd: Clamd) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for position in range(len(EICAR)):
            yield EICAR[position : position + 1]
            yield b""

    assert not (await clamd.scan(chunks())).clean


async def test_many_scans_at_once_each_get_their_own_verdict(clamd: Clamd) -> None:
    verdicts = await asyncio.gather(
        *(clamd.scan(pieces(EICAR if number % 3 == 0 else JPEG)) for number in range(60))
    )
    assert [verdict.clean for verdict in verdicts] == [number % 3 != 0 for number in range(60)]


@pytest.mark.parametrize("more_bytes", [1, 65_536, 1024 * 1024], ids=["a byte", "a piece", "many pieces"])
async def test_more_bytes_than_clamd_takes_cannot_be_scanned_and_it_is_up(
    clamd: Clamd, more_bytes: int
) -> None:
    watched = WatchedScanner(clamd)
    with pytest.raises(Unscannable, match=r"^INSTREAM size limit exceeded$"):
        await watched.scan(pieces(bytes(8 * 1024 * 1024 + more_bytes)))
    assert watched.is_up


async def test_what_goes_wrong_while_reading_comes_through(clamd: Clamd) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"some"
        raise LookupError

    with pytest.raises(LookupError):
        await clamd.scan(chunks())


async def test_a_daemon_killed_in_the_middle_is_down_and_back_when_it_is_back() -> None:
    with clamd_server() as server:
        clamd = Clamd(ClamdAddress.parse(server.unix))

        async def chunks() -> AsyncIterator[bytes]:
            yield EICAR
            server.kill()
            yield EICAR

        with pytest.raises(ScannerDown):
            await clamd.scan(chunks())
        with pytest.raises(ScannerDown):
            await clamd.ping()
        server.start()
        await clamd.ping()
        assert not (await clamd.scan(pieces(EICAR))).clean


async def test_a_daemon_that_sleeps_is_down_after_the_timeout() -> None:
    with clamd_server() as server:
        clamd = Clamd(ClamdAddress.parse(server.tcp), scan_seconds=0.3)
        server.kill(signal.SIGSTOP)
        try:
            with pytest.raises(ScannerDown, match="did not answer"):
                await clamd.scan(pieces(EICAR))
        finally:
            server.kill(signal.SIGCONT)


async def test_silence_after_all_bytes_is_told_from_one_that_cannot_be_reached() -> None:
    with clamd_server() as server:
        clamd = WatchedScanner(Clamd(ClamdAddress.parse(server.tcp), scan_seconds=0.3))
        server.kill(signal.SIGSTOP)
        try:
            with pytest.raises(NoAnswer, match="did not answer"):
                await clamd.scan(pieces(EICAR))
            assert clamd.is_up  # for all we know
            with pytest.raises(ScannerDown) as down:
                await clamd.scan(pieces(bytes(64 * 1024 * 1024)))
            assert not isinstance(down.value, NoAnswer)
            assert not clamd.is_up
        finally:
            server.kill(signal.SIGCONT)


async def test_a_connection_cut_after_all_bytes_is_silence() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0\0\0\0")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswer, match="hung up"):
            await Clamd(ClamdAddress("", "127.0.0.1", port)).scan(pieces(b"a picture"))


async def test_whoever_waits_too_long_for_a_place_is_told_so() -> None:
    with clamd_server() as server:
        clamd = Clamd(ClamdAddress.parse(server.unix), scans=1, scan_seconds=0.3)
        server.kill(signal.SIGSTOP)
        try:
            outcomes = await asyncio.gather(
                *(clamd.scan(pieces(JPEG)) for _ in range(5)), return_exceptions=True
            )
        finally:
            server.kill(signal.SIGCONT)
        assert all(isinstance(outcome, ScannerDown) for outcome in outcomes)


@contextlib.asynccontextmanager
async def impostor(answer: bytes) -> AsyncIterator[str]:
    """Something that is no clamd."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"tcp:127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"no idea", b"stream: OK", b"x" * 100_000, b"ERROR\0", b"UNKNOWN COMMAND\0",
        b"COMMAND READ TIMED OUT\0", b"stream: Can't allocate memory ERROR\0",
        b"stream: Can't create temporary file ERROR\0", b"Temporary file -> write ERROR\0",
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_no_pass(answer: bytes) -> None:
    async with impostor(answer) as address:
        with pytest.raises(ScannerDown):
            await Clamd(ClamdAddress.parse(address)).scan(pieces(JPEG))


@pytest.mark.parametrize(
    "words",
    ["Exceeded time limit", "Can't parse data", "Bad format or broken data", "OK FOUND", "something new"],
)
async def test_an_error_about_the_bytes_is_no_pass_and_final(words: str) -> None:
    async with impostor(f"stream: {words} ERROR\0".encode()) as address:
        with pytest.raises(Unscannable, match=f"^{words}$"):
            await Clamd(ClamdAddress.parse(address)).scan(pieces(JPEG))


async def test_nobody_at_the_address_is_down() -> None:
    for address in ("unix:/nowhere/clamd.sock", "tcp:127.0.0.1:1"):
        with pytest.raises(ScannerDown, match="No clamd at"):
            await Clamd(ClamdAddress.parse(address)).ping()


@pytest.mark.parametrize(
    "text", ["", "/run/clamd", "unix:relative", "tcp:host", "tcp::3310", "tcp:host:99999"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="clamd is"):
        ClamdAddress.parse(text)


def test_addresses_are_read_as_they_are_shown() -> None:
    for text in ("unix:/run/clamav/clamd.ctl", "tcp:scanner.example:3310"):
        assert str(ClamdAddress.parse(text)) == text
    assert ClamdAddress.parse("tcp:[::1]:3310").host == "::1"


def test_clean_has_no_name() -> None:
    assert Verdict(clean=True) == CLEAN


def test_the_doctor_asks_it_as_an_upload_does(server: ClamdServer, tmp_path: Path) -> None:
    settings = Settings(scanner=ScannerSettings(clamd=server.unix))
    assert [(found.state, NAME in found.says) for found in checks._scanner(settings)] == [("ok", True)]
    away = Settings(scanner=ScannerSettings(clamd=f"unix:{tmp_path}/nobody"))
    assert [found.state for found in checks._scanner(away)] == ["fail"]
    assert list(checks._scanner(Settings())) == []


async def test_the_alarm_rings_while_it_is_away_and_stops_when_it_is_back() -> None:
    with clamd_server() as server:
        metrics = Metrics()
        scanner = scanner_of(ScannerSettings(clamd=server.unix))
        assert scanner is not None
        (ping,) = watch_scanner(scanner, metrics)
        await ping.run()
        assert b"talkwire_scanner_up 1.0" in metrics.render()
        server.kill()
        with pytest.raises(ScannerDown):
            await scanner.scan(pieces(JPEG))
        assert b"talkwire_scanner_up 0.0" in metrics.render()
        server.start()
        await scanner.scan(pieces(JPEG))
        assert b"talkwire_scanner_up 1.0" in metrics.render()


def test_nothing_is_watched_when_no_scanner_is_configured() -> None:
    assert scanner_of(ScannerSettings()) is None
    assert watch_scanner(None, Metrics()) == []
