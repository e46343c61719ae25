"""How webhooks fare, and what was given up: ours, for administrators. Source: docs/operations.md, "Webhooks"."""

from typing import Any

from aiohttp import web

from talkwire.connectors.deliveries import MAX_LISTED, Deliveries
from talkwire.connectors.delivery_model import EndpointReport, StoredLetter
from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import answer
from talkwire.kernel.errors import Invalid


def routes(deliveries: Deliveries) -> list[web.RouteDef]:
    async def list_endpoints(request: web.Request) -> web.Response:
        await administrator_principal(request)
        return answer([_endpoint(report) for report in await deliveries.list_endpoints(account_of(request))])

    async def list_dead(request: web.Request) -> web.Response:
        await administrator_principal(request)
        query = request.query
        letters = await deliveries.list_dead(
            account_of(request), query.get("app", ""), _limit(query.get("limit", "100"))
        )
        return answer([_letter(letter) for letter in letters])

    async def get_dead(request: web.Request) -> web.Response:
        await administrator_principal(request)
        return answer([_letter(one) for one in await deliveries.get_dead(*_named(request))])

    async def replay(request: web.Request) -> web.Response:
        await administrator_principal(request)
        return answer([_letter(one) for one in await deliveries.replay(*_named(request))])

    async def drop(request: web.Request) -> web.Response:
        await administrator_principal(request)
        await deliveries.drop(*_named(request))
        return answer({})

    base = "/api/account/{account_id}/configuration/webhooks"
    return [
        web.get(f"{base}/endpoints", list_endpoints),
        web.get(f"{base}/dead-letters", list_dead),
        web.get(f"{base}/dead-letters/{{delivery_id}}", get_dead),
        web.post(f"{base}/dead-letters/{{delivery_id}}/replay", replay),
        web.delete(f"{base}/dead-letters/{{delivery_id}}", drop),
    ]


def _named(request: web.Request) -> tuple[Any, str]:
    return account_of(request), request.match_info["delivery_id"]


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LISTED:
        raise Invalid(f"limit is a number from 1 to {MAX_LISTED}")
    return int(text[:9])


def _endpoint(report: EndpointReport) -> dict[str, Any]:
    return {
        "clientId": report.endpoint.client_id,
        "endpoint": report.endpoint.url,
        "eventKeys": list(report.endpoint.event_keys),
        "state": report.state.value,
        "stateSince": report.state_at_ms,
        "waitingConversations": report.waiting,
        "retrying": report.retrying,
        "dead": report.dead,
        "nextAttempt": report.retry_at_ms if report.failures else None,
        "lastError": report.last_error,
    }


def _letter(letter: StoredLetter) -> dict[str, Any]:
    delivery = letter.delivery
    return {
        "deliveryId": delivery.delivery_id,
        "clientId": letter.client_id,
        "endpoint": letter.url,
        "eventKey": delivery.event_key,
        "conversationId": delivery.conversation_id,
        "dialogId": delivery.dialog_id,
        "sequence": delivery.sequence,
        "eventTime": delivery.event_at_ms,
        "givenUpTime": letter.died_at_ms,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "lastError": letter.last_error,
    }
