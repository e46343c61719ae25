"""The brand that a request names: always the socket's own. Source: docs/protocol.md 5.3, 5.4, 5.8, 5.11."""

from talkwire.handlers.call import Call
from talkwire.kernel.errors import Invalid


def check_brand(call: Call, brand_id: str | int | None) -> None:
    """Refuse another account's; none need be named. Raises Invalid."""
    if brand_id is not None and str(brand_id) != call.who.account_id:
        raise Invalid("brandId is another account's")


def check_brand_filter(call: Call, brand_id: str | int | None) -> None:
    """The same for a filter, where what is empty does not filter. Raises Invalid."""
    check_brand(call, None if brand_id == "" else brand_id)
