"""An export as a file: nothing in it can be changed unseen, and a key says whose it is."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from talkwire.audit.export import export, verify_lines
from talkwire.audit.model import Act, Entry
from talkwire.audit.origin import ORIGIN
from talkwire.audit.service import Trail
from talkwire.audit.signing import public_hex, signing_key
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.kernel.clock import MovableClock
from unit.audit.keys import Keys

ACCOUNT = "12345678"
CONSUMER = "0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"
KEY = signing_key(b"k" * 32)


@pytest.fixture
async def trail(sqlite_database: SqliteDatabase) -> AsyncIterator[Trail]:
    """Three records, two of them of a consumer; boxes of three lengths, so that Base64 has spare bits."""
    token = ORIGIN.set("192.0.2.7")
    trail = Trail(sqlite_database, MovableClock(), Keys())
    for consumer_id in (CONSUMER, "", CONSUMER + "x"):
        entry = Entry(ACCOUNT, Act.SERVED, "a path", consumer_id, actor=consumer_id or "operator")
        await trail.record(entry)
    yield trail
    await trail.close()
    ORIGIN.reset(token)


async def exported(
    trail: Trail, database: SqliteDatabase, key: Ed25519PrivateKey | None = KEY
) -> list[bytes]:
    lines = export(database, ACCOUNT, trail.boxes, 1_767_225_600_000, key=key)
    return [line + b"\n" async for line in lines]


def is_found(lines: list[bytes]) -> bool:
    """Whether it is told from an export that nobody touched."""
    try:
        report = verify_lines(lines)
    except ValueError:
        return True
    return not report.is_whole or report.signed_by != public_hex(KEY)


async def test_an_export_says_by_which_key_it_was_signed(
    trail: Trail, sqlite_database: SqliteDatabase
) -> None:
    report = verify_lines(await exported(trail, sqlite_database))
    assert (report.findings, report.records, report.opened) == ([], 3, 2)
    assert (report.signed_by, report.exported_at_ms) == (public_hex(KEY), 1_767_225_600_000)


async def test_every_changed_byte_of_an_export_is_found(
    trail: Trail, sqlite_database: SqliteDatabase
) -> None:
    text = b"".join(await exported(trail, sqlite_database))
    for at in range(len(text) - 1):
        for bit in (1, 2, 32):
            changed = text[:at] + bytes([text[at] ^ bit]) + text[at + 1 :]
            assert is_found(changed.splitlines(keepends=True)), (at, text[at - 20 : at + 20])


async def test_whatever_is_put_in_taken_out_or_moved_is_found(
    trail: Trail, sqlite_database: SqliteDatabase
) -> None:
    lines = await exported(trail, sqlite_database)
    for at in range(len(lines)):
        assert is_found([*lines[:at], *lines[at + 1 :]]), at
        assert is_found([*lines[: at + 1], *lines[at:]]), at
        assert is_found([*lines[: at + 1], b"\n", *lines[at + 1 :]]), at
    for at, (one, other) in enumerate(pairwise(lines)):
        assert is_found([*lines[:at], other, one, *lines[at + 2 :]]), at
    unsigned = [lines[0].replace(b'"version":2', b'"version":1'), *lines[1:-1]]
    assert is_found(unsigned)
    assert verify_lines(unsigned).is_whole  # as far as the chain goes: it was signed by nobody


async def test_who_rewrites_an_export_can_only_sign_it_with_a_key_of_his_own(
    trail: Trail, sqlite_database: SqliteDatabase
) -> None:
    forged = await exported(trail, sqlite_database, signing_key(b"m" * 32))
    assert is_found(forged)
    assert verify_lines(forged).is_whole


@pytest.mark.parametrize("key", [None, KEY])
async def test_what_can_be_made_again_from_what_is_hashed_has_to_be_equal(
    trail: Trail, sqlite_database: SqliteDatabase, key: Ed25519PrivateKey | None
) -> None:
    lines = await exported(trail, sqlite_database, key)
    assert verify_lines(lines).is_whole
    record = json.loads(lines[1])
    spare = next(number for number, line in enumerate(lines[1:4], 1) if json.loads(line)["box"].endswith("="))
    box = json.loads(lines[spare])["box"].rstrip("=")
    for number, was, becomes in (
        (1, record["time"], "2016" + record["time"][4:]),
        (spare, box, box[:-1] + chr(ord(box[-1]) + 1)),
    ):
        changed = lines[number].replace(was.encode(), becomes.encode())
        assert changed != lines[number]
        found = verify_lines([*lines[:number], changed, *lines[number + 1 :]]).findings
        assert number in [one.number for one in found]
