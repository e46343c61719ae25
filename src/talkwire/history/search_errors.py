"""How the search of the past says no."""

from talkwire.kernel.errors import Invalid, NotFound


class SearchInvalid(Invalid):
    """A filter, a page or an order that cannot be."""


class NotInHistory(NotFound):
    """No such conversation, or none that this one may see: the same from outside."""

    def __init__(self) -> None:
        super().__init__("No such conversation")
