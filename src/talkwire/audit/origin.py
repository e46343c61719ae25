"""Who asks now, and from where: known at the door, written into every entry.

Set by the HTTP middleware for each request, which serves a socket's whole life too, and by the CLI.
"""

from contextvars import ContextVar

ORIGIN: ContextVar[str] = ContextVar("origin", default="")
"""The client's address (behind our proxies: the client's, not theirs), or `cli`."""

ACTOR: ContextVar[str] = ContextVar("actor", default="")
"""The participant id or login name of who asks, once it is known. Entries may name another."""
