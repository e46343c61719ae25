"""Installations as the wire shows and takes them. Source: docs/protocol.md 7.1."""

from typing import Any

from talkwire.connectors.model import App, AppDraft, Webhook
from talkwire.httpapi.bodies import text_of
from talkwire.kernel.errors import Invalid

RETRY = "retry"
MAX_LISTED = 64


def shown_app(app: App, secret: str) -> dict[str, Any]:
    """One installation; whoever may see it at all sees the secret, too: connectors read it there."""
    return {
        "id": app.client_id,
        "client_id": app.client_id,
        "client_secret": secret,
        "client_id_issued_at": app.created_at_ms // 1000,
        "client_secret_expires_at": 0,
        "client_name": app.name,
        "description": app.description,
        "enabled": app.enabled,
        "deleted": app.deleted,
        "logo_uri": app.logo_uri,
        "grant_types": list(app.grant_types),
        "response_types": list(app.response_types),
        "scope": app.scope,
        "capabilities": {"webhooks": shown_webhooks(app), **app.capabilities},
    }


def shown_webhooks(app: App) -> dict[str, Any]:
    shown: dict[str, Any] = {key: _shown_webhook(webhook) for key, webhook in app.webhooks.items()}
    if app.retention_seconds is not None:
        shown[RETRY] = {"retention_time": app.retention_seconds}
    return shown


def draft_of(body: dict[str, Any]) -> AppDraft:
    """What somebody wants of an installation. With `capabilities` all of them are meant. Raises Invalid."""
    capabilities = body.get("capabilities")
    webhooks: dict[str, Webhook] | None = None
    retention_seconds: int | None = None
    if capabilities is not None:
        if not isinstance(capabilities, dict):
            raise Invalid("capabilities must be an object")
        webhooks, retention_seconds = _webhooks_of(capabilities.get("webhooks"))
        capabilities = {name: value for name, value in capabilities.items() if name != "webhooks"}
    return AppDraft(
        name=text_of(body, "client_name"),
        description=text_of(body, "description"),
        logo_uri=text_of(body, "logo_uri"),
        enabled=_flag_of(body, "enabled"),
        scope=_scope_of(body),
        grant_types=_texts_of(body, "grant_types"),
        response_types=_texts_of(body, "response_types"),
        webhooks=webhooks,
        retention_seconds=retention_seconds,
        capabilities=capabilities,
    )


def is_deletion(body: dict[str, Any]) -> bool:
    """COMPAT: an update that says `deleted` lets the installation go."""
    return _flag_of(body, "deleted") is True


def _shown_webhook(webhook: Webhook) -> dict[str, Any]:
    shown: dict[str, Any] = {"endpoint": webhook.endpoint}
    if webhook.headers:
        shown["headers"] = [{"header_name": name, "header_value": value} for name, value in webhook.headers]
    if webhook.max_retries is not None:
        shown["max_retries"] = webhook.max_retries
    return shown


def _webhooks_of(found: object) -> tuple[dict[str, Webhook], int | None]:
    if found is None:
        return {}, None
    if not isinstance(found, dict):
        raise Invalid("capabilities.webhooks must be an object")
    retry = found.get(RETRY)
    if retry is not None and not isinstance(retry, dict):
        raise Invalid("webhooks.retry must be an object")
    webhooks = {
        key: _webhook_of(key, value) for key, value in found.items() if key != RETRY and value is not None
    }
    return webhooks, _number_of(retry or {}, "retention_time")


def _webhook_of(key: str, found: object) -> Webhook:
    if not isinstance(found, dict):
        raise Invalid(f"webhooks.{key[:100]} must be an object")
    endpoint = text_of(found, "endpoint")
    if not endpoint:
        raise Invalid(f"webhooks.{key[:100]}.endpoint is missing")
    headers = found.get("headers")
    if headers is not None and (not isinstance(headers, list) or len(headers) > MAX_LISTED):
        raise Invalid("headers must be a list")
    return Webhook(
        endpoint=endpoint,
        headers=tuple(_header_of(header) for header in headers or ()),
        max_retries=_number_of(found, "max_retries"),
    )


def _header_of(found: object) -> tuple[str, str]:
    if not isinstance(found, dict):
        raise Invalid("A header is an object with header_name and header_value")
    name, value = text_of(found, "header_name"), text_of(found, "header_value")
    if not name or value is None:
        raise Invalid("A header is an object with header_name and header_value")
    return name, value


def _number_of(found: dict[str, Any], name: str) -> int | None:
    """A whole number, as such or as text."""
    value = found.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004
        return int(value)
    raise Invalid(f"{name} must be a whole number")


def _flag_of(body: dict[str, Any], name: str) -> bool | None:
    value = body.get(name)
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false")
    return value


def _scope_of(body: dict[str, Any]) -> str | None:
    """COMPAT: a list of scopes counts as the text it would be."""
    value = body.get("scope")
    if isinstance(value, list):
        return " ".join(_texts_of(body, "scope") or ())
    return text_of(body, "scope")


def _texts_of(body: dict[str, Any], name: str) -> tuple[str, ...] | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Invalid(f"{name} must be a list of texts")
    return tuple(value)
