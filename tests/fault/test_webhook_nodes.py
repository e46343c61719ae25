"""Nodes that die while they deliver, and two that share a database: nothing is lost, each delivery comes from one."""

import asyncio
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from consumer import http_to
from database import PostgresServer, new_postgres_database
from live import ROOT, Live, kill, start_server, stop
from protocol.stage import ShiftedClock, new_cast, staged
from talkwire.assembly.node import Node, assemble
from talkwire.connectors.model import App, EventKey
from talkwire.kernel.ids import AccountId, new_uuid
from talkwire.settings import Process, Settings, Storage, Webhooks
from webhook_receiver import ALL_KEYS, Got, Receiver, new_channel, receiving

CONTENT = (EventKey.CONTENT,)


async def test_conversations_in_line_at_a_slow_receiver_survive_a_death(
    tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "keys").mkdir()
    settings = Settings(process=Process(demo=True), webhooks=Webhooks(webhook_concurrency=2))
    is_over = asyncio.Event()

    async def hang(_got: Got) -> int:
        await is_over.wait()
        return 500

    receiver.behave = hang
    async with staged(tmp_path, settings) as stage:
        cast = await new_cast(stage)
        channel = await new_channel(stage.node, cast.account, receiver.url)
        webhooks = stage.node.webhooks
        await receiver.until(lambda: any(not courier.is_paused for courier in webhooks.couriers()))
        talks = [await channel.talk() for _ in range(8)]
        for conversation, who in talks:
            await channel.say(who, conversation, conversation.conversation_id)
        await receiver.until(lambda: len(receiver.got) == 2)
        stage.clock.advance(600)
        [courier] = webhooks.couriers()
        await webhooks._looking.look(courier, asyncio.get_running_loop().time() + 100)
        await webhooks.close()
        is_over.set()
    receiver.behave = lambda _got: 200
    async with staged(tmp_path, settings) as stage:
        stage.clock.advance(660)
        await receiver.until(lambda: len(set(receiver.texts())) == 8)


