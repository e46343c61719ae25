"""Use cases of skills: what conversations are routed by."""

from dataclasses import dataclass

import msgspec

from talkwire.accounts.model import ANY_REVISION
from talkwire.accounts.store import find_revision, next_revision
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, T, Transaction, Unit
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, SkillId
from talkwire.routing import skills_store as store
from talkwire.routing.errors import SkillInvalid, SkillNameTaken, SkillNotFound
from talkwire.routing.model import Skill

SKILLS_COLLECTION = "skills"
FIRST_SKILL_ID = 100_000_001
MAX_NAME_CHARACTERS = 256
MAX_DESCRIPTION_CHARACTERS = 4096


@dataclass(frozen=True)
class Skills:
    """The skills of every account. Each write gives the collection's next revision."""

    database: Database
    clock: Clock
    acts: Acts | None = None

    async def create(
        self, account_id: AccountId, name: str, description: str = "", if_match: int = ANY_REVISION
    ) -> Skill:
        """A new skill with an id of its own. Raises SkillInvalid, SkillNameTaken, RevisionStale."""
        name = check_skill(name, description)
        now_ms = self.clock.now_ms()

        async def unit(tx: Transaction) -> Skill:
            await next_revision(tx, account_id, SKILLS_COLLECTION, if_match)
            if await store.is_name_taken(tx, account_id, name, but=SkillId("")):
                raise SkillNameTaken
            last = await store.last_id(tx, account_id)
            skill_id = SkillId(str(max(last + 1, FIRST_SKILL_ID)))
            skill = Skill(account_id, skill_id, name, description, now_ms, now_ms)
            await store.insert(tx, skill)
            return skill

        return await self._do(unit, _told(account_id, name, "created"))

    async def list_skills(self, account_id: AccountId) -> list[Skill]:
        return await store.list_skills(self.database, account_id)

    async def find(self, account_id: AccountId, skill_id: str) -> Skill | None:
        return await store.find(self.database, account_id, skill_id)

    async def get(self, account_id: AccountId, skill_id: str) -> Skill:
        """Raises SkillNotFound."""
        found = await self.find(account_id, skill_id)
        if found is None:
            raise SkillNotFound
        return found

    async def revision(self, account_id: AccountId) -> int:
        """Of the collection, as `ac-revision` tells it."""
        return await find_revision(self.database, account_id, SKILLS_COLLECTION)

    async def update(
        self,
        account_id: AccountId,
        skill_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        if_match: int = ANY_REVISION,
    ) -> Skill:
        """Change what is given. Raises SkillNotFound, SkillInvalid, SkillNameTaken, RevisionStale."""

        async def unit(tx: Transaction) -> Skill:
            await next_revision(tx, account_id, SKILLS_COLLECTION, if_match)
            before = await store.find_in(tx, account_id, skill_id)
            if before is None:
                raise SkillNotFound
            after = msgspec.structs.replace(
                before,
                name=check_skill(before.name if name is None else name, description or ""),
                description=before.description if description is None else description,
                modified_at_ms=self.clock.now_ms(),
            )
            if await store.is_name_taken(tx, account_id, after.name, but=after.skill_id):
                raise SkillNameTaken
            await store.save(tx, after)
            return after

        return await self._do(unit, _told(account_id, skill_id, "changed"))

    async def delete(self, account_id: AccountId, skill_id: str, if_match: int = ANY_REVISION) -> None:
        """Let a skill go; who waits under it may be answered by anybody. Raises SkillNotFound, RevisionStale."""

        async def unit(tx: Transaction) -> None:
            await next_revision(tx, account_id, SKILLS_COLLECTION, if_match)
            if not await store.delete(tx, account_id, skill_id, self.clock.now_ms()):
                raise SkillNotFound

        await self._do(unit, _told(account_id, skill_id, "deleted"))

    async def _do(self, unit: Unit[T], entry: Entry) -> T:
        return await (self.acts or Unrecorded(self.database)).do(unit, entry)


def _told(account_id: AccountId, skill: str, change: str) -> Entry:
    return Entry(account_id, Act.SETTING_CHANGED, f"skill {skill}", detail={"change": change})


def check_skill(name: str, description: str) -> str:
    """The name as it is kept. Raises SkillInvalid."""
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise SkillInvalid(f"A skill's name has 1 to {MAX_NAME_CHARACTERS} characters")
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise SkillInvalid(f"A skill's description has at most {MAX_DESCRIPTION_CHARACTERS} characters")
    return name
