"""The doctor compares our patience with clamd's, where clamd's configuration can be read."""

from pathlib import Path

import pytest

from talkwire.cli import checks
from talkwire.cli.clamd import longest_scan
from talkwire.settings import Scanner, Settings

OURS = "/run/clamav/clamd.ctl"


def configuration(folder: Path, text: str) -> Path:
    path = folder / "clamd.conf"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (f"# ours\nLocalSocket {OURS}\nMaxScanTime 25000\n", 25.0),
        (f"LocalSocket {OURS}\n#MaxScanTime 25000\n", 120.0),
        (f"LocalSocket  {OURS}\nMaxScanTime 0\n\nFoo\n", 0.0),
    ],
)
def test_what_clamd_allows_itself_is_read(tmp_path: Path, text: str, seconds: float) -> None:
    path = configuration(tmp_path, text)
    assert longest_scan(Scanner(clamd=f"unix:{OURS}"), [tmp_path / "none", path]) == (seconds, path)


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:3310", "unix:/run/other.ctl"])
def test_nothing_is_said_of_another_clamd(tmp_path: Path, address: str) -> None:
    path = configuration(tmp_path, f"LocalSocket {OURS}\nMaxScanTime 25000\n")
    assert longest_scan(Scanner(clamd=address), [path]) is None


@pytest.mark.parametrize(("allowed", "warned"), [((120.0, Path("/a")), True), ((25.0, Path("/a")), False),
                                                 ((0.0, Path("/a")), True), (None, False)])  # fmt: skip
def test_the_doctor_warns_when_we_are_less_patient_than_clamd(
    monkeypatch: pytest.MonkeyPatch, allowed: tuple[float, Path] | None, *, warned: bool
) -> None:
    monkeypatch.setattr(checks, "longest_scan", lambda _: allowed)
    found = list(checks._patience(Settings(scanner=Scanner(clamd=f"unix:{OURS}"))))
    assert [finding.state for finding in found] == ["warn"] * warned
