"""Fixtures of the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from live import Live, start_server
from webhook_receiver import receiver

__all__ = ["receiver"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Live]:
    """A demo server that the test may end."""
    (tmp_path / "live").mkdir()
    live = start_server(tmp_path / "live")
    try:
        yield live
    finally:
        live.process.kill()
        live.process.wait()
