"""The SQL of skills. Deleted ones stay as rows, so that an id is never given twice."""

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import AccountId, SkillId
from talkwire.routing.model import Skill

ONE = "SELECT * FROM skills WHERE account_id = $1 AND skill_id = $2 AND is_deleted = 0"


def _skill(row: Row) -> Skill:
    return Skill(
        account_id=AccountId(row["account_id"]),
        skill_id=SkillId(row["skill_id"]),
        name=row["name"],
        description=row["description"],
        created_at_ms=row["created_at"],
        modified_at_ms=row["modified_at"],
    )


async def list_skills(database: Database, account_id: AccountId) -> list[Skill]:
    rows = await database.read(
        "SELECT * FROM skills WHERE account_id = $1 AND is_deleted = 0 ORDER BY name", account_id
    )
    return [_skill(row) for row in rows]


async def find(database: Database, account_id: AccountId, skill_id: str) -> Skill | None:
    rows = await database.read(ONE, account_id, skill_id)
    return _skill(rows[0]) if rows else None


async def find_in(tx: Transaction, account_id: AccountId, skill_id: str) -> Skill | None:
    rows = await tx.fetch(ONE, account_id, skill_id)
    return _skill(rows[0]) if rows else None


async def is_name_taken(tx: Transaction, account_id: AccountId, name: str, *, but: SkillId) -> bool:
    return bool(
        await tx.fetch(
            "SELECT 1 FROM skills "
            "WHERE account_id = $1 AND name = $2 AND skill_id <> $3 AND is_deleted = 0 LIMIT 1",
            account_id,
            name,
            but,
        )
    )


async def last_id(tx: Transaction, account_id: AccountId) -> int:
    """The highest id ever given in the account; 0 when none was."""
    rows = await tx.fetch(
        "SELECT MAX(CAST(skill_id AS BIGINT)) AS last FROM skills WHERE account_id = $1", account_id
    )
    return rows[0]["last"] or 0


async def insert(tx: Transaction, skill: Skill) -> None:
    await tx.execute(
        "INSERT INTO skills "
        "(account_id, skill_id, name, description, is_deleted, created_at, modified_at) "
        "VALUES ($1, $2, $3, $4, 0, $5, $6)",
        *(skill.account_id, skill.skill_id, skill.name, skill.description),
        *(skill.created_at_ms, skill.modified_at_ms),
    )


async def save(tx: Transaction, skill: Skill) -> None:
    await tx.execute(
        "UPDATE skills SET name = $3, description = $4, modified_at = $5 "
        "WHERE account_id = $1 AND skill_id = $2",
        *(skill.account_id, skill.skill_id, skill.name, skill.description, skill.modified_at_ms),
    )


async def delete(tx: Transaction, account_id: AccountId, skill_id: str, now_ms: int) -> bool:
    """Whether there was one."""
    changed = await tx.execute(
        "UPDATE skills SET is_deleted = 1, modified_at = $3 "
        "WHERE account_id = $1 AND skill_id = $2 AND is_deleted = 0",
        *(account_id, skill_id, now_ms),
    )
    return changed > 0
