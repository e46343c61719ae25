"""What is known of a consumer: what it says of itself, and what the brand's token said.

Source: docs/protocol.md 5.9.
"""

import json
from collections.abc import Sequence
from typing import Any

from talkwire.backends.database.port import Database, Transaction
from talkwire.identity import consumer_store, rules
from talkwire.identity.consumer_store import ConsumerRecord
from talkwire.identity.errors import AuthCodeNotAccepted, ConsumerProfileTooLarge
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import NotAllowed
from talkwire.kernel.ids import AccountId, ParticipantId

CLAIMS_KEPT = ("sub", "iss", "given_name", "family_name", "email", "phone_number", "lp_sdes")


class ConsumerProfiles:
    """Keeps profiles; a profile has at most `max_bytes` of JSON."""

    def __init__(self, database: Database, clock: Clock, max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._max_bytes = max_bytes

    async def set_profile(self, who: Principal, consumer_id: ParticipantId, profile: dict[str, Any]) -> None:
        """Merge into the consumer's profile, by `rules.merged_profile`; only for itself.

        Raises ConsumerProfileNotAllowed, ConsumerProfileTooLarge, NotAllowed.
        """
        if not who.is_consumer or who.id != consumer_id:
            raise NotAllowed("A consumer may set its own profile only")

        async def unit(tx: Transaction) -> None:
            await self.merge(tx, who, profile)

        await self._database.write(unit)

    async def merge(self, tx: Transaction, who: Principal, profile: dict[str, Any]) -> None:
        """The same inside a unit of work that does more: the consumer's own profile, merged."""
        stored = await consumer_store.read_consumer(tx, who.account_id, who.id)
        encoded = self._encode(rules.merged_profile(stored.profile if stored else {}, profile))
        await consumer_store.upsert_profile(tx, who.account_id, who.id, encoded, self._clock.now_ms())

    async def get_profile(self, account_id: AccountId, consumer_id: ParticipantId) -> dict[str, Any] | None:
        """All that is known, in the wire's shape; None for a consumer that nothing is known of.

        What the brand's token said stands in `claims`, and fills the names and the address that the
        consumer itself left out. The caller decides who may see it.
        """
        record = await consumer_store.find_consumer(self._database, account_id, consumer_id)
        return _shown(consumer_id, record) if record else None

    async def get_profiles(
        self, account_id: AccountId, consumer_ids: Sequence[ParticipantId]
    ) -> dict[ParticipantId, dict[str, Any]]:
        """The same for many at once, at most some hundred; who is unknown is left out."""
        found = await consumer_store.find_consumers(self._database, account_id, consumer_ids)
        return {consumer_id: _shown(consumer_id, record) for consumer_id, record in found.items()}

    async def set_claims(
        self, account_id: AccountId, consumer_id: ParticipantId, external: dict[str, Any]
    ) -> None:
        """Keep what the brand's token said; writes only when it says something new."""
        claims = {name: external[name] for name in CLAIMS_KEPT if external.get(name) is not None}
        sdes = claims.get("lp_sdes", [])
        if not isinstance(sdes, list) or not all(isinstance(item, dict) for item in sdes):
            raise AuthCodeNotAccepted("`lp_sdes` must be a list of objects")
        self._encode(claims)
        stored = await consumer_store.find_consumer(self._database, account_id, consumer_id)
        if stored is not None and stored.claims == claims:
            return

        async def unit(tx: Transaction) -> None:
            await consumer_store.upsert_claims(tx, account_id, consumer_id, claims, self._clock.now_ms())

        await self._database.write(unit)

    def _encode(self, value: dict[str, Any]) -> str:
        encoded = json.dumps(value)
        if len(encoded) > self._max_bytes:
            raise ConsumerProfileTooLarge(f"A profile has at most {self._max_bytes} bytes")
        return encoded


def _shown(consumer_id: ParticipantId, record: ConsumerRecord) -> dict[str, Any]:
    claims, profile = record.claims, record.profile
    private: dict[str, Any] = {**_given(email=claims.get("email")), **profile.get("privateData", {})}
    return {
        "userId": consumer_id,
        **_given(firstName=claims.get("given_name"), lastName=claims.get("family_name")),
        **profile,
        "authenticatedData": {"lp_sdes": [], **profile.get("authenticatedData", {})},
        "privateData": private,
        **(
            {"claims": {"lp_sdes": claims.get("lp_sdes", []), **_given(iss=claims.get("iss"))}}
            if claims
            else {}
        ),
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
