"""What the storage process counts, told to the server now and then: its metrics are the node's."""

from talkwire.storage.wire import Counted


class Tallies:
    """Answers and uploads since the last time."""

    def __init__(self) -> None:
        self._answers: list[tuple[str, str, int, float]] = []
        self._uploads: list[tuple[int, int]] = []
        self._incidents = 0

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        self._answers.append((route, method, status, seconds))

    def uploaded(self, status: int, size_bytes: int) -> None:
        self._uploads.append((status, size_bytes))

    def incident(self) -> None:
        self._incidents += 1

    def take(self) -> Counted | None:
        """All of it, once; None when there is nothing."""
        if not (self._answers or self._uploads or self._incidents):
            return None
        taken = Counted(self._answers, self._uploads, self._incidents)
        self._answers, self._uploads, self._incidents = [], [], 0
        return taken
