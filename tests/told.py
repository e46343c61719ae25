"""An event as it is told, for tests of what the wire makes of it."""

from dataclasses import dataclass


@dataclass
class Told:
    """Satisfies `messaging.model.ToldEvent`; `sequence` -1 for chat states."""

    account_id: str = "1"
    conversation_id: str = "c"
    dialog_id: str = "d"
    sequence: int = 3
    at_ms: int = 1_704_164_705_123
    kind: str = "content"
    originator_id: str = "pid"
    originator_old_id: str = "1.2"
    originator_role: str = "MANAGER"
    audience: str = "ALL"
    told_event: bytes = b'{"type":"ContentEvent"}'
    metadata: bytes | None = None
    client_properties: bytes | None = None
