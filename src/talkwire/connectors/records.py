"""Installations as they are kept: what could open a door lies sealed, and is opened where it is needed."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from talkwire.backends.database.port import Database
from talkwire.connectors import store
from talkwire.connectors.model import App, Webhook
from talkwire.connectors.store import StoredApp
from talkwire.kernel.ids import AccountId

SECRET, WEBHOOKS = "connectors.app_secret", "connectors.webhooks"
MAX_OPENED = 1_000
_webhooks = msgspec.json.Decoder(dict[str, Webhook])


class Sealer(Protocol):
    """Keeps secrets so that the database alone reveals none: the vault, under the account's key."""

    async def seal(self, account_id: AccountId, purpose: str, plain: bytes) -> bytes: ...

    async def unseal(self, account_id: AccountId, purpose: str, sealed: bytes) -> bytes: ...


@dataclass(frozen=True)
class Records:
    """Reads installations whole, and prepares what is written of them."""

    database: Database
    sealer: Sealer
    opened: OrderedDict[bytes, str] = field(default_factory=OrderedDict)

    async def find(self, account_id: AccountId, client_id: str) -> App | None:
        stored = await store.find(self.database, account_id, client_id)
        return await self._whole(stored) if stored else None

    async def list_apps(self, account_id: AccountId) -> list[App]:
        return [await self._whole(one) for one in await store.list_apps(self.database, account_id)]

    async def seal_secret(self, account_id: AccountId, secret: str) -> bytes:
        return await self.sealer.seal(account_id, SECRET, secret.encode())

    async def secret_of(self, app: App) -> str:
        """Opened once, then held in memory."""
        held = self.opened.get(app.sealed_secret)
        if held is None:
            held = (await self.sealer.unseal(app.account_id, SECRET, app.sealed_secret)).decode()
            self.opened[app.sealed_secret] = held
            if len(self.opened) > MAX_OPENED:
                self.opened.popitem(last=False)
        return held

    async def sealed_webhooks(self, app: App) -> bytes:
        """Where it delivers to, as the database may see it; nothing at all when it delivers nowhere."""
        if not app.webhooks:
            return b""
        return await self.sealer.seal(app.account_id, WEBHOOKS, msgspec.json.encode(app.webhooks))

    async def _whole(self, stored: StoredApp) -> App:
        app, sealed = stored
        if not sealed:
            return app
        plain = await self.sealer.unseal(app.account_id, WEBHOOKS, sealed)
        return msgspec.structs.replace(app, webhooks=_webhooks.decode(plain))
