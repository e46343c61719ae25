"""The demo brand: made on first start, its addresses written on every start."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from talkwire.accounts.model import PropertyChange
from talkwire.accounts.properties import (
    AGENT_FILE_SHARING,
    AGENT_FILE_SHARING_GRANT,
    AGENT_FILE_SHARING_V2_GRANT,
    CONSUMER_FILE_SHARING,
)
from talkwire.accounts.service import Accounts
from talkwire.cli.demo_book import SKILLS, DemoBook, Person, encode_book, new_book, read_book
from talkwire.cli.demo_env import render, variables, write_aside
from talkwire.cli.failures import CannotStart
from talkwire.connectors.apps import Apps
from talkwire.connectors.model import AppDraft
from talkwire.identity.agents import Agents
from talkwire.identity.model import Privilege
from talkwire.identity.users import AgentChange
from talkwire.kernel.ids import AccountId, SkillId
from talkwire.ops.certificates import CertificateFiles
from talkwire.routing.skills import Skills
from talkwire.settings import Settings

APP_NAME = "demo connector"
FILE_PRIVILEGES = frozenset({Privilege.SEND_FILES, Privilege.SEND_FILES_FROM_WIDGETS})


class DemoServices(Protocol):
    """What the demo needs of a node."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def agents(self) -> Agents: ...
    @property
    def skills(self) -> Skills: ...
    @property
    def apps(self) -> Apps: ...


async def open_demo(services: DemoServices, settings: Settings, authority: CertificateFiles | None) -> str:
    """Make the demo brand if it is not there, write `demo.env`, and give what to tell the person."""
    data = settings.storage.data_path
    book = await ensure_brand(services, data / "demo.json")
    told = data / "demo.env"
    write_aside(told, render(variables(book, settings.listen, authority)))
    return greeting(book, settings, told)


async def ensure_brand(services: DemoServices, path: Path) -> DemoBook:
    """The demo's people, made when missing.

    The book is written before its people are made, and marked complete after: a start that was
    cut short goes on where it was, with the same passwords. Raises CannotStart.
    """
    book = read_book(path)
    if book is None:
        book = new_book()
        if await services.accounts.find(AccountId(book.account_id)) is not None:
            raise CannotStart(f"{path} is missing, and with it the demo's passwords; start with other data")
        write_aside(path, encode_book(book))
    if not book.complete:
        await _make_brand(services, book)
        book = msgspec.structs.replace(book, complete=True)
        write_aside(path, encode_book(book))
    await _install_app(services.apps, book)
    return book


async def _make_brand(services: DemoServices, book: DemoBook) -> None:
    account_id = AccountId(book.account_id)
    if await services.accounts.find(account_id) is None:
        await services.accounts.create(account_id, "Demo")
    await _open_gates(services.accounts, account_id)
    skills = await _make_skills(services.skills, account_id)
    for person in book.people.values():
        await _make_person(services.agents, account_id, person, skills)


async def _install_app(apps: Apps, book: DemoBook) -> None:
    """The connector that `demo.env` names; one that was let go stays away."""
    account_id = AccountId(book.account_id)
    if await apps.find(account_id, book.client_id) is None:
        draft = AppDraft(name=APP_NAME, description="Send and receive for a channel of your own")
        await apps.create(account_id, draft, client_id=book.client_id, secret=book.client_secret)


async def _open_gates(accounts: Accounts, account_id: AccountId) -> None:
    """Everything that file sharing asks of an account; of its people, see `_make_person`."""
    for switch in (CONSUMER_FILE_SHARING, AGENT_FILE_SHARING):
        await accounts.set_property(account_id, PropertyChange(switch.name, value=True))
    grants = {AGENT_FILE_SHARING_GRANT: "true", AGENT_FILE_SHARING_V2_GRANT: "true"}
    await accounts.set_grants(account_id, grants)


async def _make_skills(skills: Skills, account_id: AccountId) -> tuple[SkillId, ...]:
    there = {skill.name: skill.skill_id for skill in await skills.list_skills(account_id)}
    for name in SKILLS:
        if name not in there:
            there[name] = (await skills.create(account_id, name)).skill_id
    return tuple(there[name] for name in SKILLS)


async def _make_person(
    agents: Agents, account_id: AccountId, person: Person, skills: Sequence[SkillId]
) -> None:
    if await agents.find_by_login(account_id, person.login_name) is not None:
        return
    details = AgentChange(
        full_name=person.full_name,
        nickname=person.nickname,
        email=f"{person.login_name}@demo.example",
        skills=tuple(skills) if person.profile == "agent" else (),
        granted=FILE_PRIVILEGES if person.profile in {"agent", "bot"} else frozenset(),
    )
    await agents.create_user(account_id, person.login_name, person.password, person.profile, details)


def greeting(book: DemoBook, settings: Settings, told: Path) -> str:
    """Where to go, and as whom."""
    listen = settings.listen
    width = max(len(role) for role in book.people)
    people = [
        f"  {role:{width}}  {person.login_name:8}  {person.password}" for role, person in book.people.items()
    ]
    return "\n".join(
        [
            "",
            f"talkwire listens on https://{listen.advertised} and http://{listen.advertised_http}",
            "",
            f"Brand {book.account_id}; its people, their login names and passwords:",
            *people,
            "",
            "Your existing scripts find everything in their environment after",
            "",
            f"  . {_short(told)}",
            "",
            "Ctrl-C stops; people, passwords and conversations stay in the data folder.",
            "",
        ]
    )


def _short(path: Path) -> str:
    """As one would type it from here; with a slash, without which a shell searches its PATH."""
    if not path.is_relative_to(Path.cwd()):
        return str(path)
    relative = str(path.relative_to(Path.cwd()))
    return relative if "/" in relative else f"./{relative}"
