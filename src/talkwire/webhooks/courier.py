"""Serves one endpoint: lanes that are ready take turns, failed ones wait, and one that is down is left alone."""

from collections import deque

from talkwire.connectors.delivery_model import (
    Cursor,
    Endpoint,
    EndpointState,
    Health,
    Reason,
    Retry,
)
from talkwire.connectors.delivery_rules import (
    Permit,
    Policy,
    drained,
    is_expired,
    permit,
    policy_of,
    succeeded,
)
from talkwire.connectors.model import App, EventKey, Webhook
from talkwire.conversations.errors import ConversationNotFound
from talkwire.kernel.errors import Unavailable
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import Audience
from talkwire.webhooks.lane import Lane
from talkwire.webhooks.letters import Letter, event_letter, headers_of
from talkwire.webhooks.results import Results
from talkwire.webhooks.sender import Answer
from talkwire.webhooks.tools import Tools

MAX_READY = 1_000
"""Lanes in line; more wait in the database."""

LOW = 400
"""Lanes in line below which more are fetched."""

MAX_PARKED = 1_000
MAX_IDLE = 2_000
"""Lanes kept after their work, so that the next event need not read the cursor."""

FAULT_PAUSE_MS = 30_000
"""A conversation that we cannot tell of, by a fault of ours, is not tried again before."""

TURN = 20
"""Letters of one lane before another has its turn."""


