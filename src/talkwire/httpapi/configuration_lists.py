"""Ordered lists over HTTP, a way of our own: the whole list is read and written at once."""

from collections.abc import Callable
from types import GenericAlias
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from talkwire.accounts.ordered_list import ListKind, OrderedList
from talkwire.accounts.ordered_list_store import Named
from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import answer, read_json
from talkwire.httpapi.configuration import if_match, revised
from talkwire.kernel.errors import Invalid

Item = TypeVar("Item", bound=Named)


def list_routes(path: str, declared: OrderedList[Item], tidied: Callable[[Any], Any]) -> list[web.RouteDef]:
    """GET and PUT of a list. `tidied` makes of an item as it was sent what its type reads."""

    async def list_items(request: web.Request) -> web.Response:
        await administrator_principal(request)
        found, revision = await declared.list_items(account_of(request))
        return answer(found, headers=revised(revision))

    async def replace(request: web.Request) -> web.Response:
        await administrator_principal(request)
        wanted = _items_in(await read_json(request), declared.kind, tidied)
        kept, revision = await declared.replace(account_of(request), wanted, if_match(request))
        return answer(kept, headers=revised(revision))

    return [web.get(path, list_items), web.put(path, replace)]


def number_as_text(value: Any) -> Any:
    """COMPAT: a number where a text is meant counts as that text; anything else stays what it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _items_in(body: Any, kind: ListKind[Item], tidied: Callable[[Any], Any]) -> list[Item]:
    """Raises Invalid."""
    if not isinstance(body, list):
        raise Invalid(f"The body is not a JSON array of {kind.words}")
    try:
        items: list[Item] = msgspec.convert([tidied(item) for item in body], GenericAlias(list, kind.item))
    except msgspec.ValidationError as error:
        raise Invalid(f"{kind.words.capitalize()}: {error}") from None
    return items
