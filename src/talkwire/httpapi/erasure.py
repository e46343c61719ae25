"""Deletion of personal data over HTTP, and the receipts of it. Source: docs/protocol.md 9.11."""

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from talkwire.history.erasure import Erasures
from talkwire.history.erasure_errors import ErasureNotUnderstood, ErasureUnknown
from talkwire.history.erasure_model import ErasureRequest, RequestQuery, RequestState
from talkwire.history.receipt_keys import ReceiptKeys
from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import answer, read_object
from talkwire.identity.model import Principal

DAY_MS = 86_400_000


def routes(erasures: Erasures, receipt_keys: ReceiptKeys) -> list[web.RouteDef]:
    async def request_deletion(request: web.Request) -> web.Response:
        who = await administrator_principal(request)
        made = await erasures.request(account_of(request), await read_object(request), _name_of(who))
        return answer(_shown(made), 201)

    async def list_requests(request: web.Request) -> web.Response:
        await administrator_principal(request)
        query = query_of(request.query)
        return answer([_listed(one) for one in await erasures.list_requests(account_of(request), query)])

    async def get_request(request: web.Request) -> web.Response:
        await administrator_principal(request)
        return answer([_listed(await erasures.get(account_of(request), _id_of(request)))])

    async def cancel_request(request: web.Request) -> web.Response:
        who = await administrator_principal(request)
        cancelled = await erasures.cancel(account_of(request), _id_of(request), _name_of(who))
        return answer([_shown(cancelled)])

    async def change_request(request: web.Request) -> web.Response:
        if str((await read_object(request)).get("is_canceled", "")).lower() != "true":
            raise ErasureNotUnderstood("A request can only be cancelled: send is_canceled true")
        return await cancel_request(request)

    async def get_receipt(request: web.Request) -> web.Response:
        await administrator_principal(request)
        found = await erasures.get_receipt(account_of(request), _id_of(request))
        return web.Response(text=found.receipt, content_type="application/json")

    async def list_keys(request: web.Request) -> web.Response:
        return answer(await receipt_keys.published(account_of(request)))

    base = "/api/account/{account_id}/personal-data-deletion"
    one = base + "/{request_id:[0-9]{1,16}}"
    return [
        web.post(base, request_deletion),
        web.get(base, list_requests),
        web.get(one, get_request),
        web.post(one + "/cancel", cancel_request),
        # COMPAT: what clients may try for want of a documented word
        web.delete(one, cancel_request),
        web.put(one, change_request),
        web.get(one + "/receipt", get_receipt),
        web.get("/.well-known/talkwire/receipt-keys/{account_id}", list_keys),
    ]


def query_of(query: Any) -> RequestQuery:
    """The filters `status`, `fromDate`, `toDate`. Raises ErasureNotUnderstood."""
    status = query.get("status", "").strip().upper()
    if status and status not in RequestState.__members__:
        raise ErasureNotUnderstood(f"status is one of {', '.join(RequestState)}")
    return RequestQuery(
        state=RequestState(status) if status else None,
        from_ms=moment_of(query.get("fromDate", "")),
        to_ms=moment_of(query.get("toDate", ""), ends_day=True),
    )


def moment_of(text: str, *, ends_day: bool = False) -> int | None:
    """Epoch milliseconds of a date, a moment in ISO 8601, or of milliseconds; a date ends with its day."""
    text = text.strip()
    if not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            return min(int(text), 2**62)
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ErasureNotUnderstood("A date is written 2026-11-20, or as a moment in ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    is_date = "T" not in text and ":" not in text
    return int(moment.timestamp() * 1000) + (DAY_MS - 1 if ends_day and is_date else 0)


def _id_of(request: web.Request) -> int:
    text = request.match_info["request_id"]
    if not text.isascii():
        raise ErasureUnknown("No such deletion request")
    return int(text)


def _name_of(who: Principal) -> str:
    return who.name or who.id


def _moment(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def _shown(request: ErasureRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "siteid": request.account_id,
        "request_time": _moment(request.requested_at_ms),
        "requested_by": request.requested_by,
        "cancelled_by": request.cancelled_by or None,
        "delete_json": json.dumps({request.kind.value: request.subjects}),
        "cancel_timestamp": _moment(request.cancelled_at_ms),
        "is_canceled": request.state is RequestState.CANCELED,
    }


def _listed(request: ErasureRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "siteid": request.account_id,
        "request_time": _moment(request.requested_at_ms),
        "requested_by": request.requested_by,
        "status": request.state.value,
    }
