"""What the clients of a faulty server asked for, and what it told them: the truth that is checked against."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from fault.wire import Json

V = TypeVar("V")


class Heard(Enum):
    """What somebody was told of what they asked for."""

    NOTHING = 0
    YES = 1
    NO = 2


class Register(Generic[V]):
    """One value that one client sets again and again. After a crash it is the last one acknowledged, or
    one that was asked for since and never answered."""

    def __init__(self, first: V) -> None:
        self._asked: list[tuple[V, Heard]] = [(first, Heard.YES)]

    def ask(self, value: V) -> int:
        self._asked.append((value, Heard.NOTHING))
        return len(self._asked) - 1

    def acknowledge(self, number: int) -> None:
        self._asked[number] = (self._asked[number][0], Heard.YES)

    def refuse(self, number: int) -> None:
        self._asked[number] = (self._asked[number][0], Heard.NO)

    def doubt_refusals(self) -> None:
        self._asked = [(v, Heard.NOTHING if heard is Heard.NO else heard) for v, heard in self._asked]

    @property
    def possible(self) -> list[V]:
        last = max(number for number, (_, heard) in enumerate(self._asked) if heard is Heard.YES)
        return [value for value, heard in self._asked[last:] if heard is not Heard.NO]

    @property
    def latest(self) -> V:
        """The value if all that was asked for was done."""
        return self.possible[-1]


@dataclass
class Upload:
    """A file on its way: `slot` is where it goes, `is_kept` that its PUT was answered 201."""

    by: str
    slot: Json = field(repr=False)
    data: bytes = field(repr=False)
    is_kept: bool = False

    @property
    def path(self) -> str:
        return str(self.slot["relativePath"])


@dataclass
class Publish:
    """One publish; every one carries its `token` as metadata. `code` is None while it is unanswered."""

    token: str
    by: str
    dialog_id: str
    event: Json
    audience: str = "ALL"
    key: str = ""
    code: int | None = None
    sequence: int = -1
    path: str = ""

    @property
    def body(self) -> Json:
        return {"dialogId": self.dialog_id, "event": self.event, "messageAudience": self.audience}

    @property
    def is_acknowledged(self) -> bool:
        return self.code is not None and self.code < 400


@dataclass
class Talk:
    """A conversation: who opened it with which key, and what was done with it. `id` once it is known."""

    token: str
    consumer_id: str
    key: str = ""
    id: str = ""
    is_refused: bool = False
    is_closed: Register[bool] = field(default_factory=lambda: Register(False))
    note: Register[str] = field(default_factory=lambda: Register(""))
    agent: Register[str] = field(default_factory=lambda: Register(""))
    """Who is assigned."""


@dataclass
class Round:
    """All that happened between two starts."""

    number: int
    publishes: list[Publish] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    profiles: dict[str, Register[str]] = field(default_factory=dict)
    """First names, by consumer."""
    jwts: dict[str, str] = field(default_factory=dict)

    @property
    def known_talks(self) -> list[Talk]:
        return [talk for talk in self.talks if talk.id]

    def doubt_refusals(self) -> None:
        """After a disk has failed, a refusal says less: an fsync that failed may have left what it was for."""
        for publish in self.publishes:
            if publish.code is not None and publish.code >= 500:
                publish.code = None
        for talk in self.talks:
            talk.is_refused = False
            for register in (talk.note, talk.agent):
                register.doubt_refusals()
            talk.is_closed.doubt_refusals()
        for names in self.profiles.values():
            names.doubt_refusals()

    def acknowledged(self) -> int:
        return sum(publish.is_acknowledged for publish in self.publishes)


def complaints(events: Iterable[Json], publishes: Iterable[Publish], dialog_id: str) -> list[str]:
    """What is wrong with a dialog's log, given all that was ever sent to it."""
    said: list[str] = []
    sent = {publish.token: publish for publish in publishes}
    found: dict[str, int] = {}
    for place, change in enumerate(events):
        where = f"dialog {dialog_id}, sequence {change['sequence']}"
        if change["sequence"] != place:
            said.append(f"{where}: should be {place}: a gap or a double")
        token = _token_of(change)
        publish = sent.get(token)
        if publish is None:
            said.append(f"{where}: nobody sent {change}")
            continue
        if token in found:
            said.append(f"{where}: {token} is also at {found[token]}")
        found[token] = change["sequence"]
        said += [f"{where}: {what}" for what in _differences(publish, change)]
    for publish in sent.values():
        if publish.is_acknowledged and publish.token not in found:
            said.append(f"dialog {dialog_id}: {publish} was acknowledged and is not there")
    return said


def _differences(publish: Publish, change: Json) -> list[str]:
    said = []
    if publish.code is not None and not publish.is_acknowledged:
        said.append(f"{publish.token} was refused with {publish.code} and is there")
    if publish.is_acknowledged and publish.sequence != change["sequence"]:
        said.append(f"{publish.token} was acknowledged as {publish.sequence}")
    if _bare(change["event"]) != _bare(publish.event):
        said.append(f"holds {change['event']}, sent was {publish.event}")
    if change["originatorPId"] != publish.by:
        said.append(f"is from {change['originatorPId']}, sent was it by {publish.by}")
    if change.get("messageAudience", "ALL") != publish.audience:
        said.append(f"is for {change.get('messageAudience')}, sent was it for {publish.audience}")
    return said


def _bare(event: Json) -> Any:
    """An event without what the server adds: the preview of a file."""
    message = event.get("message")
    if not isinstance(message, dict):
        return event
    return {**event, "message": {name: value for name, value in message.items() if name != "preview"}}


def _token_of(change: Json) -> str:
    items = change.get("metadata") or []
    return next((str(item["id"]) for item in items if item.get("type") == "ExternalId"), "")
