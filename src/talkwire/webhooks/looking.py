"""Looking around: finds in the database what no bell told a courier.

After a start, after too much waited to be held in memory, and for what other nodes committed.
"""

import contextlib
from dataclasses import dataclass

from talkwire.backends.database.port import Database, Row
from talkwire.connectors import deliveries_store as store
from talkwire.connectors.delivery_model import Cursor
from talkwire.connectors.delivery_rules import Permit, is_behind, permit
from talkwire.conversations.errors import ConversationNotFound
from talkwire.kernel.errors import Unavailable
from talkwire.webhooks.courier import LOW, MAX_READY, Courier
from talkwire.webhooks.tools import Tools

PAGE = 500
SHARED_SECONDS = 1.0
ALONE_SECONDS = 30.0
RETRIES_SECONDS = 0.5
MARGIN_MS = 10_000
"""A change is looked for so long after its moment: commits are not in the order of moments."""

WIDE_MARGIN_MS = 180_000
WIDE_SECONDS = 60.0
"""Now and then further back: a commit that waits for a database that fails over is later than any other."""

EXPIRE_SECONDS = 5.0


@dataclass
class _Progress:
    """How far the look has come for one endpoint."""

    changed_ms: int
    changed_id: str = ""
    cursor_id: str = ""  # the page goes on behind this one
    round_at: float = 0.0  # when the next round begins, if nobody is behind
    changes_at: float = 0.0
    wide_at: float = 0.0  # when the next look goes further back
    retries_at: float = 0.0
    expire_at: float = 0.0


