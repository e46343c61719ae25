"""The nouns of identity."""

from enum import Enum, IntEnum

import msgspec

from talkwire.kernel.ids import AccountId, ParticipantId


class Privilege(IntEnum):
    """What a profile may allow. The numbers are our own; clients only test presence.

    Source: docs/protocol.md 9.7 (file privileges), Appendix A25 (numbering).
    """

    ADMINISTER = 1  # account configuration: users, skills, properties, apps
    SEE_ALL_CONVERSATIONS = 2  # read the whole account; subscribe without an agent filter
    MANAGE_CONVERSATIONS = 3  # add and remove others as participants
    JOIN_AS_MANAGER = 4  # join oneself as MANAGER or READER
    JOIN_AS_ASSIGNED_AGENT = 5  # join oneself as ASSIGNED_AGENT without holding a ring
    SEND_FILES = 6  # "Send files to consumers from local file browser", off by default
    SEND_FILES_FROM_WIDGETS = 7  # "Send files to consumers from custom widgets", off by default
    PUBLISH_AS_CONTROLLER = 8  # join as CONTROLLER (automation)


class Kind(Enum):
    """What sort of principal asks."""

    CONSUMER = "consumer"
    AGENT = "agent"  # a brand user: human or bot
    APP = "app"  # a connector that acts on behalf of a consumer


class Principal(msgspec.Struct, frozen=True):
    """Who asks, as every service is told. Made by identity only, from a checked token."""

    account_id: AccountId
    id: ParticipantId  # consumer id, or the agent's PId
    kind: Kind
    old_id: str = ""  # agents: `{account}.{user id}`; consumers: the same as `id`
    name: str = ""  # login name, for audit and logs
    privileges: frozenset[Privilege] = frozenset()
    is_bot: bool = False
    is_anonymous: bool = False  # consumer whose token must be extended at the identity service (close 4407)
    app_id: str = ""  # the connector through which a consumer speaks
    expires_at_ms: int = 0  # when the token ends; 0 never
    session_id: str = ""  # agents: digest of the bearer, so that a logout can close its sockets

    def may(self, privilege: Privilege) -> bool:
        return privilege in self.privileges

    @property
    def is_consumer(self) -> bool:
        return self.kind is not Kind.AGENT
