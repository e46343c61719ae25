"""Automatic messages over HTTP.

`[{"name": …, "trigger": "conversationOpened", "text": …, "skillIds": [], "hours": {…}}]`
"""

from typing import Any

from aiohttp import web

from talkwire.httpapi.configuration_lists import list_routes, number_as_text
from talkwire.messaging.automatic import AutomaticMessages

PATH = "/api/account/{account_id}/configuration/automatic-messages"


def routes(messages: AutomaticMessages) -> list[web.RouteDef]:
    return list_routes(PATH, messages, _tidied)


def _tidied(message: Any) -> Any:
    """COMPAT: skill ids come as texts or as numbers."""
    skills = message.get("skillIds") if isinstance(message, dict) else None
    if not isinstance(skills, list):
        return message
    return {**message, "skillIds": [number_as_text(one) for one in skills]}
