"""The rooms of accounts and identity, put together."""

from dataclasses import dataclass

from talkwire.accounts.service import Accounts
from talkwire.assembly.foundation import Foundation
from talkwire.audit.acts import Acts
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.attempts import Attempts
from talkwire.identity.brand_keys import BrandKeys
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.consumers import Consumers
from talkwire.identity.credentials import CredentialCheck
from talkwire.identity.keys import SigningKeys
from talkwire.identity.limits import ConsumerLimits, SignInLimits
from talkwire.identity.passwords import Passwords
from talkwire.identity.sessions import Sessions
from talkwire.identity.sign_in import SignIn
from talkwire.vault.service import Vault


@dataclass(frozen=True)
class IdentityRooms:
    accounts: Accounts
    agents: Agents
    sign_in: SignIn
    consumers: Consumers
    sessions: Sessions
    api_keys: ApiKeys
    brand_keys: BrandKeys
    signing_keys: SigningKeys
    acts: Acts


def identity_rooms(base: Foundation, acts: Acts, vault: Vault) -> IdentityRooms:
    """Nothing of it reaches right of identity."""
    settings, clock, database = base.settings, base.clock, base.database
    numbers = settings.identity
    accounts = Accounts(database, clock, acts)
    passwords = Passwords()
    agents = Agents(database, clock, passwords, acts)
    limits = SignInLimits(
        numbers.session_idle_seconds, numbers.session_seconds, numbers.failed_logins_per_minute
    )
    sessions = Sessions(database, clock, agents, limits)
    api_keys = ApiKeys(database, clock, agents, acts, vault)
    signing_keys = SigningKeys(database, clock, acts=acts, sealer=vault)
    brand_keys = BrandKeys(database, clock, acts)
    consumers_of = Consumers(
        accounts,
        signing_keys,
        brand_keys,
        ConsumerProfiles(database, clock, settings.messages.sde_bytes),
        clock,
        ConsumerLimits(
            token_seconds=numbers.consumer_token_seconds,
            sign_ups_per_minute=numbers.sign_ups_per_minute,
            sign_ups_per_second=numbers.sign_ups_per_second,
        ),
    )
    check = CredentialCheck(database, agents, api_keys, passwords)
    door = SignIn(accounts, check, Attempts(clock, limits.failures_per_minute), sessions, acts)
    return IdentityRooms(
        accounts, agents, door, consumers_of, sessions, api_keys, brand_keys, signing_keys, acts
    )
