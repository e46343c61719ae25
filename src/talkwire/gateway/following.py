"""What one socket follows: dialogs, conversations, rings, agent states. Ends with the socket."""

import asyncio
from typing import Protocol

from talkwire.conversations.model import ConversationQuery, State
from talkwire.gateway.desks import Desks
from talkwire.gateway.outbox import LARGE_BYTES, Outbox
from talkwire.gateway.peer import Peer
from talkwire.gateway.told import (
    agent_state_frame,
    conversations_frame,
    replay_frame,
    ring_updated_frame,
    rings_frame,
)
from talkwire.handlers.services import Services
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TooMany, Unavailable
from talkwire.kernel.ids import ParticipantId, new_uuid
from talkwire.kernel.tasks import Tasks
from talkwire.messaging.catching_up import EventSubscription
from talkwire.messaging.feeds import ChangeType, ConversationChange, Feed
from talkwire.messaging.logged import LoggedEvent
from talkwire.protocol.status import Close
from talkwire.routing.model import AgentState, RingView

MAX_SUBSCRIPTIONS = 1_000
OPEN = ConversationQuery(stages=frozenset({State.OPEN}))
LEAVING = "gateway: leave"
SNAPSHOT_DELAY_SECONDS = 0.1
"""On v2 and v2.1. Source: docs/protocol.md, Appendix A24."""


class Socket(Protocol):
    """What following needs of its connection."""

    peer: Peer
    outbox: Outbox

    @property
    def is_mobile(self) -> bool: ...

    def tell(self, event: LoggedEvent) -> None: ...

    async def drained(self) -> None: ...

    def close(self, code: int, reason: str = "") -> None: ...


