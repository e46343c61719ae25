"""After an erasure nothing is left: no key, no word, no picture, in no file; and nobody else lost anything."""

import asyncio
import json
import random
import shutil
import time
from pathlib import Path

import pytest

from consumer import Refused, http_to
from fault.forgetting import (
    AT_ONCE,
    administrator,
    ask_to_forget,
    key_bytes_of,
    keys_of,
    receipt_in,
    run_talkwire,
    somebody,
    traces,
    until_done,
)
from live import Live, kill, start_server, stop

MASK = "*** LP deleted data ***"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    return folder


def running(folder: Path, **env: str) -> Live:
    return start_server(folder, env={**AT_ONCE, **env})


async def published_keys(live: Live) -> bytes:
    url = f"https://{live.env['LP_RTBF']}/.well-known/talkwire/receipt-keys/{live.account}"
    async with http_to(live) as http, http.get(url) as answer:
        return await answer.read()


async def test_no_key_no_word_and_no_picture_is_left_of_somebody(house: Path) -> None:
    live = running(house)
    try:
        async with (
            somebody(live, house, "Ada", pictures=2) as (ada, found),
            somebody(live, house, "Bob") as (bob, other),
        ):
            wraps = key_bytes_of(live, found)
            words = found.said
            assert len(wraps) >= 3
            assert {one for _, one in traces(live, [*words, *wraps])} == {*words, *wraps}
            assert traces(live, found.plain) == []  # at no time
            document = await until_done(live, await ask_to_forget(live, consumer=[found.consumer_id]))
            assert traces(live, [*wraps, *words, *found.plain]) == []
            for path in found.paths:
                with pytest.raises(Refused):
                    await ada.fetch(path)
            await ada.ask("ms.SubscribeMessagingEvents", {"dialogId": found.conversation_id, "fromSeq": 0})
            await ada.hears_event("the mask", lambda event: MASK in json.dumps(event))
            kept = other.said
            assert {one for _, one in traces(live, kept)} == set(kept)
            await bob.fetch(other.paths[0])
            counts = receipt_in(document)["counts"]
            assert (counts["files"], counts["consumers"], counts["conversations"]) == (2, 1, 1)
    finally:
        assert stop(live) == 0
    assert traces(live, [*wraps, *words, *found.plain]) == []


async def test_the_receipt_is_checked_without_the_server(house: Path) -> None:
    live = running(house)
    try:
        async with somebody(live, house, "Eve") as (_, found):
            document = await until_done(live, await ask_to_forget(live, conversation=[found.conversation_id]))
        keys = await published_keys(live)
    finally:
        stop(live)
    (house / "receipt.json").write_text(document)
    (house / "keys.json").write_bytes(keys)
    asked = ("receipts", "verify", str(house / "receipt.json"), "--key", str(house / "keys.json"))
    assert run_talkwire(*asked).returncode == 0
    content = bytearray(document.encode())
    content[random.Random(1).randrange(len(content))] ^= 1
    (house / "receipt.json").write_bytes(content)
    refused = run_talkwire(*asked)
    assert refused.returncode == 1, refused.stdout
    assert "NOT VERIFIED" in refused.stdout


async def test_a_kill_at_any_moment_delays_and_spoils_nothing(house: Path) -> None:
    live = running(house)
    rng = random.Random(5)
    for number in range(3):
        async with somebody(live, house, f"Ada{number}", pictures=3) as (_, found):
            wraps = key_bytes_of(live, found)
        request_id = await ask_to_forget(live, consumer=[found.consumer_id])
        await asyncio.sleep(rng.random() * 4)
        kill(live)
        live = running(house)
        receipt = receipt_in(await until_done(live, request_id))
        assert receipt["counts"]["files"] == 3
        assert all(line["keyId"] for line in receipt["erased"]["files"])
        assert traces(live, [*wraps, *found.said, *found.plain]) == []
    assert stop(live) == 0


