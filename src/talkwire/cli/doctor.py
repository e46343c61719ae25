"""`talkwire doctor`: what is configured, reachable, allowed and missing, before it hurts."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from talkwire.cli.checks import CHECKS
from talkwire.cli.configuration import BadSettings, list_settings, load
from talkwire.cli.failures import BadRequest
from talkwire.cli.findings import Finding
from talkwire.settings import Settings

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("doctor")
@click.option("--data", "data_folder", metavar="DIR", help="Data folder [data].")
@click.option("--keys", "keys_folder", metavar="DIR", help="Keys folder [beside the data folder].")
@click.option("--config", metavar="FILE", help="Settings in TOML.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(config: str | None, *, as_json: bool, **flags: Any) -> None:
    """Say what is configured, reachable, allowed, writable and missing. Exit code 1: something fails."""
    try:
        settings = load(config, flags=flags)
    except BadSettings as error:
        raise BadRequest(str(error)) from error
    findings = [finding for check in CHECKS for finding in _run(check, settings)]
    if as_json:
        print(json.dumps(_document(settings, findings), indent=2))
    else:
        _print(settings, findings)
    sys.exit(int(any(finding.state == "fail" for finding in findings)))


def _run(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """A check that breaks is a finding too."""
    try:
        yield from check(settings)
    except Exception as error:  # noqa: BLE001 -- the doctor examines whatever is broken
        yield Finding(
            check.__name__.removeprefix("check_").strip("_").replace("_", " "),
            "fail",
            f"{type(error).__name__}: {error}",
        )


def changed_settings(settings: Settings) -> dict[str, Any]:
    """What differs from the defaults, by variable; secrets are only said to be set."""
    changed: dict[str, Any] = {}
    for row in list_settings():
        value = getattr(getattr(settings, row.section), row.name)
        if value != row.default:
            changed[row.variable] = "(set)" if row.is_secret else value
    return changed


def _document(settings: Settings, findings: list[Finding]) -> dict[str, Any]:
    return {
        "ok": all(finding.state != "fail" for finding in findings),
        "settings": changed_settings(settings),
        "checks": [{"name": f.name, "state": f.state, "says": f.says} for f in findings],
    }


def _print(settings: Settings, findings: list[Finding]) -> None:
    changed = changed_settings(settings)
    print("settings that differ from their defaults:" if changed else "all settings have their defaults")
    for variable, value in changed.items():
        print(f"      {variable}={value}")
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{MARKS[finding.state]}  {finding.name:{width}}  {finding.says}")
