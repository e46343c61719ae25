"""What the page about security names as shown is shown: the tests exist."""

import re
from pathlib import Path

REQUIREMENTS = [
    f"5.{section}.{number}"
    for section, count in ((1, 1), (2, 6), (3, 3), (4, 3))
    for number in range(1, count + 1)
]


def test_every_requirement_of_the_chapter_has_its_row(root: Path) -> None:
    page = (root / "docs" / "security.md").read_text()
    rows = {row.split()[0]: row for row in re.findall(r"^\| (5\.\d\.\d .*)$", page, re.MULTILINE)}
    assert list(rows) == REQUIREMENTS
    assert [number for number, row in rows.items() if "tests/" not in row] == []


def test_every_test_that_the_page_names_exists(root: Path) -> None:
    page = (root / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert named
    missing = [
        f"{path}::{test}"
        for path, test in named
        if not (root / path).is_file() or (test and f"def {test}(" not in (root / path).read_text())
    ]
    assert missing == []
