"""Talkwire: a customer-messaging server whose rooms are named after the product.

Each folder here is a room; its `__init__.py` is the plaque that says what the room is for. The order in
which rooms may import each other, and a picture of the whole, are in `docs/architecture.md`.
"""
