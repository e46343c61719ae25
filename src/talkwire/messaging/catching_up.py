"""Catching up: reading the log from a sequence, and subscriptions that read first and then go live.

Source: docs/protocol.md 5.7.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from talkwire.backends.database.port import Database, Row
from talkwire.identity.agents import Agents
from talkwire.identity.model import Kind, Principal
from talkwire.kernel.ids import AccountId
from talkwire.messaging import store
from talkwire.messaging.hub import Hub
from talkwire.messaging.logged import LoggedEvent, of_row
from talkwire.messaging.model import EventKind
from talkwire.messaging.previews import Previews

SLICE = 100
"""Rows read at once, so that nobody holds the loop for long."""

PER_NOTIFICATION = 500
NOTIFICATION_BYTES = 512 * 1024
"""A replay goes out in parts, each when the former was taken: no past is too long for a client that reads."""

MAX_QUERY = 1000


class Slice(NamedTuple):
    events: list[LoggedEvent]
    following: int  # the sequence to go on from
    is_last: bool


class Log:
    """The log of events, for readers: with agents' old ids and files' previews joined in."""

    def __init__(self, database: Database, agents: Agents, previews: Previews) -> None:
        self._database = database
        self._agents = agents
        self._previews = previews

    async def read_from(self, who: Principal, dialog_id: str, sequence: int) -> Slice:
        """Up to SLICE events from this sequence on, those that this one may hear."""
        rows = await store.events_from(self._database, who.account_id, dialog_id, sequence, SLICE)
        following = rows[-1]["sequence"] + 1 if rows else sequence
        return Slice(await self._events(who, rows), following, is_last=len(rows) < SLICE)

    async def query(
        self, who: Principal, dialog_id: str, sequence: int, max_quantity: int | None
    ) -> list[LoggedEvent]:
        """At most 1,000 events that this one may hear, ascending: the oldest with a quantity, the newest without."""
        if _hears_all(who):
            read = store.newest_events if max_quantity is None else store.events_from
        else:
            read = store.newest_public_events if max_quantity is None else store.public_events_from
        limit = MAX_QUERY if max_quantity is None else max(0, min(max_quantity, MAX_QUERY))
        return await self._events(who, await read(self._database, who.account_id, dialog_id, sequence, limit))

    async def _events(self, who: Principal, rows: Sequence[Row]) -> list[LoggedEvent]:
        heard = [row for row in rows if _hears_all(who) or row["audience"] == "ALL"]
        files = [row for row in heard if row["kind"] == EventKind.FILE]
        told = await self._previews.join(who.account_id, files) if files else {}
        events = [of_row(row, told.get(row["event_id"])) for row in heard]
        await self._name_agents(who.account_id, events)
        return events

    async def _name_agents(self, account_id: AccountId, events: list[LoggedEvent]) -> None:
        agents = {event.originator_id for event in events if event.originator_role != "CONSUMER"}
        for agent_id in agents:
            agent = await self._agents.find_agent(account_id, agent_id)
            if agent is not None:
                for event in events:
                    if event.originator_id == agent_id:
                        event.originator_old_id = agent.old_id


def _hears_all(who: Principal) -> bool:
    """Whether private events are for this one, too."""
    return who.kind is Kind.AGENT


class EventSink(Protocol):
    """The socket of a subscription."""

    @property
    def tell(self) -> Callable[[LoggedEvent], None]: ...

    @property
    def turn(self) -> asyncio.Lock:
        """Held by whoever sends much: one after another, each when the former's was taken."""
        ...

    def replay(self, dialog_id: str, events: list[LoggedEvent]) -> None: ...

    async def drained(self) -> None: ...

    def unfollow_dialog(self, dialog_id: str | None) -> bool: ...


class EventSubscription:
    """One dialog, from a sequence on, on one socket: first what is in the log, then live."""

    __slots__ = ("_is_live", "_newest_heard", "_next", "_sink", "_tell", "dialog_id", "who")

    def __init__(self, who: Principal, dialog_id: str, from_sequence: int, sink: EventSink) -> None:
        self.who = who
        self.dialog_id = dialog_id
        self._next = from_sequence
        self._newest_heard = -1
        self._is_live = False
        self._sink = sink
        self._tell = sink.tell

    def hear(self, event: LoggedEvent) -> None:
        if event.sequence < 0:
            if self._is_live:
                self._tell(event)
        elif not self._is_live:
            self._newest_heard = event.sequence
        elif event.sequence >= self._next:
            self._next = event.sequence + 1
            self._tell(event)

    def dismissed(self) -> None:
        """Its client may not see the conversation any more."""
        self._sink.unfollow_dialog(self.dialog_id)

    async def catch_up(self, log: Log) -> None:
        """Send everything from the sequence on, at least one notification; then go live without a gap."""
        is_first = True
        while not self._is_live:
            async with self._sink.turn:
                await self._sink.drained()
                events, is_last = await self._read(log)
                *full, rest = parts_of(events)
                for part in full:
                    self._sink.replay(self.dialog_id, part)
                    await self._sink.drained()
                # from here on nothing is awaited until live: what is heard now is told now
                if rest or is_first:
                    self._sink.replay(self.dialog_id, rest)
                is_first = False
                self._is_live = is_last and self._next > self._newest_heard
            await asyncio.sleep(0)

    async def _read(self, log: Log) -> tuple[list[LoggedEvent], bool]:
        """About as much as fits into a notification, and whether that was the end."""
        events: list[LoggedEvent] = []
        size = 0
        while True:
            read = await log.read_from(self.who, self.dialog_id, self._next)
            self._next = read.following
            events += read.events
            size += sum(len(event.told_event) for event in read.events)
            if read.is_last or len(events) >= PER_NOTIFICATION or size >= NOTIFICATION_BYTES:
                return events, read.is_last
            await asyncio.sleep(0)


def parts_of(events: list[LoggedEvent]) -> list[list[LoggedEvent]]:
    """The events in notifications that are not too large; at least one, if only an empty one."""
    parts: list[list[LoggedEvent]] = [[]]
    size = 0
    for event in events:
        size += len(event.told_event)
        if parts[-1] and (size > NOTIFICATION_BYTES or len(parts[-1]) == PER_NOTIFICATION):
            parts.append([])
            size = len(event.told_event)
        parts[-1].append(event)
    return parts


def listen(hub: Hub, subscription: EventSubscription) -> None:
    """From now on nothing is missed; call before `catch_up`."""
    hub.add_to_dialog(subscription.who.account_id, subscription.dialog_id, subscription)
