"""What lies in git works on anybody's machine, and tells nothing about the ones it was written on."""

import json
import re
from pathlib import Path

# Spelled in pieces, so that this file does not find itself.
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js.org", "deb.debian" + ".org"]
PLACES = ["/work" + "/", "/root" + "/", "/home" + "/", "/Users" + "/", r"(?<![\w-])shared" + "/"]
UNPUBLISHED = [r"(?<![\w./-])design" + r"\.md", r"(?<![\w./-])style" + r"\.md"]


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def _found(patterns: list[str], tracked: list[Path], root: Path) -> list[str]:
    pattern = re.compile("|".join(patterns))
    return [
        f"{path.relative_to(root)}: {match.group()}"
        for path in tracked
        if (match := pattern.search(_text(path)))
    ]


def test_no_file_names_a_registry_host(tracked: list[Path], root: Path) -> None:
    assert _found([re.escape(host) for host in HOSTS], tracked, root) == []


def test_no_file_names_a_place_on_somebodys_machine(tracked: list[Path], root: Path) -> None:
    assert _found(PLACES, tracked, root) == []


def test_no_file_cites_an_unpublished_page(tracked: list[Path], root: Path) -> None:
    assert _found(UNPUBLISHED, tracked, root) == []


def test_lock_files_hold_no_download_addresses(tracked: list[Path], root: Path) -> None:
    assert [path for path in tracked if path.name in {"uv.lock", "yarn.lock"}] == []
    for lock in (path for path in tracked if path.name == "package-lock.json"):
        packages = json.loads(_text(lock))["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == []


def _pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE))


def test_what_is_tested_is_what_is_run(root: Path) -> None:
    runtime, dev = (_pins(root / "requirements" / name) for name in ("runtime.txt", "dev.txt"))
    assert runtime.items() <= dev.items()


def test_every_requirement_is_locked_with_hashes(root: Path) -> None:
    for name in ("runtime", "dev"):
        asked = re.findall(r"^(\w[\w-]*)", (root / "requirements" / f"{name}.in").read_text(), re.MULTILINE)
        lock = (root / "requirements" / f"{name}.txt").read_text()
        assert set(asked) <= _pins(root / "requirements" / f"{name}.txt").keys()
        assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\w)", lock))


def test_every_dependency_has_a_reason(root: Path) -> None:
    page = (root / "docs" / "decisions" / "0006-dependencies.md").read_text()
    asked = {
        name
        for file in ("runtime.in", "dev.in")
        for name in re.findall(r"^(\w[\w-]*)", (root / "requirements" / file).read_text(), re.MULTILINE)
    }
    assert {name for name in asked if f"`{name}`" not in page} == set()
