"""`talkwire user`: agents, bots and managers of a brand, and what they may do."""

from pathlib import Path
from typing import Any

import click
from msgspec import UNSET

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.cli.failures import BadRequest
from talkwire.identity.errors import AgentUnknown
from talkwire.identity.model import Privilege
from talkwire.identity.users import AgentChange, AgentUser
from talkwire.kernel.ids import AccountId, SkillId

PROFILES = ("administrator", "agent", "manager", "bot")
PRIVILEGES = tuple(privilege.name.lower() for privilege in Privilege)


@click.group("user")
def command() -> None:
    """Agents, bots and managers of a brand, and what they may do."""


@command.command("add")
@click.argument("login_name", metavar="LOGIN")
@click.option("--profile", type=click.Choice(PROFILES), default="agent", show_default=True)
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--full-name", default="")
@click.option("--nickname", default="", help="What consumers see.")
@click.option("--email", default="")
@click.option("--skill", "skills", multiple=True, metavar="ID", help="May be given again.")
@click.option("--capacity", type=int, help="Conversations at once [by profile].")
@click.option("--allow", "granted", type=click.Choice(PRIVILEGES), multiple=True, help="Beyond the profile.")
@account_option
@options
def add(login_name: str, profile: str, password_file: Path | None, account: str, **flags: Any) -> None:
    """Make a user. The password is asked for, unless it is in a file."""
    password = _password(password_file)
    details = AgentChange(
        full_name=flags["full_name"],
        nickname=flags["nickname"],
        email=flags["email"],
        skills=tuple(SkillId(skill) for skill in flags["skills"]),
        max_conversations=UNSET if flags["capacity"] is None else flags["capacity"],
        granted=frozenset(Privilege[name.upper()] for name in flags["granted"]),
    )

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        return _shown(await desk.agents.create_user(account_id, login_name, password, profile, details))

    run(flags, work)


@command.command("list")
@account_option
@options
def list_users(account: str, **flags: Any) -> None:
    """Everybody of a brand."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        return [_shown(user) for user in await desk.agents.list_users(await account_of(desk, account))]

    run(flags, work)


@command.command("set")
@click.argument("login_name", metavar="LOGIN")
@click.option("--profile", type=click.Choice(PROFILES))
@click.option("--full-name")
@click.option("--nickname", help="What consumers see.")
@click.option("--email")
@click.option("--skill", "skills", multiple=True, metavar="ID", help="All of them; may be given again.")
@click.option("--capacity", "max_conversations", type=int, help="Conversations at once.")
@click.option("--enabled/--disabled", default=None)
@account_option
@options
def change(login_name: str, account: str, **flags: Any) -> None:
    """Change what is given. Taking a right away signs the user out."""
    names = ("profile", "full_name", "nickname", "email", "max_conversations", "enabled")
    given = {name: flags[name] for name in names if flags[name] is not None}
    if flags["skills"]:
        given["skills"] = tuple(SkillId(skill) for skill in flags["skills"])
    _update(flags, account, login_name, AgentChange(**given))


@command.command("password")
@click.argument("login_name", metavar="LOGIN")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@account_option
@options
def set_password(login_name: str, password_file: Path | None, account: str, **flags: Any) -> None:
    """Give a user a new password, and sign it out everywhere."""
    _update(flags, account, login_name, AgentChange(), _password(password_file))


@command.command("remove")
@click.argument("login_name", metavar="LOGIN")
@account_option
@options
def remove(login_name: str, account: str, **flags: Any) -> None:
    """Take a user away; its conversations stay."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        user = await _find(desk, account_id, login_name)
        await desk.agents.delete_user(account_id, user.id)
        return {"removed": user.login_name}

    run(flags, work)


@command.command("add-key")
@click.argument("login_name", metavar="LOGIN")
@account_option
@options
def add_key(login_name: str, account: str, **flags: Any) -> None:
    """Make an application key, by which a bot signs in without a password. Shown this once."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        user = await _find(desk, account_id, login_name)
        key = await desk.api_keys.create(account_id, user.id)
        return {
            "appKey": key.app_key,
            "secret": key.secret,
            "accessToken": key.access_token,
            "accessTokenSecret": key.access_token_secret,
        }

    run(flags, work)


@command.command("remove-key")
@click.argument("app_key")
@account_option
@options
def remove_key(app_key: str, account: str, **flags: Any) -> None:
    """Take an application key back, and sign its user out."""

    async def work(desk: Desk) -> dict[str, Any]:
        await desk.api_keys.delete(await account_of(desk, account), app_key)
        return {"removed": app_key}

    run(flags, work)


@command.command("allow")
@click.argument("who", metavar="PROFILE|LOGIN")
@click.argument("privilege", type=click.Choice(PRIVILEGES))
@click.option("--off", is_flag=True, help="Take it away instead.")
@account_option
@options
def allow(who: str, privilege: str, account: str, *, off: bool, **flags: Any) -> None:
    """Allow something to everybody of a profile, or to one user: `user allow bot send_files`."""
    wanted = Privilege[privilege.upper()]

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        if who in PROFILES:
            profile = await desk.agents.set_privilege(account_id, who, wanted, on=not off)
            return {"profile": who, "may": _names(profile.privileges)}
        user = await _find(desk, account_id, who)
        granted = user.granted - {wanted} if off else user.granted | {wanted}
        return _shown(await desk.agents.update_user(account_id, user.id, AgentChange(granted=granted)))

    run(flags, work)


def _update(
    flags: dict[str, Any], account: str, login_name: str, wanted: AgentChange, password: str | None = None
) -> None:
    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        user = await _find(desk, account_id, login_name)
        return _shown(await desk.agents.update_user(account_id, user.id, wanted, password=password))

    run(flags, work)


async def _find(desk: Desk, account_id: AccountId, login_name: str) -> AgentUser:
    user = await desk.agents.find_by_login(account_id, login_name)
    user = user or await desk.agents.find_agent(account_id, login_name)
    if user is None:
        raise AgentUnknown
    return user


def _password(file: Path | None) -> str:
    if file is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read: {error}") from error


def _names(privileges: frozenset[Privilege]) -> list[str]:
    return [privilege.name.lower() for privilege in sorted(privileges)]


def _shown(user: AgentUser) -> dict[str, Any]:
    return {
        "login": user.login_name,
        "profile": user.profile,
        "id": user.user_id,
        "pid": user.id,
        "name": user.shown_name,
        "skills": list(user.skills),
        "capacity": user.max_conversations,
        "enabled": user.enabled,
        "granted": _names(user.granted),
    }
