"""A node's life: assembled, opened, announced, drained, closed."""

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog
from aiohttp import web

from talkwire.accounts.service import Accounts
from talkwire.backends.database.port import DatabaseInUse, SchemaTooNew
from talkwire.cli.failures import CannotStart, reason_of
from talkwire.cli.ground import Ground
from talkwire.connectors.apps import Apps
from talkwire.identity.agents import Agents
from talkwire.kernel.clock import Clock, SystemClock
from talkwire.kernel.errors import Unavailable
from talkwire.ops.listeners import Listening, open_application
from talkwire.ops.logs import new_incident_id
from talkwire.ops.metrics import Metrics
from talkwire.ops.tls import Tls
from talkwire.ops.tuning import settle_memory
from talkwire.ops.worker import Worker
from talkwire.routing.skills import Skills
from talkwire.settings import Settings
from talkwire.storage.process import StorageProcess
from talkwire.vault.errors import MasterKeyWrong

log = structlog.get_logger()


class Node(Protocol):
    """What `assembly` puts together."""

    @property
    def app(self) -> web.Application: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def agents(self) -> Agents: ...
    @property
    def skills(self) -> Skills: ...
    @property
    def apps(self) -> Apps: ...
    @property
    def storage(self) -> StorageProcess: ...

    async def drain(self) -> None:
        """Take nothing new: not ready, sockets closed with 1001, what was handed in is committed."""
        ...

    async def close(self) -> None:
        """Let go of the database and everything else."""
        ...


Assemble = Callable[[Settings, Clock], Awaitable[Node]]


async def run(ground: Ground, assemble: Assemble) -> None:
    """Serve on the ground that was taken until a signal says stop. Raises CannotStart."""
    stopping = _stop_by_signal()
    asyncio.get_running_loop().set_exception_handler(_log_stray_error)
    settings = ground.settings
    tls = _tls(settings)
    node = await _assemble(settings, assemble)
    try:
        runner = await _open(node, ground, tls, stopping)
        async with Worker([tls.job()], node.metrics.job_ran):
            await _announce(node, settings, tls)
            settle_memory()
            await stopping.wait()
        log.info("stopping")
        await _stop(node, runner, settings.process.drain_seconds)
        log.info("stopped")
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await node.close()


async def _assemble(settings: Settings, assemble: Assemble) -> Node:
    try:
        return await assemble(settings, SystemClock())
    except SchemaTooNew as error:
        raise CannotStart(
            f"{settings.storage.data_path} was written by a newer version of talkwire: {error}"
        ) from error
    except (DatabaseInUse, Unavailable) as error:
        raise CannotStart(f"the database cannot be opened: {error}") from error
    except MasterKeyWrong as error:
        raise CannotStart(str(error)) from error


def _tls(settings: Settings) -> Tls:
    listen = settings.listen
    if listen.tls_cert_file:
        try:
            return Tls.of_files(listen.tls_cert_file, listen.tls_key_file)
        except ssl.SSLError as error:
            said = error.reason or "it is no PEM, or no pair with its key"
            raise CannotStart(f"the certificate {listen.tls_cert_file} cannot be used: {said}") from error
        except OSError as error:
            raise CannotStart(f"{error.filename}: {reason_of(error)}") from error
    return Tls.of_local_authority(settings.storage.data_path / "tls", listen.host)


async def _open(node: Node, ground: Ground, tls: Tls, stopping: asyncio.Event) -> web.AppRunner:
    """Serve on every socket; files through a process of their own on theirs. Raises CannotStart."""
    settings = ground.settings
    how = Listening(
        node.metrics.http_answered,
        node.metrics.upload_ended,
        settings.logs.log_requests,
        settings.listen.proxy_addresses,
        settings.process.drain_seconds,
    )
    runner = await open_application(node.app, how, ground.tls_sockets, ground.http_sockets, tls.context)
    if ground.storage_tls_sockets or ground.storage_http_sockets:
        await _unless(stopping, _open_storage(node, ground, tls))
    return runner


async def _open_storage(node: Node, ground: Ground, tls: Tls) -> None:
    try:
        await node.storage.start(
            ground.storage_tls_sockets,
            ground.storage_http_sockets,
            certificate=str(tls.certificate),
            certificate_key=str(tls.key),
        )
    except Unavailable as error:
        raise CannotStart(str(error)) from error


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Wait for the work; no longer once somebody says stop."""
    working, told = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if working.done():
        await working
    working.cancel()


async def _announce(node: Node, settings: Settings, tls: Tls) -> None:
    """Say where to go, once all ports listen."""
    listen = settings.listen
    log.info(
        "listening",
        tls=listen.advertised,
        http=listen.advertised_http or None,
        files=listen.advertised_storage if listen.advertised_storage != listen.advertised else None,
    )
    if settings.process.demo:
        from talkwire.cli.demo import open_demo  # noqa: PLC0415 -- no part of a production start

        print(await open_demo(node, settings, tls.own), flush=True)


async def _stop(node: Node, runner: web.AppRunner, seconds: float) -> None:
    """Drain within the time: listeners first, then sockets and commits, then open requests."""
    try:
        async with asyncio.timeout(seconds * 0.9), asyncio.TaskGroup() as group:
            for site in tuple(runner.sites):
                await site.stop()
            group.create_task(node.storage.stop(seconds * 0.6))
            async with asyncio.timeout(seconds * 0.5):
                await node.drain()
            await runner.cleanup()
    except TimeoutError:
        log.error("stop was forced", after_seconds=seconds)  # noqa: TRY400 -- no trace says more


def _stop_by_signal() -> asyncio.Event:
    """An event that SIGTERM, SIGINT or SIGHUP sets; the second such signal ends the process at once."""
    stopping = asyncio.Event()

    def heard() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, heard)
    return stopping


def _log_stray_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio catches for want of an owner: a bug, with an incident id."""
    error = context.get("exception")
    log.error("stray error", incident=new_incident_id(), said=context.get("message"), exc_info=error)
