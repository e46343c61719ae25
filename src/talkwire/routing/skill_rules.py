"""Use cases of routing rules: an account's ordered list, and the skill it chooses for a consumer."""

from collections.abc import Mapping, Sequence
from typing import Any

from talkwire.accounts.ordered_list import ListKind, OrderedList
from talkwire.audit.acts import Acts
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.rules import merged_profile
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import ANY_SKILL, AccountId, ParticipantId, SkillId
from talkwire.routing import skills_store
from talkwire.routing.errors import RuleInvalid
from talkwire.routing.rules import RoutingRule, checked, choose_skill


class SkillRules(OrderedList[RoutingRule]):
    """The routing rules of every account. What is no rule, or names no skill, is RuleInvalid."""

    def __init__(
        self, database: Database, clock: Clock, profiles: ConsumerProfiles, acts: Acts | None = None
    ) -> None:
        super().__init__(ListKind("routing rules", RoutingRule, _checked), database, clock, acts)
        self._profiles = profiles

    async def skill_for(
        self, account_id: AccountId, consumer_id: ParticipantId, sent: Mapping[str, Any] | None = None
    ) -> SkillId | None:
        """The skill for a consumer's new conversation; None when no rule holds.

        `sent` is a profile that the same batch sets: it counts as if it had been set already.
        Reads nothing of the consumer when the account has no rules.
        """
        rules = await self.declared(account_id)
        if not rules:
            return None
        profile = await self._profiles.get_profile(account_id, consumer_id) or {}
        if sent:
            profile = {**profile, **merged_profile(profile, dict(sent))}
        return choose_skill(rules, profile)


async def _checked(
    tx: Transaction, account_id: AccountId, rules: Sequence[RoutingRule]
) -> tuple[RoutingRule, ...]:
    kept = checked(rules)
    for skill_id in {rule.skill_id for rule in kept} - {ANY_SKILL}:
        if await skills_store.find_in(tx, account_id, skill_id) is None:
            raise RuleInvalid(f"No skill {skill_id[:20]!r}")
    return kept
