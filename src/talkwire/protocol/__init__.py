"""The wire, without I/O: envelopes, bodies, the catalogue of requests, codes, and notifications.

Words: a *dialect* is the family of names and shapes a socket speaks (`v=3`, or `v=2` and `v=2.1`).
Source: docs/protocol.md 4 to 6.
"""
