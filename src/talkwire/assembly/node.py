"""A whole node: one running server, without its listeners."""

from dataclasses import dataclass

from aiohttp import web

from talkwire.accounts.service import Accounts
from talkwire.assembly.application import application, readiness_checks, registry_of
from talkwire.assembly.connectors import ConnectorRooms, connector_rooms
from talkwire.assembly.erasure import erasure_rooms
from talkwire.assembly.files import FileRooms, open_files
from talkwire.assembly.foundation import Foundation, open_database
from talkwire.assembly.identity import identity_rooms
from talkwire.assembly.jobs import jobs_of
from talkwire.assembly.keys import KeyRooms, open_keys
from talkwire.assembly.noted_settings import note_settings
from talkwire.assembly.rooms import services_of, survey_app_of, timing_of
from talkwire.assembly.scanner import watch_scanner
from talkwire.assembly.sealing_store import seal_what_lies_open
from talkwire.assembly.storage import storage_of
from talkwire.assembly.webhooks import webhooks_of
from talkwire.audit.jobs import jobs as audit_jobs
from talkwire.backends.database.port import Database
from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.connectors.apps import Apps
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import Views
from talkwire.gateway.registry import Registry
from talkwire.handlers.services import Services
from talkwire.history.erasure_jobs import jobs as erasure_jobs
from talkwire.httpapi import health
from talkwire.httpapi.erasure import routes as erasure_routes
from talkwire.identity.agents import Agents
from talkwire.kernel.clock import Clock
from talkwire.kernel.tasks import Tasks
from talkwire.messaging.logged import of_row
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.metrics import Metrics
from talkwire.ops.worker import Worker
from talkwire.routing.service import Routing
from talkwire.routing.skills import Skills
from talkwire.settings import Settings
from talkwire.storage.process import StorageProcess
from talkwire.vault.requests import AskedRotations
from talkwire.webhooks.service import Webhooks


@dataclass(frozen=True)
class Node:
    """One running server, without its listeners."""

    app: web.Application
    metrics: Metrics
    services: Services
    skills: Skills
    registry: Registry
    database: Database
    file_store: LocalDisk
    tasks: Tasks
    worker: Worker
    settings: Settings
    connectors: ConnectorRooms
    webhooks: Webhooks
    files: FileRooms
    storage: StorageProcess
    keys: KeyRooms

    @property
    def accounts(self) -> Accounts:
        return self.services.accounts

    @property
    def agents(self) -> Agents:
        return self.services.agents

    @property
    def apps(self) -> Apps:
        return self.connectors.apps

    async def drain(self) -> None:
        """Take nothing new: not ready, sockets closed with 1001, what was handed in is committed."""
        await self.registry.drain(self.settings.process.drain_seconds * 0.4)

    async def close(self) -> None:
        """Let go of the database and everything else, whatever goes wrong meanwhile."""
        try:
            await self._close_rooms()
        finally:
            try:
                await self.keys.close()
            finally:
                await self.database.close()

    async def _close_rooms(self) -> None:
        self.services.presence.close()
        await self.webhooks.close()
        await self.storage.stop(1)
        await self.tasks.close()
        await self.worker.stop()
        await self.files.close()
        await self.file_store.close()


async def assemble(settings: Settings, clock: Clock) -> Node:
    """A node that is ready to be served. Raises SchemaTooNew, DatabaseInUse, Unavailable."""
    metrics = Metrics()
    incidents = IncidentLog(metrics)
    tasks = Tasks(incidents.task_failed)
    database = await open_database(settings)
    try:
        await database.migrate()
        return await _assemble(Foundation(settings, clock, database, metrics, incidents, tasks))
    except BaseException:
        await database.close()
        raise


async def _open_keys(base: Foundation) -> KeyRooms:
    """With what has to be so before anything else stands on them."""
    keys = await open_keys(base.settings, base.database, base.clock)
    await seal_what_lies_open(base.database, keys.vault)
    await note_settings(base.database, base.settings, keys.trail)
    keys.watch(base.metrics)
    return keys


async def _assemble(base: Foundation) -> Node:
    settings, clock, database, tasks = base.settings, base.clock, base.database, base.tasks
    keys = await _open_keys(base)
    identity = identity_rooms(base, keys.trail, keys.vault)
    conversations = Conversations(database, clock, Views(), hydrate=of_row)
    survey_app = survey_app_of(identity.accounts)
    routing = Routing(database, clock, conversations, identity.agents, survey_app, timing_of(settings))
    identity.agents.on_change(lambda changed: routing.look_again(changed.account_id))
    file_store = await LocalDisk.open(settings.storage.data_path / "files")
    files = await open_files(base, keys, file_store, identity.accounts, conversations)
    services = services_of(base, identity, routing, files, conversations)
    registry = registry_of(base, identity.sign_in)
    erasure = erasure_rooms(base, conversations, files.erasing, keys.vault, keys.key_store, keys.trail)
    skills = Skills(database, clock, keys.trail)
    connectors = connector_rooms(base, identity, keys)
    webhooks = webhooks_of(base, connectors.apps, services)
    app = application(base, identity, services, skills, registry, connectors)
    storage = storage_of(base, files)
    checks = readiness_checks(database, file_store, storage)
    app.add_routes(health.routes(checks, lambda: registry.is_draining, base.metrics.render))
    app.add_routes(erasure_routes(erasure.erasures, erasure.receipt_keys))
    base.database.on_commit(base.metrics.batch_committed)
    files.watch(base.metrics)
    base.metrics.watch("views", "Conversations held in memory.", lambda: len(conversations.views))
    jobs = [
        *jobs_of(base, identity, conversations),
        *files.jobs(),
        *services.controller.jobs(),
        *audit_jobs(keys.anchors, keys.trail),
        *erasure_jobs(erasure.runs),
        *AskedRotations(keys.rotations, settings.storage.keys_path).jobs(),
        *watch_scanner(files.scanner, base.metrics),
    ]
    worker = Worker(jobs, base.metrics.job_ran)
    await erasure.receipt_keys.take_over(database)
    await erasure.runs.replay()  # before anybody can ask for what was erased
    await routing.start()
    tasks.start(routing.run(), "routing")
    tasks.start(files.judge.run(alone=not settings.storage.database_url), "files: judge")
    tasks.start(registry.sweep_forever(), "gateway: sweep")
    tasks.start(webhooks.run(), "webhooks")
    worker.start()
    return Node(
        app,
        base.metrics,
        services,
        skills,
        registry,
        database,
        file_store,
        tasks,
        worker,
        settings,
        connectors,
        webhooks,
        files,
        storage,
        keys,
    )
