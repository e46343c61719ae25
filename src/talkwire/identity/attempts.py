"""Sign-ins that fail, counted by user and address: so that nobody guesses, and nobody keeps others out."""

import contextlib

from talkwire.identity.errors import TooManyAttempts
from talkwire.identity.throttle import Throttle
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

NAMES_PER_ADDRESS = 50
"""One address may guess at so many users at once; beyond it, it would keep others from signing in."""


class Attempts:
    """Every attempt counts as a failure until it has succeeded: guesses side by side count, too."""

    def __init__(self, clock: Clock, failures_per_minute: int) -> None:
        self._failures = Throttle(clock, failures_per_minute)
        self._failures_of_address = Throttle(clock, failures_per_minute * NAMES_PER_ADDRESS)
        self._told_to_wait = Throttle(clock, 1)

    def begin(self, account_id: AccountId, name: str, address: str) -> None:
        """Raises TooManyAttempts."""
        self._failures_of_address.take(address)
        self._failures.take(account_id, name, address)

    def succeeded(self, account_id: AccountId, name: str, address: str) -> None:
        """It was no failure."""
        self._failures.give_back(account_id, name, address)
        self._failures_of_address.give_back(address)

    def is_first_told_to_wait(self, account_id: AccountId, name: str, address: str) -> bool:
        """Whether this one is the first in a minute that is refused before it was looked at."""
        with contextlib.suppress(TooManyAttempts):
            self._told_to_wait.take(account_id, name, address)
            return True
        return False
