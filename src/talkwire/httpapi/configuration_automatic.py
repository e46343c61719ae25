"""Automatic messages over HTTP, a way of our own: the whole ordered list is read and written at once."""

from typing import Any

import msgspec
from aiohttp import web

from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import answer, read_json
from talkwire.httpapi.configuration import if_match, revised
from talkwire.kernel.errors import Invalid
from talkwire.messaging.automatic import AutomaticMessages
from talkwire.messaging.automatic_rules import AutomaticMessage

PATH = "/api/account/{account_id}/configuration/automatic-messages"


def routes(messages: AutomaticMessages) -> list[web.RouteDef]:
    async def list_messages(request: web.Request) -> web.Response:
        await administrator_principal(request)
        found, revision = await messages.list_messages(account_of(request))
        return answer(found, headers=revised(revision))

    async def replace_messages(request: web.Request) -> web.Response:
        """`[{"name": …, "trigger": "conversationOpened", "text": …, "skillIds": [], "hours": {…}}]`"""
        await administrator_principal(request)
        wanted = _messages_in(await read_json(request))
        kept, revision = await messages.replace(account_of(request), wanted, if_match(request))
        return answer(kept, headers=revised(revision))

    return [web.get(PATH, list_messages), web.put(PATH, replace_messages)]


def _messages_in(body: Any) -> list[AutomaticMessage]:
    """COMPAT: skill ids come as texts or as numbers. Raises Invalid."""
    if not isinstance(body, list):
        raise Invalid("The body is not a JSON array of messages")
    try:
        return msgspec.convert([_texts(message) for message in body], list[AutomaticMessage])
    except msgspec.ValidationError as error:
        raise Invalid(f"Automatic messages: {error}") from None


def _texts(message: Any) -> Any:
    skills = message.get("skillIds") if isinstance(message, dict) else None
    if not isinstance(skills, list):
        return message
    return {**message, "skillIds": [str(one) if isinstance(one, int) else one for one in skills]}
