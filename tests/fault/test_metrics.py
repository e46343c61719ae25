"""What happened to a running server shows at `/metrics`."""

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer import signed_up
from fault.wire import until
from live import Live, serving
from pictures import png_file


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("metrics")) as live:
        yield live


def page(live: Live) -> str:
    with urllib.request.urlopen(f"http://{live.env['LP_HTTP']}/metrics") as answer:
        return str(answer.read().decode())


def metric(live: Live, line: str) -> float:
    """The value after this name (and labels)."""
    text = page(live)
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


async def counts(live: Live, line: str) -> bool:
    return f"\n{line} " in await asyncio.to_thread(page, live)


async def test_sockets_events_commits_and_uploads_are_counted(live: Live, tmp_path: Path) -> None:
    async with signed_up(live) as consumer:
        conversation_id = await consumer.open_conversation()
        for number in range(3):
            await consumer.say(conversation_id, f"line {number}")
        await consumer.share(conversation_id, png_file(tmp_path), "a picture")
        assert metric(live, 'talkwire_sockets{role="consumer"}') == 1
    assert metric(live, "talkwire_events_appended_total") == 4
    assert metric(live, "talkwire_batch_events_count") == 4
    assert metric(live, "talkwire_commit_seconds_count") > metric(live, "talkwire_batch_events_count")
    await until(lambda: counts(live, 'talkwire_uploads_total{status="201"}'))  # told by the storage process
    assert metric(live, 'talkwire_uploads_total{status="201"}') == 1
    assert metric(live, "talkwire_upload_bytes_total") == png_file(tmp_path).stat().st_size
    assert metric(live, "talkwire_incidents_total") == 0
    answers = (
        'talkwire_http_answers_total{method="POST",route="/api/account/{account_id}/signup",status="200"}'
    )
    assert metric(live, answers) == 1


def test_a_node_that_works_is_ready(live: Live) -> None:
    with urllib.request.urlopen(f"http://{live.env['LP_HTTP']}/readyz") as answer:
        checks = {"database": "ok", "files": "ok", "storage process": "ok"}
        assert json.load(answer) == {"ready": True, "checks": checks}
