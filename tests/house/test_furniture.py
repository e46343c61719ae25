"""Rooms look alike: a plaque at the door, small files, short functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_PROSE_CHARACTERS = 120  # code is held to 110 by the formatter


def _modules(source: Path) -> Iterator[tuple[str, ast.Module, str]]:
    for path in sorted(source.rglob("*.py")):
        text = path.read_text()
        yield str(path.relative_to(source)), ast.parse(text), text


def _packages(source: Path) -> Iterator[Path]:
    """Every folder that holds Python files, at any depth."""
    yield from sorted({path.parent for path in source.rglob("*.py")})


def test_every_room_has_a_plaque(source: Path) -> None:
    without = [str(folder) for folder in _packages(source) if not (folder / "__init__.py").is_file()]
    assert without == []


def test_a_plaque_is_a_docstring_and_nothing_else(source: Path) -> None:
    wrong = [
        name
        for name, tree, _ in _modules(source)
        if name.endswith("__init__.py") and not (len(tree.body) == 1 and ast.get_docstring(tree))
    ]
    assert wrong == []


def test_every_room_is_on_the_map(root: Path, source: Path) -> None:
    page = (root / "docs" / "architecture.md").read_text()
    rooms = {folder.relative_to(source).parts[0] for folder in _packages(source) if folder != source}
    assert {room for room in rooms if f"`{room}`" not in page} == set()


def test_no_room_is_called_utils(source: Path) -> None:
    names = {path.stem for path in source.rglob("*")}
    assert names & {"utils", "util", "helpers", "common", "misc"} == set()


def test_no_file_hides_a_second_idea(source: Path) -> None:
    long = {name: lines for name, _, text in _modules(source) if (lines := text.count("\n")) > MAX_FILE_LINES}
    assert long == {}


def test_no_function_is_longer_than_a_screen(source: Path) -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": lines
        for name, tree, _ in _modules(source)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_prose_fits_the_page(source: Path) -> None:
    wide = [
        f"{name}:{number}"
        for name, tree, text in _modules(source)
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > MAX_PROSE_CHARACTERS and (line.lstrip().startswith("#") or number in _said(tree))
    ]
    assert wide == []


def _said(tree: ast.Module) -> set[int]:
    """The lines of docstrings, and of texts that stand alone like them."""
    return {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
