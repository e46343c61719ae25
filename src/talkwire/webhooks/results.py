"""What became of a delivery: the cursor moves, a retry or a dead letter is noted, the endpoint fares so."""

from talkwire.connectors.delivery_model import Cursor, DeadLetter, Endpoint, Health, Reason, Retry
from talkwire.connectors.delivery_rules import (
    COUNT_DELAY_MS,
    DRAIN_PAUSE_MS,
    Policy,
    counted_out,
    failed,
    is_expired,
    retry_at_ms,
    succeeded,
)
from talkwire.connectors.model import EventKey
from talkwire.webhooks.keeper import Progress
from talkwire.webhooks.lane import Lane
from talkwire.webhooks.letters import Letter
from talkwire.webhooks.tools import Tools


class Results:
    """Of one endpoint. What it notes is on disk a moment later."""

    def __init__(self, tools: Tools, endpoint: Endpoint, health: Health) -> None:
        self.endpoint = endpoint
        self.health = health
        self._tools = tools

    def delivered(self, lane: Lane, letter: Letter) -> None:
        now_ms = self._tools.clock.now_ms()
        self._tools.observe("delivered", max(0, now_ms - letter.delivery.event_at_ms) / 1000)
        self.fare(succeeded(self.health, now_ms))
        lane.retry_at_ms = now_ms + DRAIN_PAUSE_MS if lane.attempts else 0
        lane.attempts = 0
        self.passed(lane, letter)

    def failed_by_time(self, lane: Lane, letter: Letter, policy: Policy, error: str) -> None:
        now_ms = self._tools.clock.now_ms()
        self._tools.observe("failed", 0)
        self.fare(failed(self.health, lane.conversation_id, error, now_ms, throttles=True))
        lane.attempts += 1
        event_at_ms = letter.delivery.event_at_ms
        if is_expired(event_at_ms, policy, now_ms):
            self.bury(letter, Reason.EXPIRED, lane.attempts, error)
            self.passed(lane, letter)
        else:
            lane.retry_at_ms = retry_at_ms(lane.attempts, event_at_ms, policy, now_ms)
        self.note(lane)

    def failed_by_count(self, letter: Letter, policy: Policy, attempts: int, error: str) -> None:
        now_ms = self._tools.clock.now_ms()
        delivery = letter.delivery
        self._tools.observe("failed", 0)
        if policy.retries:
            self.fare(failed(self.health, delivery.conversation_id, error, now_ms, throttles=False))
        reason = counted_out(attempts, policy)
        if reason is not None:
            self.bury(letter, reason, attempts, error)
        else:
            retry = Retry(delivery, attempts, now_ms + COUNT_DELAY_MS, error)
            self.progress.retries[delivery.delivery_id] = retry

    def bury(self, letter: Letter, reason: Reason, attempts: int, error: str) -> None:
        now_ms = self._tools.clock.now_ms()
        delivery = letter.delivery
        self._tools.observe("dead", 0)
        progress = self.progress
        progress.dead[delivery.delivery_id] = DeadLetter(delivery, reason.value, attempts, error, now_ms)

    def passed(self, lane: Lane, letter: Letter) -> None:
        """Move the cursor behind a letter."""
        delivery = letter.delivery
        if delivery.event_key == EventKey.CONVERSATION:
            lane.told_version = max(lane.told_version, delivery.sequence)
        else:
            lane.advance(delivery.dialog_id, delivery.sequence + 1)
        self.note(lane)

    def note(self, lane: Lane) -> None:
        cursor: Cursor = lane.cursor
        self.progress.cursors[lane.conversation_id] = cursor

    def fare(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self.progress.health = health

    @property
    def progress(self) -> Progress:
        return self._tools.keeper.progress(self.endpoint)
