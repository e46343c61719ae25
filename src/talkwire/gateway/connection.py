"""One live socket: takes requests in order, answers in order, and is told what it follows."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp.abc import AbstractStreamWriter

from talkwire.conversations.views import View
from talkwire.files.errors import NotJudgedYet
from talkwire.files.model import HostedFileMessage
from talkwire.gateway.desks import Desks
from talkwire.gateway.following import Following
from talkwire.gateway.frames import event_frame, text_frame
from talkwire.gateway.outbox import LARGE_BYTES, Outbox
from talkwire.gateway.owed import Owed, Slot
from talkwire.gateway.peer import Connect, Dismiss, Peer, Perform, Refuse, Step, header_items
from talkwire.handlers.call import Call
from talkwire.handlers.dispatch import Dispatch
from talkwire.handlers.publish import check_key, extras_of, hosted_file_of, read_publish
from talkwire.handlers.services import Services
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TalkwireError, Unauthenticated
from talkwire.kernel.ids import AccountId
from talkwire.kernel.tasks import Tasks
from talkwire.messaging.file_publishing import SubmitFile
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import TEXT, ContentEvent
from talkwire.messaging.publishing import Reply
from talkwire.protocol import client_properties as properties_of
from talkwire.protocol import codec
from talkwire.protocol.catalog import BY_SPELLING
from talkwire.protocol.envelope import Request
from talkwire.protocol.errors import TooManyRequests
from talkwire.protocol.messaging import PublishEvent
from talkwire.protocol.notify import publish_answer
from talkwire.protocol.status import Close

PUBLISH = BY_SPELLING["ms.PublishEvent"]
IDEMPOTENCY_KEY = ".talkwire.IdempotencyKey"
MAX_UNANSWERED = 1_000
MAX_FILES_WAITING = 32
LOOK_SECONDS = 0.005
PREVIEW_SECONDS = 0.5
"""How long a socket waits until a publisher's own preview is made anew: the pictures of others may be before it."""


