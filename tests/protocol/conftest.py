"""Fixtures of the protocol tests."""

from web_rooms import base_host, web_rooms

__all__ = ["base_host", "web_rooms"]
