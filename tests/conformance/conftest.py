"""Fixtures of the walks with node-agent-sdk. A module that walks with another client has its own server."""

from collections.abc import Iterator

import pytest

from conformance.sdk_agent import install_clients
from conformance.shift import VERSIONS
from live import Live, serving


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A demo server, and every version of the SDK installed."""
    install_clients()
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Of the SDK."""
    return str(request.param)
