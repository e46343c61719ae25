"""Agents as their administrator sees them, and the profiles that say what they may do."""

import msgspec
from msgspec import UNSET, UnsetType

from talkwire.identity.model import Privilege
from talkwire.kernel.ids import AccountId, ParticipantId, SkillId

USERS_COLLECTION = "users"
DEFAULT_CAPACITY = 5


class Profile(msgspec.Struct, frozen=True):
    """A named set of privileges, and how many conversations its people hold at once."""

    name: str
    id: int
    privileges: frozenset[Privilege]
    max_conversations: int = DEFAULT_CAPACITY


BUILT_IN_PROFILES = (
    Profile(
        "administrator",
        0,
        frozenset(
            {
                Privilege.ADMINISTER,
                Privilege.SEE_ALL_CONVERSATIONS,
                Privilege.MANAGE_CONVERSATIONS,
                Privilege.JOIN_AS_MANAGER,
            }
        ),
    ),
    Profile("agent", 1, frozenset()),
    Profile(
        "manager",
        2,
        frozenset(
            {
                Privilege.SEE_ALL_CONVERSATIONS,
                Privilege.MANAGE_CONVERSATIONS,
                Privilege.JOIN_AS_MANAGER,
            }
        ),
    ),
    Profile(
        "bot",
        3,
        frozenset(
            {
                Privilege.SEE_ALL_CONVERSATIONS,
                Privilege.JOIN_AS_MANAGER,
                Privilege.JOIN_AS_ASSIGNED_AGENT,
                Privilege.PUBLISH_AS_CONTROLLER,
            }
        ),
        max_conversations=100,
    ),
)
"""What every account starts with. Neither file privilege is in any of them: a brand switches them on.

Source: docs/protocol.md 9.7, Appendix A5, A10.
"""


class AgentUser(msgspec.Struct, frozen=True):
    """A brand user, human or bot."""

    account_id: AccountId
    id: ParticipantId  # the PId
    user_id: str  # decimal
    login_name: str
    profile: str = "agent"
    full_name: str = ""
    nickname: str = ""
    picture_url: str = ""
    email: str = ""
    employee_id: str = ""
    skills: tuple[SkillId, ...] = ()
    max_conversations: int = DEFAULT_CAPACITY
    granted: frozenset[Privilege] = frozenset()  # beyond the profile's
    is_bot: bool = False
    enabled: bool = True
    created_at_ms: int = 0
    updated_at_ms: int = 0
    revision: int = 0

    @property
    def old_id(self) -> str:
        return f"{self.account_id}.{self.user_id}"

    @property
    def shown_name(self) -> str:
        return self.nickname or self.full_name or self.login_name


class AgentChange(msgspec.Struct, frozen=True):
    """What to set of a user; what is left out stays."""

    login_name: str | UnsetType = UNSET
    profile: str | UnsetType = UNSET
    full_name: str | UnsetType = UNSET
    nickname: str | UnsetType = UNSET
    picture_url: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    employee_id: str | UnsetType = UNSET
    skills: tuple[SkillId, ...] | UnsetType = UNSET
    max_conversations: int | UnsetType = UNSET
    granted: frozenset[Privilege] | UnsetType = UNSET
    is_bot: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    def named(self, *, password: bool) -> list[str]:
        """What is set, by name."""
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
        return [*given, "password"] if password else given

    def applied_to(self, user: AgentUser) -> AgentUser:
        given = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET
        }
        return msgspec.structs.replace(user, **given)
