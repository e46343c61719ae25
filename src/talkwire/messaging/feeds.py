"""Telling of conversations: subscriptions with a filter, their snapshot, and merged updates.

At most one change per conversation and subscription in 250 ms, computed when it is sent.
Source: docs/protocol.md 5.8, 6.3, Appendix A24.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation, ConversationQuery
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import View
from talkwire.conversations.visibility import matches
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import ConversationId
from talkwire.kernel.tasks import Tasks

LEAD_SECONDS = 0.005
"""So that the answer to a request goes out before the news of what it did."""

WINDOW_SECONDS = 0.25
MAX_SNAPSHOT = 1000
RETRY_SECONDS = 1.0

Key = tuple[str, str]
ChangeType = Literal["UPSERT", "DELETE"]


class ConversationChange:
    """One conversation as it is told now; encodings are kept so that each is made once per round."""

    __slots__ = ("encoded", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.encoded: dict[object, bytes] = {}


class FeedListener(Protocol):
    """The socket of a subscription."""

    @property
    def turn(self) -> asyncio.Lock:
        """Held by whoever sends much: one after another, each when the former's was taken."""
        ...

    async def drained(self) -> None: ...

    def hear_conversations(self, feed: "Feed", changes: list[tuple[ChangeType, ConversationChange]]) -> None:
        """Must return at once."""
        ...

    def fall_behind(self) -> None:
        """What this one should be told cannot be told: it has to come back."""
        ...


class Feed:
    """One conversation subscription."""

    def __init__(
        self, subscription_id: str, who: Principal, query: ConversationQuery, listener: FeedListener
    ) -> None:
        self.subscription_id = subscription_id
        self.who = who
        self.query = query
        self.listener = listener
        self.is_ready = False  # the snapshot went out
        self.snapshots = 0  # how many were asked for: only the last is made
        self._matched: set[ConversationId] = set()
        self._missed: dict[ConversationId, View] = {}  # changed before the snapshot

    def offer(self, change: ConversationChange, now_ms: int) -> None:
        """A conversation changed: say so if it matches, or matched before."""
        conversation = change.view.conversation
        if not self.is_ready:
            self._missed[conversation.conversation_id] = change.view
            return
        if matches(self.query, change.view, self.who, now_ms):
            self._matched.add(conversation.conversation_id)
            self.listener.hear_conversations(self, [("UPSERT", change)])
        elif conversation.conversation_id in self._matched:
            self._matched.discard(conversation.conversation_id)
            self.listener.hear_conversations(self, [("DELETE", change)])

    def shown_besides(self, found: list[View]) -> list[ConversationId]:
        """What was shown and is not among these: it may not match any more."""
        return sorted(self._matched - {view.conversation.conversation_id for view in found})

    def send_departures(self, shown: list[View], now_ms: int) -> None:
        """Of what was shown, take back what the filter of now does not show."""
        gone = [view for view in shown if not matches(self.query, view, self.who, now_ms)]
        self._matched -= {view.conversation.conversation_id for view in gone}
        if gone:
            self.listener.hear_conversations(self, [("DELETE", ConversationChange(view)) for view in gone])

    def send_snapshot(self, found: list[View], newest: Callable[[View], View], now_ms: int) -> None:
        """What matches now, newest first, as one notification; then live.

        `newest` gives the view that is held now in place of one that may have been let go meanwhile.
        """
        views = {view.conversation.conversation_id: view for view in found} | self._missed
        now = [newest(view) for view in views.values()]
        self.send_departures([v for v in now if v.conversation.conversation_id in self._matched], now_ms)
        matching = [view for view in now if matches(self.query, view, self.who, now_ms)]
        matching.sort(key=lambda view: view.conversation.created_at_ms, reverse=True)
        self._missed.clear()
        self._matched |= {view.conversation.conversation_id for view in matching}
        self.is_ready = True
        self.listener.hear_conversations(
            self, [("UPSERT", ConversationChange(view)) for view in matching[:MAX_SNAPSHOT]]
        )


