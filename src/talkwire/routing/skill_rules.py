"""Use cases of routing rules: an account's ordered list, and the skill it chooses for a consumer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from talkwire.accounts.cache import Cache
from talkwire.accounts.model import ANY_REVISION
from talkwire.accounts.store import find_revision, next_revision
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.rules import merged_profile
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import ANY_SKILL, AccountId, ParticipantId, SkillId
from talkwire.routing import rules_store as store
from talkwire.routing import skills_store
from talkwire.routing.errors import RuleInvalid
from talkwire.routing.rules import RoutingRule, checked, choose_skill

RULES_COLLECTION = "routing-rules"
Change = Callable[[tuple[RoutingRule, ...]], Sequence[RoutingRule]]
"""Makes the next list of the one that stands."""


class SkillRules:
    """The routing rules of every account. Reads come from memory; writes are durable, then seen at once."""

    def __init__(
        self, database: Database, clock: Clock, profiles: ConsumerProfiles, acts: Acts | None = None
    ) -> None:
        self._database = database
        self._acts = acts or Unrecorded(database)
        self._profiles = profiles
        self._held: Cache[AccountId, tuple[RoutingRule, ...]] = Cache(clock, self._load)

    async def list_rules(self, account_id: AccountId) -> tuple[tuple[RoutingRule, ...], int]:
        """The rules in their order, and the collection's revision."""
        rules = await store.list_rules(self._database, account_id)
        return rules, await find_revision(self._database, account_id, RULES_COLLECTION)

    async def replace(
        self, account_id: AccountId, rules: Sequence[RoutingRule], if_match: int = ANY_REVISION
    ) -> tuple[tuple[RoutingRule, ...], int]:
        """Put this list in place of the one that stands. Raises RuleInvalid, RevisionStale."""
        return await self.change(account_id, lambda _: rules, if_match)

    async def change(
        self, account_id: AccountId, change: Change, if_match: int = ANY_REVISION
    ) -> tuple[tuple[RoutingRule, ...], int]:
        """Make the next list of the one that stands; gives it with its revision.

        Raises RuleInvalid, RevisionStale, and what `change` raises.
        """

        async def unit(tx: Transaction) -> tuple[tuple[RoutingRule, ...], int]:
            revision = await next_revision(tx, account_id, RULES_COLLECTION, if_match)
            rules = checked(change(await store.list_rules_in(tx, account_id)))
            for skill_id in {rule.skill_id for rule in rules} - {ANY_SKILL}:
                if await skills_store.find_in(tx, account_id, skill_id) is None:
                    raise RuleInvalid(f"No skill {skill_id[:20]!r}")
            await store.replace_rules(tx, account_id, rules)
            return rules, revision

        entry = Entry(account_id, Act.SETTING_CHANGED, "routing rules")
        return await self._acts.do(unit, entry, then=lambda _: self._held.drop(account_id))

    async def skill_for(
        self, account_id: AccountId, consumer_id: ParticipantId, sent: Mapping[str, Any] | None = None
    ) -> SkillId | None:
        """The skill for a consumer's new conversation; None when no rule holds.

        `sent` is a profile that the same batch sets: it counts as if it had been set already.
        Reads nothing of the consumer when the account has no rules.
        """
        rules = await self._held.find(account_id)
        if not rules:
            return None
        profile = await self._profiles.get_profile(account_id, consumer_id) or {}
        if sent:
            profile = {**profile, **merged_profile(profile, dict(sent))}
        return choose_skill(rules, profile)

    async def _load(self, account_id: AccountId) -> tuple[RoutingRule, ...]:
        return await store.list_rules(self._database, account_id)
