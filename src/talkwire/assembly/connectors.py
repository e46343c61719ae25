"""The rooms of third-party channels, put together."""

from dataclasses import dataclass

from talkwire.assembly.foundation import Foundation
from talkwire.assembly.identity import IdentityRooms
from talkwire.connectors.apps import Apps, Sealer
from talkwire.connectors.rates import Rates
from talkwire.connectors.sentinel import ConsumerSecrets, Sentinel
from talkwire.kernel.ids import AccountId


class NotSealed:
    """TODO(#3): stands in for the vault until a node has one."""

    async def seal(self, account_id: AccountId, purpose: str, plain: bytes) -> bytes:
        return plain

    async def unseal(self, account_id: AccountId, purpose: str, sealed: bytes) -> bytes:
        return sealed


@dataclass(frozen=True)
class ConnectorRooms:
    apps: Apps
    sentinel: Sentinel
    rates: Rates


def connector_rooms(base: Foundation, identity: IdentityRooms, sealer: Sealer) -> ConnectorRooms:
    """In a demo, webhooks may go to plain http on this machine."""
    settings, clock, database = base.settings, base.clock, base.database
    numbers = settings.connectors
    apps = Apps(database, clock, sealer, allow_plain_loopback=settings.process.demo)
    sentinel = Sentinel(
        apps,
        identity.signing_keys,
        ConsumerSecrets(database, clock, sealer),
        clock,
        failures_per_minute=settings.identity.failed_logins_per_minute,
        external_id_characters=numbers.ext_consumer_id_characters,
    )
    return ConnectorRooms(apps, sentinel, Rates(numbers.app_requests_per_second, numbers.app_requests_burst))
