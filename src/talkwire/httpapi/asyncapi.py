"""The description of the sockets, AsyncAPI 3, made from the catalogue of requests and from the wire types."""

from typing import Any

import msgspec

from talkwire.protocol import conversation_details, notify, routing_details
from talkwire.protocol.catalog import BRAND, CONSUMER, REQUESTS, RequestType
from talkwire.protocol.envelope import Dialect, ErrorBody

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{name}"
CHANNELS = {
    CONSUMER: "/ws_api/account/{account_id}/messaging/consumer",
    BRAND: "/ws_api/account/{account_id}/messaging/brand",
}
ERRORS = (".ReqBody$ErrorResp", ".ReqBody$StringResp")

NOTIFICATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    notify.EVENTS_V3: ("Events of a dialog, past and live (v3).", (CONSUMER, BRAND)),
    notify.EVENT_V2: ("One live event of a conversation one takes part in (v2, v2.1).", (CONSUMER, BRAND)),
    conversation_details.CHANGES_V3: ("Conversations that match a subscription (v3).", (CONSUMER, BRAND)),
    conversation_details.CHANGES_V2: ("The same (v2, v2.1).", (CONSUMER, BRAND)),
    routing_details.TASKS_V3: ("Offers of conversations (v3).", (BRAND,)),
    routing_details.TASKS_V2: ("Offers of conversations (v2, v2.1).", (BRAND,)),
    routing_details.STATES_V3: ("An agent's state (v3).", (BRAND,)),
    routing_details.STATES_V2: ("An agent's state (v2, v2.1).", (BRAND,)),
    routing_details.RING_UPDATED: ("An offer, as old bots hear of it (v2, v2.1).", (BRAND,)),
}
"""What the server says unasked: what it is about, and on which sockets."""


def document(version: str) -> Json:
    """The whole description."""
    bodies, schemas = _bodies()
    messages: Json = {"Refused": _refusal(schemas)}
    for request in REQUESTS:
        messages[_key(request.name)] = _request(request, bodies.get(request.name, {}))
        messages[_key(request.name) + "Answer"] = _answer(request)
    for name, (about, _) in NOTIFICATIONS.items():
        messages[_key(name)] = _notification(name, about)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "talkwire",
            "version": version,
            "description": "One JSON object per text frame. HTTP is described in openapi.json.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {role: _channel(role, address) for role, address in CHANNELS.items()},
        "operations": _operations(),
        "components": {"schemas": schemas, "messages": messages},
    }


def _bodies() -> tuple[dict[str, Json], Json]:
    typed = {request.name: request.body for request in REQUESTS if request.body is not Any}
    kinds = [*typed.values(), ErrorBody]
    made, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    return dict(zip(typed, made[: len(typed)], strict=True)), _without_discriminators(schemas)


def _without_discriminators(node: Any) -> Any:
    """AsyncAPI has a word of this name for something else; `anyOf` and the constants say the same."""
    if isinstance(node, dict):
        return {k: _without_discriminators(v) for k, v in node.items() if k != "discriminator"}
    if isinstance(node, list):
        return [_without_discriminators(item) for item in node]
    return node


def _channel(role: str, address: str) -> Json:
    names = [
        *(key for r in REQUESTS if role in r.roles for key in (_key(r.name), _key(r.name) + "Answer")),
        *(_key(name) for name, (_, roles) in NOTIFICATIONS.items() if role in roles),
        "Refused",
    ]
    return {
        "address": address,
        "title": f"The {role} socket",
        "parameters": {"account_id": {"description": "The brand."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {
                    "type": "object",
                    "properties": {"v": {"type": "string", "enum": [dialect.value for dialect in Dialect]}},
                },
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operations() -> Json:
    """Seen from the server: it receives requests, with their replies, and sends notifications."""
    found: Json = {}
    for role in CHANNELS:
        channel = f"#/channels/{role}"
        for request in REQUESTS:
            if role in request.roles:
                key = _key(request.name)
                found[f"{role}.{key}"] = {
                    "action": "receive",
                    "channel": {"$ref": channel},
                    "summary": request.name,
                    "messages": [{"$ref": f"{channel}/messages/{key}"}],
                    "reply": {
                        "channel": {"$ref": channel},
                        "messages": [
                            {"$ref": f"{channel}/messages/{key}Answer"},
                            {"$ref": f"{channel}/messages/Refused"},
                        ],
                    },
                }
        for name, (about, roles) in NOTIFICATIONS.items():
            if role in roles:
                found[f"{role}.{_key(name)}"] = {
                    "action": "send",
                    "channel": {"$ref": channel},
                    "summary": about,
                    "messages": [{"$ref": f"{channel}/messages/{_key(name)}"}],
                }
    return found


def _request(request: RequestType, body: Json) -> Json:
    members: Json = {
        "kind": {"const": "req"},
        "id": {"type": ["string", "number"]},
        "type": {"enum": sorted(set(request.spellings))},
        "body": body,
        "headers": {"type": "array"},
        "metadata": {"type": "array"},
    }
    return _message(request.name, members, ["type"])


def _answer(request: RequestType) -> Json:
    types = sorted({request.answer, request.answer_v2})
    members: Json = {
        "kind": {"const": "resp"},
        "reqId": {"type": "string"},
        "code": {"const": request.code},
        "type": {"enum": types},
        "body": {},
    }
    return _message(f"Answer to {request.name}", members, ["kind", "reqId", "code", "type"])


def _refusal(schemas: Json) -> Json:
    assert "ErrorBody" in schemas
    members: Json = {
        "kind": {"const": "resp"},
        "reqId": {"type": "string"},
        "code": {"type": "integer", "minimum": 400},
        "type": {"enum": list(ERRORS)},
        "body": {"anyOf": [{"$ref": "#/components/schemas/ErrorBody"}, {"type": "string"}]},
    }
    return _message("Any request, refused", members, ["kind", "reqId", "code", "type"])


def _notification(name: str, about: str) -> Json:
    members: Json = {"kind": {"const": "notification"}, "type": {"const": name}, "body": {"type": "object"}}
    return {**_message(name, members, ["kind", "type", "body"]), "summary": about}


def _message(title: str, members: Json, required: list[str]) -> Json:
    payload = {"type": "object", "properties": members, "required": required}
    return {"name": title, "title": title, "contentType": "application/json", "payload": payload}


def _key(name: str) -> str:
    """A name as keys of the document may be spelled."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace("$", ".").split(".") if part)
