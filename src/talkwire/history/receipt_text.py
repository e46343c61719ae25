"""What a receipt says."""

from collections.abc import Sequence
from typing import Any

from talkwire.history.erasure_model import ErasureRequest, Item, ItemKind
from talkwire.history.receipts import FORMAT


def receipt_of(request: ErasureRequest, items: Sequence[Item], up_to_ms: int, at_ms: int) -> dict[str, Any]:
    """What was erased from where and when, for whoever asks years later. Holds ids, hashes and counts.

    `up_to_ms`: what was stored later is not spoken of. Receipts of earlier versions lack that.
    """
    of = {kind: [item for item in items if item.kind is kind] for kind in ItemKind}
    return {
        "format": FORMAT,
        "accountId": request.account_id,
        "requestId": request.request_id,
        "requestedBy": request.requested_by,
        "requestedAt": request.requested_at_ms,
        "by": request.kind.value,
        "ids": list(request.subjects),
        "signedAt": at_ms,
        "erased": {
            "consumers": [_line(item) for item in of[ItemKind.CONSUMER]],
            "files": [_line(item) for item in of[ItemKind.FILE]],
            "filesNoLongerShown": [_line(item) for item in of[ItemKind.SHARED_FILE]],
            "conversations": [_line(item) for item in of[ItemKind.CONVERSATION]],
        },
        "counts": {
            "consumers": len(of[ItemKind.CONSUMER]),
            "files": len(of[ItemKind.FILE]),
            "conversations": len(of[ItemKind.CONVERSATION]),
            "events": sum(item.detail.get("events", 0) for item in of[ItemKind.CONVERSATION]),
            "bytes": sum(item.detail.get("bytes", 0) for item in of[ItemKind.FILE]),
        },
        "verification": {
            "at": at_ms,
            "upTo": up_to_ms,
            "result": "nothing left",
            "howFar": "keys, rows, previews, texts read back",
        },
    }


def _line(item: Item) -> dict[str, Any]:
    return {"id": item.ref, "at": item.done_at_ms, **item.detail}
