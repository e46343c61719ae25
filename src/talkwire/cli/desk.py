"""Where admin commands work: the rooms on the data folder's own database, and answers for people or programs."""

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
import structlog

from talkwire.accounts.service import Accounts
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.backends.database.port import Database, DatabaseInUse, SchemaTooNew
from talkwire.cli.configuration import BadSettings, load
from talkwire.cli.failures import BadRequest, CannotStart
from talkwire.cli.ground import prepare_folder
from talkwire.connectors.apps import Apps
from talkwire.connectors.deliveries import Deliveries
from talkwire.history.erasure import Erasures
from talkwire.history.erasure_model import ErasureTimes
from talkwire.history.ledger import Ledger
from talkwire.history.receipt_keys import ReceiptKeys
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.brand_keys import BrandKeys
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.keys import SigningKeys
from talkwire.identity.passwords import Passwords
from talkwire.kernel.clock import Clock, SystemClock
from talkwire.kernel.errors import TalkwireError, Unauthenticated, Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.messaging.automatic import AutomaticMessages
from talkwire.routing.skill_rules import SkillRules
from talkwire.routing.skills import Skills
from talkwire.settings import Settings
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.requests import Rotations
from talkwire.vault.service import Vault

if TYPE_CHECKING:
    from talkwire.assembly.keys import KeyRooms

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Desk:
    """What an administrator works with."""

    accounts: Accounts
    agents: Agents
    skills: Skills
    skill_rules: SkillRules
    automatic_messages: AutomaticMessages
    api_keys: ApiKeys
    brand_keys: BrandKeys
    signing_keys: SigningKeys
    erasures: Erasures
    receipt_keys: ReceiptKeys
    deliveries: Deliveries
    apps: Apps
    vault: Vault
    rotations: Rotations


Work = Callable[[Desk], Awaitable[Any]]


def options(command: F) -> F:
    """The options that every admin command takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="For programs."),
        click.option("--config", metavar="FILE", help="Settings in TOML."),
        click.option("--keys", "keys_folder", metavar="DIR", help="Keys folder [beside the data folder]."),
        click.option("--data", "data_folder", metavar="DIR", help="Data folder [data]."),
    ):
        command = option(command)
    return command


def account_option(command: F) -> F:
    """Which brand; the only one there is, when left out."""
    return click.option("--account", "account", metavar="ID", default="", help="Account [the only one].")(
        command
    )


def run(
    flags: dict[str, Any], work: Work, when_in_use: Callable[[Settings], dict[str, Any]] | None = None
) -> None:
    """Do the work on the database and print what it gives; `when_in_use` is what to do when a server runs.

    Raises BadRequest, CannotStart.
    """
    try:
        settings = load_settings(flags)
    except BadSettings as error:
        raise BadRequest(str(error)) from error
    ORIGIN.set("cli")
    ACTOR.set(f"operator {_user()}")
    try:
        result = asyncio.run(_work(settings, work))
    except DatabaseInUse as error:
        if when_in_use is None:
            raise CannotStart(_in_use(settings)) from error
        result = when_in_use(settings)
    except MasterKeyWrong as error:
        raise CannotStart(str(error)) from error
    except SchemaTooNew as error:
        raise CannotStart(f"the data was written by a newer version of talkwire: {error}") from error
    except Unavailable as error:
        raise CannotStart(f"the database cannot be used: {error}") from error
    except TalkwireError as error:
        raise BadRequest(str(error)) from error
    show(result, as_json=bool(flags.get("as_json")))


def _user() -> str:
    """Whoever runs the command, by name if the system knows one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def load_settings(flags: dict[str, Any]) -> Settings:
    """The settings that a command's flags name. Raises BadSettings."""
    log_aside()
    folders = {name: flags.get(name) for name in ("data_folder", "keys_folder")}
    return load(flags.get("config"), flags=folders)


