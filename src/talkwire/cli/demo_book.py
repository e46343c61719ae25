"""Who lives in the demo: their names and passwords, random per data folder, kept in `demo.json`."""

import secrets
from pathlib import Path

import msgspec

from talkwire.cli.failures import CannotStart
from talkwire.kernel.ids import new_uuid

ACCOUNT_ID = "12345678"


class Person(msgspec.Struct, frozen=True):
    """Somebody who can sign in. `variable` begins the names in `demo.env`."""

    login_name: str
    password: str
    profile: str
    full_name: str
    nickname: str
    variable: str


class DemoBook(msgspec.Struct, frozen=True, kw_only=True):
    """The demo brand. `complete`: everybody in it has been made."""

    account_id: str
    people: dict[str, Person]
    client_id: str
    client_secret: str
    complete: bool = False


CAST = (
    ("administrator", "admin", "administrator", "Ada Administrator", "Ada", "LP_"),
    ("agent", "agent", "agent", "Grace Agent", "Grace", "LP_AGENT_"),
    ("second agent", "agent2", "agent", "Alan Agent", "Alan", "LP_AGENT2_"),
    ("manager", "manager", "manager", "Mary Manager", "Mary", "LP_MANAGER_"),
    ("bot", "bot", "bot", "Eliza Bot", "Eliza", "LP_BOT_"),
)
"""Role, login name, profile, full name, nickname, variable."""

SKILLS = ("Sales", "Support")


def new_book() -> DemoBook:
    """A cast with fresh passwords."""
    people = {
        role: Person(login_name, _password(), profile, full_name, nickname, variable)
        for role, login_name, profile, full_name, nickname, variable in CAST
    }
    return DemoBook(
        account_id=ACCOUNT_ID,
        people=people,
        client_id=new_uuid(),
        client_secret=secrets.token_hex(16),
    )


def read_book(path: Path) -> DemoBook | None:
    """The book of an earlier start; None when there was none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoBook)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise CannotStart(f"{path} cannot be read: {error}") from error


def encode_book(book: DemoBook) -> str:
    return msgspec.json.format(msgspec.json.encode(book), indent=2).decode()


def _password() -> str:
    """Easy to type, 71 bits: no letter or digit that looks like another."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(3))
    return "-".join(groups)
