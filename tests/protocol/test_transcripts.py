"""Do we speak as documented? Every transcript, over the whole server. Source: docs/protocol.md."""

import json
import re
from pathlib import Path

import pytest

from protocol.stage import Stage, new_cast
from protocol.transcript import TRANSCRIPTS, Play, Transcript, matches

SCRIPTS = sorted(TRANSCRIPTS.rglob("*.txt"))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
async def test_we_speak_as_documented(stage: Stage, path: Path) -> None:
    before = stage.incidents
    cast = await new_cast(stage)
    try:
        await Play(Transcript(path), cast).run()
    finally:
        await cast.leave()
    assert stage.incidents == before


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_every_transcript_says_where_its_words_come_from(path: Path) -> None:
    sources = re.findall(r"^# .*Source: (.+)$", path.read_text(), re.MULTILINE)
    assert sources


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ('{"a":1}', '{"a":1}', True),
        ('{"a":1}', '{"a":1,"b":2}', False),
        ('{"a":1,"…":"*"}', '{"a":1,"b":2}', True),
        ('{"a":"*int"}', '{"a":true}', False),
        ('{"a":1}', '{"a":true}', False),
        ('["*","…"]', "[1,2,3]", True),
        ('["*","…"]', "[]", False),
        ('["$x","$x"]', "[1,1]", True),
        ('["$x","$x"]', "[1,2]", False),
        ('"a*c"', '"abc"', True),
        ('"[a]*"', '"[a]bc"', True),
        ('"a"', '"A"', False),
    ],
)
def test_patterns_match_what_they_say_and_nothing_else(pattern: str, value: str, expected: bool) -> None:
    assert matches(json.loads(pattern), json.loads(value), {}) is expected