class Feeds:
    """Every conversation subscription on this node."""

    def __init__(self, conversations: Conversations, tasks: Tasks, clock: Clock) -> None:
        self._conversations = conversations
        self._tasks = tasks
        self._clock = clock
        self._of_consumer: dict[Key, set[Feed]] = {}
        self._of_account: dict[str, set[Feed]] = {}
        self._waiting: dict[Key, View] = {}
        self._cooling: set[Key] = set()

    def open(self, feed: Feed, delay_seconds: float) -> None:
        """Register a subscription; its snapshot follows after the delay, off this call."""
        if feed.who.is_consumer:
            self._of_consumer.setdefault((feed.who.account_id, feed.who.id), set()).add(feed)
        else:
            self._of_account.setdefault(feed.who.account_id, set()).add(feed)
        self._start_snapshot(feed, delay_seconds)

    def change_query(self, feed: Feed, query: ConversationQuery) -> None:
        """Filter anew: what does not match any more is taken back, and what matches told as after subscribing."""
        feed.query = query
        feed.is_ready = False
        self._start_snapshot(feed, 0)

    def close(self, feed: Feed) -> None:
        group = self._group(feed)
        group.discard(feed)
        if not group and feed.who.is_consumer:
            self._of_consumer.pop((feed.who.account_id, feed.who.id), None)
        elif not group:
            self._of_account.pop(feed.who.account_id, None)

    def touch(self, view: View) -> None:
        """Something about this conversation changed: tell soon, and not too often."""
        conversation = view.conversation
        key = (conversation.account_id, conversation.conversation_id)
        if key in self._waiting or not self._has_watchers(conversation):
            return
        self._waiting[key] = view  # the one held then is told: this may be let go before
        if key not in self._cooling:
            asyncio.get_running_loop().call_later(LEAD_SECONDS, self._tell, key)

    def heard(self, conversation: Conversation) -> None:
        """A conversation was opened or changed; for `Conversations.on_change`."""
        view = self._conversations.views.find(conversation.account_id, conversation.conversation_id)
        if view is not None:
            self.touch(view)
        elif self._has_watchers(conversation):
            self._tasks.start(self._load_and_touch(conversation), "feeds: load")

    async def _load_and_touch(self, conversation: Conversation) -> None:
        account_id, conversation_id = conversation.account_id, conversation.conversation_id
        while self._has_watchers(conversation):
            try:
                self.touch(await self._conversations.view(account_id, conversation_id))
            except ConversationNotFound:
                return
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _tell(self, key: Key) -> None:
        view = self._newest(self._waiting.pop(key))
        self._cooling.add(key)
        asyncio.get_running_loop().call_later(WINDOW_SECONDS, self._cooled, key)
        change = ConversationChange(view)
        now_ms = self._clock.now_ms()
        for feed in self._watching(view):
            feed.offer(change, now_ms)

    def _cooled(self, key: Key) -> None:
        self._cooling.discard(key)
        if key in self._waiting:
            self._tell(key)

    def _newest(self, view: View) -> View:
        conversation = view.conversation
        return self._conversations.views.find(conversation.account_id, conversation.conversation_id) or view

    def _start_snapshot(self, feed: Feed, delay_seconds: float) -> None:
        feed.snapshots += 1
        self._tasks.start(self._snapshot(feed, delay_seconds), "feeds: snapshot")

    async def _snapshot(self, feed: Feed, delay_seconds: float) -> None:
        try:
            await self._send_snapshot(feed, delay_seconds)
        except Exception as error:
            feed.listener.fall_behind()
            if not isinstance(error, Unavailable):
                raise

    async def _send_snapshot(self, feed: Feed, delay_seconds: float) -> None:
        wanted = feed.snapshots
        await asyncio.sleep(delay_seconds)
        async with feed.listener.turn:
            await feed.listener.drained()
            if feed not in self._group(feed):
                return
            found = await self._conversations.list_for(feed.who, feed.query)
            await self._send_departures(feed, wanted, feed.shown_besides(found))
            if self._is_wanted(feed, wanted):
                feed.send_snapshot(found, self._newest, self._clock.now_ms())

    async def _send_departures(self, feed: Feed, wanted: int, shown: list[ConversationId]) -> None:
        """Slice by slice, so that neither a frame nor what is read for it grows without bound."""
        for start in range(0, len(shown), MAX_SNAPSHOT):
            part = shown[start : start + MAX_SNAPSHOT]
            views = await self._conversations.list_views(feed.who.account_id, part)
            if not self._is_wanted(feed, wanted):
                return
            feed.send_departures([self._newest(view) for view in views], self._clock.now_ms())
            await feed.listener.drained()

    def _is_wanted(self, feed: Feed, snapshot: int) -> bool:
        """It was neither closed nor asked for once more meanwhile."""
        return feed in self._group(feed) and feed.snapshots == snapshot

    def _has_watchers(self, conversation: Conversation) -> bool:
        return (
            conversation.account_id in self._of_account
            or (conversation.account_id, conversation.consumer_id) in self._of_consumer
        )

    def _watching(self, view: View) -> list[Feed]:
        conversation = view.conversation
        return [
            *self._of_consumer.get((conversation.account_id, conversation.consumer_id), ()),
            *self._of_account.get(conversation.account_id, ()),
        ]

    def _group(self, feed: Feed) -> set[Feed]:
        """Those that are told together with this one; empty when it was closed, and all of them with it."""
        if feed.who.is_consumer:
            return self._of_consumer.get((feed.who.account_id, feed.who.id), set())
        return self._of_account.get(feed.who.account_id, set())
