"""Brands do not see each other: every statement compares its account, but for those listed here, with their reasons."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

STATEMENT = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH) .*\b(FROM|SET|INTO) ", re.DOTALL)
NAMED = re.compile(r"\baccount_id = ")

ASKED_AT_A_START = {
    "assembly/noted_settings.py:_list_noted",
    "assembly/keys.py:key_store_of",
    "assembly/restored.py:_wrong_trails",
    "assembly/sealing_store.py:_seal",
    "history/erasure_store.py:list_cancelled",
    "history/erasure_store.py:list_seen",
    "history/erasure_store.py:release_claims",
    "history/ledger_store.py:list_entries",
    "history/receipt_keys_store.py:list_in_data",
    "routing/store.py:accounts_with_suggestions",
    "routing/store.py:all_present_agents",
    "routing/store.py:all_waiting_rings",
}
WORK_WHOSEVER_IT_IS = {  # a queue of the server's own: each row says its account, and is worked on under it
    "files/erasing_store.py:list_forsaken",
    "files/erasing_store.py:list_unfinished",
    "files/judging_store.py:list_unjudged",
    "history/erasure_store.py:claim_due",
    "history/erasure_store.py:count_overdue",
    "messaging/automatic_store.py:list_due",
    "vault/rotation_store.py:change_master",
    "vault/store.py:count",
    "vault/store.py:list_unfinished",
}
WHICH_ACCOUNTS_THERE_ARE = {
    "accounts/store.py:list_accounts",
    "audit/anchors.py:_list_anchors",
    "audit/store.py:list_accounts",
    "audit/store.py:list_heads",
    "files/erasing_store.py:list_accounts",
    "vault/store.py:list_accounts",
}
NO_BRANDS_WORD_IN_IT = {  # names of objects, which no brand gave; whether any account has them
    "files/erasing_store.py:list_known_objects",
}
FORGOTTEN_BY_AGE_ALONE = {  # the server's own notes, of one age for all accounts, behind an index by age
    "connectors/dead_letters_store.py:purge_dead",
    "messaging/store.py:purge_changes",
    "messaging/store.py:purge_idempotency_keys",
    "routing/store.py:purge_rings",
}
COLUMNS_PUT_IN = {  # the account is in what `{…}` stands for, or in what is put behind
    "connectors/store.py:COLUMNS",
    "conversations/listing_store.py:list_ids",
    "files/store.py:insert_file",
    "history/erasure_store.py:insert_request",
    "history/receipt_keys_store.py:insert_key",
}
OF_ALL_ACCOUNTS = (
    ASKED_AT_A_START
    | WORK_WHOSEVER_IT_IS
    | WHICH_ACCOUNTS_THERE_ARE
    | NO_BRANDS_WORD_IN_IT
    | FORGOTTEN_BY_AGE_ALONE
    | COLUMNS_PUT_IN
)


def test_every_statement_names_its_account(source: Path) -> None:
    nameless = {place for place, sql in _statements(source) if not _names_account(sql)}
    assert nameless - OF_ALL_ACCOUNTS == set(), "compare account_id, or say here why not"
    assert OF_ALL_ACCOUNTS - nameless == set(), "these name it now, or are gone: take them out"


def test_a_statement_without_its_account_is_seen() -> None:
    tree = ast.parse('async def f(tx):\n    await tx.execute(f"DELETE FROM t WHERE a = {x}")\n')
    assert [(name, _names_account(sql)) for name, sql in _texts(tree)] == [("f", False)]
    assert _names_account("SELECT a FROM t WHERE account_id = $1 AND b = $2")
    assert not _names_account("SELECT account_id FROM t")
    assert _names_account("INSERT INTO t (account_id, a) VALUES ($1, $2)")


def _names_account(sql: str) -> bool:
    return bool(NAMED.search(sql)) or (sql.startswith("INSERT") and "account_id" in sql)


def _statements(source: Path) -> Iterator[tuple[str, str]]:
    """Each statement of the rooms, with its place. Adapters are left out: they hold what rooms hand them."""
    for path in sorted(source.rglob("*.py")):
        place = path.relative_to(source)
        if place.parts[0] != "backends":
            for function, sql in _texts(ast.parse(path.read_text())):
                if STATEMENT.match(sql):
                    yield f"{place.as_posix()}:{function}", sql


def _texts(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every text, with what holds it at the module's top: a function, a class, a name; `{}` for what is put in."""
    for holder in tree.body:
        for text in _within(holder):
            yield _name_of(holder), text


def _name_of(holder: ast.stmt) -> str:
    if isinstance(holder, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return holder.name
    names = [node.id for node in ast.walk(holder) if isinstance(node, ast.Name)]
    return names[0] if names else ""


def _within(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _within(child)
