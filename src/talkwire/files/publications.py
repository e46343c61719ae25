"""Where files were shown: recorded in the unit that appends the event, remembered when that is committed."""

from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.files import store
from talkwire.files.memory import InMemory
from talkwire.files.model import FileState, Publication


class Publications:
    """What messaging does with a file that was admitted (`showing`)."""

    def __init__(self, trail: Trail, memory: InMemory) -> None:
        self._trail = trail
        self._memory = memory

    async def record(
        self,
        tx: Transaction,
        publication: Publication,
        *,
        dialog_id: str,
        sequence: int,
        audience: str,
        at_ms: int,
    ) -> None:
        """Write down where a file was shown, in the unit that appends its event. After COMMIT: `note`.

        Raises UnusableFile when the file went away since it was admitted: nothing may be appended then.
        """
        await self._trail.write(tx, publication.record)
        place = dialog_id, sequence, audience, at_ms
        if publication.file.state is FileState.PUBLISHED and await store.show_again(tx, publication, *place):
            return
        is_first = await store.mark_published(tx, publication, at_ms)
        await store.insert_publication(tx, publication, *place)
        if publication.preview is not None and is_first:
            await store.put_preview(
                tx, *publication.file.name, publication.preview.image_type, publication.sealed_preview
            )

    def note(self, publication: Publication, *, audience: str) -> None:
        """Show a committed publication to whoever asks next. Not awaited: made for `write(then=)`."""
        self._memory.shown(publication, is_public=audience == store.PUBLIC)
