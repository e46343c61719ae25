"""Use cases of installations: what a brand lets in, with secrets that only the vault can open."""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from talkwire.accounts.cache import Cache
from talkwire.accounts.model import ANY_REVISION
from talkwire.accounts.store import find_revision, next_revision
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction, Unit
from talkwire.connectors import rules, store
from talkwire.connectors.errors import AppChangedMeanwhile, AppNotFound
from talkwire.connectors.model import APPS_COLLECTION, App, AppDraft
from talkwire.connectors.records import Records, Sealer
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, new_token, new_uuid

MAX_TRIES = 5
ChangeListener = Callable[[App], None]


class NewApp(NamedTuple):
    """An installation with the secret it was just given."""

    app: App
    secret: str


class Apps:
    """The installations of every account. Writes are durable, then seen at once; reads come from memory."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sealer: Sealer,
        acts: Acts | None = None,
        *,
        allow_plain_loopback: bool = False,
    ) -> None:
        self._database = database
        self._acts = acts or Unrecorded(database)
        self._clock = clock
        self._records = Records(database, sealer)
        self._allow_plain_loopback = allow_plain_loopback
        self._apps: Cache[tuple[AccountId, str], App] = Cache(clock, self._load)
        self._listeners: list[ChangeListener] = []

    def on_change(self, listener: ChangeListener) -> None:
        """Call `listener` after each commit that made or changed an installation, on the loop."""
        self._listeners.append(listener)

    async def find(self, account_id: AccountId, client_id: str) -> App | None:
        """From memory when warm; a disabled or deleted one is found, too. Ask `is_in_use`."""
        return await self._apps.find((account_id, client_id))

    async def get(self, account_id: AccountId, client_id: str) -> App:
        """One that is not deleted. Raises AppNotFound."""
        app = await self.find(account_id, client_id)
        if app is None or app.deleted:
            raise AppNotFound
        return app

    async def secret_of(self, app: App) -> str:
        """The client secret, opened by the vault once and then held in memory."""
        return await self._records.secret_of(app)

    async def list_apps(self, account_id: AccountId) -> list[App]:
        """All that are not deleted, oldest first."""
        return await self._records.list_apps(account_id)

    async def revision(self, account_id: AccountId) -> int:
        """Of the collection, as `ac-revision` tells it."""
        return await find_revision(self._database, account_id, APPS_COLLECTION)

    async def create(
        self,
        account_id: AccountId,
        draft: AppDraft,
        if_match: int = ANY_REVISION,
        *,
        client_id: str = "",
        secret: str = "",
    ) -> NewApp:
        """A new installation, with an id and a secret of our making. Raises AppInvalid, RevisionStale.

        Only the demo names both beforehand.
        """
        rules.check_draft(draft, allow_plain_loopback=self._allow_plain_loopback)
        secret = secret or new_token()
        sealed = await self._records.seal_secret(account_id, secret)
        app = rules.new_app(account_id, client_id or new_uuid(), draft, sealed, self._clock.now_ms())
        webhooks = await self._records.sealed_webhooks(app)

        async def unit(tx: Transaction) -> App:
            revision = await _next(tx, account_id, if_match)
            return await store.save(tx, rules.at_revision(app, revision), webhooks)

        entry = _told(account_id, app.client_id, "created")
        return NewApp(await self._acts.do(unit, entry, then=self._changed), secret)

    async def update(
        self, account_id: AccountId, client_id: str, draft: AppDraft, if_match: int = ANY_REVISION
    ) -> App:
        """Change what is given. Raises AppNotFound, AppInvalid, RevisionStale."""
        rules.check_draft(draft, allow_plain_loopback=self._allow_plain_loopback)
        now_ms = self._clock.now_ms()
        return await self._change(
            account_id, client_id, if_match, lambda app: rules.changed(app, draft, now_ms), "changed"
        )

    async def delete(self, account_id: AccountId, client_id: str, if_match: int = ANY_REVISION) -> App:
        """Let it go: its tokens end at once, its row stays. Raises AppNotFound, RevisionStale."""
        now_ms = self._clock.now_ms()
        return await self._change(
            account_id, client_id, if_match, lambda app: rules.without(app, now_ms), "deleted"
        )

    async def rotate_secret(
        self, account_id: AccountId, client_id: str, if_match: int = ANY_REVISION
    ) -> NewApp:
        """Another secret; the old one signs and signs in no more. Raises AppNotFound, RevisionStale."""
        secret = new_token()
        sealed = await self._records.seal_secret(account_id, secret)
        now_ms = self._clock.now_ms()
        app = await self._change(
            account_id,
            client_id,
            if_match,
            lambda before: rules.with_secret(before, sealed, now_ms),
            "secret rotated",
        )
        return NewApp(app, secret)

    async def _change(
        self, account_id: AccountId, client_id: str, if_match: int, change: Callable[[App], App], told: str
    ) -> App:
        """Judged on what was read, written if nobody wrote meanwhile: sealing cannot be done in between."""
        for _ in range(MAX_TRIES):
            before = await self._records.find(account_id, client_id)
            if before is None or before.deleted:
                raise AppNotFound
            after = change(before)
            unit = _writing(before, after, await self._records.sealed_webhooks(after), if_match)
            entry = _told(account_id, client_id, told)
            with contextlib.suppress(AppChangedMeanwhile):
                return await self._acts.do(unit, entry, then=self._changed)
        raise AppChangedMeanwhile

    def _changed(self, app: App) -> None:
        self._apps.drop((app.account_id, app.client_id))
        for listener in self._listeners:
            listener(app)

    async def _load(self, key: tuple[AccountId, str]) -> App | None:
        return await self._records.find(*key)


def _writing(before: App, after: App, webhooks: bytes, if_match: int) -> Unit[App]:
    async def unit(tx: Transaction) -> App:
        revision = await _next(tx, after.account_id, if_match)
        if await store.find_revision(tx, after.account_id, after.client_id) != before.revision:
            raise AppChangedMeanwhile
        return await store.save(tx, rules.at_revision(after, revision), webhooks)

    return unit


def _told(account_id: AccountId, client_id: str, change: str) -> Entry:
    return Entry(account_id, Act.APP_CHANGED, client_id, detail={"change": change})


async def _next(tx: Transaction, account_id: AccountId, if_match: int) -> int:
    return await next_revision(tx, account_id, APPS_COLLECTION, if_match)
