"""A job as data: what the worker in `ops` runs, and how often."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Job:
    """Work that recurs. `run` is safe to run twice, and is cut after `timeout`."""

    name: str
    run: Callable[[], Awaitable[None]]
    every: timedelta
    timeout: timedelta = timedelta(minutes=1)
