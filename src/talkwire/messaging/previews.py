"""Joining a file's preview into its event: stored beside the file, told with the event."""

from collections.abc import Sequence

import msgspec

from talkwire.backends.database.port import Row
from talkwire.files.previews import Previews as FilePreviews
from talkwire.kernel.ids import AccountId

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Previews:
    """What history readers and fresh publishes ask for."""

    def __init__(self, files: FilePreviews) -> None:
        self._files = files

    async def join(self, account_id: AccountId, rows: Sequence[Row]) -> dict[str, bytes]:
        """The JSON to tell for rows of files, by event id; a row without preview is left out."""
        told = {row["event_id"]: path_of(bytes(row["event"])) for row in rows}
        paths = {event_id: path for event_id, path in told.items() if path}
        previews = await self._files.list_for(account_id, paths.values())
        return {
            row["event_id"]: with_preview(bytes(row["event"]), previews[paths[row["event_id"]]])
            for row in rows
            if paths.get(row["event_id"]) in previews
        }

    def find_held(self, account_id: AccountId, relative_path: str) -> str:
        """The preview of a file that was just published; empty when there is none."""
        return self._files.find_held(account_id, relative_path) or ""


def path_of(event: bytes) -> str:
    """The relative path in a stored `hosted/file` event; empty when its file is gone.

    Another node's erasure is seen in the log at once, and only later in what memory holds.
    """
    message = _decode(event)["message"]
    if not isinstance(message, dict) or message.get("erased") or message.get("expired"):
        return ""
    return str(message.get("relativePath", ""))


def with_preview(event: bytes, preview: str) -> bytes:
    decoded = _decode(event)
    decoded["message"]["preview"] = preview
    return _encode(decoded)
