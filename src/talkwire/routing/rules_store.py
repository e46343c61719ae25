"""The SQL of routing rules: one row per rule, in their order."""

from collections.abc import Sequence

import msgspec

from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.ids import AccountId
from talkwire.routing.rules import RoutingRule

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RoutingRule).decode
_SELECT = "SELECT record FROM routing_rules WHERE account_id = $1 ORDER BY position"


async def list_rules(database: Database, account_id: AccountId) -> tuple[RoutingRule, ...]:
    return tuple(_decode(row["record"]) for row in await database.read(_SELECT, account_id))


async def list_rules_in(tx: Transaction, account_id: AccountId) -> tuple[RoutingRule, ...]:
    return tuple(_decode(row["record"]) for row in await tx.fetch(_SELECT, account_id))


async def replace_rules(tx: Transaction, account_id: AccountId, rules: Sequence[RoutingRule]) -> None:
    await tx.execute("DELETE FROM routing_rules WHERE account_id = $1", account_id)
    if rules:
        await tx.execute_many(
            "INSERT INTO routing_rules (account_id, position, name, record) VALUES ($1, $2, $3, $4)",
            [(account_id, n, rule.name, _encode(rule).decode()) for n, rule in enumerate(rules, 1)],
        )
