"""What a handler knows of the request besides its body, and of the socket it came on."""

from dataclasses import dataclass
from typing import Protocol

from talkwire.conversations.model import ConversationQuery
from talkwire.identity.model import Principal
from talkwire.protocol.envelope import Dialect


class Connection(Protocol):
    """The socket side of subscriptions. Each `follow_` starts after the answer to its request is written."""

    def follow_dialog(self, dialog_id: str, from_sequence: int) -> None: ...

    def unfollow_dialog(self, dialog_id: str | None) -> bool:
        """Stop telling of a dialog (of all without one); False when there was nothing to stop."""
        ...

    def follow_conversations(self, query: ConversationQuery) -> str:
        """Returns the subscription's id."""
        ...

    def change_conversations_query(self, subscription_id: str, query: ConversationQuery) -> bool: ...

    def unfollow_conversations(self, subscription_id: str) -> bool: ...

    def follow_routing_tasks(self) -> str: ...

    def has_routing_subscription(self, subscription_id: str) -> bool: ...

    def follow_agent_state(self, agent_id: str, old_id: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request in its surroundings."""

    who: Principal
    dialect: Dialect
    connection: Connection
    client_properties: bytes | None = None  # JSON object with `type` and the address we saw
    idempotency_key: str | None = None
    metadata: bytes | None = None  # JSON array
    fingerprint: bytes = b""  # hash of the request's body, for the idempotency key
