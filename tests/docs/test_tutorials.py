"""Every tutorial is executed as printed, each against a demo server of its own, as a newcomer would have it."""

import shutil
from pathlib import Path

import pytest

from docs.executable import Shell, Step, matches, steps
from live import ROOT, serving

TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PATIENCE_SECONDS = 60  # for one step; npm may have to fetch something
TOOLS = ("curl", "jq", "node", "npm")


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
async def test_a_tutorial_works_as_printed(tutorial: Path, tmp_path: Path) -> None:
    text = tutorial.read_text()
    missing = [tool for tool in TOOLS if f"{tool} " in text and shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with serving(tmp_path):
        shell = await Shell.start(tmp_path)
        try:
            for step in steps(text):
                await walk(shell, step, f"{tutorial.relative_to(ROOT)}:{step.line}")
        finally:
            await shell.end()


async def walk(shell: Shell, step: Step, where: str) -> None:
    """Do one step and compare. Fails with the place in the document."""
    try:
        printed, status = await shell.run(step.script, patience=PATIENCE_SECONDS)
    except TimeoutError as late:
        pytest.fail(f"{where}: {late}\n{shell.complaints}", pytrace=False)
    if status != 0:
        pytest.fail(f"{where}: ended with {status}\n{printed}\n{shell.complaints}", pytrace=False)
    if step.output is not None and not matches(printed, step.output):
        pytest.fail(
            f"{where}: wanted\n{step.output}\nbut it printed\n{printed}\n{shell.complaints}", pytrace=False
        )


def test_an_ellipsis_stands_for_anything_in_its_line() -> None:
    assert matches('{"id":"a1"}\nok\n', '{"id":"…"}\nok')
    assert not matches('{"id":"a1"}\nbad\n', '{"id":"…"}\nok')
    assert not matches("one\ntwo", "o…o")


def test_blocks_are_paired_and_other_languages_left_alone() -> None:
    document = "Hi\n```sh\necho 1\n```\n\n```output\n1\n```\n```json\n{}\n```\n```sh\necho 2\n```\n"
    assert steps(document) == [Step(3, "echo 1\n", "1\n"), Step(13, "echo 2\n", None)]
    with pytest.raises(ValueError, match="line 2"):
        steps("```output\n1\n```\n")


async def test_a_shell_keeps_what_it_was_told(tmp_path: Path) -> None:
    shell = await Shell.start(tmp_path)
    try:
        assert await shell.run("name=world; hi() { echo hello $name; }", patience=5) == ("", 0)
        assert await shell.run("hi; echo oops >&2; false", patience=5) == ("hello world\n", 1)
        assert shell.complaints == "oops\n"
        with pytest.raises(TimeoutError, match="begun"):
            await shell.run("echo begun; sleep 3", patience=0.5)
    finally:
        await shell.end()
