"""Deletion of personal data as its clients speak it. Source: docs/protocol.md 9.11."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from identity_rooms import ACCOUNT, Rooms
from keys import MASTER, opened_keys
from talkwire.history.erasure import Erasures
from talkwire.history.erasure_model import ErasureTimes
from talkwire.history.ledger import Ledger
from talkwire.history.receipt_keys import ReceiptKeys
from talkwire.httpapi import erasure
from talkwire.httpapi.discovery import BaseHost
from talkwire.vault.masters import MasterSecrets
from talkwire.vault.service import Vault
from web_rooms import Web, application

DELETION = "personal-data-deletion"


@pytest.fixture
async def door(rooms: Rooms, tmp_path: Path) -> AsyncIterator[Web]:
    app = application(rooms, BaseHost())
    (tmp_path / "keys").mkdir(mode=0o700)
    async with opened_keys("sqlite", str(tmp_path / "keys")) as key_store:
        vault = await Vault.open(key_store, MasterSecrets(MASTER), rooms.clock)
        erasures = Erasures(rooms.database, rooms.clock, ErasureTimes(60, 20), Ledger(key_store))
        app.add_routes(erasure.routes(erasures, ReceiptKeys(key_store, rooms.clock, vault)))
        async with TestClient(TestServer(app)) as client:
            yield Web(client, rooms)


async def asked(door: Web, body: Any, who: str = "admin@brand") -> Any:
    return await door.call("POST", DELETION, await door.bearer_of(who), json=body)


async def test_a_request_is_answered_with_201_and_its_shape(door: Web) -> None:
    answer = await asked(door, {"consumer": ["a", "b", "a"]})
    assert answer.status == 201
    body = await answer.json()
    assert isinstance(body.pop("request_id"), int)
    assert body.pop("request_time").endswith("Z")
    assert body == {
        "siteid": ACCOUNT,
        "requested_by": "admin@brand",
        "cancelled_by": None,
        "delete_json": json.dumps({"consumer": ["a", "b"]}),
        "cancel_timestamp": None,
        "is_canceled": False,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"consumer": []},
        {"consumer": "a"},
        {"consumer": [""]},
        {"consumer": [True]},
        {"consumer": [{}]},
        {"consumer": ["x" * 257]},
        {"consumer": ["a"], "conversation": ["b"]},
        {"ticketing": ["a"]},
        {"conversation": [str(n) for n in range(101)]},
    ],
)
async def test_what_makes_no_sense_is_400(door: Web, body: Any) -> None:
    assert (await asked(door, body)).status == 400


async def test_only_administrators_may_ask_look_and_cancel(door: Web) -> None:
    request_id = (await (await asked(door, {"consumer": ["a"]})).json())["request_id"]
    for who, status in (("", 401), ("agent@brand", 403), ("bot@brand", 403)):
        bearer = await door.bearer_of(who) if who else ""
        for method, path in (
            ("POST", DELETION),
            ("GET", DELETION),
            ("GET", f"{DELETION}/{request_id}"),
            ("POST", f"{DELETION}/{request_id}/cancel"),
            ("DELETE", f"{DELETION}/{request_id}"),
            ("GET", f"{DELETION}/{request_id}/receipt"),
        ):
            assert (await door.call(method, path, bearer, json={"consumer": ["a"]})).status == status


async def test_the_hundred_and_first_of_a_month_is_429_until_the_next(door: Web) -> None:
    bearer = await door.bearer_of("admin@brand")
    for _ in range(100):
        assert (await door.call("POST", DELETION, bearer, json={"consumer": ["a"]})).status == 201
    refused = await door.call("POST", DELETION, bearer, json={"consumer": ["a"]})
    assert refused.status == 429
    door.rooms.clock.advance(seconds=int(refused.headers["Retry-After"]))
    assert (await asked(door, {"consumer": ["a"]})).status == 201


@pytest.mark.parametrize(("method", "rest"), [("POST", "/cancel"), ("DELETE", ""), ("PUT", "")])
async def test_a_request_is_cancelled_while_there_is_time(door: Web, method: str, rest: str) -> None:
    request_id = (await (await asked(door, {"conversation": ["c"]})).json())["request_id"]
    bearer = await door.bearer_of("admin@brand")
    path = f"{DELETION}/{request_id}{rest}"
    cancelled = await door.call(method, path, bearer, json={"is_canceled": True})
    assert cancelled.status == 200
    (body,) = await cancelled.json()
    assert (body["is_canceled"], body["cancelled_by"]) == (True, "admin@brand")
    assert body["cancel_timestamp"]
    assert (await door.call(method, path, bearer, json={"is_canceled": True})).status == 409
    listed = await door.call("GET", f"{DELETION}?status=CANCELED", bearer)
    assert [one["request_id"] for one in await listed.json()] == [request_id]


async def test_after_the_time_it_is_too_late_to_cancel(door: Web) -> None:
    request_id = (await (await asked(door, {"conversation": ["c"]})).json())["request_id"]
    door.rooms.clock.advance(seconds=60)
    bearer = await door.bearer_of("admin@brand")
    assert (await door.call("POST", f"{DELETION}/{request_id}/cancel", bearer)).status == 409


async def test_requests_are_listed_by_status_and_date(door: Web) -> None:
    await asked(door, {"conversation": ["c"]})
    door.rooms.clock.advance(days=2)
    second = (await (await asked(door, {"conversation": ["d"]})).json())["request_id"]
    bearer = await door.bearer_of("admin@brand")

    async def ids(query: str) -> list[int]:
        answer = await door.call("GET", f"{DELETION}?{query}", bearer)
        assert answer.status == 200
        return [one["request_id"] for one in await answer.json()]

    assert len(await ids("")) == 2
    assert len(await ids("status=NOT_STARTED")) == 2
    assert await ids("status=DONE") == []
    assert await ids("fromDate=2024-01-03") == [second]
    assert len(await ids("toDate=2024-01-02")) == 1
    assert await ids("fromDate=2024-01-03T00:00:00Z&toDate=2030-01-01T00:00:00%2B0000") == [second]
    one = await (await door.call("GET", f"{DELETION}/{second}", bearer)).json()
    assert [set(shown) for shown in one] == [
        {"request_id", "siteid", "request_time", "requested_by", "status"}
    ]
    for wrong in ("status=MAYBE", "fromDate=yesterday", "toDate=2024-13-01"):
        assert (await door.call("GET", f"{DELETION}?{wrong}", bearer)).status == 400


async def test_what_is_not_there_is_404(door: Web) -> None:
    bearer = await door.bearer_of("admin@brand")
    for path in (
        f"{DELETION}/12",
        f"{DELETION}/9999999999999999",
        f"{DELETION}/12/receipt",
        f"{DELETION}/abc",
    ):
        assert (await door.call("GET", path, bearer)).status == 404
    assert (await door.call("POST", f"{DELETION}/12/cancel", bearer)).status == 404


async def test_the_keys_of_receipts_are_published_to_everybody(door: Web) -> None:
    answer = await door.client.get(f"/.well-known/talkwire/receipt-keys/{ACCOUNT}")
    assert (answer.status, await answer.json()) == (200, {"keys": []})
