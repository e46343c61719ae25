"""Records on their way into one commit."""

import asyncio
import threading
from collections.abc import Sequence

from talkwire.audit.model import Draft

MOST = 2_000

Drafts = Sequence[tuple[str, Draft]]


class Batch:
    """Takes drafts, by account, until it is closed: on the loop they come in, where the database writes they are taken.

    So whoever records shares the next commit, and nobody waits for the end of the one before it to begin with.
    """

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = list(drafts)
        self._is_closed = False
        self._lock = threading.Lock()
        self.written: asyncio.Task[None]

    def add(self, drafts: Drafts) -> bool:
        """False when it is too late, or too much."""
        with self._lock:
            if self._is_closed or len(self._drafts) >= MOST:
                return False
            self._drafts.extend(drafts)
            return True

    def close(self) -> Drafts:
        """Everything that came in; nothing more will. May be asked again."""
        with self._lock:
            self._is_closed = True
            return self._drafts
