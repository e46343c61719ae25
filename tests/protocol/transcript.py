r"""Plays transcripts: who sends what, and what each one must hear. Test, specification and tutorial at once.

A line is one of

    # a comment, with its Source: …
    agent + v=2.1 path              the agent's socket opens; the token goes in the path (or header, bare, init, …)
    agent + v=3 header = 401        the handshake is answered by 401
    agent > {…}                     the agent sends a frame
    agent < {…}                     its next answer, or its next notification of that type, is this
    agent << {…}                    the very next frame of any kind is this
    agent ~ {…}                     sooner or later this comes; what else there is goes on waiting
    agent ! {…}                     nothing like this has come
    agent -                         the agent closes its socket
    agent - 4401                    the server closes it, with this code
    agent PUT path?query = 201      a picture goes to the storage, or comes back by GET
    clock + 73                      time passes, in seconds
    brand name = value              a property of the account is set; `brand share files` opens all gates

An actor is a person, and after a slash a version of the protocol: `agent/3`, `consumer/2`. Without `+` an actor's
socket opens by its first line. In what must be heard, `"*"` is any value, `"*int"`, `"*uuid"` and so on a value of
that kind, `"ab*"` a text by its pattern; the member `"…"` allows other members, as the last element of a list other
elements. `$name` is what was heard there first; `$agent.id`, `$agent.pid`, `$agent.token` are the person's.
"""

import fnmatch
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from pictures import png
from protocol.stage import Cast, Socket
from talkwire.sanitation.sniff import ImageType, sniff_whole

