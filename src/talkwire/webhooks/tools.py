"""What every courier works with."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from talkwire.connectors.apps import Apps
from talkwire.kernel.clock import Clock
from talkwire.kernel.tasks import Tasks
from talkwire.webhooks.keeper import Keeper
from talkwire.webhooks.reading import Reading
from talkwire.webhooks.sender import Sender

Observe = Callable[[str, float], None]
"""Told how a delivery went (`delivered`, `failed`, `dead`) and the seconds since its event."""


class Tools(NamedTuple):
    """What every courier works with."""

    apps: Apps
    reading: Reading
    sender: Sender
    keeper: Keeper
    clock: Clock
    tasks: Tasks
    observe: Observe
    concurrency: int
    hungry: asyncio.Event  # set when a courier needs more than it has in line
