"""One thin function per request type: translate, delegate, answer. `dispatch.py` joins catalogue and handlers.

Source: docs/protocol.md 5.
"""
