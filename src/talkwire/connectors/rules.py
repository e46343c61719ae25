"""What an installation may be, and what changing it makes of it. Pure.

Source: docs/protocol.md 7.1.
"""

import hashlib
import ipaddress
import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from talkwire.connectors.errors import AppInvalid, ExternalIdInvalid
from talkwire.connectors.model import EVENT_KEYS, App, AppDraft, Webhook
from talkwire.kernel.ids import AccountId, ParticipantId

MAX_NAME = 256
MAX_TEXT = 4_096
MAX_ENDPOINT = 2_048
MAX_HOST = 253
MAX_HEADERS = 20
MAX_HEADER_NAME = 128
MAX_NAMES = 16
MAX_RETRIES = 5
RETENTION_SECONDS = range(2, 259_201)
MAX_CAPABILITIES_BYTES = 64 * 1024
MAX_LISTED = 512  # characters of an engagement's item
ENGAGEMENT_LISTS = {
    "entry_point": (1, 10),
    "visitor_behavior": (0, 10),
    "target_audience": (0, 20),
    "goal": (0, 10),
    "consumer_identity": (1, 5),
}
"""How few and how many items each list of `capabilities.engagement` has."""

_WORD = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20\t\x21-\x7e]*[\x21-\x7e])?)?")
_OURS = frozenset(
    {"connection", "content-length", "content-type", "expect", "host", "keep-alive", "te", "trailer"}
    | {"proxy-authorization", "proxy-connection", "transfer-encoding", "upgrade"}
)
_OUR_PREFIXES = ("x-liveperson-", "x-talkwire-")


def check_draft(draft: AppDraft, *, allow_plain_loopback: bool = False) -> None:
    """Refuse what could not be kept or delivered to. Raises AppInvalid.

    `allow_plain_loopback`: a demo delivers to http on this machine, too.
    """
    if draft.name is not None and not _is_title(draft.name):
        raise AppInvalid(f"client_name has 1 to {MAX_NAME} printable characters")
    if any(len(text or "") > MAX_TEXT for text in (draft.description, draft.logo_uri)):
        raise AppInvalid(f"description and logo_uri have at most {MAX_TEXT} characters")
    if draft.scope is not None:
        _check_words("scope", tuple(draft.scope.split()))
    for name, words in (("grant_types", draft.grant_types), ("response_types", draft.response_types)):
        _check_words(name, words or ())
    for key, webhook in (draft.webhooks or {}).items():
        _check_webhook(key, webhook, allow_plain_loopback=allow_plain_loopback)
    if draft.retention_seconds is not None and draft.retention_seconds not in RETENTION_SECONDS:
        raise AppInvalid(f"retention_time is {RETENTION_SECONDS[0]} to {RETENTION_SECONDS[-1]} seconds")
    if draft.capabilities is not None:
        _check_capabilities(draft.capabilities)


def check_endpoint(endpoint: str, *, allow_plain_loopback: bool = False) -> None:
    """Refuse an address that nothing may be delivered to. Raises AppInvalid."""
    if (
        len(endpoint) > MAX_ENDPOINT
        or not endpoint.isascii()
        or any(c <= " " or c in "\\\x7f" for c in endpoint)
    ):
        raise AppInvalid(f"An endpoint is an address of at most {MAX_ENDPOINT} ASCII characters")
    parts = _parts_of(endpoint)
    if not parts.hostname or parts.port == 0:
        raise AppInvalid("An endpoint is a whole address, https://host/path")
    if not _is_host(parts.hostname):
        raise AppInvalid("An endpoint's host is a name, or an IP address as it is usually written")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AppInvalid("An endpoint names no user, and no part of a page")
    is_plain = parts.scheme == "http" and allow_plain_loopback and is_loopback(parts.hostname)
    if parts.scheme != "https" and not is_plain:
        raise AppInvalid("An endpoint is https" + (", or http on loopback" if allow_plain_loopback else ""))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_external_id(external_id: object, max_characters: int) -> str:
    """The brand's own name for a consumer, as it came. Raises ExternalIdInvalid."""
    if not isinstance(external_id, str) or not 1 <= len(external_id) <= max_characters:
        raise ExternalIdInvalid(f"ext_consumer_id is a text of 1 to {max_characters} characters")
    try:
        external_id.encode()
    except UnicodeEncodeError:
        raise ExternalIdInvalid("ext_consumer_id is no Unicode text") from None
    return external_id


def consumer_id_of(account_id: AccountId, client_id: str, external_id: str) -> ParticipantId:
    """The consumer that an app calls `external_id`: 64 hex digits, always the same."""
    parts = ("connector", account_id, client_id, external_id)
    canonical = b"".join(b"%d:%b" % (len(raw), raw) for raw in (part.encode() for part in parts))
    return ParticipantId(hashlib.sha256(canonical).hexdigest())