async def test_yesterdays_data_with_todays_keys_forgets_before_it_opens(house: Path) -> None:
    live = running(house)
    backup = house / "yesterday"
    async with somebody(live, house, "Ada") as (_, found):
        made = run_talkwire("backup", "--data", str(live.data), "--to", str(backup))
        assert made.returncode == 0, made.stderr
        document = await until_done(live, await ask_to_forget(live, consumer=[found.consumer_id]))
    assert stop(live) == 0
    again = house / "again"
    again.mkdir()
    shutil.move(keys_of(live), again / "data-keys")
    restored = run_talkwire("restore", "--from", str(backup), "--data", str(again / "data"), "--verify")
    assert restored.returncode == 0, restored.stderr
    words = found.said
    assert words[0] in (again / "data" / "talkwire.db").read_bytes()
    live = running(again)
    try:
        assert traces(live, [*words, *found.plain]) == []
        assert not list((again / "data" / "files" / "objects").glob("??/*"))
        request_id = receipt_in(document)["requestId"]
        assert await until_done(live, request_id) == document
        (house / "receipt.json").write_text(document)
        (house / "keys.json").write_bytes(await published_keys(live))
    finally:
        assert stop(live) == 0
    asked = ("receipts", "verify", str(house / "receipt.json"))
    for known in (("--key", str(house / "keys.json")), ("--here", "--data", str(again / "data"))):
        assert run_talkwire(*asked, *known).returncode == 0


async def test_yesterdays_data_with_todays_keys_erases_nobody_who_took_it_back(house: Path) -> None:
    live = start_server(house)  # with five days to cancel
    made = await ask_to_forget(live, consumer=["ada"])
    url = live.url("RTBF", f"personal-data-deletion/{made}")
    done = run_talkwire("backup", "--data", str(live.data), "--to", str(house / "yesterday"))
    assert done.returncode == 0, done.stderr
    bearer = await administrator(live)
    async with http_to(live) as http, http.post(f"{url}/cancel", headers=bearer) as answer:
        assert answer.status == 200
    assert stop(live) == 0
    again = house / "again"
    again.mkdir()
    shutil.move(keys_of(live), again / "data-keys")
    done = run_talkwire("restore", "--from", str(house / "yesterday"), "--data", str(again / "data"))
    assert done.returncode == 0, done.stderr
    live = start_server(again)
    try:
        url, bearer = live.url("RTBF", f"personal-data-deletion/{made}"), await administrator(live)
        async with http_to(live) as http, http.get(url, headers=bearer) as answer:
            assert [one["status"] for one in await answer.json()] == ["CANCELED"]
    finally:
        assert stop(live) == 0


async def test_a_restored_backup_taken_under_load_is_whole(house: Path) -> None:
    live = running(house)
    stopped = asyncio.Event()

    async def load(number: int) -> int:
        rounds = 0
        while not stopped.is_set():
            async with somebody(live, house, f"Load{number}{rounds}", closed=False):
                rounds += 1
        return rounds

    busy = [asyncio.create_task(load(number)) for number in range(2)]
    try:
        async with somebody(live, house, "Ada") as (_, found):
            for number in range(3):
                made = await asyncio.to_thread(
                    run_talkwire,
                    *("backup", "--data", str(live.data)),
                    *("--to", str(house / f"data{number}"), "--keys-to", str(house / f"keys{number}")),
                )
                assert made.returncode == 0, made.stderr
    finally:
        stopped.set()
        rounds = sum(await asyncio.gather(*busy))
    assert rounds > 0
    assert stop(live) == 0
    for number in range(3):
        place = house / f"again{number}"
        restored = run_talkwire(
            *("restore", "--from", str(house / f"data{number}"), "--keys-from", str(house / f"keys{number}")),
            *("--data", str(place / "data"), "--verify"),
        )
        assert restored.returncode == 0, restored.stderr
    live = running(house / "again2")
    try:
        assert found.said[0] in (live.data / "talkwire.db").read_bytes()
    finally:
        assert stop(live) == 0


@pytest.mark.slow
async def test_a_thousand_files_go_within_a_minute(house: Path) -> None:
    live = running(house, TALKWIRE_CONSUMER_SLOTS_PER_MINUTE="10000")
    try:
        async with somebody(live, house, "Many", pictures=1, closed=False) as (ada, found):
            picture = next(house.glob("picture-*.png"))
            for _ in range(999):
                found.paths.append(await ada.share(found.conversation_id, picture, "one of many"))
            change = {"field": "ConversationStateField", "conversationState": "CLOSE"}
            body = {"conversationId": found.conversation_id, "conversationField": [change]}
            await ada.ask("cm.UpdateConversationField", body)
            started = time.monotonic()
            document = await until_done(live, await ask_to_forget(live, consumer=[found.consumer_id]), 120)
            seconds = time.monotonic() - started
        print(f"1,000 files erased in {seconds:.1f} s")
        assert receipt_in(document)["counts"]["files"] == 1000
        assert seconds < 60
    finally:
        assert stop(live) == 0
