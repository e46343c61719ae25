"""Accounts and identity on a real database, for tests that need somebody to ask."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import argon2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from talkwire.accounts.service import Accounts
from talkwire.audit.acts import Unrecorded
from talkwire.backends.database.port import Database
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.attempts import Attempts
from talkwire.identity.brand_keys import BrandKeys
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.consumers import Consumers
from talkwire.identity.credentials import CredentialCheck, Credentials
from talkwire.identity.keys import SigningKeys
from talkwire.identity.limits import ConsumerLimits, SignInLimits
from talkwire.identity.passwords import Passwords
from talkwire.identity.sessions import Sessions, SignedIn
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId

ACCOUNT = AccountId("12345678")
OTHER = AccountId("87654321")
PASSWORD = "correct horse"  # a made-up one
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

_made: list[rsa.RSAPrivateKey] = []
_turns = itertools.count()


def _next_key() -> rsa.RSAPrivateKey:
    """One of four keys in turn: making one takes a tenth of a second."""
    turn = next(_turns) % 4
    if len(_made) <= turn:
        _made.append(rsa.generate_private_key(65_537, 2048))
    return _made[turn]


@dataclass
class Rooms:
    database: Database
    clock: MovableClock
    accounts: Accounts
    passwords: Passwords
    agents: Agents
    sessions: Sessions
    api_keys: ApiKeys
    sign_in: SignIn
    keys: SigningKeys
    brand_keys: BrandKeys
    consumers: Consumers

    async def signed_in(self, login_name: str, account_id: AccountId = ACCOUNT) -> SignedIn:
        credentials = Credentials(username=login_name, password=PASSWORD)
        return await self.sign_in.sign_in(account_id, credentials, "127.0.0.1")

    def close(self) -> None:
        self.passwords.close()
        self.keys.close()


def rooms_on(
    database: Database,
    clock: MovableClock,
    sign_in_limits: SignInLimits | None = None,
    consumer_limits: ConsumerLimits | None = None,
) -> Rooms:
    limits, consumer_limits = sign_in_limits or SignInLimits(), consumer_limits or ConsumerLimits()
    accounts, passwords = Accounts(database, clock), Passwords(CHEAP)
    agents = Agents(database, clock, passwords)
    sessions = Sessions(database, clock, agents, limits)
    api_keys = ApiKeys(database, clock, agents)
    check = CredentialCheck(database, agents, api_keys, passwords)
    attempts = Attempts(clock, limits.failures_per_minute)
    sign_in = SignIn(accounts, check, attempts, sessions, Unrecorded(database))
    keys, brand_keys = SigningKeys(database, clock, _next_key), BrandKeys(database, clock)
    profiles = ConsumerProfiles(database, clock, consumer_limits.profile_bytes)
    consumers = Consumers(accounts, keys, brand_keys, profiles, clock, consumer_limits)
    return Rooms(
        database, clock, accounts, passwords, agents, sessions, api_keys, sign_in, keys, brand_keys, consumers
    )


@pytest.fixture
def moving_clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def rooms(sqlite_database: SqliteDatabase, moving_clock: MovableClock) -> AsyncIterator[Rooms]:
    """Two brands; the first has an administrator, an agent and a bot, all with the same password."""
    rooms = rooms_on(sqlite_database, moving_clock)
    for account_id in (ACCOUNT, OTHER):
        await rooms.accounts.create(account_id)
        await rooms.agents.create_user(account_id, "admin@brand", PASSWORD, "administrator")
    await rooms.agents.create_user(ACCOUNT, "agent@brand", PASSWORD, "agent")
    await rooms.agents.create_user(ACCOUNT, "bot@brand", PASSWORD, "bot")
    yield rooms
    rooms.close()
