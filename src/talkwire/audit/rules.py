r"""How records are chained: pure. Who wants to verify a trail without us needs only this page.

A record's hash is SHA-256 over the hash of the one before (32 bytes; zeros before the first) and the
record as a JSON array: `[account, number, at_ms, act, subject, actor, address, person, box, detail]`,
`box` in Base64, `detail` as the text of a JSON object; UTF-8, no white space, and in strings only `"`,
`\` and control characters escaped, the shortest way.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from talkwire.audit.model import Draft, Entry, Head, Record
from talkwire.kernel.hmacs import hmac_digest

GENESIS = Head(0, bytes(32))

SUBJECT_CHARACTERS = 512
DETAIL_CHARACTERS = 256
PERSONAL = "{consumer}"
"""Stands where a consumer's id stood; `restored` puts it back."""

OTHER = "{other}"
"""Stands where the path of a file names a consumer whose record this is not. Nothing puts it back."""

_UPLOADER = re.compile(r"(?<=/)(?![A-Za-z0-9_\-]+\.[0-9]+_uuid_)[A-Za-z0-9.\-_]+(?=_uuid_)")
"""The uploader in a relative path, unless it is an agent's old id, `{account}.{user id}`."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_encode = msgspec.json.Encoder(order="sorted").encode
_encode_record = msgspec.json.Encoder().encode


def link(account_id: str, head: Head, draft: Draft) -> Record:
    """The record that follows `head`."""
    number = head.number + 1
    return Record(account_id, number, hash_of(head.hash, account_id, number, draft), draft)


def hash_of(previous: bytes, account_id: str, number: int, draft: Draft) -> bytes:
    return hashlib.sha256(previous + _encode_record((account_id, number, *draft))).digest()


def chain(account_id: str, head: Head, drafts: Iterable[Draft]) -> list[Record]:
    """The records that follow `head`, in order."""
    records = []
    for draft in drafts:
        record = link(account_id, head, draft)
        records.append(record)
        head = Head(record.number, record.hash)
    return records


def code_of(key: bytes, account_id: str, head: Head) -> bytes:
    """The head's code: HMAC-SHA256, which nobody makes without the account's key."""
    return hmac_digest(key, _encode_record((account_id, head.number, head.hash)), "sha256")


def is_code(code: bytes, key: bytes, account_id: str, head: Head) -> bool:
    return hmac.compare_digest(code, code_of(key, account_id, head))


def draft_of(entry: Entry, *, at_ms: int, actor: str, address: str, person: str, box: bytes) -> Draft:
    """An entry as it will be stored: what is personal is in the box, and nowhere else."""
    own_act = is_own_act(entry, actor)
    detail = {key: _storable(value, DETAIL_CHARACTERS) for key, value in entry.detail.items()}
    return Draft(
        at_ms=at_ms,
        act=entry.act.value,
        subject=_masked_subject(storable(entry.subject, SUBJECT_CHARACTERS), entry.consumer_id),
        actor="" if own_act else storable(actor, DETAIL_CHARACTERS),
        address="" if own_act else storable(address, DETAIL_CHARACTERS),
        person=person,
        box=box,
        detail=masked(_encode(detail).decode(), entry.consumer_id) if detail else "{}",
    )


def is_own_act(entry: Entry, actor: str) -> bool:
    """Whether the consumer did it, or nobody knows who (who holds a URL may be): actor and address are personal."""
    return bool(entry.consumer_id) and actor in {"", entry.consumer_id}


def masked(text: str, consumer_id: str) -> str:
    """The text without the consumer's id, and without any other's in a file's path. Agents' stay."""
    if consumer_id:
        text = text.replace(consumer_id, PERSONAL)
    return _UPLOADER.sub(OTHER, text) if "_uuid_" in text else text


_masked_subject = lru_cache(maxsize=4096)(masked)  # six records in a minute speak of one path


def restored(text: str, consumer_id: str) -> str:
    """The text with the consumer's id where it stood."""
    return text.replace(PERSONAL, consumer_id) if consumer_id else text


def storable(text: str, characters: int) -> str:
    """What both databases take: no NUL, no half of a surrogate pair, not without end."""
    text = text[:characters]
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub("\ufffd", text)


def _storable(value: object, characters: int) -> object:
    return storable(value, characters) if isinstance(value, str) else value
