"""Publishing a file: judged like any event, and its publication is written in the event's own commit.

Source: docs/protocol.md 9.5, 9.6.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from talkwire.backends.database.port import Append, Outcome, Transaction
from talkwire.conversations.views import View
from talkwire.files.errors import NotJudgedYet
from talkwire.files.model import HostedFileMessage, Publication
from talkwire.files.publications import Publications
from talkwire.files.rules import admit_resume_by_file
from talkwire.files.showing import Showing
from talkwire.files.verdicts import Verdicts
from talkwire.identity.model import Principal
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import HOSTED_FILE, ContentEvent
from talkwire.messaging.previews import Previews
from talkwire.messaging.publishing import FILE, Extras, Publishing, Reply

_encode = msgspec.json.Encoder().encode

SubmitFile = Callable[[Principal, str, HostedFileMessage, Extras, Reply], Awaitable[None]]
"""How a file's publish is handed in: at once, or when it is judged."""


class FilePublishing:
    """The sibling of `Publishing` that knows what a file needs besides."""

    def __init__(
        self,
        publishing: Publishing,
        showing: Showing,
        publications: Publications,
        verdicts: Verdicts,
        previews: Previews,
    ) -> None:
        self._publishing = publishing
        self._showing = showing
        self._publications = publications
        self._verdicts = verdicts
        self._previews = previews

    async def submit(
        self, who: Principal, dialog_id: str, message: HostedFileMessage, extras: Extras, reply: Reply
    ) -> None:
        """Put the publish of a judged file into the log's queue, as `Publishing.submit` does with any event.

        When this returns the event has its place; `reply` is called when it is durable.
        Raises what `Publishing.submit` raises, and files' refusals: UnusableFile, NotJudgedYet and kin.
        """
        view = await self._publishing.get_view(who, dialog_id)
        fields: dict[str, object] = msgspec.to_builtins(message)
        fields.pop("preview", None)
        stored = ContentEvent(content_type=HOSTED_FILE, message=fields)
        entry = self._publishing.judge(who, view, dialog_id, stored, extras, FILE)
        publication = await self._admit(who, view, message)
        entry.also = partial(self._record, publication)
        self._publishing.enter(entry, partial(self._published, publication, fields, reply))

    async def submit_when_judged(
        self, who: Principal, dialog_id: str, message: HostedFileMessage, extras: Extras, reply: Reply
    ) -> None:
        """As `submit`, but wait for the file's verdict: the event gets its place then. Raises likewise."""
        deadline = self._verdicts.deadline()
        while True:
            try:
                return await self.submit(who, dialog_id, message, extras, reply)
            except NotJudgedYet:  # all of it is judged again then: much may have changed meanwhile
                await self._verdicts.wait((who.account_id, message.relative_path), deadline)

    async def _admit(self, who: Principal, view: View, message: HostedFileMessage) -> Publication:
        conversation = view.conversation
        log = view.logs[conversation.main.dialog_id]
        admit_resume_by_file(
            resume_depth=conversation.resume_depth,
            has_content=log.last_content_sequence >= 0,
            from_widget=False,
        )
        return await self._showing.admit(who, conversation.conversation_id, conversation.consumer_id, message)

    async def _record(self, publication: Publication, tx: Transaction, entry: Append) -> None:
        await self._publications.record(
            tx,
            publication,
            dialog_id=entry.dialog_id,
            sequence=entry.sequence,
            audience=entry.audience,
            at_ms=entry.at_ms,
        )

    def _published(
        self, publication: Publication, message: dict[str, object], reply: Reply, entry: LoggedEvent
    ) -> None:
        """Before anybody is told: who hears of it may ask for the file at once, and sees its preview."""
        if entry.outcome is Outcome.APPENDED:
            self._publications.note(publication, audience=entry.audience)
            preview = self._previews.find_held(*publication.file.name)
            if preview:
                told = ContentEvent(content_type=HOSTED_FILE, message={**message, "preview": preview})
                entry.told_event = _encode(told)
        reply(entry)
