"""Cut whoever sends too slowly. Only the time that we wait for the sender counts, never our own disk's."""

import asyncio
from collections.abc import AsyncIterator

from talkwire.files.errors import UploadTooSlow
from talkwire.files.model import FileLimits


async def paced(chunks: AsyncIterator[bytes], limits: FileLimits) -> AsyncIterator[bytes]:
    """The same chunks, as long as they come fast enough.

    Time is measured in windows of `upload_slow_seconds` spent waiting; each must bring its bytes. A
    window that brought them already lends the next one its patience, so that a wait that ends in a
    timeout always ends the upload. Raises UploadTooSlow.
    """
    loop = asyncio.get_running_loop()
    window = limits.upload_slow_seconds
    enough = limits.upload_bytes_per_second * window
    ends_at = loop.time() + limits.upload_seconds
    waited, received = 0.0, 0
    while True:
        asked_at = loop.time()
        patience = window - waited + (window if received >= enough else 0)
        try:
            async with asyncio.timeout_at(min(asked_at + patience, ends_at)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise UploadTooSlow from None
        if chunk is None:
            return
        received += len(chunk)
        waited += loop.time() - asked_at
        if waited >= window:
            waited, received = waited - window, 0
        yield chunk
