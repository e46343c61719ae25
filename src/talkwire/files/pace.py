"""Cut whoever sends too slowly. Only the time that we wait for the sender counts, never our own disk's."""

import asyncio
from collections.abc import AsyncIterator

from talkwire.files.errors import UploadTooSlow
from talkwire.files.model import FileLimits


async def paced(chunks: AsyncIterator[bytes], limits: FileLimits) -> AsyncIterator[bytes]:
    """The same chunks, as long as they come fast enough.

    The bytes that `upload_slow_seconds` should bring must come within as long a wait; when they are here,
    the next such stretch begins. Raises UploadTooSlow.
    """
    loop = asyncio.get_running_loop()
    enough = limits.upload_bytes_per_second * limits.upload_slow_seconds
    ends_at = loop.time() + limits.upload_seconds
    patience, received = limits.upload_slow_seconds, 0
    while True:
        asked_at = loop.time()
        try:
            async with asyncio.timeout_at(min(asked_at + patience, ends_at)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise UploadTooSlow(limits.upload_bytes_per_second, limits.upload_seconds) from None
        if chunk is None:
            return
        patience -= loop.time() - asked_at
        received += len(chunk)
        if received >= enough:
            patience, received = limits.upload_slow_seconds, 0
        yield chunk
