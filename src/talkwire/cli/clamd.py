"""What clamd allows itself, as far as its own configuration can be read: it cannot be asked."""

import os
from collections.abc import Iterable
from pathlib import Path

from talkwire.settings import Scanner

CONFIGURATIONS = (Path("/etc/clamav/clamd.conf"), Path("/etc/clamd.d/scan.conf"), Path("/etc/clamd.conf"))
"""Debian's, Red Hat's, and that of ClamAV's own packages."""

MAX_SCAN_MS = 120_000
"""Unless it is told otherwise. Source: clamd.conf(5), MaxScanTime."""


def longest_scan(settings: Scanner, files: Iterable[Path] = CONFIGURATIONS) -> tuple[float, Path] | None:
    """Seconds that the clamd we ask may take for one file (0: for ever), and which file says so.

    None when none that can be read belongs to the clamd at our address.
    """
    kind, _, socket = settings.clamd.partition(":")
    if kind != "unix":
        return None
    for path in files:
        options = _options(path)
        if "LocalSocket" in options and os.path.realpath(options["LocalSocket"]) == os.path.realpath(socket):
            text = options.get("MaxScanTime", "")
            return (int(text) if text.isdecimal() else MAX_SCAN_MS) / 1000, path
    return None


def _options(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return {pair[0]: pair[1].strip().strip('"') for pair in pairs if len(pair) > 1}
