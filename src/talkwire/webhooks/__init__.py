"""Delivers notifications over HTTP, as the gateway does over sockets.

An *endpoint* is one address of an app. A *courier* serves one endpoint; it holds a *lane* for each conversation
it is telling of, reads the log from the lane's cursor, and sends a *letter* at a time; the *keeper* puts the
progress of all lanes on disk, many at once.

Source: docs/protocol.md 8.
"""
