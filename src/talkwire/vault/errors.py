"""How the vault says no."""

from talkwire.kernel.errors import Conflict, NotFound


class KeyDestroyed(NotFound):
    """Nobody can open this any more: its key was shredded, or never was."""

    def __init__(self, key_id: str) -> None:
        super().__init__("What this key opened was erased.")
        self.key_id = key_id


class NothingToRotate(Conflict):
    """A rotation was asked for that cannot take place; the message says what is missing."""


class Tampered(Exception):
    """Stored bytes are not what we wrote. Not a refusal: an incident, and nothing of it is served."""


class MasterKeyWrong(Exception):
    """The master key is missing, exposed, or does not fit the key store. For the operator; holds no secret."""
