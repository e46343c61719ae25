"""How routing says no."""

from talkwire.kernel.errors import Conflict, Invalid, NotFound


class RingNotFound(NotFound):
    """There is none, or it is another agent's."""

    def __init__(self) -> None:
        super().__init__("Ring not found")


class RingSettled(Invalid):
    """It was answered, cancelled or has expired."""

    def __init__(self) -> None:
        super().__init__("Ring is not waiting any more")


class AgentNotFound(Invalid):
    """Somebody who is to take part is no agent of this account."""

    def __init__(self) -> None:
        super().__init__("Agent does not exist")


class SkillNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Skill not found")


class SkillNameTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("A skill of this name exists already")


class SkillInvalid(Invalid):
    """A skill was asked to be what it cannot."""


class RuleInvalid(Invalid):
    """A routing rule was asked to be what it cannot."""
