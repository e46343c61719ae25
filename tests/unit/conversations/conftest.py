"""A brand for each test of conversations."""

import pytest

from routing_rooms import Brand
from talkwire.backends.database.port import Database


@pytest.fixture
def brand(sqlite_database: Database) -> Brand:
    return Brand(sqlite_database)
