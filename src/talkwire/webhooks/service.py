"""The webhooks of a node: which endpoints it serves, what it hears, and looking for what it did not hear."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.connectors import deliveries_store as store
from talkwire.connectors.delivery_model import Endpoint, EndpointState
from talkwire.connectors.delivery_rules import plan_endpoints
from talkwire.connectors.model import App
from talkwire.conversations.model import Conversation
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId, new_short_id
from talkwire.messaging.logged import LoggedEvent
from talkwire.webhooks.courier import Courier
from talkwire.webhooks.looking import Looking
from talkwire.webhooks.tools import Tools

_log = logging.getLogger(__name__)
TICK_SECONDS = 0.1
LEASE_MS = 15_000
RENEW_SECONDS = 5.0
APPS_SECONDS = 10.0
CLOSE_STEPS, STEP_SECONDS = 200, 0.01

ListApps = Callable[[], Awaitable[Iterable[App]]]
"""The apps of every account."""


class Place(NamedTuple):
    """Where this node stands. Alone on its database it takes its leases back at once after a restart."""

    holder: str
    is_shared: bool  # other nodes work on the same database


class Webhooks:
    """One for the node; `run` it as long as the node lives."""

    def __init__(self, database: Database, tools: Tools, list_apps: ListApps, place: Place) -> None:
        self._database = database
        self._tools = tools
        self._list_apps = list_apps
        self._place = place
        self._looking = Looking(database, tools, is_shared=place.is_shared)
        self._couriers: dict[tuple[str, str], list[Courier]] = {}  # by account and client id
        self._following = asyncio.Lock()
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False
        tools.apps.on_change(self.app_changed)

    # --- bells

    def heard(self, event: LoggedEvent, app_id: str) -> None:
        """An event of an app's conversation was committed, or a chat state told. Returns at once."""
        for courier in self._couriers.get((event.account_id, app_id), ()):
            courier.heard(event)

    def changed(self, conversation: Conversation) -> None:
        """A conversation was opened or changed; for `Conversations.on_change`."""
        if conversation.app_id:
            for courier in self._couriers.get((conversation.account_id, conversation.app_id), ()):
                courier.wake(conversation.conversation_id)

    def app_changed(self, app: App) -> None:
        """What its owner changed holds from the next delivery on."""
        for courier in self._couriers.get((app.account_id, app.client_id), ()):
            courier.app = app
            if not app.is_in_use:
                courier.pause()
        self._tools.tasks.start(self._follow_soon(app), "webhooks: app changed")

    # --- life

    async def run(self) -> None:
        """Follow the apps, hold the leases, look around. Ends when it is cancelled."""
        loop = asyncio.get_running_loop()
        renew_at = apps_at = 0.0
        while not self._is_closed:
            if loop.time() >= apps_at:
                is_first, apps_at = not apps_at, loop.time() + APPS_SECONDS
                if is_first or self._place.is_shared:
                    await self._safely(self._follow_all())
                    renew_at = 0.0
            if loop.time() >= renew_at:
                renew_at = loop.time() + RENEW_SECONDS
                await self._safely(self._renew_all())
            for courier in self.couriers():
                courier.tick()
                self._look(courier, loop.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._tools.hungry.wait()
            self._tools.hungry.clear()

    async def _safely(self, work: Awaitable[None]) -> None:
        """What fails is tried again in its turn; it must not be the end of every delivery."""
        try:
            await work
        except Unavailable:
            return
        except Exception:  # noqa: BLE001 -- one app's fault, or ours: the others go on
            _log.exception("Webhooks could not be brought up to date; trying again.")

    async def close(self) -> None:
        """Begin nothing new, keep what was done, give the leases back."""
        self._is_closed = True
        for courier in self.couriers():
            courier.pause()
        for task in self._looks.values():
            task.cancel()
        for _ in range(CLOSE_STEPS):  # what is under way may end; if not, it is delivered again
            if not any(courier.in_flight for courier in self.couriers()):
                break
            await asyncio.sleep(STEP_SECONDS)
        with contextlib.suppress(Unavailable):
            await self._tools.keeper.flush()
            await self._release_all()
        await self._tools.sender.close()

    def couriers(self) -> list[Courier]:
        return [courier for group in self._couriers.values() for courier in group]

    # --- what is counted

    def lane_counts(self) -> dict[str, float]:
        """Lanes in line, waiting to be tried again, and deliveries under way."""
        couriers = self.couriers()
        return {
            "ready": sum(len(courier.ready) for courier in couriers),
            "parked": sum(len(courier.parked) for courier in couriers),
            "in_flight": sum(courier.in_flight for courier in couriers),
        }

    def state_counts(self) -> dict[str, float]:
        states = [courier.health.state for courier in self.couriers() if not courier.is_paused]
        return {state.value: states.count(state) for state in EndpointState}

    # --- following the apps

    async def _follow_all(self) -> None:
        apps: dict[tuple[str, str], App] = {
            (app.account_id, app.client_id): app for app in await self._list_apps()
        }
        for key in [key for key in self._couriers if key not in apps]:
            app = await self._tools.apps.find(AccountId(key[0]), key[1])
            if app is not None:
                apps[key] = app
        for app in apps.values():
            if app.webhooks or (app.account_id, app.client_id) in self._couriers:
                await self._follow(app)

    async def _follow_soon(self, app: App) -> None:
        while True:
            try:
                await self._follow(await self._tools.apps.find(app.account_id, app.client_id) or app)
            except Unavailable:
                await asyncio.sleep(1)
            else:
                await self._renew_all()
                return

    async def _follow(self, app: App) -> None:
        """Have the couriers that an app's configuration asks for."""
        async with self._following:
            key = (app.account_id, app.client_id)
            held = {courier.endpoint.endpoint_id: courier for courier in self._couriers.get(key, ())}
            if any(courier.app.revision > app.revision for courier in held.values()):
                return  # it was read before it changed
            if held and all(courier.app == app for courier in held.values()) and _fits(held.values(), app):
                return
            kept, gone = await self._agree(app)
            for endpoint in gone:
                self._stop(held.pop(endpoint.endpoint_id, None))
                self._tools.keeper.forget(endpoint.endpoint_id)
            couriers = [self._courier(app, row, held) for row in kept]
            if couriers:
                self._couriers[key] = couriers
            else:
                self._couriers.pop(key, None)

    def _courier(self, app: App, row: Row, held: dict[str, Courier]) -> Courier:
        endpoint = store.endpoint_of(row)
        courier = held.get(endpoint.endpoint_id)
        if courier is None:
            courier = Courier(self._tools, app, endpoint, store.health_of(row))
            self._looking.begin(courier)
        elif courier.endpoint.event_keys != endpoint.event_keys:
            courier.is_behind = True
        courier.app, courier.endpoint = app, endpoint
        if not app.is_in_use:
            courier.pause()
        return courier

    async def _agree(self, app: App) -> tuple[list[Row], tuple[Endpoint, ...]]:
        """Bring the endpoints' rows in line with the app; those that stay, and those that went."""
        webhooks = {} if app.deleted else app.webhooks
        urls = {webhook.endpoint for webhook in webhooks.values()}
        fresh = [self._fresh(app) for _ in urls]

        async def unit(tx: Transaction) -> tuple[Endpoint, ...]:
            known = await store.lock_app(tx, app.account_id, app.client_id)
            plan = plan_endpoints(known, webhooks, fresh)
            for endpoint in plan.kept:
                if endpoint not in known:
                    await store.put_endpoint(tx, endpoint)
            for endpoint in plan.gone:
                await store.remove_endpoint(tx, endpoint)
            return plan.gone

        await self._tools.keeper.flush()
        gone = await self._database.write(unit)
        return await store.endpoints_of(self._database, app.account_id, app.client_id), gone

    def _fresh(self, app: App) -> Endpoint:
        return Endpoint(
            account_id=app.account_id,
            endpoint_id=new_short_id(),
            client_id=app.client_id,
            url="",
            event_keys=(),
            since_ms=app.updated_at_ms,
        )

    def _stop(self, courier: Courier | None) -> None:
        if courier is not None:
            courier.pause()
            courier.lanes.clear()
            self._looking.end(courier)

    # --- leases

    async def _renew_all(self) -> None:
        for courier in self.couriers():
            if courier.app.is_in_use and not self._is_closed:
                await self._renew(courier)

    async def _renew(self, courier: Courier) -> None:
        endpoint, now_ms = courier.endpoint, self._tools.clock.now_ms()
        holder, until_ms = self._place.holder, now_ms + LEASE_MS

        async def unit(tx: Transaction) -> Row | None:
            return await store.claim(tx, endpoint.account_id, endpoint.endpoint_id, holder, now_ms, until_ms)

        row = await self._database.write(unit)
        if row is None:
            if not courier.is_paused:
                courier.pause()
                courier.forget_lanes()
        elif courier.is_paused and courier.app.is_in_use:
            courier.health = store.health_of(row)
            courier.forget_lanes()
            self._looking.begin(courier)
            courier.resume()

    async def _release_all(self) -> None:
        couriers, holder = self.couriers(), self._place.holder

        async def unit(tx: Transaction) -> None:
            for courier in couriers:
                endpoint = courier.endpoint
                await store.release(tx, endpoint.account_id, endpoint.endpoint_id, holder)

        if couriers:
            await self._database.write(unit)

    def _look(self, courier: Courier, now: float) -> None:
        endpoint_id = courier.endpoint.endpoint_id
        under_way = self._looks.get(endpoint_id)
        if courier.is_paused or (under_way is not None and not under_way.done()):
            return
        if self._looking.is_due(courier, now):
            courier.is_looked_for = True
            work = self._looking.look(courier, now)
            self._looks[endpoint_id] = self._tools.tasks.start(work, "webhooks: look")


def _fits(couriers: Iterable[Courier], app: App) -> bool:
    """Whether the couriers' endpoints are those of the app's configuration."""
    webhooks = {} if app.deleted else app.webhooks
    wanted = {(webhook.endpoint, key) for key, webhook in webhooks.items()}
    return wanted == {(c.endpoint.url, key) for c in couriers for key in c.endpoint.event_keys}
