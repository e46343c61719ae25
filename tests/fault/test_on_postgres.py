"""The same program on PostgreSQL: killed, it comes back with its people and goes on."""

from pathlib import Path

import pytest

from consumer import signed_up
from database import PostgresServer
from live import Live, serving, start_server


async def talk(live: Live) -> list[int]:
    """Open a conversation and say three things; their sequences."""
    async with signed_up(live) as consumer:
        conversation_id = await consumer.open_conversation()
        return [await consumer.say(conversation_id, f"line {n}") for n in range(3)]


async def test_a_node_on_postgres_comes_back_after_a_kill(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKWIRE_DATABASE_URL", postgres.url())
    first = start_server(tmp_path)
    try:
        sequences = await talk(first)
        assert sequences == [0, 1, 2]
    finally:
        first.process.kill()
        first.process.wait()
    assert not list((tmp_path / "data").glob("*.db"))
    with serving(tmp_path) as again:
        assert again.env["LP_PASS"] == first.env["LP_PASS"]
        sequences = await talk(again)
        assert sequences == [0, 1, 2]
