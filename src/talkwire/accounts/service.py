"""Use cases of accounts: brands, their switches, grants and campaigns."""

import json
from collections.abc import Mapping

from talkwire.accounts import rules, store
from talkwire.accounts.cache import Cache
from talkwire.accounts.errors import AccountExists, AccountUnknown, PropertyNeverSet
from talkwire.accounts.model import (
    ANY_REVISION,
    GRANTS_COLLECTION,
    PROPERTIES_COLLECTION,
    Account,
    Brand,
    PropertyChange,
    StoredProperty,
)
from talkwire.accounts.properties import Property
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, SkillId


class Accounts:
    """The brands of this server. Reads come from memory; writes are durable, then seen at once."""

    def __init__(self, database: Database, clock: Clock, acts: Acts | None = None) -> None:
        self._database = database
        self._acts = acts or Unrecorded(database)
        self._clock = clock
        self._brands: Cache[AccountId, Brand] = Cache(clock, self._load)

    async def create(self, account_id: AccountId, name: str = "") -> Account:
        """A new brand with every switch off. Raises AccountIdNotAllowed, AccountExists."""
        rules.check_account_id(account_id)
        account = Account(account_id, name or account_id, self._clock.now_ms())

        async def unit(tx: Transaction) -> None:
            if not await store.insert_account(tx, account):
                raise AccountExists(f"Account {account_id} exists already")

        await self._acts.do(
            unit, Entry(account_id, Act.ACCOUNT_CREATED, account_id, detail={"name": account.name})
        )
        self._brands.drop(account_id)
        return account

    async def find(self, account_id: AccountId) -> Account | None:
        brand = await self._brands.find(account_id)
        return brand.account if brand else None

    async def list_accounts(self) -> list[Account]:
        return await store.list_accounts(self._database)

    async def get_brand(self, account_id: AccountId) -> Brand:
        """All that the account configured, from memory when warm. Raises AccountUnknown."""
        brand = await self._brands.find(account_id)
        if brand is None:
            raise AccountUnknown
        return brand

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str:
        """What a property says now, in its own type."""
        brand = await self.get_brand(account_id)
        return rules.value_of(prop, brand.properties.get(prop.name))

    async def has_grant(self, account_id: AccountId, name: str) -> bool:
        brand = await self.get_brand(account_id)
        return brand.grants.get(name, "").lower() == "true"

    async def get_property(self, account_id: AccountId, name: str) -> tuple[StoredProperty, int]:
        """A property and its collection's revision. Raises PropertyNeverSet."""
        brand = await self.get_brand(account_id)
        found = brand.properties.get(rules.canonical_property(name))
        if found is None or found.deleted:
            raise PropertyNeverSet(f"No property {name[:256]!r}")
        return found, brand.revision(PROPERTIES_COLLECTION)

    async def list_properties(self, account_id: AccountId) -> tuple[list[StoredProperty], int]:
        brand = await self.get_brand(account_id)
        living = [prop for _, prop in sorted(brand.properties.items()) if not prop.deleted]
        return living, brand.revision(PROPERTIES_COLLECTION)

    async def set_property(
        self, account_id: AccountId, change: PropertyChange, if_match: int = ANY_REVISION
    ) -> tuple[StoredProperty, int]:
        """Store a property; gives it back with the new revision. Raises RevisionStale, PropertyNotAllowed."""
        await self.get_brand(account_id)
        rules.check_property(change, json.dumps(change.value))
        now_ms = self._clock.now_ms()
        wanted = StoredProperty(
            id=rules.canonical_property(change.id),
            value=change.value,
            type=change.type,
            deleted=change.deleted,
            created_at_ms=now_ms,
            modified_at_ms=now_ms,
        )

        async def unit(tx: Transaction) -> tuple[StoredProperty, int]:
            revision = await store.next_revision(tx, account_id, PROPERTIES_COLLECTION, if_match)
            return await store.upsert_property(tx, account_id, wanted), revision

        told = "deleted" if wanted.deleted else json.dumps(wanted.value)
        entry = Entry(account_id, Act.SETTING_CHANGED, f"property {wanted.id}", detail={"value": told})
        return await self._acts.do(unit, entry, then=lambda _: self._brands.drop(account_id))

    async def list_grants(self, account_id: AccountId) -> tuple[dict[str, str], int]:
        brand = await self.get_brand(account_id)
        return dict(brand.grants), brand.revision(GRANTS_COLLECTION)

    async def set_grants(
        self,
        account_id: AccountId,
        grants: Mapping[str, str],
        if_match: int = ANY_REVISION,
        *,
        replace_all: bool = False,
    ) -> int:
        """Switch features; others stay as they are unless `replace_all`. Gives the new revision."""
        await self.get_brand(account_id)
        for name, value in grants.items():
            rules.check_property(PropertyChange(id=name, value=value), str(value))

        async def unit(tx: Transaction) -> int:
            revision = await store.next_revision(tx, account_id, GRANTS_COLLECTION, if_match)
            if replace_all:
                await store.delete_grants(tx, account_id)
            await store.upsert_grants(tx, account_id, grants)
            return revision

        entries = [
            Entry(account_id, Act.SETTING_CHANGED, f"feature {name}", detail={"value": str(value)})
            for name, value in grants.items()
        ]
        if replace_all:
            entries.insert(0, Entry(account_id, Act.SETTING_CHANGED, "feature *", detail={"value": "false"}))
        return await self._acts.do(unit, *entries, then=lambda _: self._brands.drop(account_id))

    async def skill_of_campaign(
        self, account_id: AccountId, campaign_id: str, engagement_id: str
    ) -> SkillId | None:
        """Where conversations of an engagement go; None when nobody said."""
        brand = await self.get_brand(account_id)
        return rules.skill_of(brand.campaigns, campaign_id, engagement_id)

    async def set_campaign(
        self, account_id: AccountId, campaign_id: str, engagement_id: str, skill_id: SkillId
    ) -> None:
        """Route an engagement to a skill; an empty engagement id stands for the whole campaign."""
        await self.get_brand(account_id)

        async def unit(tx: Transaction) -> None:
            await store.upsert_campaign(tx, account_id, campaign_id, engagement_id, skill_id)

        subject = f"campaign {campaign_id} {engagement_id}".rstrip()
        entry = Entry(account_id, Act.SETTING_CHANGED, subject, detail={"skill": skill_id})
        await self._acts.do(unit, entry, then=lambda _: self._brands.drop(account_id))

    async def _load(self, account_id: AccountId) -> Brand | None:
        account = await store.find_account(self._database, account_id)
        return await store.load_brand(self._database, account) if account else None
