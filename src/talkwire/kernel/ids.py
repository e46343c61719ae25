"""Ids as the field knows them, and how new ones are made."""

import base64
import hashlib
import os
import uuid
from typing import NewType

AccountId = NewType("AccountId", str)
"""One brand: usually digits (`12345678`); equal to `brandId` on the wire."""

ParticipantId = NewType("ParticipantId", str)
"""Who takes part: a consumer id (UUID or 64 hex) or an agent's PId (UUID). Never an old id."""

ConversationId = NewType("ConversationId", str)
"""UUID text. The MAIN dialog of a conversation has the same id."""

DialogId = NewType("DialogId", str)
"""The conversation's id for MAIN dialogs; 22 base64url characters for others."""

SkillId = NewType("SkillId", str)
"""Decimal string; `-1` means none or any."""

ANY_SKILL = SkillId("-1")


def new_uuid() -> str:
    """A fresh random id as UUID text (36 characters)."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def new_short_id() -> str:
    """A fresh random id as 22 base64url characters without padding."""
    return base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()


def new_growing_id(now_ms: int) -> str:
    """A fresh id as 32 hex digits of which the first twelve are the time: what is made together lies together.

    An index over such ids grows at its end, where one over random ids changes a page for each.
    """
    return f"{now_ms:012x}{os.urandom(10).hex()}"


def new_token() -> str:
    """A fresh secret of 256 bits as 64 lower-case hex digits."""
    return os.urandom(32).hex()


def digest_of(secret: str) -> str:
    """What is stored in place of a bearer-like secret: its SHA-256 as hex.

    Only for secrets with full entropy (`new_token`); passwords go through Argon2. Takes what header values
    hold that are no UTF-8, too: it is nobody's secret.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
