"""Relative paths: a file's name on the wire, which tells who may upload under it. Pure.

Two generations are read: `/v1/AUTH_async-images/{account}/{uuid}.{TYPE}`, and the newer
`…/{account}/{participant}_uuid_{uuid}_{dd-MM-yyyy}_{HH-mm-ss-SSS}.{TYPE}` (UTC), which is the one we make.
The participant is a consumer's id, or an agent's old id `{account}.{user id}`.

Source: docs/protocol.md 9.2, Appendix A18.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from talkwire.files.model import Uploader
from talkwire.kernel.ids import AccountId, ParticipantId

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_PATH = re.compile(
    r"/v1/AUTH_async-images/(?P<account>[A-Za-z0-9_\-]{1,64})/"
    rf"(?:(?P<participant>[A-Za-z0-9_.\-]{{1,128}})_uuid_)?(?P<uuid>{_UUID})"
    r"(?P<moment>_[0-9]{2}-[0-9]{2}-[0-9]{4}_[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{3})?"
    r"\.(?P<type>[A-Za-z]{3,4})",
    re.ASCII,
)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


class FilePath(NamedTuple):
    """What a relative path says. `participant_id` and `opened_at_ms` are empty in the older generation."""

    account_id: AccountId
    participant_id: ParticipantId
    opened_at_ms: int
    file_type: str

    @property
    def uploader(self) -> Uploader:
        is_agent = self.participant_id.startswith(f"{self.account_id}.")
        return Uploader.AGENT if is_agent else Uploader.CONSUMER


def build_path(
    account_id: AccountId, participant_id: ParticipantId, uuid: str, now_ms: int, file_type: str
) -> str:
    """A new relative path of the newer generation. `uuid` must be fresh: nobody may guess a path."""
    second, milliseconds = divmod(now_ms, 1000)
    return (
        f"/v1/AUTH_async-images/{account_id}/{participant_id}_uuid_{uuid}"
        f"_{_moment(second)}-{milliseconds:03d}.{file_type.upper()}"
    )


@lru_cache(maxsize=4096)  # a path is read some five times in the minute in which it is shared
def parse_path(relative_path: str) -> FilePath | None:
    """Read a path of either generation; None when it is neither."""
    found = _PATH.fullmatch(relative_path)
    if found is None:
        return None
    participant, moment = found["participant"] or "", found["moment"]
    if bool(participant) != bool(moment):
        return None
    opened_at_ms = _read_moment(moment) if moment else 0
    if opened_at_ms is None:
        return None
    return FilePath(AccountId(found["account"]), ParticipantId(participant), opened_at_ms, found["type"])


def told_path(text: str) -> str:
    """What a record may say of a path that somebody sent: a text that is none could say anything of anybody."""
    return text if parse_path(text) else "no path of ours"


@lru_cache(maxsize=4)
def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d-%m-%Y_%H-%M-%S")


def _read_moment(moment: str) -> int | None:
    """Epoch milliseconds of `_dd-MM-yyyy_HH-mm-ss-SSS`; None when there is no such moment."""
    day, month, year, hour, minute, second, millisecond = (int(part) for part in _DIGITS.findall(moment))
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * 1000 + millisecond
