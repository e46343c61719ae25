"""The past over HTTP: service `msgHist`. Source: docs/protocol.md 9.10."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from talkwire.history import search_rules as rules
from talkwire.history.agent_view import AgentView
from talkwire.history.messages import event_record
from talkwire.history.records import record_of
from talkwire.history.search import History
from talkwire.history.search_model import Content, Found, Page, PastEvent
from talkwire.httpapi.authorization import brand_principal, consumer_principal
from talkwire.httpapi.bodies import answer, needed_text_of, read_object
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.protocol.codec import encode

BASE = "/messaging_history/api/account/{account_id}"

Look = Callable[[Principal, Mapping[str, Any], Page, frozenset[Content]], Awaitable[Found]]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(history: History, agent_view: AgentView, clock: Clock) -> list[web.RouteDef]:
    def searching(look: Look) -> Handler:
        async def search(request: web.Request) -> web.Response:
            who = await brand_principal(request)
            filters = await read_object(request)
            page, wanted = rules.page_of(request.query), rules.contents_of(filters.get("contentToRetrieve"))
            found = await look(who, filters, page, wanted)
            now_ms, href = clock.now_ms(), _self(request)
            body = await asyncio.to_thread(_page_bytes, found, wanted, now_ms, href)
            return web.Response(body=body, content_type="application/json")

        return search

    async def agent_status(request: web.Request) -> web.Response:
        who = await brand_principal(request)
        records = await agent_view.list_states(who, await read_object(request))
        return answer({"_metadata": _metadata(len(records), _self(request)), "agentStatusRecords": records})

    async def own_content(request: web.Request) -> web.Response:
        who = await consumer_principal(request)
        asked = dict(request.query) if request.method == "GET" else await read_object(request)
        events = await history.own_events(who, needed_text_of(asked, "conversationId"))
        body = await asyncio.to_thread(_own_bytes, events)
        return web.Response(body=body, content_type="application/json")

    own = f"{BASE}/conversations/conversation/content/search"
    return [
        web.post(f"{BASE}/conversations/search", searching(history.search)),
        web.post(f"{BASE}/conversations/conversation/search", searching(history.by_id)),
        web.post(f"{BASE}/conversations/consumer/search", searching(history.of_consumer)),
        web.post(f"{BASE}/agent-view/status", agent_status),
        web.get(own, own_content),
        web.post(own, own_content),
    ]


def _page_bytes(found: Found, wanted: frozenset[Content], now_ms: int, href: str) -> bytes:
    """In a thread: a page of long conversations would hold the loop."""
    records = [record_of(past, found.names, wanted, now_ms) for past in found.pasts]
    return encode({"_metadata": _metadata(found.total, href), "conversationHistoryRecords": records})


def _own_bytes(events: list[PastEvent]) -> bytes:
    return encode({"messageEventRecords": [event_record(event) for event in events]})


def _metadata(count: int, href: str) -> dict[str, Any]:
    return {
        "count": count,
        "self": {"rel": "self", "href": href},
        "shardsStatusResult": {"partialResult": False},
    }


def _self(request: web.Request) -> str:
    return str(request.url.with_scheme("https"))
