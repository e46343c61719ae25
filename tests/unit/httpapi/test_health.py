import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from talkwire.httpapi import health


async def fine() -> None:
    pass


async def broken() -> None:
    raise OSError("disk on fire at /secret/place")


async def silent() -> None:
    await asyncio.Event().wait()


async def ask(path: str, draining: bool = False, **checks: health.Check) -> web.Response:
    found = {
        route.path: route.handler for route in health.routes(checks, lambda: draining, lambda: b"metric 1\n")
    }
    response = await found[path](make_mocked_request("GET", path))
    assert isinstance(response, web.Response)
    return response


def told(response: web.Response) -> dict[str, object]:
    answer: dict[str, object] = json.loads(response.text or "")
    return answer


async def test_all_who_ask_at_once_are_answered_by_one_look() -> None:
    looks = []

    async def slow() -> None:
        looks.append(1)
        await asyncio.sleep(0.01)

    routes = health.routes({"disk": slow}, lambda: False, lambda: b"")
    readyz = next(route.handler for route in routes if route.path == "/readyz")
    asked = [readyz(make_mocked_request("GET", "/readyz")) for _ in range(20)]
    assert {response.status for response in await asyncio.gather(*asked)} == {200}
    assert len(looks) == 1
    await readyz(make_mocked_request("GET", "/readyz"))
    assert len(looks) == 2


async def test_a_node_whose_parts_work_is_ready() -> None:
    response = await ask("/readyz", database=fine, files=fine)
    assert response.status == 200
    assert told(response) == {"ready": True, "checks": {"database": "ok", "files": "ok"}}


async def test_a_node_with_a_broken_part_is_not_ready_and_says_which_but_not_why() -> None:
    response = await ask("/readyz", database=fine, files=broken)
    assert response.status == 503
    assert told(response) == {"ready": False, "checks": {"database": "ok", "files": "failing"}}


async def test_a_part_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
    response = await ask("/readyz", database=silent)
    assert response.status == 503
    assert told(response)["checks"] == {"database": "no answer"}


async def test_a_node_that_drains_is_alive_but_not_ready() -> None:
    assert (await ask("/healthz", draining=True)).status == 200
    assert (await ask("/readyz", draining=True, database=fine)).status == 503


async def test_metrics_are_text_for_prometheus() -> None:
    response = await ask("/metrics")
    assert response.body == b"metric 1\n"
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
