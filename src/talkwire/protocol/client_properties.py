"""What a client says of itself, by header, query or InitConnection. Source: docs/protocol.md 5.1."""

from collections.abc import Mapping
from typing import Any

import msgspec

from talkwire.protocol.codec import DECODE_ERRORS

TYPE = ".ClientProperties"
MAX_FEATURES = 32
LIMITS: dict[str, int] = {
    "appId": 64,
    "appVersion": 32,
    "ipAddress": 64,
    "osVersion": 64,
    "osName": 64,
    "browser": 64,
    "browserVersion": 64,
    "timeZone": 64,
    "deviceManufacture": 64,
    "deviceModel": 64,
    "integrationVersion": 64,
    "deviceFamily": 16,
    "os": 16,
    "integration": 32,
}
"""Text members and how many characters of each are kept."""

MOBILE = "MOBILE_SDK"


def tidy(properties: Mapping[str, Any], address: str) -> dict[str, Any]:
    """The properties as they are stored and shown: known members, within limits, with the address we saw."""
    tidied: dict[str, Any] = {"type": TYPE}
    for name, limit in LIMITS.items():
        value = properties.get(name)
        if isinstance(value, str) and value:
            tidied[name] = value[:limit]
    features = properties.get("features")
    if isinstance(features, str):
        features = features.split(",")
    if isinstance(features, list):
        tidied["features"] = [f[:64] for f in features[:MAX_FEATURES] if isinstance(f, str)]
    tidied["ipAddress"] = address
    return tidied


def of_header(text: str) -> dict[str, Any]:
    """The `Client-Properties` header. COMPAT: clients send `[object Object]` and `undefined` too: ignored."""
    try:
        found = msgspec.json.decode(text)
    except (*DECODE_ERRORS, UnicodeEncodeError):  # a header that is no UTF-8
        return {}
    return found if isinstance(found, dict) else {}


def of_query(query: Mapping[str, str]) -> dict[str, Any]:
    """Properties given as parameters of the socket's URL."""
    return {name: query[name] for name in (*LIMITS, "features") if name in query}


def is_client_properties(type_name: str) -> bool:
    """All three spellings of the header item's type."""
    return type_name.rpartition(".")[2] == "ClientProperties"


def is_consumer_authentication(type_name: str) -> bool:
    return type_name.rpartition(".")[2] == "ConsumerAuthentication"
