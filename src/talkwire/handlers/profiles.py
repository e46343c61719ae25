"""Requests about user profiles. Source: docs/protocol.md 5.9."""

from typing import Any

import msgspec

from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.identity.model import Principal
from talkwire.kernel.errors import NotFound
from talkwire.kernel.ids import ParticipantId
from talkwire.protocol.codec import check_depth
from talkwire.protocol.identity import SetUserProfile, UserId

SET_TEXT = "OK User Profile set successfully"


async def set_profile(services: Services, call: Call, body: SetUserProfile) -> str:
    """Answer `userprofile.SetUserProfile`: always one's own, whatever id the body names."""
    await services.consumers.profiles.set_profile(call.who, call.who.id, profile_of(body))
    return SET_TEXT


def profile_of(body: SetUserProfile) -> dict[str, Any]:
    """What somebody says of itself. Raises BadFrame."""
    profile = {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}
    check_depth(profile)
    profile.pop("userId", None)
    return profile


async def get_profile(services: Services, call: Call, body: str | UserId) -> Any:
    """Answer `userprofile.GetUserProfile`: an object on v2, the SDE items on v3."""
    wanted = body if isinstance(body, str) else body.user_id
    profile = await _profile(services, call.who, wanted or "")
    if not call.dialect.is_v3 or not wanted:
        return profile
    return _sde_items(profile)


async def _profile(services: Services, who: Principal, wanted: str) -> dict[str, Any]:
    if not wanted or wanted in (who.id, who.old_id):
        return await _own_profile(services, who)
    if who.is_consumer:
        raise NotFound("No such user")
    if await _knows(services, who, ParticipantId(wanted)):
        return _whole(
            wanted, await services.consumers.profiles.get_profile(who.account_id, ParticipantId(wanted))
        )
    agent = await services.agents.find_agent(who.account_id, wanted)
    if agent is None:
        raise NotFound("No such user")
    return _whole(agent.old_id, {"nickName": agent.nickname, "firstName": agent.full_name})


async def _knows(services: Services, who: Principal, consumer_id: ParticipantId) -> bool:
    """Agents read of those whom they talked with or are rung for; by privilege, of whom the brand talked with."""
    rung = services.routing.rings_of(who.account_id, who.id)
    return any(
        view.ring.consumer_id == consumer_id for view in rung
    ) or await services.conversations.knows_consumer(who, consumer_id)


async def _own_profile(services: Services, who: Principal) -> dict[str, Any]:
    if not who.is_consumer:
        return _whole(who.old_id, None)
    return _whole(who.id, await services.consumers.profiles.get_profile(who.account_id, who.id))


def _whole(user_id: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """COMPAT: the SDK dereferences these members, so they are there for whom nothing is known of, too."""
    empty: dict[str, Any] = {
        "authenticatedData": {"lp_sdes": []},
        "privateData": {},
        "claims": {"lp_sdes": []},
    }
    return {"userId": user_id, **empty, **(known or {})}


def _sde_items(profile: dict[str, Any]) -> list[Any]:
    items: list[Any] = []
    for part in ("authenticatedData", "claims"):
        found = profile.get(part)
        if isinstance(found, dict) and isinstance(found.get("lp_sdes"), list):
            items += found["lp_sdes"]
    return items
