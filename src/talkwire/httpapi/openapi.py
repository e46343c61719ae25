"""The description of the HTTP interface, OpenAPI 3.1, made from the table of routes and from the wire types."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from talkwire.httpapi.described import TAGS, Parameter, Route
from talkwire.protocol.http_shapes import Refusal, SignInRefusal

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{name}"
_NAMED = re.compile(r"\{(\w+)\}")

SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "": [],
    "agent": [{"bearer": []}, {"oauth1": []}],
    "administrator": [{"bearer": []}, {"oauth1": []}],
    "consumer": [{"consumerJwt": []}],
    "app": [{"appJwt": []}],
    "connector": [{"appJwt": []}],
    "cookie": [{"session": []}],
    "signature": [],
}
"""`auth` of a route in OpenAPI's words; signatures are parameters."""

SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "What signing in gave as `bearer`."},
    "oauth1": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "OAuth 1.0a, header form, HMAC-SHA1, with an application key.",
    },
    "consumerJwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "appJwt": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The AppJWT, bare or after `Bearer`.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": "Session_id"},
}


def document(version: str) -> Json:
    """The whole description."""
    schemas, components = _schemas()
    paths: Json = {}
    for tag, routes in TAGS.items():
        for route in routes:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(tag, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "talkwire",
            "version": version,
            "summary": "Customer messaging with safe file sharing, over HTTP.",
            "description": "Sockets are described in asyncapi.json; both are made from the server's own tables.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in TAGS],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }


def _all_routes() -> Iterator[Route]:
    for routes in TAGS.values():
        yield from routes


def _schemas() -> tuple[dict[str, Json], Json]:
    """The schema of every body and answer by the type's name, and what they refer to."""
    types: dict[str, Any] = {"Refusal": Refusal, "SignInRefusal": SignInRefusal}
    for route in _all_routes():
        kinds = [parameter.kind for parameter in route.parameters]
        for kind in (route.body, route.answer, route.refusal, *kinds):
            if kind is not None and kind is not bytes:
                types[str(kind)] = kind
    made, components = msgspec.json.schema_components(types.values(), ref_template=REFERENCE)
    return dict(zip(types, made, strict=True)), components


def _operation(tag: str, route: Route, schemas: dict[str, Json]) -> Json:
    operation: Json = {
        "tags": [tag],
        "summary": route.summary,
        "operationId": _id_of(route),
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for name in _NAMED.findall(route.path)),
            *(_parameter(parameter, schemas) for parameter in route.parameters),
        ],
        "security": SECURITY[route.auth],
        "responses": _responses(route, schemas),
    }  # fmt: skip
    if route.auth == "administrator":
        operation["description"] = "For administrators."
    if route.body is not None:
        schema = {} if route.body is bytes else schemas[str(route.body)]
        operation["requestBody"] = {"required": True, "content": {route.sent_as: {"schema": schema}}}
    return operation


def _parameter(parameter: Parameter, schemas: dict[str, Json]) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.help,
        "schema": schemas[str(parameter.kind)],
    }


def _responses(route: Route, schemas: dict[str, Json]) -> Json:
    done: Json = {"description": "Done."}
    if route.answer is not None:
        done["content"] = {route.media: {"schema": schemas[str(route.answer)]}}
    elif route.media != "application/json" and route.method == "GET" and route.status == HTTPStatus.OK:
        # 101 and 201 bring no body
        done["content"] = {route.media: {"schema": {"type": "string"}}}
    refused = {route.refused_as: {"schema": schemas[str(route.refusal)]}}
    return {str(route.status): done, "default": {"description": "Refused.", "content": refused}}


def _id_of(route: Route) -> str:
    """A name for generators of clients: the method and the words of the path."""
    words = re.split(r"[^A-Za-z0-9]+", route.path.replace("{account_id}", ""))
    return (
        route.method.lower()
        + "".join(word[:1].upper() + word[1:] for word in words if word)
        + ("Root" if route.path.endswith("/") else "")
    )
