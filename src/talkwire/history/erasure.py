"""Requests to forget somebody: made, listed, cancelled. `erasing` carries them out.

Source: docs/protocol.md 9.11.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry, Scalar
from talkwire.backends.database.port import AlreadyExists, Database, Transaction
from talkwire.history import erasure_rules as rules
from talkwire.history import erasure_store as store
from talkwire.history.erasure_errors import ErasureUnknown, ReceiptUnknown
from talkwire.history.erasure_model import ErasureRequest, ErasureTimes, RequestQuery, RequestState
from talkwire.history.erasure_store import StoredReceipt
from talkwire.history.ledger import Ledger, entry_of_cancelling
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

MAX_REQUEST_ID = 2**53
"""What a JSON number holds in every client."""


def _nobody() -> None:
    """Nobody waits for new requests."""


class Erasures:
    """The book of erasure requests."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        times: ErasureTimes,
        ledger: Ledger,
        acts: Acts | None = None,
    ) -> None:
        self.on_request: Callable[[], None] = _nobody
        self._database = database
        self._clock = clock
        self._times = times
        self._ledger = ledger
        self._acts = acts or Unrecorded(database)

    async def request(
        self, account_id: AccountId, body: Mapping[str, Any], requested_by: str
    ) -> ErasureRequest:
        """Enter a request: final after the time to cancel, carried out then.

        `body` holds one list of ids, as on the wire. Raises ErasureNotUnderstood, TooManyErasures.
        """
        kind, subjects = rules.subjects_of(body)
        now_ms = self._clock.now_ms()

        def fresh() -> ErasureRequest:
            return ErasureRequest(
                account_id=account_id,
                request_id=now_ms * 1000 + secrets.randbelow(1000),
                kind=kind,
                subjects=subjects,
                requested_by=requested_by,
                requested_at_ms=now_ms,
                due_at_ms=rules.due_at(now_ms, self._times),
                deadline_at_ms=rules.deadline_at(now_ms, self._times),
            )

        made = await self._enter(fresh)
        self.on_request()
        return made

    async def get(self, account_id: AccountId, request_id: int) -> ErasureRequest:
        """Raises ErasureUnknown."""
        known = 0 < request_id < MAX_REQUEST_ID
        found = await store.find_request(self._database, account_id, request_id) if known else None
        if found is None:
            raise ErasureUnknown("No such deletion request")
        return found

    async def list_requests(self, account_id: AccountId, query: RequestQuery) -> list[ErasureRequest]:
        """Newest first."""
        return await store.list_requests(self._database, account_id, query)

    async def cancel(self, account_id: AccountId, request_id: int, cancelled_by: str) -> ErasureRequest:
        """Take a request back while that is possible; when it returns, older data cannot bring it up again either.

        Who was refused for want of the ledger (Unavailable) asks again: then the ledger is told, if nothing else.
        Raises ErasureUnknown, ErasureFinal.
        """
        known = await self.get(account_id, request_id)
        await self._note_cancelled(known)
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> None:
            request = await store.lock_request(tx, account_id, request_id)
            if request is None:
                raise ErasureUnknown("No such deletion request")
            rules.check_cancellable(request, now_ms)
            await store.cancel(tx, account_id, request_id, cancelled_by, now_ms)
            await store.insert_seen(tx, account_id, entry_of_cancelling(request).entry_id, now_ms)

        await self._acts.do(unit, _entry(known, Act.ERASURE_CANCELLED, cancelled_by))
        cancelled = await self.get(account_id, request_id)
        await self._note_cancelled(cancelled)
        return cancelled

    async def list_receipts(self, account_id: AccountId) -> list[StoredReceipt]:
        """Newest first."""
        return await store.list_receipts(self._database, account_id)

    async def get_receipt(self, account_id: AccountId, request_id: int) -> StoredReceipt:
        """The signed receipt of a request that is done. Raises ReceiptUnknown."""
        known = 0 < request_id < MAX_REQUEST_ID
        found = await store.find_receipt(self._database, account_id, request_id) if known else None
        if found is None:
            raise ReceiptUnknown("No receipt: there is no such request, or it is not done yet")
        return found

    async def _note_cancelled(self, request: ErasureRequest) -> None:
        if request.state is RequestState.CANCELED:
            await self._ledger.note(entry_of_cancelling(request))

    async def _enter(self, fresh: Callable[[], ErasureRequest]) -> ErasureRequest:
        """Two requests of the same millisecond may draw the same number: then one draws again."""
        while True:
            made = fresh()

            async def unit(tx: Transaction, made: ErasureRequest = made) -> None:
                since_ms = rules.month_began(made.requested_at_ms)
                rules.admit_request(
                    await store.count_since(tx, made.account_id, since_ms), made.requested_at_ms
                )
                if await store.lock_request(tx, made.account_id, made.request_id):
                    raise AlreadyExists("drawn before")
                await store.insert_request(tx, made)

            try:
                await self._acts.do(unit, _entry(made, Act.ERASURE_REQUESTED, made.requested_by))
            except AlreadyExists:
                continue
            return made


def _entry(request: ErasureRequest, act: Act, actor: str) -> Entry:
    detail: dict[str, Scalar] = {"kind": request.kind.value, "ids": len(request.subjects)}
    return Entry(request.account_id, act, str(request.request_id), actor=actor, detail=detail)
