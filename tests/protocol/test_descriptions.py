"""The published descriptions are true, whole and well formed: openapi.json and asyncapi.json."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from protocol.stage import Json, Stage
from talkwire.httpapi.connector_opening import MOST_REQUESTS
from talkwire.httpapi.described import TAGS
from talkwire.protocol.catalog import REQUESTS

ASYNCAPI = Path(__file__).parents[1] / "conformance/js/node_modules/@asyncapi/specs/schemas/3.0.0.json"
PREFLIGHTS = {"OPTIONS"}


async def served(stage: Stage, name: str) -> Json:
    async with stage.http.get(f"http://{stage.address}/{name}") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        found: Json = await response.json()
        return found


@pytest.mark.asyncio(loop_scope="module")
async def test_openapi_is_openapi(stage: Stage) -> None:
    found = await served(stage, "openapi.json")
    validate(found)
    operations = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(operations) == len(set(operations))


@pytest.mark.asyncio(loop_scope="module")
async def test_every_route_of_the_server_is_described_and_no_other(stage: Stage) -> None:
    described = {(route.method, route.path) for routes in TAGS.values() for route in routes}
    real = set()
    for route in stage.node.app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical.replace("{slashes}", "")
        if route.method == "*":  # one handler for all methods of storage
            real |= {(method, path) for method in ("GET", "HEAD", "PUT", "OPTIONS")}
        elif route.method != "HEAD":  # comes with every GET
            real.add((route.method, path))
    assert described == real


@pytest.mark.asyncio(loop_scope="module")
async def test_a_connectors_array_is_bounded(stage: Stage) -> None:
    found = (await served(stage, "openapi.json"))["paths"]
    opening = found["/api/account/{account_id}/messaging/consumer/conversation"]["post"]
    schema = opening["requestBody"]["content"]["application/json"]["schema"]
    assert (schema["type"], schema["minItems"], schema["maxItems"]) == ("array", 1, MOST_REQUESTS)


@pytest.mark.asyncio(loop_scope="module")
async def test_asyncapi_is_asyncapi(stage: Stage) -> None:
    if not ASYNCAPI.exists():
        pytest.skip("needs the npm package @asyncapi/specs")
    Draft7Validator(json.loads(ASYNCAPI.read_text())).validate(await served(stage, "asyncapi.json"))


@pytest.mark.asyncio(loop_scope="module")
async def test_every_request_is_described_on_the_sockets_that_take_it(stage: Stage) -> None:
    found = await served(stage, "asyncapi.json")
    summaries = {(key.partition(".")[0], one["summary"]) for key, one in found["operations"].items()}
    assert {(role, request.name) for request in REQUESTS for role in request.roles} <= summaries
    text = json.dumps(found)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', text):
        node = found
        for part in reference.split("/"):
            node = node[part]
