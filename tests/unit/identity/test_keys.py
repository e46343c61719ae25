"""The keys that consumers' tokens are signed with, as a node that was just started finds them."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from identity_rooms import ACCOUNT, Rooms, rooms_on
from talkwire.identity import keys as keys_module


async def test_a_crowd_that_comes_back_after_a_restart_opens_the_key_once(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = await rooms.keys.rotate(ACCOUNT)
    restarted = rooms_on(rooms.database, rooms.clock)
    opened: list[str] = []
    open_one = keys_module._private_of

    def counted(pem: str) -> rsa.RSAPrivateKey:
        opened.append(pem)
        return open_one(pem)

    monkeypatch.setattr(keys_module, "_private_of", counted)
    found = await asyncio.gather(*(restarted.keys.find_public(ACCOUNT, key_id) for _ in range(100)))
    restarted.close()
    assert all(found)
    assert len(opened) == 1
