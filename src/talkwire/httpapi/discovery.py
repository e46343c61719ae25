"""Service discovery: where the services of a brand are. Source: docs/protocol.md 2."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from talkwire.accounts import domains
from talkwire.accounts.errors import AccountUnknown, ServiceUnknown
from talkwire.accounts.rules import check_host
from talkwire.accounts.service import Accounts
from talkwire.httpapi.authorization import account_of
from talkwire.httpapi.bodies import answer, script
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import AccountId
from talkwire.protocol.status import STATUS

HTTPS_PORT = 443


@dataclass(frozen=True)
class BaseHost:
    """What clients are told to dial, with `https://` or `wss://` before it.

    `public_host` when it is configured; otherwise the host the client itself named. Whoever asks without
    TLS gets `tls_port` in place of the plain port (0: the Host header as it is). Files may have a host of their own,
    `storage_host`, or a port with TLS, `storage_port`.
    """

    public_host: str = ""
    tls_port: int = 0
    storage_host: str = ""
    storage_port: int = 0

    def of(self, request: web.Request) -> str:
        """`host` or `host:port`. Raises HostNotAllowed."""
        if self.public_host:
            return self.public_host
        host = check_host(request.headers.get("Host", ""))
        if request.secure or not self.tls_port:
            return host
        return _at_port(host, self.tls_port)

    def of_storage(self, request: web.Request) -> str:
        """The same for files; empty when they have neither host nor port of their own. Raises HostNotAllowed."""
        if self.storage_host or self.public_host or not self.storage_port:
            return self.storage_host
        return _at_port(check_host(request.headers.get("Host", "")), self.storage_port)


def _at_port(host: str, port: int) -> str:
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name if port == HTTPS_PORT else f"{name}:{port}"


def routes(accounts: Accounts, base_host: BaseHost) -> list[web.RouteDef]:
    """All five URL forms, each under both prefixes."""

    async def base_uris(request: web.Request) -> web.Response:
        """`baseURI.json`, `baseURI`: one service, or all of them."""
        return answer(await _look_up(request, accounts, base_host))

    async def jsonp(request: web.Request) -> web.Response:
        """`baseURI.lpCsds`: the same as a script; a failure is a script too, or no page would hear of it."""
        try:
            body = _result_set(await _look_up(request, accounts, base_host))
        except TalkwireError as error:
            status = STATUS[error.kind]
            body = {"lpCallError": {"code": status.code, "id": str(status.code), "reason": str(error)}}
        return script(request.query.get("cb", ""), {"ResultSet": body})

    found = []
    for prefix in ("/api/account/{account_id}/service", "/csdr/account/{account_id}/service"):
        for service in ("", "/{service}"):
            found += [
                web.get(f"{prefix}{service}/baseURI.json", base_uris),
                web.get(f"{prefix}{service}/baseURI", base_uris),
                web.get(f"{prefix}{service}/baseURI.lpCsds", jsonp),
            ]
    return found


async def _look_up(request: web.Request, accounts: Accounts, base_host: BaseHost) -> dict[str, Any]:
    account_id = account_of(request)
    if await accounts.find(account_id) is None:
        raise AccountUnknown
    host = base_host.of(request)
    service = request.match_info.get("service")
    if service is not None:
        return domains.base_uri(account_id, service, host, base_host.of_storage(request))
    return _all(account_id, host, base_host.of_storage(request), request.query.get("service"))


def _all(account_id: AccountId, host: str, storage_host: str, service: str | None) -> dict[str, Any]:
    """COMPAT: with `service=` a third-party client expects that entry's members at the top level."""
    uris = {"baseURIs": domains.base_uris(account_id, host, storage_host)}
    if not service:
        return uris
    try:
        return {**uris, **domains.base_uri(account_id, service, host, storage_host)}
    except ServiceUnknown:
        return uris


def _result_set(found: dict[str, Any]) -> dict[str, Any]:
    entries = [found] if "service" in found else found["baseURIs"]
    return {
        "lpData": [
            {"lpServer": one["baseURI"], "account": one["account"], "service": one["service"]}
            for one in entries
        ]
    }
