"""Requests for a conversation, by a consumer or by an agent: what is missing is filled in, then it is opened."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from talkwire.accounts.properties import DEFAULT_TTR_SECONDS, ONE_OPEN_CONVERSATION
from talkwire.accounts.service import Accounts
from talkwire.conversations import rules
from talkwire.conversations.errors import ConsumerNotFound, MayNotChange
from talkwire.conversations.model import Campaign, NewConversation, Participant, Role, Ttr, TtrType
from talkwire.conversations.service import Along, Conversations
from talkwire.conversations.views import View
from talkwire.identity.model import Principal
from talkwire.kernel.ids import ANY_SKILL, AccountId, ParticipantId, SkillId

TTR_SECONDS = {TtrType.URGENT: 300, TtrType.NORMAL: 1200}
"""Named times to response. The others take the account's default. Source: docs/protocol.md 1."""


SkillByRules = Callable[[AccountId, ParticipantId, Mapping[str, Any] | None], Awaitable[SkillId | None]]
"""Routing's word: the skill its rules choose for a consumer, with a profile about to be set; None for none."""


async def no_rules(
    account_id: AccountId, consumer_id: ParticipantId, sent: Mapping[str, Any] | None
) -> SkillId | None:
    return None


class ConversationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for; `consumer_id` and `origin_id` are for agents. Source: docs/protocol.md 5.3, 5.4."""

    skill_id: SkillId = ANY_SKILL
    ttr_type: TtrType | None = None
    campaign: Campaign | None = None
    context: dict[str, Any] = {}  # with `clientProperties` added
    consumer_id: str = ""
    origin_id: str = ""  # the closed conversation that this one resumes
    new_profile: dict[str, Any] | None = None  # what the consumer says of itself in the same request
    idempotency_key: str = ""
    fingerprint: bytes = b""


@dataclass(frozen=True)
class Opening:
    """Opens conversations as the account is configured."""

    conversations: Conversations
    accounts: Accounts
    skill_by_rules: SkillByRules = no_rules

    async def open_for_consumer(
        self, who: Principal, request: ConversationRequest, along: Along | None = None
    ) -> View:
        """The consumer's new conversation, or its open one where an account wants only one (Appendix A4).

        `along`: see `Conversations.open`. Raises MayNotChange, KeyReused.
        """
        if not who.is_consumer:
            raise MayNotChange("only consumers request conversations this way")
        one_open = await self.accounts.value(who.account_id, ONE_OPEN_CONVERSATION)
        return await self.conversations.open(
            NewConversation(
                account_id=who.account_id,
                consumer_id=who.id,
                ttr=await self._ttr(who.account_id, request.ttr_type),
                skill_id=await self._skill(who, request),
                campaign=request.campaign,
                context=request.context,
                app_id=who.app_id,
                one_open=bool(one_open),
                idempotency_key=request.idempotency_key,
                fingerprint=request.fingerprint,
            ),
            along,
        )

    async def open_by_agent(self, who: Principal, request: ConversationRequest) -> View:
        """A conversation with a known consumer, assigned to the agent who asks; may resume a closed one.

        Raises MayNotChange, ConsumerNotFound, ConversationNotFound, StillOpen, KeyReused.
        """
        if who.is_consumer:
            raise MayNotChange("only agents request conversations this way")
        depth = 0
        if request.origin_id:
            origin = (await self.conversations.get_for(who, request.origin_id)).conversation
            if request.consumer_id not in {"", origin.consumer_id}:
                raise ConsumerNotFound
            consumer_id, depth = origin.consumer_id, rules.resume_depth(origin)
        else:
            consumer_id = ParticipantId(request.consumer_id)
            if not await self.conversations.knows_consumer(who, consumer_id):
                raise ConsumerNotFound
        return await self.conversations.open(
            NewConversation(
                account_id=who.account_id,
                consumer_id=consumer_id,
                ttr=await self._ttr(who.account_id, request.ttr_type),
                skill_id=request.skill_id,
                context=request.context,
                agent=Participant(id=who.id, role=Role.ASSIGNED_AGENT, old_id=who.old_id),
                resumed_from=request.origin_id,
                resume_depth=depth,
                idempotency_key=request.idempotency_key,
                fingerprint=request.fingerprint,
            )
        )

    async def _ttr(self, account_id: AccountId, wanted: TtrType | None) -> Ttr:
        kind = wanted or TtrType.PRIORITIZED
        default_seconds = int(await self.accounts.value(account_id, DEFAULT_TTR_SECONDS))
        bounded_seconds = min(max(0, default_seconds), rules.MAX_SECONDS)  # a property holds any number
        return Ttr(kind, TTR_SECONDS.get(kind, bounded_seconds))

    async def _skill(self, who: Principal, request: ConversationRequest) -> SkillId:
        """The skill asked for; without one that of the campaign, and without that what the rules choose."""
        if request.skill_id != ANY_SKILL:
            return request.skill_id
        campaign = request.campaign
        if campaign is not None:
            found = await self.accounts.skill_of_campaign(
                who.account_id, campaign.campaign_id, campaign.engagement_id
            )
            if found is not None:
                return found
        return await self.skill_by_rules(who.account_id, who.id, request.new_profile) or ANY_SKILL