class Courier:
    """One endpoint's. All of it runs on the event loop."""

    def __init__(self, tools: Tools, app: App, endpoint: Endpoint, health: Health) -> None:
        self.app = app
        self._results = Results(tools, endpoint, health)
        self.is_paused = True  # until the lease is ours
        self.is_behind = True  # the database may know of lanes that we do not
        self.lanes: dict[str, Lane] = {}
        self.ready: deque[Lane] = deque()
        self.parked: dict[str, Lane] = {}
        self.retrying: set[str] = set()  # deliveries that are tried again right now
        self.in_flight = 0
        self.is_looked_for = False  # a look is under way
        self._chats = 0
        self._tools = tools

    @property
    def endpoint(self) -> Endpoint:
        return self._results.endpoint

    @endpoint.setter
    def endpoint(self, endpoint: Endpoint) -> None:
        self._results.endpoint = endpoint

    @property
    def health(self) -> Health:
        return self._results.health

    @health.setter
    def health(self, health: Health) -> None:
        self._results.health = health

    # --- what happens elsewhere

    def heard(self, event: LoggedEvent) -> None:
        """An event of one of the app's conversations was committed, or a chat state was told."""
        if event.sequence < 0:
            self._chat(event)
            return
        lane = self._lane(event.conversation_id)
        if lane is not None:
            lane.hear(event)
            self._wake(lane)

    def wake(self, conversation_id: str, *, must_look: bool = False, cursor: Cursor | None = None) -> bool:
        """There may be something to tell of a conversation; False: not now, ask again.

        `cursor` is what the database just said, when no lane knows better.
        """
        lane = self._lane(conversation_id)
        if lane is None:
            return False
        if cursor is not None and not lane.is_loaded and not lane.is_running:
            lane.load(cursor)
        lane.must_look = lane.must_look or must_look
        self._wake(lane)
        return True

    def retry(self, retry: Retry) -> bool:
        """Try a delivery again by itself; False: no hand is free."""
        if self.in_flight >= self._tools.concurrency or self.is_paused:
            return False
        delivery_id = retry.delivery.delivery_id
        if delivery_id not in self.retrying:
            self.retrying.add(delivery_id)
            self.in_flight += 1
            self._tools.tasks.start(self._retry(retry), "webhooks: retry")
        return True

    def tick(self) -> None:
        """Time passed: whoever waited long enough goes on."""
        now_ms = self._tools.clock.now_ms()
        if not self.health.is_down:
            for lane in [lane for lane in self.parked.values() if lane.retry_at_ms <= now_ms]:
                del self.parked[lane.conversation_id]
                self._line_up(lane)
        self._dispatch()

    def pause(self) -> None:
        """Begin nothing new."""
        self.is_paused = True

    def resume(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self.is_behind = True
            self._dispatch()

    def forget_lanes(self) -> None:
        """Another node served the endpoint meanwhile: what we know of it is old."""
        self.parked.clear()
        self.ready.clear()
        self.lanes = {key: lane for key, lane in self.lanes.items() if lane.is_running}
        self.is_behind = True

    # --- what a look around asks

    @property
    def is_idle(self) -> bool:
        return not (self.in_flight or self.ready or self.parked or self.is_behind)

    def note_drained(self) -> None:
        if self.is_idle:
            self._results.fare(drained(self.health, self._tools.clock.now_ms()))

    def let_go_idle(self) -> None:
        """Forget the lanes unused for longest, of those that are on disk."""
        too_many = len(self.lanes) - MAX_IDLE - len(self.ready) - len(self.parked)
        if too_many <= 0:
            return
        waiting = {lane.conversation_id for lane in self.ready}
        for key, lane in list(self.lanes.items()):
            is_busy = lane.is_running or key in waiting or key in self.parked
            if not is_busy and not self._tools.keeper.holds(self.endpoint.endpoint_id, key):
                del self.lanes[key]
                too_many -= 1
                if not too_many:
                    return

    async def expire(self, lane: Lane) -> None:
        """Give up what waited too long while the endpoint was down; sends nothing."""
        if lane.is_running:
            return
        lane.is_running = True
        try:
            while (letter := await self._next(lane)) is not None:
                policy = self._policy(letter)
                if policy is None or not is_expired(
                    letter.delivery.event_at_ms, policy, self._tools.clock.now_ms()
                ):
                    return
                self._results.bury(letter, Reason.EXPIRED, lane.attempts, self.health.last_error)
                self._results.passed(lane, letter)
        finally:
            lane.is_running = False

    def lane_to_expire(self, conversation_id: str) -> Lane:
        return self.lanes.setdefault(conversation_id, Lane(conversation_id))

    # --- lanes

    def _lane(self, conversation_id: str) -> Lane | None:
        """The lane of a conversation; None when there is no room: the database remembers it."""
        lane = self.lanes.pop(conversation_id, None)
        if lane is None:
            has_probe = self.health.is_down and (self.ready or self.parked)
            if self.is_paused or len(self.ready) >= MAX_READY or has_probe:
                self.is_behind = True
                return None
            lane = Lane(conversation_id)
        self.lanes[conversation_id] = lane  # at the end: used last
        return lane

    def _wake(self, lane: Lane) -> None:
        if lane.is_running:
            lane.is_wanted = True
        elif lane.conversation_id not in self.parked and not lane.is_wanted:
            self._line_up(lane)
            self._dispatch()

    def _line_up(self, lane: Lane) -> None:
        lane.is_wanted = True  # in line
        self.ready.append(lane)

    def _park(self, lane: Lane) -> None:
        if len(self.parked) >= MAX_PARKED:
            self.is_behind = True  # its cursor says when
        else:
            self.parked[lane.conversation_id] = lane

    def _dispatch(self) -> None:
        if self.is_paused or not (self.ready or (self.parked and self.health.is_down)):
            return
        allowed = permit(self.health, self._tools.clock.now_ms())
        if allowed is Permit.NONE:
            return
        if allowed is Permit.ONE:
            if not self.in_flight:
                self._start(self._probe())
            return
        while self.ready and self.in_flight < self._tools.concurrency:
            self._start(self.ready.popleft())

    def _probe(self) -> Lane:
        """Whom to ask whether the endpoint is back: who failed first, so that few conversations fail."""
        if not self.parked:
            return self.ready.popleft()
        lane = min(self.parked.values(), key=lambda lane: lane.retry_at_ms)
        del self.parked[lane.conversation_id]
        lane.retry_at_ms = 0
        return lane

    def _start(self, lane: Lane) -> None:
        lane.is_running, lane.is_wanted = True, False
        self.in_flight += 1
        self._tools.tasks.start(self._serve(lane), "webhooks: deliver")

    async def _serve(self, lane: Lane) -> None:
        must_go_on, is_parked = True, False
        try:
            for _ in range(TURN):
                must_go_on = await self._step(lane)
                is_parked = lane.retry_at_ms > self._tools.clock.now_ms()
                if not must_go_on or is_parked or self._must_stop():
                    break
        except Unavailable:
            self.is_behind, must_go_on = True, False
        except Exception:
            lane.retry_at_ms = self._tools.clock.now_ms() + FAULT_PAUSE_MS
            is_parked = True
            raise
        finally:
            self.in_flight -= 1
            lane.is_running = False
            must_go_on = must_go_on or lane.is_wanted
            lane.is_wanted = False
            if is_parked:
                self._park(lane)
            elif must_go_on:
                self._line_up(lane)
            self._dispatch()
            if self.is_behind and len(self.ready) < LOW and not self.is_looked_for:
                self._tools.hungry.set()

    def _must_stop(self) -> bool:
        return self.is_paused or permit(self.health, self._tools.clock.now_ms()) is not Permit.ALL

    async def _step(self, lane: Lane) -> bool:
        """Deliver what is at the head; False when there is nothing."""
        letter = await self._next(lane)
        if letter is None or self.is_paused:
            return letter is not None
        policy = self._policy(letter)
        if policy is None:  # the key is not configured any more
            self._results.passed(lane, letter)
            return True
        now_ms = self._tools.clock.now_ms()
        if lane.retry_at_ms > now_ms:  # as its cursor said
            return True
        is_suspect = lane.attempts or self.health.state in {EndpointState.FAILED, EndpointState.IN_TRANSITION}
        if is_suspect and is_expired(letter.delivery.event_at_ms, policy, now_ms):
            self._results.bury(letter, Reason.EXPIRED, lane.attempts, self.health.last_error)
            self._results.passed(lane, letter)
            return True
        answer = await self._send(letter, lane.attempts + 1)
        if answer.is_ok:
            self._results.delivered(lane, letter)
        elif policy.by_time:
            self._results.failed_by_time(lane, letter, policy, answer.error)
        else:
            self._results.failed_by_count(letter, policy, 1, answer.error)
            self._results.passed(lane, letter)
        await self._tools.keeper.room()
        return True

    async def _next(self, lane: Lane) -> Letter | None:
        reading = self._tools.reading
        lane.forget_old(self._tools.clock.now_ms())
        try:
            before = lane.cursor if lane.is_loaded else None
            if before is None:  # noted even if nothing is told: who looks after a death finds what is on disk
                await reading.load(self.endpoint, lane)
            letter = await reading.next_letter(self.endpoint, lane)
        except ConversationNotFound:
            self.lanes.pop(lane.conversation_id, None)
            lane.is_done = True
            self._results.note(lane)
            return None
        if letter is not None:
            lane.is_done = False
        if lane.cursor != before:
            self._results.note(lane)
        return letter

    # --- by itself

    async def _retry(self, retry: Retry) -> None:
        delivery = retry.delivery
        try:
            letter = await self._tools.reading.letter_of(self.endpoint.account_id, delivery)
            policy = self._policy(letter) if letter is not None else None
            if letter is None or policy is None:
                self._results.progress.retries[delivery.delivery_id] = None
                return
            answer = await self._send(letter, retry.attempts + 1)
            self._results.progress.retries[delivery.delivery_id] = None
            if answer.is_ok:
                now_ms = self._tools.clock.now_ms()
                self._tools.observe("delivered", max(0, now_ms - delivery.event_at_ms) / 1000)
                self._results.fare(succeeded(self.health, now_ms))
            else:
                counted = policy._replace(by_time=False, retries=policy.retries or int(policy.by_time) * 3)
                self._results.failed_by_count(letter, counted, retry.attempts + 1, answer.error)
            await self._tools.keeper.flush()
        except Unavailable:
            self.is_behind = True
        except Exception:
            later_ms = self._tools.clock.now_ms() + FAULT_PAUSE_MS
            self._results.progress.retries[delivery.delivery_id] = retry._replace(retry_at_ms=later_ms)
            raise
        finally:
            self.in_flight -= 1
            self.retrying.discard(delivery.delivery_id)
            self._dispatch()

    def _chat(self, event: LoggedEvent) -> None:
        """Told at most once: when no hand is free, not at all. Who types privately is nobody's business outside."""
        is_public = event.audience == Audience.ALL.value
        is_wanted = EventKey.CHAT_STATE in self.endpoint.event_keys and not self.is_paused
        if not (is_public and is_wanted) or self._chats >= self._tools.concurrency or self.health.is_down:
            return
        self._chats += 1
        self._tools.tasks.start(self._tell_chat(event_letter(event)), "webhooks: chat state")

    async def _tell_chat(self, letter: Letter) -> None:
        try:
            if letter.delivery.event_key in self.app.webhooks:
                await self._send(letter, 1)
        finally:
            self._chats -= 1

    # --- sending

    def _webhook(self, letter: Letter) -> Webhook | None:
        """As the app is configured now, also when it was changed a moment ago."""
        return self.app.webhooks.get(letter.delivery.event_key)

    def _policy(self, letter: Letter) -> Policy | None:
        webhook = self._webhook(letter)
        return None if webhook is None else policy_of(webhook, self.app.retention_seconds)

    async def _send(self, letter: Letter, attempt: int) -> Answer:
        app, webhook = self.app, self._webhook(letter)
        assert webhook is not None
        secret = (await self._tools.apps.secret_of(app)).encode()
        headers = headers_of(letter, app.account_id, app.client_id, secret, webhook.headers, attempt)
        return await self._tools.sender.post(webhook.endpoint, headers, letter.body)
