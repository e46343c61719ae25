"""Publishing a file: judged first, then its event and its publication in one unit of work.

Source: docs/protocol.md 9.5, 9.6.
"""

import msgspec

from talkwire.backends.database.port import Database, Outcome, Transaction
from talkwire.conversations.views import View
from talkwire.files.errors import NotJudgedYet
from talkwire.files.model import HostedFileMessage, Publication
from talkwire.files.publications import Publications
from talkwire.files.rules import admit_resume_by_file
from talkwire.identity.model import Principal
from talkwire.messaging.errors import ChangedTooOften, IdempotencyKeyReused, NotStored
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import HOSTED_FILE, ContentEvent
from talkwire.messaging.previews import Previews
from talkwire.messaging.publishing import FILE, MAX_TRIES, Extras, Publishing, Reply
from talkwire.messaging.telling import Telling

_encode = msgspec.json.Encoder().encode


class FilePublishing:
    """The slow sibling of `Publishing`: waits for a verdict, holds nobody up."""

    def __init__(
        self,
        database: Database,
        publishing: Publishing,
        files: Publications,
        previews: Previews,
        telling: Telling,
    ) -> None:
        self._database = database
        self._publishing = publishing
        self._files = files
        self._previews = previews
        self._telling = telling

    async def publish(
        self, who: Principal, dialog_id: str, message: HostedFileMessage, extras: Extras, reply: Reply
    ) -> None:
        """Publish a file; `reply` hears when it is durable, before anybody else is told.

        Waits for the file's verdict, so long as nobody else need wait for this; the event is numbered then.
        Raises what `Publishing.submit` raises, and files' refusals: UnusableFile, NotJudgedYet and kin.
        """
        deadline = self._files.deadline()
        fields: dict[str, object] = msgspec.to_builtins(message)
        fields.pop("preview", None)
        stored = ContentEvent(content_type=HOSTED_FILE, message=fields)
        tries = 0
        while tries < MAX_TRIES:
            view = await self._publishing.get_view(who, dialog_id)
            entry = self._publishing.judge(who, view, dialog_id, stored, extras, FILE)
            try:
                publication = await self._admit(who, view, message)
            except NotJudgedYet:
                await self._files.wait_for_verdict(who.account_id, message.relative_path, deadline)
                continue  # all of it is judged again: much may have changed meanwhile
            tries += 1
            outcome = await self._append(entry, view, publication, fields, reply)
            if outcome is Outcome.STALE:
                await self._publishing.renew_view(entry)
            else:
                _check(outcome)
                return
        raise ChangedTooOften("The conversation changed meanwhile; try again")

    async def _admit(self, who: Principal, view: View, message: HostedFileMessage) -> Publication:
        conversation = view.conversation
        log = view.logs[conversation.main.dialog_id]
        admit_resume_by_file(
            resume_depth=conversation.resume_depth,
            has_content=log.last_content_sequence >= 0,
            from_widget=False,
        )
        return await self._files.admit(who, conversation.conversation_id, conversation.consumer_id, message)

    async def _append(
        self,
        entry: LoggedEvent,
        view: View,
        publication: Publication,
        message: dict[str, object],
        reply: Reply,
    ) -> Outcome:
        async def unit(tx: Transaction) -> Outcome:
            entry.outcome = Outcome.PENDING
            await tx.append([entry])
            if entry.outcome is Outcome.APPENDED:
                await self._files.record(
                    tx,
                    publication,
                    dialog_id=entry.dialog_id,
                    sequence=entry.sequence,
                    audience=entry.audience,
                    at_ms=entry.at_ms,
                )
            return entry.outcome

        def committed(outcome: Outcome) -> None:
            if outcome is Outcome.REPEATED:
                reply(entry)
            elif outcome is Outcome.APPENDED:
                self._files.note(publication, audience=entry.audience)
                preview = self._previews.find_held(*publication.file.name)
                if preview:
                    told = ContentEvent(content_type=HOSTED_FILE, message={**message, "preview": preview})
                    entry.told_event = _encode(told)
                reply(entry)
                self._telling.tell(entry, view)

        return await self._database.write(unit, committed)


def _check(outcome: Outcome) -> None:
    if outcome is Outcome.KEY_REUSED:
        raise IdempotencyKeyReused("This idempotency key was used for another request")
    if outcome is Outcome.UNAVAILABLE:
        raise NotStored("The log cannot be written now; try again")