class Connection:
    """Implements `handlers.call.Connection` through `following`, and hears events and conversations."""

    __slots__ = (
        "_address",
        "_call",
        "_dispatch",
        "_files_waiting",
        "_find_view",
        "_is_v3",
        "_owed",
        "_publish_type",
        "_services",
        "_stream",
        "_tasks",
        "account_id",
        "close_code",
        "close_reason",
        "close_wanted",
        "following",
        "is_busy",
        "kept_alive_ms",
        "last_seen_ms",
        "opened_at_ms",
        "outbox",
        "peer",
        "properties",
    )

    def __init__(  # noqa: PLR0913 -- a socket is where everything meets
        self,
        account_id: AccountId,
        peer: Peer,
        outbox: Outbox,
        stream: AbstractStreamWriter,
        services: Services,
        dispatch: Dispatch,
        desks: Desks,
        tasks: Tasks,
        address: str,
        properties: dict[str, Any],
    ) -> None:
        self.account_id = account_id
        self.peer = peer
        self.outbox = outbox
        self._stream = stream
        self.opened_at_ms = self.last_seen_ms = self.kept_alive_ms = services.clock.now_ms()
        self.close_code: int | None = None  # set when we ask for the end
        self.close_reason = ""
        self.close_wanted: Callable[[], object] | None = None  # brings it about; set by `socket.py`
        self.is_busy = False  # with a request that the next waits for; set by `socket.py`
        self._services = services
        self._dispatch = dispatch
        self._tasks = tasks
        self._address = address
        self._is_v3 = peer.dialect.is_v3
        self._find_view = services.publishing.find_view
        self._publish_type = PUBLISH.answer_type(peer.dialect).encode()
        self._owed = Owed(outbox)
        self._files_waiting = 0
        self.properties: dict[str, Any] = {}
        self.following = Following(self, services, desks, tasks)
        self._call: Call | None = None
        self._set_properties(properties)

    # --- requests -------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> Awaitable[None] | None:
        """Take one frame. What is returned must be awaited before the next frame is taken."""
        now_ms = self.last_seen_ms = self._services.clock.now_ms()
        step = self.peer.receive(frame, now_ms)
        if type(step) is Perform and step.request_type is PUBLISH:
            return self._publish(step.request)
        return self._take(step)

    async def _take(self, step: Step) -> None:
        await self._owed.settled()
        match step:
            case Refuse(payload):
                self._send(payload)
            case Dismiss(payload):
                self._send(payload)
                self.close(Close.TOKEN_INVALID)
            case Perform(request, request_type):
                try:
                    call = self._call_of(request)
                except TalkwireError as error:
                    self._send(self.peer.refusal(request.text_id, error))
                    return
                await self._send_answer(await self._dispatch.perform(call, request, request_type))
            case Connect():
                await self._connect(step)

    async def _connect(self, step: Connect) -> None:
        account_id = self.account_id
        try:
            who = self.peer.who
            if step.jwt is not None:
                checked = await self._services.consumers.principal_of_jwt(account_id, step.jwt)
                if who is not None and who.id != checked.id:
                    raise Unauthenticated("The socket belongs to another consumer")
                who = checked
        except TalkwireError as error:
            self._send(self.peer.refusal(step.request_id, error))
            self.close(Close.TOKEN_INVALID)
            return
        assert who is not None
        is_new = self.peer.who is None
        self._send(self.peer.connected(who, step.request_id))
        self._set_properties(step.properties if step.properties is not None else self.properties)
        if is_new:
            self.following.begin()

    def _set_properties(self, properties: dict[str, Any]) -> None:
        self.properties = properties_of.tidy(properties, self._address) if properties else {}
        self._call = None

    def _call_of(self, request: Request) -> Call:
        """The surroundings of a request; the same object for all that bring nothing of their own."""
        call = self._call
        if call is None or call.who is not self.peer.who:
            encoded = codec.encode(self.properties) if self.properties else None
            call = self._call = Call(self.peer.who, self.peer.dialect, self.following, encoded)  # type: ignore[arg-type]
        if not request.headers:
            return call
        for item in header_items(request):
            if item.get("type") == IDEMPOTENCY_KEY:
                key = check_key(item.get("key"))
                return Call(call.who, call.dialect, call.connection, call.client_properties, key)
        return call

    # --- publishing -----------------------------------------------------------------------------

    def _publish(self, request: Request) -> Awaitable[None] | None:
        """The hot path: judged and queued without waiting, when the dialog's view is in memory."""
        try:
            body = read_publish(request)
            event = body.event
            file = (
                None if type(event) is ContentEvent and event.content_type == TEXT else hosted_file_of(event)
            )
        except TalkwireError as error:
            self._owed.put(Slot(request.text_id, self.peer.refusal(request.text_id, error)))
            self._owed.send()
            return None
        if file is not None:
            return self._publish_file(request, body, file)
        view = self._find_view(self.account_id, body.dialog_id)
        if view is None or len(self._owed.slots) > MAX_UNANSWERED:
            return self._publish_slowly(request, body)
        self._submit(request, body, view)
        return None

    async def _publish_slowly(self, request: Request, body: PublishEvent) -> None:
        """The view has to be read first, or too many answers are owed already."""
        await self._owed.settled()
        who: Principal = self.peer.who  # type: ignore[assignment]
        try:
            view = await self._services.publishing.get_view(who, body.dialog_id)
        except TalkwireError as error:
            self._send(self.peer.refusal(request.text_id, error))
            return
        self._submit(request, body, view)

    def _submit(self, request: Request, body: PublishEvent, view: View) -> None:
        slot = Slot(request.text_id)
        self._owed.put(slot)
        try:
            call = self._call_of(request)
            self._services.publishing.submit(
                call.who,
                view,
                body.dialog_id,
                body.event,
                partial(self._published, slot),
                extras_of(call, request, body),
            )
        except TalkwireError as error:
            if request.headers:  # maybe a repeat of what could be done then
                self._tasks.start(self._refuse(slot, request, body, error), "gateway: refuse")
                return
            slot.payload = self.peer.refusal(request.text_id, error)
            self._owed.send()

    async def _refuse(self, slot: Slot, request: Request, body: PublishEvent, error: TalkwireError) -> None:
        slot.payload = await self._refusal(request, body, error)
        self._owed.send()

    async def _refusal(self, request: Request, body: PublishEvent, error: Exception) -> bytes:
        """The answer to a publish that may not be: a refusal, or what it was answered when it came first."""
        first = None
        if isinstance(error, TalkwireError):
            with contextlib.suppress(TalkwireError):  # the first refusal is what the client should hear
                call = self._call_of(request)
                first = await self._services.publishing.find_first(call.who, extras_of(call, request, body))
        return (
            self._refused(request.text_id, error) if first is None else self._accepted(request.text_id, first)
        )

    def _published(self, slot: Slot, entry: LoggedEvent) -> None:
        refusal = entry.refusal
        if refusal is None:
            slot.payload = self._accepted(slot.request_id, max(0, entry.sequence))
        else:
            slot.payload = self._refused(slot.request_id, refusal)
        self._owed.send()

    def _accepted(self, request_id: str, sequence: int) -> bytes:
        """Chat states answer 0. Source: docs/protocol.md 5.6."""
        return publish_answer(codec.encode(request_id), self._publish_type, sequence)

    def _refused(self, request_id: str, error: BaseException) -> bytes:
        if isinstance(error, TalkwireError):
            return self.peer.refusal(request_id, error)
        return self._dispatch.fault(request_id, PUBLISH, error)

    # --- files ----------------------------------------------------------------------------------

    async def _publish_file(self, request: Request, body: PublishEvent, file: HostedFileMessage) -> None:
        """In its place among the others when all of it is at hand; else it steps out of line, and is numbered then."""
        if len(self._owed.slots) > MAX_UNANSWERED:
            await self._owed.settled()
        slot = Slot(request.text_id)
        submit = self._services.file_publishing.submit
        try:
            async with asyncio.timeout(PREVIEW_SECONDS if file.preview else None):
                await self._submit_file(submit, request, body, file, partial(self._published, slot))
        except (NotJudgedYet, TimeoutError):
            if self._files_waiting < MAX_FILES_WAITING:
                self._files_waiting += 1
                self._tasks.start(self._publish_when_judged(request, body, file), "gateway: publish file")
                return
            slot.payload = self.peer.refusal(request.text_id, TooManyRequests("Too many files at once"))
        except Exception as error:  # noqa: BLE001 -- recorded and answered: nobody waits for ever
            slot.payload = await self._refusal(request, body, error)
        self._owed.put(slot)
        self._owed.send()

    async def _publish_when_judged(
        self, request: Request, body: PublishEvent, file: HostedFileMessage
    ) -> None:
        submit = self._services.file_publishing.submit_when_judged
        reply = partial(self._file_published, request.text_id)
        try:
            await self._submit_file(submit, request, body, file, reply)
        except Exception as error:  # noqa: BLE001 -- recorded and answered: nobody waits for ever
            answer = await self._refusal(request, body, error)
            self._files_waiting -= 1
            self._send(answer)

    async def _submit_file(
        self, submit: SubmitFile, request: Request, body: PublishEvent, file: HostedFileMessage, reply: Reply
    ) -> None:
        call = self._call_of(request)
        await submit(call.who, body.dialog_id, file, extras_of(call, request, body), reply)

    def _file_published(self, request_id: str, entry: LoggedEvent) -> None:
        """Out of line, and before its own event is told."""
        refusal = entry.refusal
        self._files_waiting -= 1
        self._send(
            self._accepted(request_id, entry.sequence)
            if refusal is None
            else self._refused(request_id, refusal)
        )

    # --- what it is told ------------------------------------------------------------------------

    def tell(self, event: LoggedEvent) -> None:
        """Send one event."""
        frame = event.frame_v3 if self._is_v3 else event.frame_v2
        self.outbox.put(frame or event_frame(event, is_v3=self._is_v3))

    def seen(self) -> None:
        """A ping or a pong: the client is there."""
        self.last_seen_ms = self._services.clock.now_ms()

    async def drained(self) -> None:
        """Wait until the client has taken what was sent, or is gone."""
        self.outbox.flush()
        if self.outbox.waiting_bytes:
            # all who wait share one future: who is cancelled must not cancel it for the others
            await asyncio.shield(self._drain())

    async def _drain(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._stream.drain()

    async def answered_all(self) -> None:
        """Wait until everything taken so far is answered, as far as answers can still be sent."""
        while self._owes and not self.outbox.is_over:  # noqa: ASYNC110 -- once per socket; an event would cost each answer
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def _owes(self) -> bool:
        return self.is_busy or bool(self._owed.slots) or self._files_waiting > 0

    @property
    def is_mobile(self) -> bool:
        return self.properties.get("integration") == properties_of.MOBILE

    async def _send_answer(self, payload: bytes) -> None:
        """A large one is taken by the client before its next request is."""
        if len(payload) < LARGE_BYTES:
            self._send(payload)
        else:
            self.outbox.put_large(text_frame(payload))
            await self.drained()
            self.outbox.caught_up()

    def _send(self, payload: bytes) -> None:
        self.outbox.put(text_frame(payload))

    def close(self, code: int, reason: str = "") -> None:
        """Ask for the end of this socket; `socket.py` brings it about."""
        if self.close_code is None:
            self.close_code = code
            self.close_reason = reason
            if self.close_wanted is not None:
                self.close_wanted()

    def ended(self) -> None:
        """The socket is gone: stop telling it anything."""
        self.following.end()
