"""Puts a node together. The only place that knows the adapters."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from talkwire.accounts.properties import SURVEY_APP
from talkwire.accounts.service import Accounts
from talkwire.backends.database.port import Database
from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.backends.filestore.port import FileStore
from talkwire.conversations.opening import Opening
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import Views
from talkwire.files.model import FileLimits
from talkwire.files.service import Files
from talkwire.gateway.desks import Desks
from talkwire.gateway.peer import PeerLimits
from talkwire.gateway.registry import Registry
from talkwire.gateway.socket import Gateway, SocketLimits
from talkwire.handlers.dispatch import Dispatch
from talkwire.handlers.services import Services
from talkwire.httpapi import (
    configuration,
    configuration_keys,
    configuration_skills,
    configuration_users,
    consumers,
    discovery,
    health,
    sign_in,
    storage,
)
from talkwire.httpapi.authorization import DOORS, Doors
from talkwire.httpapi.cors import cors_middleware
from talkwire.httpapi.discovery import BaseHost
from talkwire.httpapi.errors import error_middleware
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.brand_keys import BrandKeys
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.consumers import Consumers
from talkwire.identity.jobs import jobs as identity_jobs
from talkwire.identity.keys import SigningKeys
from talkwire.identity.limits import ConsumerLimits, SignInLimits
from talkwire.identity.oauth import SignedRequests
from talkwire.identity.passwords import Passwords
from talkwire.identity.sessions import Sessions
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.kernel.jobs import Job
from talkwire.kernel.tasks import Tasks
from talkwire.messaging.catching_up import Log
from talkwire.messaging.feeds import Feeds
from talkwire.messaging.file_publishing import FilePublishing
from talkwire.messaging.hub import Hub
from talkwire.messaging.jobs import jobs as messaging_jobs
from talkwire.messaging.leaving import Leaving
from talkwire.messaging.logged import of_row
from talkwire.messaging.presence import Presence
from talkwire.messaging.previews import Previews
from talkwire.messaging.publishing import Publishing
from talkwire.messaging.rules import EventLimits
from talkwire.messaging.telling import Telling
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.metrics import Metrics
from talkwire.ops.worker import Worker
from talkwire.routing.jobs import jobs as routing_jobs
from talkwire.routing.model import Timing
from talkwire.routing.service import Routing
from talkwire.routing.skills import Skills
from talkwire.settings import Settings

PROBE_KEY = "0" * 32
"""What `/readyz` writes and removes to see that the disk takes files."""


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

    @property
    def accounts(self) -> Accounts:
        return self.services.accounts

    @property
    def agents(self) -> Agents:
        return self.services.agents

    async def drain(self) -> None:
        """Take nothing new: not ready, sockets closed with 1001, what was handed in is committed."""
        await self.registry.drain(self.settings.process.drain_seconds * 0.4)

    async def close(self) -> None:
        """Let go of the database and everything else."""
        self.services.presence.close()
        await self.tasks.close()
        await self.worker.stop()
        await self.file_store.close()
        await self.database.close()


@dataclass(frozen=True)
class _Base:
    """What every part of a node stands on."""

    settings: Settings
    clock: Clock
    database: Database
    metrics: Metrics
    incidents: IncidentLog
    tasks: Tasks


async def assemble(settings: Settings, clock: Clock) -> Node:
    """A node that is ready to be served. Raises SchemaTooNew, DatabaseInUse, Unavailable."""
    metrics = Metrics()
    incidents = IncidentLog(metrics)
    tasks = Tasks(incidents.task_failed)
    database = await open_database(settings)
    try:
        await database.migrate()
        return await _assemble(_Base(settings, clock, database, metrics, incidents, tasks))
    except BaseException:
        await database.close()
        raise


async def open_database(settings: Settings) -> Database:
    """The database that the settings name, not migrated. Raises DatabaseInUse, Unavailable."""
    if settings.storage.database_url:
        from talkwire.backends.database.postgres import PostgresDatabase  # noqa: PLC0415 -- only where it is used

        storage = settings.storage
        return await PostgresDatabase.open(storage.database_url, storage.database_connections)
    from talkwire.backends.database.sqlite import SqliteDatabase  # noqa: PLC0415

    return await SqliteDatabase.open(settings.storage.data_path / "talkwire.db")


async def _assemble(base: _Base) -> Node:
    settings, clock, database, tasks = base.settings, base.clock, base.database, base.tasks
    identity = _identity(base)
    conversations = Conversations(database, clock, Views(), hydrate=of_row)
    survey_app = _survey_app(identity.accounts)
    routing = Routing(database, clock, conversations, identity.agents, survey_app, _timing(settings))
    identity.agents.on_change(lambda changed: routing.look_again(changed.account_id))
    file_store = await LocalDisk.open(settings.storage.data_path / "files")
    files = Files(database, file_store, identity.accounts, conversations, clock, _file_limits(settings))
    services = _messaging(base, identity, routing, files, conversations)
    registry = _registry(base, identity.sign_in)
    skills = Skills(database, clock)
    app = _application(base, identity, services, skills, registry)
    app.add_routes(
        health.routes(_checks(database, file_store), lambda: registry.is_draining, base.metrics.render)
    )
    _count(base, conversations)
    worker = Worker(_jobs(base, identity), base.metrics.job_ran)
    await routing.start()
    tasks.start(routing.run(), "routing")
    tasks.start(registry.sweep_forever(), "gateway: sweep")
    worker.start()
    return Node(app, base.metrics, services, skills, registry, database, file_store, tasks, worker, settings)


def _registry(base: _Base, sign_in_door: SignIn) -> Registry:
    sockets = base.settings.sockets
    registry = Registry(
        base.clock,
        sign_in_door,
        base.tasks,
        base.metrics,
        idle_seconds=sockets.idle_seconds,
        init_seconds=sockets.first_frame_seconds,
    )
    sign_in_door.on_revoked(registry.session_ended)
    return registry


def _count(base: _Base, conversations: Conversations) -> None:
    base.database.on_commit(base.metrics.batch_committed)
    base.metrics.watch("views", "Conversations held in memory.", lambda: len(conversations.views))


def _survey_app(accounts: Accounts) -> Callable[[AccountId], Awaitable[str]]:
    async def survey_app(account_id: AccountId) -> str:
        return str(await accounts.value(account_id, SURVEY_APP))

    return survey_app


def _timing(settings: Settings) -> Timing:
    return Timing(
        ring_life_ms=int(settings.routing.offer_seconds * 1000),
        grace_ms=int(settings.routing.agent_grace_seconds * 1000),
    )


@dataclass(frozen=True)
class _Identity:
    accounts: Accounts
    agents: Agents
    sign_in: SignIn
    consumers: Consumers
    sessions: Sessions
    api_keys: ApiKeys
    brand_keys: BrandKeys
    signing_keys: SigningKeys


def _identity(base: _Base) -> _Identity:
    settings, clock, database = base.settings, base.clock, base.database
    numbers = settings.identity
    accounts = Accounts(database, clock)
    passwords = Passwords()
    agents = Agents(database, clock, passwords)
    limits = SignInLimits(
        numbers.session_idle_seconds, numbers.session_seconds, numbers.failed_logins_per_minute
    )
    sessions = Sessions(database, clock, agents, limits)
    api_keys = ApiKeys(database, clock, agents)
    signing_keys, brand_keys = SigningKeys(database, clock), BrandKeys(database, clock)
    consumers_of = Consumers(
        accounts,
        signing_keys,
        brand_keys,
        ConsumerProfiles(database, clock, settings.messages.sde_bytes),
        clock,
        ConsumerLimits(
            token_seconds=numbers.consumer_token_seconds, sign_ups_per_minute=numbers.sign_ups_per_minute
        ),
    )
    door = SignIn(accounts, agents, sessions, api_keys, passwords, limits, database=database, clock=clock)
    return _Identity(accounts, agents, door, consumers_of, sessions, api_keys, brand_keys, signing_keys)


def _messaging(
    base: _Base, identity: _Identity, routing: Routing, files: Files, conversations: Conversations
) -> Services:
    settings, clock, database, tasks = base.settings, base.clock, base.database, base.tasks
    hub = Hub()
    feeds = Feeds(conversations, tasks, clock)
    presence = Presence(hub, conversations.views, clock, settings.messages.composing_seconds)
    telling = Telling(conversations, hub, feeds, presence)
    limits = EventLimits(settings.messages.text_bytes, settings.messages.rich_content_bytes)
    publishing = Publishing(database, conversations, telling, presence, clock, tasks, limits)
    previews = Previews(files)
    leaving = Leaving(hub, conversations)
    conversations.on_change(feeds.heard)
    conversations.on_change(leaving.changed)
    routing.on_ring(lambda account_id, _, view: leaving.offer_changed(account_id, view.ring.conversation_id))
    return Services(
        accounts=identity.accounts,
        agents=identity.agents,
        clock=clock,
        consumers=identity.consumers,
        conversations=conversations,
        feeds=feeds,
        file_publishing=FilePublishing(database, publishing, files, previews, telling),
        files=files,
        hub=hub,
        log=Log(database, identity.agents, previews),
        opening=Opening(conversations, identity.accounts),
        presence=presence,
        publishing=publishing,
        routing=routing,
        sign_in=identity.sign_in,
    )


def _file_limits(settings: Settings) -> FileLimits:
    numbers = settings.files
    return FileLimits(
        consumer_file_bytes=numbers.consumer_file_bytes,
        agent_file_bytes=numbers.agent_file_bytes,
        preview_bytes=numbers.preview_bytes,
        slot_seconds=numbers.slot_seconds,
        consumer_slots=numbers.consumer_slots,
        brand_slots=numbers.brand_slots,
        upload_bytes_per_second=numbers.upload_bytes_per_second,
        upload_slow_seconds=numbers.upload_slow_seconds,
        upload_seconds=numbers.upload_seconds,
    )


def _application(
    base: _Base, identity: _Identity, services: Services, skills: Skills, registry: Registry
) -> web.Application:
    settings, clock, incidents = base.settings, base.clock, base.incidents
    app = web.Application(
        middlewares=[cors_middleware, error_middleware(incidents)],
        client_max_size=settings.listen.http_body_bytes,
    )
    signed_requests = SignedRequests(identity.api_keys, identity.agents, clock)
    app[DOORS] = Doors(identity.sign_in, identity.consumers, signed_requests)
    desks = Desks()
    services.routing.on_ring(desks.ring)
    services.routing.on_agent_state(desks.state)
    sockets = settings.sockets
    gateway = Gateway(
        services,
        Dispatch(services, incidents),
        incidents,
        desks,
        registry,
        base.tasks,
        SocketLimits(sockets.frame_bytes, sockets.outbox_bytes),
        PeerLimits(sockets.requests_per_second, sockets.requests_burst),
    )
    base_host = BaseHost(settings.listen.public_host, settings.listen.port)
    app.add_routes(gateway.routes())
    app.add_routes(discovery.routes(identity.accounts, base_host))
    app.add_routes(sign_in.routes(identity.sign_in, base_host, clock))
    app.add_routes(consumers.routes(identity.consumers))
    app.add_routes(configuration.routes(identity.accounts))
    app.add_routes(configuration_users.routes(identity.agents))
    app.add_routes(configuration_skills.routes(skills))
    app.add_routes(configuration_skills.campaign_routes(identity.accounts, skills))
    app.add_routes(configuration_keys.routes(identity.brand_keys, identity.signing_keys, identity.api_keys))
    app.add_routes(storage.routes(services.files.storage))
    return app


def _checks(database: Database, file_store: FileStore) -> dict[str, health.Check]:
    async def database_answers() -> None:
        await database.read("SELECT 1 AS one")

    async def one_byte() -> AsyncIterator[bytes]:
        yield b"?"

    async def files_are_writable() -> None:
        await file_store.put(PROBE_KEY, one_byte(), 1)
        await file_store.delete(PROBE_KEY)

    return {"database": database_answers, "files": files_are_writable}


def _jobs(base: _Base, identity: _Identity) -> list[Job]:
    return [
        *identity_jobs(identity.accounts, identity.sessions),
        *routing_jobs(base.database, base.clock),
        *messaging_jobs(base.database, base.clock, base.settings.messages.idempotency_key_seconds),
    ]
