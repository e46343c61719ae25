"""Passwords: hashed with Argon2id, off the event loop, a bounded number at a time."""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from talkwire.identity.errors import TooManyAttempts

T = TypeVar("T")

HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's minimum; ~19 ms
MAX_WAITING = 256
REMEMBERED = 1_000


class Passwords:
    """Makes and checks password hashes.

    One thread: log-ins must not take the cores from messages. The last successful pairs of hash and
    password are remembered, as a keyed digest in this process only, so that a bot that signs in again and
    again costs no Argon2; a guess always does.
    """

    def __init__(self, hasher: argon2.PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._nobodys_hash = hasher.hash(os.urandom(16).hex())
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="argon2")
        self._waiting = 0
        self._memory_key = os.urandom(32)
        self._remembered: OrderedDict[bytes, None] = OrderedDict()

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password.encode("utf-8", "surrogatepass")))

    async def matches(self, stored_hash: str | None, password: str) -> bool:
        """Whether it is the password; without a hash this takes as long and answers no."""
        mark = self._mark(stored_hash or "", password)
        if mark in self._remembered:
            self._remembered.move_to_end(mark)
            return True
        verified = await self._run(lambda: self._verifies(stored_hash or self._nobodys_hash, password))
        if not verified or not stored_hash:
            return False
        self._remembered[mark] = None
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return True

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _mark(self, stored_hash: str, password: str) -> bytes:
        words = f"{stored_hash}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._memory_key, words, hashlib.sha256)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyAttempts("Too many sign-ins at once; try again in a moment", 2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def _verifies(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password.encode("utf-8", "surrogatepass"))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