class Looking:
    """Keeps a place for each courier."""

    def __init__(self, database: Database, tools: Tools, *, is_shared: bool) -> None:
        self._database = database
        self._tools = tools
        self._seconds = SHARED_SECONDS if is_shared else ALONE_SECONDS
        self._places: dict[str, _Progress] = {}

    def begin(self, courier: Courier) -> None:
        """Look from the start: what was known of it is old."""
        endpoint = courier.endpoint
        held = self._places.get(endpoint.endpoint_id)
        changed_ms = endpoint.looked_until_ms if held is None else held.changed_ms
        self._places[endpoint.endpoint_id] = _Progress(changed_ms)

    def end(self, courier: Courier) -> None:
        self._places.pop(courier.endpoint.endpoint_id, None)

    def is_due(self, courier: Courier, now: float) -> bool:
        place = self._places[courier.endpoint.endpoint_id]
        if now >= min(place.retries_at, place.changes_at):
            return True
        has_room = courier.is_behind and len(courier.ready) < LOW
        return has_room or now >= place.round_at

    async def look(self, courier: Courier, now: float) -> None:
        """One look; what it finds is lined up."""
        place = self._places[courier.endpoint.endpoint_id]
        try:
            if now >= place.retries_at:
                place.retries_at = now + RETRIES_SECONDS
                await self._retries(courier)
            if permit(courier.health, self._tools.clock.now_ms()) is Permit.NONE:
                await self._while_down(courier, place, now)
                return
            if now >= place.changes_at:
                await self._changes(courier, place, now)
            await self._cursors(courier, place, now)
            courier.let_go_idle()
            courier.note_drained()
        except Unavailable:
            place.retries_at = now + 1
        finally:
            courier.is_looked_for = False

    async def _retries(self, courier: Courier) -> None:
        due = await store.due_retries(self._database, courier.endpoint, self._tools.clock.now_ms(), PAGE)
        for retry in due:
            if not courier.retry(retry):
                return

    async def _changes(self, courier: Courier, place: _Progress, now: float) -> None:
        """Conversations that are new or changed since the last look."""
        started_ms = self._tools.clock.now_ms()
        while True:
            rows = await store.changed_since(
                self._database, courier.endpoint, place.changed_ms, place.changed_id, PAGE
            )
            await self._prepare(courier, [row for row in rows if self._is_new(courier, row)])
            for row in rows:
                if not self._line_up_changed(courier, row):
                    place.changes_at = now + 0.1
                    courier.is_behind = True
                    return
                if row["told_version"] is None:
                    await self._keep_beginning(courier, row)
                place.changed_ms, place.changed_id = row["updated_at"], row["conversation_id"]
            await self._tools.keeper.room()
            if len(rows) < PAGE:
                break
        seen_ms = max(place.changed_ms, started_ms)
        place.changed_ms, place.changed_id = seen_ms - MARGIN_MS, ""
        if now >= place.wide_at:
            place.changed_ms, place.wide_at = seen_ms - WIDE_MARGIN_MS, now + WIDE_SECONDS
        place.changes_at = now + self._seconds
        self._tools.keeper.progress(courier.endpoint).looked_until_ms = seen_ms - WIDE_MARGIN_MS

    def _line_up_changed(self, courier: Courier, row: Row) -> bool:
        conversation_id, told = row["conversation_id"], row["told_version"]
        lane = courier.lanes.get(conversation_id)
        if lane is not None and lane.is_loaded:
            told = max(lane.told_version, told or 0)
        if told is not None and told >= row["version"]:
            return True
        self._tools.reading.forget_view(courier.endpoint.account_id, conversation_id, row["version"])
        is_untold = told is None and row["created_at"] >= courier.endpoint.since_ms
        cursor = Cursor(conversation_id=conversation_id) if is_untold else None
        return courier.wake(conversation_id, cursor=cursor)

    async def _keep_beginning(self, courier: Courier, row: Row) -> None:
        """On disk before the look passes it: what only waits in line would be lost with the node."""
        conversation_id: str = row["conversation_id"]
        lane = courier.lanes.get(conversation_id)
        with contextlib.suppress(ConversationNotFound):  # it was erased meanwhile
            cursor = (
                lane.cursor
                if lane is not None and lane.is_loaded
                else await self._tools.reading.beginning(courier.endpoint, conversation_id)
            )
            self._tools.keeper.progress(courier.endpoint).cursors.setdefault(conversation_id, cursor)

    def _is_new(self, courier: Courier, row: Row) -> bool:
        return row["told_version"] is None and row["conversation_id"] not in courier.lanes

    async def _prepare(self, courier: Courier, rows: list[Row]) -> None:
        """As many as will be lined up."""
        room = MAX_READY - len(courier.ready)
        if rows and room > 0:
            ids = [row["conversation_id"] for row in rows[:room]]
            await self._tools.reading.prepare(courier.endpoint, ids)

    async def _cursors(self, courier: Courier, place: _Progress, now: float) -> None:
        """Open conversations with something to tell, a page at a time, round and round."""
        if not place.cursor_id:
            if not courier.is_behind and now < place.round_at:
                return
            courier.is_behind = False  # unless somebody says so during this round
            place.round_at = now + self._seconds
        rows = await store.open_cursors(
            self._database, courier.endpoint, place.cursor_id, self._tools.clock.now_ms(), PAGE
        )
        behind = [row for row in rows if row["is_behind"] and row["conversation_id"] not in courier.lanes]
        await self._prepare(courier, behind)
        for row in rows:
            if len(courier.ready) >= MAX_READY:
                courier.is_behind = True
                return
            self._line_up_behind(courier, row)
            place.cursor_id = row["conversation_id"]
        if len(rows) < PAGE:
            place.cursor_id = ""
        else:
            courier.is_behind = True

    def _line_up_behind(self, courier: Courier, row: Row) -> None:
        conversation_id = row["conversation_id"]
        lane = courier.lanes.get(conversation_id)
        if lane is None or not lane.is_loaded:
            if row["is_behind"]:
                courier.wake(conversation_id, must_look=True, cursor=store.cursor_of(row))
            return
        is_waiting = lane.is_running or lane.is_wanted or conversation_id in courier.parked
        is_late = is_behind(lane.cursor, row["version"], int(row["events"]))
        if not is_waiting and is_late and lane.retry_at_ms <= self._tools.clock.now_ms():
            courier.wake(conversation_id, must_look=True)

    async def _while_down(self, courier: Courier, place: _Progress, now: float) -> None:
        """Nothing is sent; but what waited too long is given up, so that it is seen in time."""
        if now < place.expire_at:
            return
        place.expire_at = now + EXPIRE_SECONDS
        rows = await store.open_cursors(
            self._database, courier.endpoint, place.cursor_id, self._tools.clock.now_ms(), PAGE
        )
        place.cursor_id = rows[-1]["conversation_id"] if len(rows) == PAGE else ""
        courier.is_behind = True
        for row in rows:
            if row["is_behind"]:
                await courier.expire(courier.lane_to_expire(row["conversation_id"]))
        courier.let_go_idle()