TRANSCRIPTS = Path(__file__).parent / "transcripts"
PICTURE = png(4, 3)
_LINE = re.compile(
    r"(?P<actor>[\w./]+)\s+(?P<op>\+|>|<<|<|~|!|-|PUT|GET|HEAD|share|[\w.]+\s*=)\s*(?P<rest>.*)"
)
_VARIABLE = re.compile(r"\$\{?([A-Za-z]\w*(?:\.\w+)?)\}?")
_PERSON = re.compile(
    r"\b((?:consumer|agent|manager|bot|administrator)\d*)(?:/[\d.]+)?(?= [+><~!-]|\.(?:id|pid|token))"
)
_HEX = re.compile(r"[0-9a-f]+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

KINDS: dict[str, Callable[[Any], bool]] = {
    "*": lambda _value: True,
    "*int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "*ms": lambda value: isinstance(value, int) and 1_600_000_000_000 < value < 9_000_000_000_000,
    "*text": lambda value: isinstance(value, str) and value != "",
    "*uuid": lambda value: isinstance(value, str) and _UUID.fullmatch(value) is not None,
    "*hex40": lambda value: isinstance(value, str) and len(value) == 40 and _HEX.fullmatch(value) is not None,
    "*seconds": lambda value: isinstance(value, str) and len(value) == 10 and value.isdigit(),
    "*list": lambda value: isinstance(value, list),
    "*object": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True)
class Line:
    number: int
    actor: str
    op: str
    rest: str


@dataclass(frozen=True)
class Transcript:
    """One file."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    def lines(self) -> list[Line]:
        found = []
        for number, text in enumerate(self.text.splitlines(), 1):
            if not text.strip() or text.startswith("#"):
                continue
            match = _LINE.fullmatch(text.strip())
            assert match, f"{self.path.name}:{number}: not a line of a transcript: {text}"
            found.append(Line(number, match["actor"], match["op"], match["rest"]))
        return found

    def people(self) -> list[str]:
        return sorted(set(_PERSON.findall(self.text)))


def matches(pattern: Any, value: Any, bound: dict[str, Any]) -> bool:
    """Whether a value is as the pattern says; what `$names` stand for is added to `bound`."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and _matches_object(pattern, value, bound)
    if isinstance(pattern, list):
        return isinstance(value, list) and _matches_list(pattern, value, bound)
    if not isinstance(pattern, str):
        return bool(pattern == value) and type(pattern) is type(value)
    if pattern in KINDS:
        return KINDS[pattern](value)
    return _matches_text(pattern, value, bound)


def _matches_object(pattern: dict[str, Any], value: dict[str, Any], bound: dict[str, Any]) -> bool:
    named = {put(name, bound): wanted for name, wanted in pattern.items() if name != "…"}
    if "…" not in pattern and named.keys() != value.keys():
        return False
    return all(name in value and matches(wanted, value[name], bound) for name, wanted in named.items())


def _matches_list(pattern: list[Any], value: list[Any], bound: dict[str, Any]) -> bool:
    if pattern and pattern[-1] == "…":
        pattern, value = pattern[:-1], value[: len(pattern) - 1]
    return len(pattern) == len(value) and all(map(matches, pattern, value, [bound] * len(value)))


def _matches_text(pattern: str, value: Any, bound: dict[str, Any]) -> bool:
    alone = _VARIABLE.fullmatch(pattern)
    if alone and alone[1] not in bound:
        bound[alone[1]] = value
        return True
    if alone:
        return bool(bound[alone[1]] == value)
    if not isinstance(value, str):
        return False
    wanted = put(pattern, bound)
    return wanted == value or ("*" in wanted and fnmatch.fnmatchcase(value, wanted.replace("[", "[[]")))


def put(text: str, bound: dict[str, Any]) -> str:
    """The text with what its `$names` stand for; names that are not known yet stay."""
    return _VARIABLE.sub(lambda found: str(bound.get(found[1], found[0])), text)


@dataclass
class Play:
    """A transcript on a stage."""

    transcript: Transcript
    cast: Cast
    bound: dict[str, Any] = field(default_factory=dict)
    sockets: dict[str, Socket] = field(default_factory=dict)

    async def run(self) -> None:
        self.bound["account"] = self.cast.account
        for name in self.transcript.people():
            person = await self.cast.person(name)
            self.bound |= {f"{name}.id": person.id, f"{name}.pid": person.pid, f"{name}.token": person.token}
        for name in ("sales", "support"):
            self.bound[name] = await self.cast.skill(name)
        for line in self.transcript.lines():
            try:
                await self._play(line)
            except (AssertionError, TimeoutError, ConnectionError, ValueError) as error:
                where = f"{self.transcript.path.name}:{line.number}"
                raise AssertionError(
                    f"{where}: {line.actor} {line.op} {line.rest}\n{error!s}\n{self._heard()}"
                ) from error

    async def _play(self, line: Line) -> None:
        if line.actor == "clock":
            self.cast.stage.clock.advance(float(line.rest))
        elif line.actor == "brand":
            await self._set(line)
        elif line.op == "+":
            await self._open(line)
        elif line.op in {"PUT", "GET", "HEAD"}:
            await self._transfer(line)
        else:
            assert line.op == ">" or line.actor in self.sockets, "this actor has no socket yet"
            await self._speak(await self._socket(line.actor), line)

    async def _set(self, line: Line) -> None:
        if line.op == "share":
            await self.cast.share_files()
        else:
            await self.cast.set_property(line.op.rstrip(" ="), json.loads(line.rest))

    async def _open(self, line: Line) -> None:
        options, _, expected = line.rest.partition(" = ")
        words = put(options, self.bound).split()
        version = next((word.removeprefix("v=") for word in words if word.startswith("v=")), "")
        way = next((word for word in words if "=" not in word), "")
        headers: dict[str, str] = {}
        for word in words:
            if word[0].isupper():
                header, _, value = word.partition("=")
                headers[header] = value
        query = "".join(f"&{word[1:]}" for word in words if word.startswith("&"))
        person = line.actor.partition("/")[0]
        version = version or line.actor.partition("/")[2]
        try:
            self.sockets[line.actor] = await self.cast.connect(
                person, version, way, headers=headers, query=query
            )
            answered = "101"
        except aiohttp.WSServerHandshakeError as error:
            answered = str(error.status)
        assert answered == (expected.strip() or "101"), f"the handshake was answered by {answered}"

    async def _socket(self, actor: str) -> Socket:
        if actor not in self.sockets:
            person, _, version = actor.partition("/")
            self.sockets[actor] = await self.cast.connect(person, version)
        return self.sockets[actor]

    async def _speak(self, socket: Socket, line: Line) -> None:
        match line.op:
            case ">":
                await socket.send(put(line.rest, self.bound))
            case "-":
                await self._end(socket, line)
            case "!":
                await self._nothing_like(socket, json.loads(line.rest))
            case _:
                await self._hear(socket, line.op, json.loads(line.rest))

    async def _hear(self, socket: Socket, op: str, pattern: dict[str, Any]) -> None:
        if op == "~":
            await socket.take(lambda frame: self._is(pattern, frame))
            return
        wanted = (lambda _frame: True) if op == "<<" else _same_kind(pattern, self.bound)
        frame = await socket.take(wanted)
        assert self._is(pattern, frame), f"heard: {json.dumps(frame, ensure_ascii=False)}"

    def _is(self, pattern: dict[str, Any], frame: dict[str, Any]) -> bool:
        bound = dict(self.bound)
        if not matches(pattern, frame, bound):
            return False
        self.bound = bound
        return True

    async def _nothing_like(self, socket: Socket, pattern: dict[str, Any]) -> None:
        await socket.settled()
        found = [frame for frame in socket.waiting if matches(pattern, frame, dict(self.bound))]
        assert not found, f"heard: {json.dumps(found)}"

    async def _end(self, socket: Socket, line: Line) -> None:
        if not line.rest:
            await socket.ws.close()
            return
        code = await socket.close_code()
        assert str(code) == line.rest, f"closed with {code}"

    async def _transfer(self, line: Line) -> None:
        path, _, expected = put(line.rest, self.bound).partition(" = ")
        url = f"http://{self.cast.stage.address}{path}"
        data = PICTURE if line.op == "PUT" else None
        async with self.cast.stage.http.request(line.op, url, data=data) as response:
            body = await response.read()
            assert str(response.status) == expected.strip(), f"answered {response.status}: {body[:200]!r}"
            if line.op == "GET" and response.status == 200:
                assert sniff_whole(body) is ImageType.PNG  # rebuilt: not the bytes that were sent

    def _heard(self) -> str:
        waiting = [(name, frame) for name, socket in self.sockets.items() for frame in socket.waiting]
        return "waiting:\n" + "\n".join(
            f"  {name} {json.dumps(frame, ensure_ascii=False)}" for name, frame in waiting
        )


def _same_kind(pattern: dict[str, Any], bound: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    """Answers come in order; so do the notifications of one type."""
    if pattern["kind"] == "resp":
        return lambda frame: frame["kind"] == "resp"
    return lambda frame: (
        frame["kind"] == "notification" and matches(pattern["type"], frame["type"], dict(bound))
    )
