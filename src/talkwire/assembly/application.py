"""The HTTP side: the application with all its routes, and what `/readyz` asks."""

from collections.abc import AsyncIterator
from importlib.metadata import version

from aiohttp import web

from talkwire.assembly.connectors import ConnectorRooms
from talkwire.assembly.foundation import Foundation
from talkwire.assembly.identity import IdentityRooms
from talkwire.backends.database.port import Database
from talkwire.backends.filestore.port import FileStore
from talkwire.connectors.deliveries import Deliveries
from talkwire.gateway.desks import Desks
from talkwire.gateway.peer import PeerLimits
from talkwire.gateway.registry import Registry
from talkwire.gateway.socket import Gateway, SocketLimits
from talkwire.handlers.dispatch import Dispatch
from talkwire.handlers.services import Services
from talkwire.history.agent_view import AgentView
from talkwire.httpapi import (
    apps,
    configuration,
    configuration_automatic,
    configuration_keys,
    configuration_routing,
    configuration_skills,
    configuration_users,
    configuration_webhooks,
    connector_opening,
    connector_send,
    consumers,
    descriptions,
    discovery,
    health,
    history,
    sentinel,
    sign_in,
    storage,
)
from talkwire.httpapi.application import bare_application
from talkwire.httpapi.authorization import DOORS, Doors
from talkwire.httpapi.connector_callers import Callers
from talkwire.httpapi.discovery import BaseHost
from talkwire.identity.oauth import SignedRequests
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.ids import new_token
from talkwire.routing.skills import Skills
from talkwire.storage.process import StorageProcess


def registry_of(base: Foundation, sign_in_door: SignIn) -> Registry:
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


def application(
    base: Foundation,
    identity: IdentityRooms,
    services: Services,
    skills: Skills,
    registry: Registry,
    connectors: ConnectorRooms,
) -> web.Application:
    settings, clock, incidents = base.settings, base.clock, base.incidents
    listen = settings.listen
    app = bare_application(incidents, listen.storage_host, listen.http_body_bytes)
    signed_requests = SignedRequests(identity.api_keys, identity.agents, clock)
    app[DOORS] = Doors(identity.sign_in, identity.consumers, signed_requests)
    desks = Desks()
    services.routing.on_ring(desks.ring)
    services.routing.on_agent_state(desks.state)
    sockets = settings.sockets
    dispatch = Dispatch(services, incidents)
    gateway = Gateway(
        services,
        dispatch,
        incidents,
        desks,
        registry,
        base.tasks,
        SocketLimits(sockets.frame_bytes, sockets.outbox_bytes),
        PeerLimits(sockets.requests_per_second, sockets.requests_burst),
    )
    base_host = BaseHost(listen.public_host, listen.port, listen.storage_host, listen.storage_port or 0)
    callers = Callers(connectors.sentinel, connectors.rates, clock)
    app.add_routes(
        connector_send.routes(services, dispatch, callers)
    )  # first: routes are tried in this order
    app.add_routes(gateway.routes())
    app.add_routes(discovery.routes(identity.accounts, base_host))
    app.add_routes(sign_in.routes(identity.sign_in, base_host, clock))
    app.add_routes(consumers.routes(identity.consumers))
    app.add_routes(configuration.routes(identity.accounts))
    app.add_routes(configuration_users.routes(identity.agents))
    app.add_routes(configuration_skills.routes(skills))
    app.add_routes(configuration_skills.campaign_routes(identity.accounts, skills))
    app.add_routes(configuration_routing.routes(services.skill_rules))
    app.add_routes(configuration_automatic.routes(services.automatic_messages))
    app.add_routes(configuration_keys.routes(identity.brand_keys, identity.signing_keys, identity.api_keys))
    app.add_routes(history.routes(services.history, AgentView(base.database, identity.agents), base.clock))
    app.add_routes(configuration_webhooks.routes(Deliveries(base.database, base.clock)))
    app.add_routes(descriptions.routes(version("talkwire")))
    app.add_routes(storage.routes(services.files.storage, incidents))
    app.add_routes(apps.routes(connectors.apps))
    app.add_routes(sentinel.routes(connectors.sentinel, callers))
    app.add_routes(connector_opening.routes(services, skills, callers))
    return app


def readiness_checks(
    database: Database, file_store: FileStore, storage_process: StorageProcess
) -> dict[str, health.Check]:
    async def database_answers() -> None:
        await database.read("SELECT 1 AS one")

    async def one_byte() -> AsyncIterator[bytes]:
        yield b"?"

    async def files_are_writable() -> None:
        probe = new_token()[:32]
        await file_store.put(probe, one_byte(), 1)
        await file_store.delete(probe)

    return {
        "database": database_answers,
        "files": files_are_writable,
        "storage process": storage_process.check,
    }