def new_app(account_id: AccountId, client_id: str, draft: AppDraft, sealed_secret: bytes, now_ms: int) -> App:
    """The installation that a draft describes. Raises AppInvalid without a name."""
    if draft.name is None:
        raise AppInvalid("client_name is missing")
    blank = App(
        account_id=account_id,
        client_id=client_id,
        name=draft.name,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        sealed_secret=sealed_secret,
    )
    return changed(blank, draft, now_ms)


def changed(app: App, draft: AppDraft, now_ms: int) -> App:
    """The installation after a draft: what it gives counts, the rest stays."""
    given = {name: value for name, value in msgspec.structs.asdict(draft).items() if value is not None}
    if draft.webhooks is not None:
        given["retention_seconds"] = draft.retention_seconds
    return msgspec.structs.replace(app, **given, updated_at_ms=now_ms)


def with_secret(app: App, sealed_secret: bytes, now_ms: int) -> App:
    return msgspec.structs.replace(app, sealed_secret=sealed_secret, updated_at_ms=now_ms)


def without(app: App, now_ms: int) -> App:
    """The installation let go. Where it would deliver to is forgotten, and its secret."""
    return msgspec.structs.replace(
        app, deleted=True, enabled=False, webhooks={}, sealed_secret=b"", updated_at_ms=now_ms
    )


def at_revision(app: App, revision: int) -> App:
    return msgspec.structs.replace(app, revision=revision)


def _is_title(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text.isprintable() and text == text.strip()


def _check_words(name: str, words: tuple[str, ...]) -> None:
    if len(words) > MAX_NAMES or not all(_WORD.fullmatch(word) for word in words):
        raise AppInvalid(f"{name} has at most {MAX_NAMES} plain names")
    if len(set(words)) != len(words):
        raise AppInvalid(f"{name} names something twice")


def _check_webhook(key: str, webhook: Webhook, *, allow_plain_loopback: bool) -> None:
    if key not in EVENT_KEYS:
        raise AppInvalid(f"There is no event {key[:100]!r}; there are {', '.join(EVENT_KEYS)}")
    check_endpoint(webhook.endpoint, allow_plain_loopback=allow_plain_loopback)
    if webhook.max_retries is not None and not 0 <= webhook.max_retries <= MAX_RETRIES:
        raise AppInvalid(f"max_retries is 0 to {MAX_RETRIES}")
    if len(webhook.headers) > MAX_HEADERS:
        raise AppInvalid(f"A webhook has at most {MAX_HEADERS} headers")
    for name, value in webhook.headers:
        _check_header(name, value)
    if len({name.lower() for name, _ in webhook.headers}) != len(webhook.headers):
        raise AppInvalid("A header is named twice")


def _check_header(name: str, value: str) -> None:
    if len(name) > MAX_HEADER_NAME or not _HEADER_NAME.fullmatch(name):
        raise AppInvalid("header_name is not the name of a header")
    if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIXES):
        raise AppInvalid(f"The header {name} is set by this server")
    if len(value) > MAX_TEXT or not _HEADER_VALUE.fullmatch(value):
        raise AppInvalid("header_value is not the value of a header")


def _check_capabilities(capabilities: dict[str, Any]) -> None:
    if len(msgspec.json.encode(capabilities)) > MAX_CAPABILITIES_BYTES:
        raise AppInvalid(f"capabilities take at most {MAX_CAPABILITIES_BYTES} bytes")
    engagement = capabilities.get("engagement")
    if engagement is None:
        return
    if not isinstance(engagement, dict):
        raise AppInvalid("capabilities.engagement is an object")
    for name, (fewest, most) in ENGAGEMENT_LISTS.items():
        if engagement.get(name) is not None:
            _check_listed(name, engagement[name], fewest, most)


def _check_listed(name: str, items: object, fewest: int, most: int) -> None:
    if not isinstance(items, list) or not fewest <= len(items) <= most:
        raise AppInvalid(f"engagement.{name} is a list of {fewest} to {most}")
    if not all(isinstance(item, str) and 0 < len(item) <= MAX_LISTED for item in items):
        raise AppInvalid(f"engagement.{name} holds texts of 1 to {MAX_LISTED} characters")
    if len(set(items)) != len(items):
        raise AppInvalid(f"engagement.{name} names something twice")


def _is_host(host: str) -> bool:
    """A name of labels, or an address; what could be another spelling of an address is neither."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        *_, last = labels = host.removesuffix(".").split(".")
        is_number = last.isdigit() or last.startswith("0x")
        return len(host) <= MAX_HOST and not is_number and all(map(_LABEL.fullmatch, labels))
    return True


def _parts_of(endpoint: str) -> SplitResult:
    try:
        parts = urlsplit(endpoint)
        _ = parts.port  # raises for what is no number
    except ValueError:
        raise AppInvalid("An endpoint is a whole address, https://host/path") from None
    return parts
