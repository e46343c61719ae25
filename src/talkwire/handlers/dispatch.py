"""Catalogue, handler and status joined: a request goes in, the payload of its answer comes out."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from talkwire.handlers import connection, conversations, files, messaging, profiles, routing
from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.kernel.errors import TalkwireError
from talkwire.protocol import codec
from talkwire.protocol.catalog import REQUESTS, RequestType
from talkwire.protocol.envelope import Request
from talkwire.protocol.status import INTERNAL_ERROR, error_body

Handler = Callable[[Services, Call, Any], Awaitable[Any]]

HANDLERS: dict[str, Handler] = {
    "GetClock": connection.get_clock,
    "KeepAlive": connection.keep_alive,
    "cm.ConsumerRequestConversation": conversations.consumer_requests,
    "cm.AgentRequestConversation": conversations.agent_requests,
    "cm.UpdateConversationField": conversations.update_fields,
    "ms.QueryMessages": messaging.query_messages,
    "ms.SubscribeMessagingEvents": messaging.subscribe_events,
    "ms.UnsubscribeMessagingEvents": messaging.unsubscribe_events,
    "cqm.SubscribeExConversations": conversations.subscribe,
    "cqm.UpdateExConversationSubscription": conversations.update_subscription,
    "cqm.UnsubscribeExConversations": conversations.unsubscribe,
    "userprofile.SetUserProfile": profiles.set_profile,
    "userprofile.GetUserProfile": profiles.get_profile,
    "ms.GenerateURLForUploadFile": files.generate_upload_url,
    "ms.GenerateURLForDownloadFile": files.generate_download_url,
    "routing.SubscribeRoutingTasks": routing.subscribe_tasks,
    "routing.UpdateRoutingTaskSubscription": routing.update_task_subscription,
    "routing.UpdateRingState": routing.update_ring,
    "routing.SetAgentState": routing.set_agent_state,
    "routing.SubscribeAgentsState": routing.subscribe_agent_state,
    "ms.token.GenerateDownloadToken": connection.not_implemented,
    "ms.GenerateUploadToken": connection.not_implemented,
    "brandprofile.GetBrands": connection.not_implemented,
    "brandprofile.GetBrandProfile": connection.not_implemented,
    "brandprofile.SetBrandProfile": connection.not_implemented,
}
"""Every request of the catalogue but two: `gateway.peer` answers InitConnection, `gateway.connection` publishes."""

ELSEWHERE = frozenset({"InitConnection", "ms.PublishEvent"})


class Incidents(Protocol):
    """Where bugs go: logs once, gives the id that the client may quote."""

    def record(self, error: BaseException, what: str) -> str: ...


class Dispatch:
    """Performs requests. The only place, beside HTTP's, where refusals become answers."""

    def __init__(self, services: Services, incidents: Incidents) -> None:
        self._services = services
        self._incidents = incidents

    async def answer(self, call: Call, request: Request, request_type: RequestType) -> Any:
        """The body that answers a request. Raises refusals, and our bugs."""
        body = codec.decode_body(request.body, request_type.body)
        return await HANDLERS[request_type.name](self._services, call, body)

    async def perform(self, call: Call, request: Request, request_type: RequestType) -> bytes:
        """The payload that answers a request. Never raises: a bug is recorded and answered with its id."""
        request_id = request.text_id
        try:
            answer = await self.answer(call, request, request_type)
            return codec.encode_response(
                request_id, request_type.code, request_type.answer_type(call.dialect), answer
            )
        except TalkwireError as error:
            code, error_answer = error_body(error, call.dialect)
            return codec.encode_response(request_id, code, codec.ERROR_TYPE, error_answer)
        except Exception as error:  # noqa: BLE001 -- a bug of ours must not take the socket with it
            return self.fault(request_id, request_type, error)

    def fault(self, request_id: str, request_type: RequestType, error: BaseException) -> bytes:
        """The payload that answers a request that met a bug, which is recorded here."""
        incident = self._incidents.record(error, request_type.name)
        body = {"title": INTERNAL_ERROR.title, "details": f"Incident {incident}", "errorCode": 50000}
        return codec.encode_response(request_id, INTERNAL_ERROR.code, codec.ERROR_TYPE, body)


def missing_handlers() -> set[str]:
    """Names in the catalogue that nobody answers: empty, a test demands."""
    return {request.name for request in REQUESTS} - HANDLERS.keys() - ELSEWHERE