class Following:
    """Implements `handlers.call.Connection`; is a listener of the hub and of feeds."""

    __slots__ = (
        "_catching_up",
        "_desks",
        "_dialogs",
        "_feeds",
        "_ring_subscriptions",
        "_services",
        "_socket",
        "_state_subscriptions",
        "_tasks",
        "_turn",
        "tell",
    )

    def __init__(self, socket: Socket, services: Services, desks: Desks, tasks: Tasks) -> None:
        self._socket = socket
        self.tell = socket.tell
        self._services = services
        self._desks = desks
        self._tasks = tasks
        self._dialogs: dict[str, EventSubscription] = {}
        self._feeds: dict[str, Feed] = {}
        self._ring_subscriptions: list[str] = []
        self._state_subscriptions: dict[str, str] = {}
        self._catching_up: dict[str, asyncio.Task[None]] = {}
        self._turn: asyncio.Lock | None = None

    @property
    def who(self) -> Principal:
        who = self._socket.peer.who
        assert who is not None
        return who

    def begin(self) -> None:
        """The client is known: agents, and consumers of the old version, are told without asking."""
        if not self.who.is_consumer or not self._socket.peer.dialect.is_v3:
            self._services.hub.add_participant(self)
        if not self.who.is_consumer:
            self._services.routing.agent_connected(self.who)
        elif not self._socket.peer.dialect.is_v3:
            self._services.presence.returned(self.who)

    def end(self) -> None:
        """The socket is gone."""
        if self._socket.peer.who is None:
            return
        who = self.who
        self._services.hub.remove_participant(self)
        dialog_ids = list(self._dialogs)
        for dialog_id in dialog_ids:
            self.unfollow_dialog(dialog_id)
        for subscription_id in list(self._feeds):
            self.unfollow_conversations(subscription_id)
        self._desks.leave(self)
        if not who.is_consumer:
            self._services.routing.agent_disconnected(who)
        elif self._socket.peer.dialect.is_v3:
            self._services.presence.left(who, dialog_ids, self._goodbye)
        else:
            self._tasks.start(self._leave_all(who), LEAVING)

    async def _leave_all(self, who: Principal) -> None:
        """A consumer of the old version heard all its dialogs, whatever it subscribed to."""
        try:
            views = await self._services.conversations.list_for(who, OPEN)
        except Unavailable:
            return  # a chat state is worth no second try
        dialog_ids = [dialog_id for view in views for dialog_id in view.dialogs]
        self._services.presence.left(who, dialog_ids, self._goodbye)

    @property
    def _goodbye(self) -> str:
        """Source: docs/protocol.md, Appendix A27."""
        return "BACKGROUND" if self._socket.is_mobile else "GONE"

    # --- dialogs

    def hear(self, event: LoggedEvent) -> None:
        """An event of a conversation this one takes part in; followed dialogs come through their subscription."""
        if event.dialog_id not in self._dialogs:
            self._socket.tell(event)

    def follow_dialog(self, dialog_id: str, from_sequence: int) -> None:
        self.unfollow_dialog(dialog_id)
        self._check_room(len(self._dialogs))
        who = self.who
        subscription = EventSubscription(who, dialog_id, from_sequence, self)
        self._dialogs[dialog_id] = subscription
        self._services.hub.add_to_dialog(who.account_id, dialog_id, subscription)
        self._catching_up[dialog_id] = self._tasks.start(self._catch_up(subscription), "gateway: catch up")

    async def _catch_up(self, subscription: EventSubscription) -> None:
        try:
            await subscription.catch_up(self._services.log)
        except Exception as error:
            self.fall_behind()
            if not isinstance(error, Unavailable):
                raise
            return
        self._catching_up.pop(subscription.dialog_id, None)
        if self.who.is_consumer:
            self._services.presence.returned(self.who, subscription.dialog_id)

    def unfollow_dialog(self, dialog_id: str | None) -> bool:
        if dialog_id is None:
            return sum(self.unfollow_dialog(each) for each in list(self._dialogs)) > 0
        subscription = self._dialogs.pop(dialog_id, None)
        if subscription is None:
            return False
        self._services.hub.remove_from_dialog(self.who.account_id, dialog_id, subscription)
        task = self._catching_up.pop(dialog_id, None)
        if task is not None:
            task.cancel()
        return True

    def replay(self, dialog_id: str, events: list[LoggedEvent]) -> None:
        for frame in replay_frame(dialog_id, events, is_v3=self._socket.peer.dialect.is_v3):
            self._socket.outbox.put(frame)

    @property
    def turn(self) -> asyncio.Lock:
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    async def drained(self) -> None:
        await self._socket.drained()

    def fall_behind(self) -> None:
        """A subscription would miss something: the client comes back, and reads on from where it was."""
        self._socket.close(Close.TRY_AGAIN_LATER, "cannot be told")

    # --- conversations

    def follow_conversations(self, query: ConversationQuery) -> str:
        self._check_room(len(self._feeds))
        feed = Feed(new_uuid(), self.who, query, self)
        self._feeds[feed.subscription_id] = feed
        self._services.feeds.open(feed, 0 if self._socket.peer.dialect.is_v3 else SNAPSHOT_DELAY_SECONDS)
        return feed.subscription_id

    def change_conversations_query(self, subscription_id: str, query: ConversationQuery) -> bool:
        feed = self._feeds.get(subscription_id)
        if feed is not None:
            self._services.feeds.change_query(feed, query)
        return feed is not None

    def unfollow_conversations(self, subscription_id: str) -> bool:
        feed = self._feeds.pop(subscription_id, None)
        if feed is not None:
            self._services.feeds.close(feed)
        return feed is not None

    def hear_conversations(self, feed: Feed, changes: list[tuple[ChangeType, ConversationChange]]) -> None:
        dialect = self._socket.peer.dialect
        frame = conversations_frame(feed.subscription_id, changes, dialect, self.who)
        if len(frame) < LARGE_BYTES:
            self._socket.outbox.put(frame)
        else:
            self._socket.outbox.put_large(frame)

    # --- routing

    def follow_routing_tasks(self) -> str:
        self._check_room(len(self._ring_subscriptions))
        subscription_id = new_uuid()
        self._ring_subscriptions.append(subscription_id)
        self._desks.follow_rings(self)
        asyncio.get_running_loop().call_soon(self._send_waiting_rings, subscription_id)
        return subscription_id

    def has_routing_subscription(self, subscription_id: str) -> bool:
        return subscription_id in self._ring_subscriptions

    def hear_ring(self, ring: RingView) -> None:
        for subscription_id in self._ring_subscriptions:
            self._put(rings_frame(subscription_id, [ring], self._socket.peer.dialect))
        if not self._socket.peer.dialect.is_v3:
            self._put(ring_updated_frame(ring))

    def _send_waiting_rings(self, subscription_id: str) -> None:
        waiting = self._services.routing.rings_of(self.who.account_id, self.who.id)
        self._put(rings_frame(subscription_id, waiting, self._socket.peer.dialect))

    def follow_agent_state(self, agent_id: str, old_id: str) -> str:
        self._check_room(len(self._state_subscriptions))
        subscription_id = new_uuid()
        self._state_subscriptions[subscription_id] = agent_id
        self._desks.follow_state(self, agent_id)
        state = self._services.routing.agent_state(self.who.account_id, ParticipantId(agent_id), old_id)
        asyncio.get_running_loop().call_soon(
            self._put, agent_state_frame(subscription_id, state, self._socket.peer.dialect)
        )
        return subscription_id

    def hear_agent_state(self, state: AgentState) -> None:
        for subscription_id, agent_id in self._state_subscriptions.items():
            if agent_id == state.agent_id:
                self._put(agent_state_frame(subscription_id, state, self._socket.peer.dialect))

    def _put(self, frame: bytes) -> None:
        self._socket.outbox.put(frame)

    def _check_room(self, held: int) -> None:
        if held >= MAX_SUBSCRIPTIONS:
            raise TooMany(f"A socket holds at most {MAX_SUBSCRIPTIONS} subscriptions of a kind")
