"""Conversations that connectors open: a batch that is done whole or not at all. Source: docs/protocol.md 7."""

import hashlib
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from talkwire.backends.database.port import Transaction
from talkwire.conversations.opening import ConversationRequest
from talkwire.handlers.call import Call
from talkwire.handlers.conversations import consumer_request
from talkwire.handlers.profiles import SET_TEXT, profile_of
from talkwire.handlers.services import Services
from talkwire.httpapi.bodies import read_bytes
from talkwire.httpapi.connector_answers import element, json_response
from talkwire.httpapi.connector_callers import Callers
from talkwire.httpapi.connector_send import BASE, OPENING
from talkwire.identity.model import Principal
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import ANY_SKILL
from talkwire.protocol import codec
from talkwire.protocol.catalog import BY_SPELLING
from talkwire.protocol.conversations import ConsumerRequestConversation
from talkwire.protocol.envelope import Request
from talkwire.protocol.identity import SetUserProfile
from talkwire.routing.skills import Skills

MOST_REQUESTS = 16
PROFILE = BY_SPELLING["userprofile.SetUserProfile"]


class Batch(NamedTuple):
    """What an array asks for: profiles in their order, one conversation."""

    requests: list[Request]
    profiles: list[dict[str, Any]]
    opening: ConversationRequest


def routes(services: Services, skills: Skills, callers: Callers) -> list[web.RouteDef]:
    async def open_conversation(request: web.Request) -> web.Response:
        """`POST …/conversation?v=3`: answered in the order of the array, whatever the ids."""
        call = await callers.call(request)
        batch = _batch(call, codec.decode_requests(await read_bytes(request), MOST_REQUESTS))
        await _check_skill(skills, call, batch.opening)
        view = await services.opening.open_for_consumer(
            call.who, batch.opening, lambda tx: _set_profiles(services, tx, call.who, batch.profiles)
        )
        opened = {"conversationId": view.conversation.conversation_id}
        answers = [
            element(one.text_id, 200, opened if BY_SPELLING[one.type] is OPENING else SET_TEXT)
            for one in batch.requests
        ]
        return json_response(codec.encode(answers))

    return [web.post(BASE, open_conversation)]


def _batch(call: Call, requests: list[Request]) -> Batch:
    """Everything in an array, judged before anything is done. Raises Invalid."""
    profiles, openings = [], []
    for request in requests:
        request_type = BY_SPELLING.get(request.type)
        if request_type is PROFILE:
            profiles.append(profile_of(codec.decode_body(request.body, SetUserProfile)))
        elif request_type is OPENING:
            openings.append(codec.decode_body(request.body, ConsumerRequestConversation))
        else:
            raise Invalid(f"An array holds {PROFILE.name} and {OPENING.name}, not {request.type[:100]!r}")
    if len(openings) != 1:
        raise Invalid(f"An array holds {OPENING.name} once")
    if openings[0].brand_id is None:
        raise Invalid("Brand Id is missing")
    opening = msgspec.structs.replace(consumer_request(call, openings[0]), new_profile=_merged(profiles))
    if call.idempotency_key is not None:
        opening = msgspec.structs.replace(opening, fingerprint=_fingerprint(requests))
    return Batch(requests, profiles, opening)


def _merged(profiles: list[dict[str, Any]]) -> dict[str, Any] | None:
    merged: dict[str, Any] = {}
    for profile in profiles:
        merged |= profile
    return merged or None


def _fingerprint(requests: list[Request]) -> bytes:
    """What an array means, ids aside: a repeat may number its requests anew."""
    meant = [(BY_SPELLING[one.type].name, msgspec.json.decode(one.body or b"null")) for one in requests]
    return hashlib.sha256(codec.encode(meant)).digest()


async def _check_skill(skills: Skills, call: Call, opening: ConversationRequest) -> None:
    if opening.skill_id != ANY_SKILL and not await skills.find(call.who.account_id, opening.skill_id):
        raise Invalid(f"There is no skill {opening.skill_id}")


async def _set_profiles(
    services: Services, tx: Transaction, who: Principal, profiles: list[dict[str, Any]]
) -> None:
    for profile in profiles:
        await services.consumers.profiles.merge(tx, who, profile)
