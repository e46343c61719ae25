"""WebSocket clients: `peer.py` is one client as a state machine, `socket.py` moves the bytes.

Words: a *frame* is the bytes of one WebSocket message with its header; the *outbox* collects frames and
writes them joined, once per turn of the loop.
"""
