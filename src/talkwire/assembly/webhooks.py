"""The delivery of webhooks, put together."""

import asyncio
import logging

from talkwire.accounts.service import Accounts
from talkwire.assembly.foundation import Foundation
from talkwire.connectors.apps import Apps
from talkwire.connectors.model import App
from talkwire.handlers.services import Services
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import new_short_id
from talkwire.settings import Settings
from talkwire.webhooks.keeper import Keeper
from talkwire.webhooks.reading import Reading
from talkwire.webhooks.sender import Sender, SendPolicy
from talkwire.webhooks.service import Place, Webhooks
from talkwire.webhooks.tools import Tools

_log = logging.getLogger(__name__)


def send_policy(settings: Settings) -> SendPolicy:
    numbers = settings.webhooks
    return SendPolicy(
        connect_seconds=numbers.webhook_connect_seconds,
        read_seconds=numbers.webhook_read_seconds,
        allowed_hosts=frozenset(
            host.strip().lower() for host in numbers.webhook_allowed_hosts.split(",") if host.strip()
        ),
        ca_file=numbers.webhook_ca_file,
        allow_plain_loopback=settings.process.demo,
    )


def webhooks_of(base: Foundation, apps: Apps, services: Services) -> Webhooks:
    """Listens to what is told; `run` it once the node stands."""
    settings = base.settings
    tools = Tools(
        apps=apps,
        reading=Reading(base.database, services.conversations, services.log),
        sender=Sender(send_policy(settings)),
        keeper=Keeper(base.database, base.tasks),
        clock=base.clock,
        tasks=base.tasks,
        observe=base.metrics.webhook_went,
        concurrency=settings.webhooks.webhook_concurrency,
        hungry=asyncio.Event(),
    )
    is_shared = bool(settings.storage.database_url)
    place = Place(new_short_id() if is_shared else "this node alone", is_shared)
    webhooks = Webhooks(base.database, tools, lambda: _every_app(services.accounts, apps), place)
    services.hub.on_app_event(webhooks.heard)
    services.conversations.on_change(webhooks.changed)
    base.metrics.watch("webhook_lanes", "Conversations on their way to endpoints.", webhooks.lane_counts)
    base.metrics.watch("webhook_endpoints", "Endpoints served here, by state.", webhooks.state_counts)
    return webhooks


async def _every_app(accounts: Accounts, apps: Apps) -> list[App]:
    """Whose keys are gone is told nothing; the others are."""
    found: list[App] = []
    for account in await accounts.list_accounts():
        try:
            found += await apps.list_apps(account.account_id)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 -- a refusal, or tampered rows: that account's alone
            _log.exception("The apps of account %s cannot be read.", account.account_id)
    return found