def log_aside() -> None:
    """What is logged goes to standard error: programs read the answer from standard output."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


async def account_of(desk: Desk, account: str) -> AccountId:
    """The account meant. Raises BadRequest when it is not there, or not said and not the only one."""
    known = [one.account_id for one in await desk.accounts.list_accounts()]
    if account:
        if account not in known:
            raise BadRequest(f"no account {account}; make it with: talkwire account create {account}")
        return AccountId(account)
    if len(known) != 1:
        raise BadRequest("say which account with --account ID; list them with: talkwire account list")
    return known[0]


def show(result: Any, *, as_json: bool) -> None:
    """Print an object or a list of objects: JSON for programs, aligned lines for people."""
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    elif isinstance(result, list):
        _table(result)
    elif isinstance(result, dict):
        width = max((len(name) for name in result), default=0)
        for name, value in result.items():
            click.echo(f"{name:{width}}  {_cell(value)}")


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("(none)")
        return
    widths = {name: max(len(name), *(len(_cell(row[name])) for row in rows)) for name in rows[0]}
    click.echo("  ".join(f"{name:{width}}" for name, width in widths.items()).rstrip())
    for row in rows:
        click.echo("  ".join(f"{_cell(row[name]):{width}}" for name, width in widths.items()).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "-"
    if value is None:
        return "-"
    return str(value)


def _in_use(settings: Settings) -> str:
    return (
        f"a server runs on {settings.storage.data_path} and holds its database.\n"
        "Stop it, or do the same over HTTP with an administrator's bearer, for example\n"
        '  curl -H "Authorization: Bearer $BEARER" https://$HOST/api/account/$ACCOUNT/configuration/'
        "le-users/users\n"
        "(docs/operations.md lists the calls)"
    )


async def _work(settings: Settings, work: Work) -> Any:
    from talkwire.assembly.foundation import open_database  # noqa: PLC0415 -- the help should come fast
    from talkwire.assembly.keys import open_keys  # noqa: PLC0415

    if not settings.storage.database_url:
        prepare_folder(settings.storage.data_path)
    database = await open_database(settings)
    passwords, clock = Passwords(), SystemClock()
    try:
        await database.migrate()
        keys = await open_keys(settings, database, clock)
        try:
            desk = _desk(database, passwords, keys, clock, settings)
            await desk.receipt_keys.take_over(database)  # of data that no node of this version opened yet
            try:
                return await work(desk)
            finally:
                desk.signing_keys.close()
        finally:
            await keys.close()
    except Unauthenticated as error:  # an unknown account
        raise BadRequest(str(error)) from error
    finally:
        passwords.close()
        await database.close()


def _desk(
    database: Database, passwords: Passwords, keys: "KeyRooms", clock: Clock, settings: Settings
) -> Desk:
    acts = keys.trail
    agents = Agents(database, clock, passwords, acts)
    return Desk(
        accounts=Accounts(database, clock, acts),
        agents=agents,
        skills=Skills(database, clock, acts),
        skill_rules=SkillRules(database, clock, ConsumerProfiles(database, clock, max_bytes=0), acts),
        automatic_messages=AutomaticMessages(database, clock, acts),
        api_keys=ApiKeys(database, clock, agents, acts, keys.vault),
        brand_keys=BrandKeys(database, clock, acts),
        signing_keys=SigningKeys(database, clock, acts=acts, sealer=keys.vault),
        erasures=Erasures(database, clock, _erasure_times(settings), Ledger(keys.key_store), acts),
        receipt_keys=ReceiptKeys(keys.key_store, clock, keys.vault),
        deliveries=Deliveries(database, clock),
        apps=Apps(database, clock, keys.vault, acts, allow_plain_loopback=settings.process.demo),
        vault=keys.vault,
        rotations=keys.rotations,
    )


def _erasure_times(settings: Settings) -> ErasureTimes:
    numbers = settings.erasure
    return ErasureTimes(numbers.erasure_cancel_seconds, numbers.erasure_deadline_days)
