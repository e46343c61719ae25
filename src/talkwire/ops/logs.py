"""Structured logs that hold no secret: JSON lines, or colours for a person at a terminal.

Rooms log through `structlog.get_logger()`; the standard library's loggers (aiohttp, asyncio) end up here
too. Redaction is the last step before rendering, so it sees bound values and tracebacks alike.
"""

import logging
import re
import secrets
import sys
from typing import Any, Literal, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"

SECRET_KEYS = re.compile(
    r"(?i)(authorization|cookie|csrf|jwt|token|bearer|password|passwd|secret|signature|temp_url_sig|"
    r"auth_?code|private|credential|api_?key|database_url)"
)
# only how a name ends: what stands before it is kept anyway, and to look for its start takes quadratic time
_SECRET_NAME = r"(?:temp_url_sig|auth_?code|token|passw(?:or)?d|secret|signature|csrf|jwt|bearer)"  # noqa: S105 -- a pattern
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # a signed token, wherever it stands (a socket's path on v=2, a header, a body)
        (r"eyJ[\w-]{5,512}\.[\w-]+\.[\w-]*", REDACTED),
        # wss://host/ws_api/account/1/messaging/consumer/{jwt}?v=2 and …/brand/{bearer}?v=2.1
        (r"(/messaging/(?:consumer|brand)/)[^/?\s\"']+", rf"\1{REDACTED}"),
        (r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\W{1,4})[^\r\n\"']+", rf"\1\2{REDACTED}"),
        (r"(?i)\b(bearer|jwt|basic|oauth)([ :]\s*)[\w.~+/=-]{8,}", rf"\1\2{REDACTED}"),
        # name=value in a query or a form, "name":"value" in JSON
        (rf"(?i)({_SECRET_NAME}[\"']?\s*[=:]\s*[\"']?)[^&\s\"',;}}]+", rf"\1{REDACTED}"),
        # postgresql://user:password@host
        (r"(://[^/\s:@]*:)[^@\s/]+@", rf"\1{REDACTED}@"),
        # bearers and other secrets of ours are 64 hex digits; so are some consumer ids, which are no loss
        (r"\b[0-9a-fA-F]{64}\b", REDACTED),
    )
)


def redact_text(text: str) -> str:
    """The same text without what would let its reader act as somebody."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any) -> Any:
    """The same value, its strings and containers redacted throughout."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray):
        return redact_text(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, dict):
        return {key: _redact_field(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(repr(value))


def _redact_field(key: str, value: Any) -> Any:
    if SECRET_KEYS.search(key) and value not in (None, "", False, True) and not isinstance(value, int):
        return REDACTED
    return redact(value)


def redact_entry(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
    """The structlog processor: nothing secret passes."""
    return {key: _redact_field(key, value) for key, value in entry.items()}


def new_incident_id() -> str:
    """Ten characters that a client is given and an operator greps for."""
    return secrets.token_hex(5)


def configure_logs(
    level: str, form: Literal["auto", "json", "console"] = "auto", stream: TextIO | None = None
) -> None:
    """Send every logger of this process to `stream` (standard error), redacted."""
    out = stream if stream is not None else sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    number = getattr(logging, level.upper())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_entry,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    _capture_standard_loggers(number, shared, renderer, out)


def _capture_standard_loggers(level: int, shared: list[Processor], renderer: Processor, out: TextIO) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))  # libraries are heard when something is wrong
    logging.getLogger("aiohttp.server").filters[:] = [_is_our_concern]


def _is_our_concern(record: logging.LogRecord) -> bool:
    """Bytes that are no HTTP are answered with 400; a trace of each would be the sender's way to fill our disk."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)
