"""Bots on node-agent-sdk, unmodified: as managers in conversations, and the one in our examples.

Source: the package's README and its examples.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conformance.sdk_agent import JS, SdkRefused, signed_in
from conformance.shift import end, is_picture, role_of, share, talking, text
from consumer import signed_up
from live import ROOT, Live
from pictures import picture_size, png_file


async def test_a_bot_joins_as_manager_sends_a_picture_and_leaves(
    version: str, live: Live, tmp_path: Path
) -> None:
    async with talking(version, live) as talk, signed_in(version, live, "BOT") as bot:
        await bot.call("subscribeExConversations", {"convState": ["OPEN"]})
        await bot.sees(talk.id, "the conversation", lambda c: c["type"] == "UPSERT")
        join = {"field": "ParticipantsChange", "type": "ADD", "role": "MANAGER"}
        assert await bot.change(talk.id, join) == "OK Agent added successfully"
        await bot.sees(talk.id, "itself manager", lambda c: role_of(c, bot.agent_id) == "MANAGER")
        await bot.say(talk.id, "look at this")
        heard = await talk.consumer.hears_event("the bot", text("look at this"))
        assert heard["originatorMetadata"]["role"] == "MANAGER"
        whisper = {"type": "ContentEvent", "contentType": "text/plain", "message": "he likes cats"}
        private = {"dialogId": talk.id, "event": whisper, "messageAudience": "AGENTS_AND_MANAGERS"}
        await bot.call("publishEvent", private)
        await talk.agent.hears_event("the bot's aside", text("he likes cats"))
        path = await share(bot, version, talk.consumer, talk.id, png_file(tmp_path, 90, 30))
        await talk.consumer.hears_event("the bot's picture", is_picture)
        assert "he likes cats" not in str(talk.consumer.ears.all)
        assert picture_size((await talk.consumer.fetch(path))[1]) == (90, 30)

        await talk.consumer.say(talk.id, "nice")
        await bot.hears_event("the consumer, without a subscription", text("nice"))
        go = {"field": "ParticipantsChange", "type": "REMOVE", "role": "MANAGER"}
        assert await bot.change(talk.id, go) == "OK Agent removed successfully"
        with pytest.raises(SdkRefused, match="Agent does not exist in conversation"):
            await bot.change(talk.id, go)


async def test_a_plain_agent_may_not_join_as_manager(version: str, live: Live) -> None:
    async with signed_up(live) as consumer, signed_in(version, live) as agent:
        conversation_id = await consumer.open_conversation()
        with pytest.raises(SdkRefused) as refusal:
            await agent.change(
                conversation_id, {"field": "ParticipantsChange", "type": "ADD", "role": "MANAGER"}
            )
        assert refusal.value.code == 404, "what it may not know of looks like what is not there"
        await end(consumer, conversation_id)


async def test_our_example_bot_sends_a_picture_to_every_open_conversation(
    version: str, live: Live, tmp_path: Path
) -> None:
    async with signed_up(live) as early, signed_up(live) as late:
        conversations = {early: await early.open_conversation()}
        async with example_bot(version, live, tmp_path):
            conversations[late] = await late.open_conversation()
            for consumer, conversation_id in conversations.items():
                heard = await consumer.hears_event("a picture", is_picture)
                assert heard["originatorMetadata"]["role"] == "MANAGER"
                type_, data = await consumer.fetch(heard["event"]["message"]["relativePath"])
                assert (type_, picture_size(data)) == ("image/jpeg", (480, 360))
                await end(consumer, conversation_id)


@asynccontextmanager
async def example_bot(version: str, live: Live, folder: Path) -> AsyncIterator[None]:
    """`examples/bots/picture-bot.js` as it stands, beside that version of the SDK."""
    shutil.copy(ROOT / "examples/bots/picture-bot.js", folder)
    (folder / "node_modules").mkdir()
    (folder / "node_modules/node-agent-sdk").symlink_to(JS / "node_modules" / f"node-agent-sdk-{version}")
    bot = await asyncio.create_subprocess_exec(
        "node", "--no-deprecation", "picture-bot.js", str(ROOT / "examples/pictures/cat.jpg"),
        cwd=folder, env=live.shell_env,
    )  # fmt: skip
    try:
        yield
        assert bot.returncode is None, "the bot ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            bot.terminate()
        await bot.wait()
