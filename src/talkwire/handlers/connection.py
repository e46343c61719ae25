"""Requests about the connection itself. Source: docs/protocol.md 5.2, 5.10."""

from typing import Any

from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.kernel.errors import NotImplementedHere


async def get_clock(services: Services, _call: Call, _body: Any) -> dict[str, int]:
    """Answer `GetClock`: our time in epoch milliseconds."""
    return {"currentTime": services.clock.now_ms()}


async def keep_alive(_services: Services, _call: Call, _body: Any) -> str:
    """Answer `KeepAlive`: the frame itself was the point."""
    return "OK"


async def not_implemented(_services: Services, _call: Call, _body: Any) -> None:
    """Answer what we know of and do not offer: secure forms, brand profiles."""
    raise NotImplementedHere("This server does not offer that")
