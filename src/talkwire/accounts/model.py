"""The nouns of accounts."""

from typing import Any

import msgspec

from talkwire.kernel.ids import AccountId, SkillId

ANY_REVISION = -1
"""What `If-Match` says to skip the comparison. Source: docs/protocol.md 10.1."""

PROPERTIES_COLLECTION = "properties"
GRANTS_COLLECTION = "grants"


class Account(msgspec.Struct, frozen=True):
    """One brand."""

    account_id: AccountId
    name: str
    created_at_ms: int


class PropertyChange(msgspec.Struct, frozen=True):
    """A property as somebody wants it. `value` and `type` are kept as sent."""

    id: str
    value: Any
    type: int = 2
    deleted: bool = False


class StoredProperty(msgspec.Struct, frozen=True):
    """A property as it stands. A deleted one counts as never set, but keeps its dates."""

    id: str
    value: Any
    type: int
    deleted: bool
    created_at_ms: int
    modified_at_ms: int


class Brand(msgspec.Struct, frozen=True):
    """All that an account configures about itself, as one picture held in memory."""

    account: Account
    properties: dict[str, StoredProperty]
    grants: dict[str, str]
    campaigns: dict[tuple[str, str], SkillId]  # (campaign id, engagement id; "" for all of a campaign)
    revisions: dict[str, int]

    def revision(self, collection: str) -> int:
        return self.revisions.get(collection, 0)
