"""App installations over HTTP: what a brand lets in. Source: docs/protocol.md 7.1."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from talkwire.connectors.apps import Apps
from talkwire.connectors.model import App
from talkwire.httpapi.app_json import draft_of, is_deletion, shown_app
from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import PRIVATE, answer, read_object
from talkwire.httpapi.configuration import if_match, revised
from talkwire.kernel.errors import Invalid

Handler = Callable[[web.Request], Awaitable[web.Response]]
OVERRIDE = "X-HTTP-Method-Override"
BASE = "/api/account/{account_id}/configuration/app-install/installations"


def routes(apps: Apps) -> list[web.RouteDef]:
    found = _Installations(apps)
    one = BASE + "/{client_id}"
    return [
        web.get(BASE, found.list_all),
        web.post(BASE, found.create),
        web.get(one, found.get),
        web.put(one, found.update),
        web.delete(one, found.delete),
        web.post(one, found.override),
    ]


class _Installations:
    """Administrators only: the answers hold secrets."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def list_all(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id = account_of(request)
        shown = [
            shown_app(app, await self._apps.secret_of(app)) for app in await self._apps.list_apps(account_id)
        ]
        return answer(shown, headers={**PRIVATE, **revised(await self._apps.revision(account_id))})

    async def get(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        app = await self._apps.get(account_of(request), request.match_info["client_id"])
        return await self._shown(app, await self._apps.revision(app.account_id))

    async def create(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        body = await read_object(request)
        if is_deletion(body):
            raise Invalid("An installation that is made is not deleted")
        draft = draft_of(body)
        made = await self._apps.create(account_of(request), draft, if_match(request))
        return await self._shown(made.app, made.app.revision, 201)

    async def update(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id, client_id = account_of(request), request.match_info["client_id"]
        body = await read_object(request)
        if is_deletion(body):
            return await self._delete(request)
        app = await self._apps.update(account_id, client_id, draft_of(body), if_match(request))
        return await self._shown(app, app.revision)

    async def delete(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        return await self._delete(request)

    async def override(self, request: web.Request) -> web.Response:
        """COMPAT: clients behind old proxies say with a header what they mean. Raises Invalid."""
        meant: dict[str, Handler] = {"PUT": self.update, "DELETE": self.delete}
        handler = meant.get(request.headers.get(OVERRIDE, "").upper())
        if handler is None:
            raise Invalid(f"{OVERRIDE} is PUT or DELETE here")
        return await handler(request)

    async def _delete(self, request: web.Request) -> web.Response:
        app = await self._apps.delete(account_of(request), request.match_info["client_id"], if_match(request))
        return answer({}, headers=revised(app.revision))

    async def _shown(self, app: App, revision: int, status: int = 200) -> web.Response:
        shown = shown_app(app, await self._apps.secret_of(app))
        return answer(shown, status, {**PRIVATE, **revised(revision)})
