"""The storage process: killed, orphaned, told to stop; and what it is not told."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumer import http_to, signed_up
from fault.wire import Gone, Json, Line, line_to, until
from live import STOP_SECONDS, Live, kill, launch, start_server, stop
from pictures import png, png_file

LARGE = png(550, 550, seed=5)
CLAIM = {"fileSize": len(LARGE), "fileType": "PNG"}


def storage_process_of(server: int) -> int:
    """Its process id; 0 when there is none."""
    for entry in Path("/proc").iterdir():
        try:
            if b"talkwire.assembly.storage_process" in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == server:
                    return int(entry.name)
        except OSError:
            continue
    return 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def objects_of(live: Live) -> list[Path]:
    return [one for one in (live.data / "files" / "objects").rglob("*/*") if one.is_file()]


class Sender:
    """A PUT that stops half-way until it is told to go on."""

    def __init__(self, line: Line, slot: Json) -> None:
        self._live = line.live
        self.go_on = asyncio.Event()
        url = line.storage_url(slot["relativePath"])
        self.task = asyncio.create_task(line.call("PUT", url, params=slot["queryParams"], data=self._body()))

    async def _body(self) -> AsyncIterator[bytes]:
        yield LARGE[: len(LARGE) // 2]
        await self.go_on.wait()
        yield LARGE[len(LARGE) // 2 :]

    async def half_way(self) -> None:
        """Wait until some of it is on the disk."""

        async def is_there() -> bool:
            return bool(objects_of(self._live))

        await until(is_there)


async def test_discovery_names_it_and_it_serves_nothing_but_files(running: Live) -> None:
    async with http_to(running) as http:
        async with http.get(running.url("CSDS", "service/swift/baseURI.json?version=1.0")) as answer:
            assert (await answer.json())["baseURI"] == running.env["LP_SWIFT"] != running.env["LP_CSDS"]
        async with http.get(running.url("SWIFT", "service/swift/baseURI.json?version=1.0")) as answer:
            assert answer.status == 404


async def test_a_file_goes_in_by_its_port_and_out_by_either(running: Live, tmp_path: Path) -> None:
    async with signed_up(running) as consumer, line_to(running) as line:
        path = await consumer.share(await consumer.open_conversation(), png_file(tmp_path), "")
        _, kept = await consumer.fetch(path)
        slot = await consumer.ask("ms.GenerateURLForDownloadFile", {"relativePath": path})
        _, same = await line.call("GET", line.url(f"/{path}"), params=slot["queryParams"])
        assert kept == same


async def test_killed_in_the_middle_of_an_upload_it_comes_back_and_nothing_stays(
    running: Live, tmp_path: Path
) -> None:
    async with signed_up(running) as consumer, line_to(running) as line:
        talk = await consumer.open_conversation()
        first = storage_process_of(running.process.pid)
        sender = Sender(line, await consumer.ask("ms.GenerateURLForUploadFile", CLAIM))
        await sender.half_way()
        os.kill(first, signal.SIGKILL)
        sender.go_on.set()
        with pytest.raises(Gone):
            await sender.task
        path = await consumer.share(talk, png_file(tmp_path), "waited in line while the next one started")
        assert (await consumer.fetch(path))[1]
        assert storage_process_of(running.process.pid) not in {0, first}
        await until(line.is_ready)

        async def one_object_is_left() -> bool:
            return len(objects_of(running)) == 1

        await until(one_object_is_left)
    assert "is started again" in running.log


async def test_one_that_hangs_makes_the_node_unready_until_it_goes_on(running: Live) -> None:
    async with line_to(running) as line:
        await until(line.is_ready)
        pid = storage_process_of(running.process.pid)
        os.kill(pid, signal.SIGSTOP)
        try:
            status, said = await line.call("GET", line.url("/readyz"))
            assert (status, json.loads(said)["checks"]["storage process"]) == (503, "no answer")
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(line.is_ready)


async def test_it_does_not_outlive_the_server(tmp_path: Path) -> None:
    live = start_server(tmp_path)
    orphan = storage_process_of(live.process.pid)
    assert orphan
    kill(live)

    async def it_is_gone() -> bool:
        return not is_alive(orphan)

    await until(it_is_gone)
    stop(start_server(tmp_path))


async def test_killed_while_it_starts_a_server_leaves_nobody_on_its_ports(tmp_path: Path) -> None:
    ports = ["--storage-port", str(free_port()), "--storage-http-port", str(free_port())]
    starting = launch(tmp_path, *ports)

    async def has_begun() -> bool:
        return bool(storage_process_of(starting.pid))

    await until(has_begun)
    starting.kill()
    starting.wait()
    stop(start_server(tmp_path, *ports))


async def test_while_it_does_not_get_ready_the_server_can_be_stopped(tmp_path: Path) -> None:
    starting = launch(tmp_path)

    async def has_begun() -> bool:
        return bool(storage_process_of(starting.pid))

    await until(has_begun)
    os.kill(storage_process_of(starting.pid), signal.SIGSTOP)
    starting.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(starting.wait, STOP_SECONDS) == 0


async def test_its_certificate_may_be_named_as_seen_from_where_the_server_stands(tmp_path: Path) -> None:
    stop(start_server(tmp_path))
    names = {
        "TALKWIRE_TLS_CERT_FILE": "data/tls/server.pem",
        "TALKWIRE_TLS_KEY_FILE": "data/tls/server-key.pem",
    }
    live = start_server(tmp_path, env=names)
    assert storage_process_of(live.process.pid)
    stop(live)


async def test_an_upload_that_is_under_way_when_the_server_is_told_to_stop_is_finished(running: Live) -> None:
    async with line_to(running) as line, signed_up(running) as consumer:
        sender = Sender(line, await consumer.ask("ms.GenerateURLForUploadFile", CLAIM))
        await sender.half_way()
        running.process.send_signal(signal.SIGTERM)
        sender.go_on.set()
        assert (await sender.task)[0] == 201
        assert await asyncio.to_thread(running.process.wait, STOP_SECONDS) == 0
    assert not storage_process_of(running.process.pid)


async def test_a_signal_to_every_process_is_the_servers_to_follow(running: Live) -> None:
    storage = storage_process_of(running.process.pid)
    os.kill(storage, signal.SIGTERM)
    os.kill(storage, signal.SIGINT)
    async with line_to(running) as line, signed_up(running) as consumer:
        slot = await consumer.ask("ms.GenerateURLForUploadFile", CLAIM)
        assert await line.put(slot, LARGE) == 201
    assert storage_process_of(running.process.pid) == storage


def test_no_secret_is_in_its_environment_or_arguments(tmp_path: Path) -> None:
    secret = "5e" * 32
    live = start_server(tmp_path, env={"TALKWIRE_MASTER_KEY": secret})
    storage = Path(f"/proc/{storage_process_of(live.process.pid)}")
    told = (storage / "environ").read_bytes() + (storage / "cmdline").read_bytes()
    stop(live)
    assert b"TALKWIRE" not in told
    assert secret.encode() not in told
