"""The documentation agrees with itself and with the code."""

import re
import subprocess
import sys
from pathlib import Path

CITATION = re.compile(
    r"docs/protocol\.md,?\W{1,3}(?:section |§ ?)?((?:\d+(?:\.\d+)?)|(?:A\d+)|(?:Appendix [A-Z]))"
)
HEADING = re.compile(r"^#+ (?:(\d+(?:\.\d+)?)|(Appendix [A-Z]))\b", re.MULTILINE)
ROW = re.compile(r"^\| (A\d+) \|", re.MULTILINE)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)")
READABLE = {".py", ".sql", ".md", ".js", ".sh", ".txt", ""}


def test_pages_made_from_tables_are_fresh(root: Path) -> None:
    made = subprocess.run(
        [sys.executable, root / "scripts" / "make_docs.py", "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr


def test_every_cited_section_of_the_protocol_exists(root: Path, tracked: list[Path]) -> None:
    page = (root / "docs" / "protocol.md").read_text("utf-8")
    sections = {number or appendix for number, appendix in HEADING.findall(page)} | set(ROW.findall(page))
    wrong = [
        f"{path.relative_to(root)}: {section}"
        for path in tracked
        if path.suffix in READABLE
        for section in CITATION.findall(path.read_bytes().decode("utf-8", errors="replace"))
        if section not in sections
    ]
    assert wrong == []


def test_every_link_between_pages_leads_somewhere(root: Path, tracked: list[Path]) -> None:
    dead = [
        f"{path.relative_to(root)}: {link}"
        for path in tracked
        if path.suffix == ".md"
        for link in LINK.findall(path.read_text("utf-8"))
        if not (path.parent / link).exists()
    ]
    assert dead == []


def test_the_protocol_notes_list_every_request_we_know(root: Path) -> None:
    known = re.findall(r"^\| `([\w.]+)` \|", (root / "docs" / "requests.md").read_text("utf-8"), re.MULTILINE)
    page = (root / "docs" / "protocol.md").read_text("utf-8")
    assert [name for name in known if name.rpartition(".")[2] not in page] == []


def test_every_decision_is_in_the_list_and_has_its_four_parts(root: Path) -> None:
    listed = (root / "docs" / "decisions" / "README.md").read_text("utf-8")
    for path in (root / "docs" / "decisions").glob("[0-9]*.md"):
        text = path.read_text("utf-8")
        assert path.name in listed
        parts = ["\nStatus: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n"]
        assert [part for part in parts if part not in text] == [], path.name
