"""What an account may be called and may configure, and how a stored value is read. Pure."""

import re
from collections.abc import Mapping

from talkwire.accounts.errors import AccountIdNotAllowed, HostNotAllowed, PropertyNotAllowed, RevisionStale
from talkwire.accounts.model import ANY_REVISION, PropertyChange, StoredProperty
from talkwire.accounts.properties import ALIASES, Property
from talkwire.kernel.ids import SkillId

MAX_VALUE_CHARACTERS = 65_536

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_PROPERTY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?"
)
_MAX_PORT = 65_535


def check_account_id(account_id: str) -> None:
    """Account ids go into paths, cookies and file names: letters, digits, `_` and `-`, at most 32."""
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise AccountIdNotAllowed("An account id is 1 to 32 letters, digits, '_' or '-'")


def canonical_property(name: str) -> str:
    """The name a property is stored under: published misspellings lead to the right one."""
    return ALIASES.get(name, name)


def check_property(change: PropertyChange, encoded_value: str) -> None:
    """Refuse a name that could not be a path segment, and a value we would not keep in memory."""
    if not _PROPERTY_ID.fullmatch(change.id):
        raise PropertyNotAllowed("A property id is 1 to 256 letters, digits, '.', '_', ':' or '-'")
    if len(encoded_value) > MAX_VALUE_CHARACTERS:
        raise PropertyNotAllowed(f"A property value has at most {MAX_VALUE_CHARACTERS} characters")


def check_revision(if_match: int, current: int) -> None:
    """Compare what a writer last read with what stands now. Source: docs/protocol.md 10.1."""
    if if_match not in (ANY_REVISION, current):
        raise RevisionStale(current)


def value_of(prop: Property, stored: StoredProperty | None) -> bool | int | str:
    """Read a stored value in the type its property has; what cannot be read counts as the default.

    Clients write switches as JSON booleans and as the words "true" and "false".
    """
    if stored is None or stored.deleted or stored.value is None:
        return prop.default
    if isinstance(prop.default, bool):
        return _as_bool(stored.value, default=prop.default)
    if isinstance(prop.default, int):
        return _as_int(stored.value, default=prop.default)
    return str(stored.value)


def _as_bool(value: object, *, default: bool) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).strip().lower(), default)


def _as_int(value: object, *, default: int) -> int:
    try:
        return int(str(value))
    except ValueError:
        return default


def skill_of(
    campaigns: Mapping[tuple[str, str], SkillId], campaign_id: str, engagement_id: str
) -> SkillId | None:
    """The skill an engagement routes to; one set for the whole campaign serves its other engagements."""
    exact = campaigns.get((campaign_id, engagement_id))
    return exact if exact is not None else campaigns.get((campaign_id, ""))


def check_host(host: str) -> str:
    """Give back `host` or `host:port` if it can be nothing else; it is echoed to clients."""
    found = _HOST.fullmatch(host)
    if not found or (found[1] and not 0 < int(found[1]) <= _MAX_PORT):
        raise HostNotAllowed("The Host header is not host or host:port")
    return host
