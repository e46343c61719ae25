"""`talkwire erasure`: requests to forget somebody. A running node carries them out."""

from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.history.erasure_model import ErasureRequest, RequestQuery, RequestState, SubjectKind

OPERATOR = "operator"
"""Who asks on the command line."""


@click.group("erasure")
def command() -> None:
    """Requests to forget somebody; a running node carries them out."""


@command.command("request")
@click.argument("kind", type=click.Choice([kind.value for kind in SubjectKind]))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@account_option
@options
def request(kind: str, ids: tuple[str, ...], account: str, **flags: Any) -> None:
    """Forget consumers, conversations, or all conversations of an engagement."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        return _shown(await desk.erasures.request(account_id, {kind: list(ids)}, OPERATOR))

    run(flags, work)


@command.command("list")
@click.option("--status", type=click.Choice([state.value for state in RequestState]))
@account_option
@options
def list_requests(status: str | None, account: str, **flags: Any) -> None:
    """Every request, newest first."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        query = RequestQuery(RequestState(status) if status else None)
        found = await desk.erasures.list_requests(await account_of(desk, account), query)
        return [_shown(one) for one in found]

    run(flags, work)


@command.command("show")
@click.argument("request_id", metavar="ID", type=int)
@account_option
@options
def show(request_id: int, account: str, **flags: Any) -> None:
    """One request, with the ids it names."""

    async def work(desk: Desk) -> dict[str, Any]:
        found = await desk.erasures.get(await account_of(desk, account), request_id)
        return {**_shown(found), "ids": list(found.subjects)}

    run(flags, work)


@command.command("cancel")
@click.argument("request_id", metavar="ID", type=int)
@account_option
@options
def cancel(request_id: int, account: str, **flags: Any) -> None:
    """Take a request back, while that is possible."""

    async def work(desk: Desk) -> dict[str, Any]:
        return _shown(await desk.erasures.cancel(await account_of(desk, account), request_id, OPERATOR))

    run(flags, work)


def _shown(request: ErasureRequest) -> dict[str, Any]:
    return {
        "id": request.request_id,
        "by": request.kind.value,
        "count": len(request.subjects),
        "status": request.state.value,
        "requestedBy": request.requested_by,
        "requestedAt": request.requested_at_ms,
        "finalAt": request.due_at_ms,
        "deadline": request.deadline_at_ms,
        "stillOpen": request.left_open,
    }