async def test_a_retry_that_fails_by_a_fault_of_ours_is_left_alone_a_while(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    receiver.behave = lambda _got: 500
    asked: list[str] = []

    async def broken(app: App) -> str:
        asked.append(app.client_id)
        raise RuntimeError("the key is gone")

    async with staged(tmp_path, Settings(process=Process(demo=True))) as stage:
        cast = await new_cast(stage)
        channel = await new_channel(
            stage.node, cast.account, receiver.url, keys=CONTENT, retention_seconds=None
        )
        conversation, who = await channel.talk()
        await channel.say(who, conversation, "x")
        await receiver.until(lambda: receiver.got)
        await stage.node.webhooks._tools.keeper.flush()
        monkeypatch.setattr(stage.node.apps, "secret_of", broken)
        stage.clock.advance(31)
        await receiver.until(lambda: asked)
        await asyncio.sleep(2)
        assert len(asked) <= 2
        monkeypatch.undo()
        receiver.behave = lambda _got: 200
        stage.clock.advance(31)
        await receiver.until(lambda: receiver.texts() == ["x"])


async def postgres_node(folder: Path, url: str, keys_url: str) -> Node:
    (folder / "data").mkdir(parents=True)
    (folder / "keys").mkdir()
    storage = Storage(
        data_folder=str(folder / "data"),
        keys_folder=str(folder / "keys"),
        database_url=url,
        keys_url=keys_url,
        master_key="5a" * 32,
    )
    return await assemble(Settings(process=Process(demo=True), storage=storage), ShiftedClock())


async def test_of_two_nodes_on_one_database_each_delivery_comes_from_one(
    tmp_path: Path, postgres: PostgresServer, receiver: Receiver
) -> None:
    url = await new_postgres_database(postgres)
    keys_url = await new_postgres_database(postgres)
    nodes = [one := await postgres_node(tmp_path / "one", url, keys_url)]
    try:
        account = AccountId("20999001")
        await one.accounts.create(account)
        channel = await new_channel(one, account, receiver.url, keys=CONTENT)
        await receiver.until(lambda: any(not c.is_paused for c in one.webhooks.couriers()))
        nodes.append(two := await postgres_node(tmp_path / "two", url, keys_url))
        elsewhere = replace(channel, node=two)
        here, who = await channel.talk()
        there, speaker = await elsewhere.talk()
        for number in range(10):
            await channel.say(who, here, f"{number}")
            await elsewhere.say(speaker, there, f"{number}")
            await elsewhere.say(who, here, f"{number} from there")
        await receiver.until(lambda: len(receiver.got) >= 30)
        await asyncio.sleep(1.5)
        assert len(receiver.got) == 30
        assert receiver.texts(there.conversation_id) == [str(n) for n in range(10)]
        sequences = [g.sequence for g in receiver.got if g.conversation_id == here.conversation_id]
        assert sequences == list(range(20))
        nodes.remove(one)
        await one.drain()
        await one.close()  # its lease goes with it
        await elsewhere.say(who, here, "taken over")
        await receiver.until(lambda: receiver.texts(here.conversation_id)[-1] == "taken over")
    finally:
        for node in nodes:
            await node.drain()
            await node.close()


KILLS = 4


async def channel_of(live: Live, http: aiohttp.ClientSession) -> Any:
    """The sample connector's client, as the demo's app."""
    place = ROOT / "examples" / "sms_connector" / "channel.py"
    spec = importlib.util.spec_from_file_location("sample_channel", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sample_channel"] = module
    spec.loader.exec_module(module)
    env = live.env
    found = module.Channel(
        http, env["LP_CSDS"], live.account, env["LP_APP_CLIENT_ID"], env["LP_APP_CLIENT_SECRET"]
    )
    await found.discover()
    return found


async def test_kill_9_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """A demo server in a process of its own, killed while it delivers to its demo app."""
    heard: dict[str, dict[int, str]] = {}

    def behave(got: Got) -> int:
        if got.text:
            told = heard.setdefault(got.conversation_id, {})
            is_new = got.sequence not in told
            assert told.setdefault(got.sequence, got.text) == got.text  # twice is the same
            assert not is_new or got.sequence == max(told), "out of order"
        return 200

    async with receiving(behave) as receiver:
        live = await asyncio.to_thread(start_server, tmp_path)
        said: dict[str, list[str]] = {}
        try:
            async with http_to(live) as http:
                channel = await channel_of(live, http)
                env = live.env
                await channel.subscribe(env["LP_USER"], env["LP_PASS"], receiver.url, list(ALL_KEYS[:2]))
                consumers = [await channel.consumer(f"+49 {number}") for number in range(4)]
                talks = [(await channel.open(one, {}, new_uuid()), one) for one in consumers]
            for conversation_id, _ in talks:
                said[conversation_id] = []
            for _ in range(KILLS):
                sending = asyncio.create_task(speak(live, talks, said))
                await asyncio.sleep(0.8)
                await asyncio.to_thread(kill, live)
                await sending
                live = await asyncio.to_thread(start_server, tmp_path)
            await receiver.until(
                lambda: all(set(heard.get(one, {}).values()) >= set(texts) for one, texts in said.items()),
                "what was acknowledged was not all delivered",
            )
        finally:
            await asyncio.to_thread(stop, live)
    print(f"{sum(map(len, said.values()))} acknowledged, {len(receiver.got)} deliveries, {KILLS} kills")


async def speak(live: Live, talks: list[tuple[str, str]], said: dict[str, list[str]]) -> None:
    """Send in all conversations until the server is gone; notes what it acknowledged."""
    async with http_to(live) as http:
        channel = await channel_of(live, http)

        async def one(conversation_id: str, consumer: str) -> None:
            while True:
                text = new_uuid()
                await channel.say(consumer, conversation_id, text, text)
                said[conversation_id].append(text)

        await asyncio.gather(*(one(*talk) for talk in talks), return_exceptions=True)
