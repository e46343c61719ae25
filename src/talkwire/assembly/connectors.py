"""The rooms of third-party channels, put together."""

from dataclasses import dataclass

from talkwire.assembly.foundation import Foundation
from talkwire.assembly.identity import IdentityRooms
from talkwire.assembly.keys import KeyRooms
from talkwire.connectors.apps import Apps
from talkwire.connectors.rates import Rates
from talkwire.connectors.sentinel import ConsumerSecrets, Sentinel


@dataclass(frozen=True)
class ConnectorRooms:
    apps: Apps
    sentinel: Sentinel
    rates: Rates


def connector_rooms(base: Foundation, identity: IdentityRooms, keys: KeyRooms) -> ConnectorRooms:
    """In a demo, webhooks may go to plain http on this machine."""
    settings, clock, database = base.settings, base.clock, base.database
    numbers = settings.connectors
    apps = Apps(database, clock, keys.vault, identity.acts, allow_plain_loopback=settings.process.demo)
    sentinel = Sentinel(
        apps,
        identity.signing_keys,
        ConsumerSecrets(database, clock, keys.vault),
        clock,
        failures_per_minute=settings.identity.failed_logins_per_minute,
        external_id_characters=numbers.ext_consumer_id_characters,
    )
    return ConnectorRooms(apps, sentinel, Rates(numbers.app_requests_per_second, numbers.app_requests_burst))
