"""Receipts: whoever changes a byte is found, without asking us."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from talkwire.history.receipts import (
    ReceiptBroken,
    key_id_of,
    keys_in,
    public_hex,
    published_keys,
    signed,
    verify,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_hex(KEY)
RECEIPT = {
    "format": "talkwire-erasure-receipt/1",
    "requestId": 7,
    "files": [{"sha256": "ab" * 32}],
    "who": "Zoë",
}
DOCUMENT = signed(RECEIPT, KEY, key_id_of(PUBLIC)).encode()


def test_a_receipt_verifies() -> None:
    verified = verify(DOCUMENT, [PUBLIC])
    assert verified.receipt == RECEIPT
    assert verified.is_known_key
    assert verify(DOCUMENT + b"\n", [PUBLIC]) == verified


def test_a_key_nobody_knows_is_said_to_be_unknown() -> None:
    assert not verify(DOCUMENT).is_known_key
    assert not verify(DOCUMENT, ["00" * 32]).is_known_key


def test_every_flipped_bit_of_every_byte_is_found() -> None:
    for place in range(len(DOCUMENT)):
        for bit in range(8):
            broken = bytearray(DOCUMENT)
            broken[place] ^= 1 << bit
            with pytest.raises(ReceiptBroken):
                verify(bytes(broken), [PUBLIC])


def test_a_receipt_cut_short_or_written_otherwise_is_found() -> None:
    pretty = json.dumps(json.loads(DOCUMENT), indent=1).encode()
    for broken in (
        b"",
        DOCUMENT[:-1],
        DOCUMENT + b"\n\n",
        DOCUMENT + b" ",
        pretty,
        b"[]",
        b"null",
        b'{"receipt":1}',
    ):
        with pytest.raises(ReceiptBroken):
            verify(broken)


def test_another_key_under_the_same_name_is_found() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(ReceiptBroken):
        verify(signed(RECEIPT, other, key_id_of(PUBLIC)).encode())


def test_the_published_list_is_read_again() -> None:
    assert keys_in(json.dumps(published_keys([(PUBLIC, 5)])).encode()) == [PUBLIC]
    assert keys_in(PUBLIC.encode() + b"\n") == [PUBLIC]
    with pytest.raises(ReceiptBroken):
        keys_in(b"no key")


def test_what_somebody_else_signed_is_no_receipt() -> None:
    others: list[Any] = [
        [],
        1,
        {},
        {"format": "talkwire-backup/1"},
        {"format": ["talkwire-erasure-receipt/1"]},
    ]
    for receipt in others:
        with pytest.raises(ReceiptBroken):
            verify(signed(receipt, KEY, key_id_of(PUBLIC)).encode())


def test_nothing_unsigned_is_carried_along() -> None:
    document = json.loads(DOCUMENT)
    document["signature"]["note"] = "signed by nobody"
    with pytest.raises(ReceiptBroken):
        verify(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
