"""The Connector API: a conversation opened, and everything sent into it. Source: docs/protocol.md 7.

One request is one HTTP call and waits until it is on disk. Its path is lean: no database is read for a text.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from talkwire.connectors.errors import AnotherConsumers
from talkwire.conversations.errors import ConversationNotFound
from talkwire.handlers.call import Call
from talkwire.handlers.dispatch import Dispatch
from talkwire.handlers.publish import extras_of, hosted_file_of, read_publish
from talkwire.handlers.services import Services
from talkwire.httpapi.bodies import read_bytes
from talkwire.httpapi.connector_answers import element, json_response, published
from talkwire.httpapi.connector_callers import Callers
from talkwire.kernel.errors import TalkwireError
from talkwire.messaging.errors import DialogNotFound, NotAParticipant
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import TEXT, ContentEvent
from talkwire.messaging.publishing import Extras, Reply
from talkwire.protocol import codec
from talkwire.protocol.catalog import BY_SPELLING, REQUESTS, RequestType
from talkwire.protocol.envelope import Request
from talkwire.protocol.errors import BadFrame
from talkwire.protocol.messaging import PublishEvent

PUBLISH, OPENING = BY_SPELLING["ms.PublishEvent"], BY_SPELLING["cm.ConsumerRequestConversation"]
SENDABLE = tuple(row for row in REQUESTS if row.by_connector and row is not OPENING)
_TYPES: dict[str, RequestType] = {spelling: row for row in SENDABLE for spelling in row.spellings}
_NAMES = ", ".join(row.name for row in SENDABLE)
_HIDDEN = (ConversationNotFound, DialogNotFound, NotAParticipant)
"""Another consumer's conversation, or none: both answer 401 here."""

BASE = "/api/account/{account_id}/messaging/consumer/conversation"


def routes(services: Services, dispatch: Dispatch, callers: Callers) -> list[web.RouteDef]:
    sending = Sending(services, dispatch, callers)
    return [web.post(f"{BASE}/send", sending.send)]


class Sending:
    """Requests of connectors, one at a time."""

    def __init__(self, services: Services, dispatch: Dispatch, callers: Callers) -> None:
        self._services = services
        self._dispatch = dispatch
        self._callers = callers

    async def send(self, request: web.Request) -> web.Response:
        """`POST …/conversation/send?v=3`: one request, answered when it is done."""
        call = await self._callers.call(request)
        asked = codec.decode_request(await read_bytes(request))
        request_type = _TYPES.get(asked.type)
        if request_type is None:
            raise BadFrame(f"type is one of {_NAMES}")
        try:
            if request_type is PUBLISH:
                return published(asked.text_id, await self._publish(call, asked))
            body = await self._dispatch.answer(call, asked, request_type)
        except _HIDDEN:
            raise AnotherConsumers from None
        return json_response(codec.encode(element(asked.text_id, request_type.code, body)))

    async def _publish(self, call: Call, asked: Request) -> int:
        """The sequence of an event, once it is on disk; 0 for what takes none."""
        body = read_publish(asked)
        extras = extras_of(call, asked, body)
        try:
            entry = await self._submit(call, body, extras)
        except TalkwireError:
            first = await self._services.publishing.find_first(call.who, extras)
            if first is None:
                raise
            return first
        return max(entry.sequence, 0)

    async def _submit(self, call: Call, body: PublishEvent, extras: Extras) -> LoggedEvent:
        services, event = self._services, body.event
        if type(event) is not ContentEvent or event.content_type != TEXT:
            file = hosted_file_of(event)
            if file is not None:
                return await _replied(
                    lambda reply: services.file_publishing.submit_when_judged(
                        call.who, body.dialog_id, file, extras, reply
                    )
                )
        publishing, who = services.publishing, call.who
        view = publishing.find_view(who.account_id, body.dialog_id) or await publishing.get_view(
            who, body.dialog_id
        )
        return await _replied(
            lambda reply: publishing.submit(who, view, body.dialog_id, event, reply, extras)
        )


async def _replied(submit: Callable[[Reply], Awaitable[None] | None]) -> LoggedEvent:
    """The entry of a publish as it settled. Raises its refusal."""
    future: asyncio.Future[LoggedEvent] = asyncio.get_running_loop().create_future()

    def reply(entry: LoggedEvent) -> None:
        if not future.done():
            future.set_result(entry)

    waiting = submit(reply)
    if waiting is not None:
        await waiting
    entry = await future
    if entry.refusal is not None:
        raise entry.refusal
    return entry
