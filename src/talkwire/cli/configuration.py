"""From a file, the environment and flags to `Settings`, with complaints that a person can act on."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from talkwire.ops.proxies import parse_networks
from talkwire.settings import Settings, Storage
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.masters import parse_master

PREFIX = "TALKWIRE_"
NOT_OURS = ("TALKWIRE_TEST_", "TALKWIRE_FAULT_", "TALKWIRE_BENCH_")  # told to test suites, not to servers


class BadSettings(Exception):
    """A setting that is unknown, malformed or at odds with another. The message names it and holds no secret."""


@dataclass(frozen=True)
class SettingRow:
    """One line of the table that the docs, the environment and `talkwire doctor` share."""

    section: str
    name: str
    default: Any
    help: str
    is_secret: bool
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def list_settings() -> list[SettingRow]:
    """Every setting, in the order of `settings.py`."""
    return list(_rows())


def load(
    config_file: str | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings in force: defaults, then the file, then the environment, then flags (None: not given).

    Raises BadSettings.
    """
    values: dict[str, dict[str, Any]] = {}
    for source in (
        _of_file(config_file) if config_file else {},
        _of_environment(os.environ if environment is None else environment),
        _of_flags(flags or {}),
    ):
        for section, fields in source.items():
            values.setdefault(section, {}).update(fields)
    settings = _convert(values)
    _check(settings)
    return settings


def _rows() -> Iterator[SettingRow]:
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            described = next(arg for arg in get_args(field.type) if getattr(arg, "description", None))
            yield SettingRow(
                section=section.name,
                name=field.name,
                default=field.default,
                help=described.description or "",
                is_secret=bool((described.extra or {}).get("secret")),
                choices=_choices(field.type),
            )


def _choices(annotated: Any) -> tuple[str, ...]:
    inner = get_args(annotated)[0]
    return tuple(arg for arg in get_args(inner) if isinstance(arg, str))


def _by_name() -> dict[str, SettingRow]:
    return {row.name: row for row in _rows()}


def _of_file(path: str) -> dict[str, dict[str, Any]]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: not TOML: {error}") from error
    sections: dict[str, set[str]] = {}
    for row in _rows():
        sections.setdefault(row.section, set()).add(row.name)
    secrets = {row.name for row in _rows() if row.is_secret}
    for section, fields in document.items():
        if section not in sections:
            raise BadSettings(f"{path}: unknown section [{section}]{_hint(section, sections)}")
        if not isinstance(fields, dict):
            raise BadSettings(f"{path}: {section} is a section: write [{section}]")
        for name in list(fields):
            if name.removesuffix("_file") in secrets and name not in secrets:
                fields[name.removesuffix("_file")] = _secret_of(name, str(fields.pop(name)))
            elif name not in sections[section]:
                raise BadSettings(
                    f"{path}: unknown setting {name} in [{section}]{_hint(name, sections[section])}"
                )
    return document


def _of_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    rows = {row.variable: row for row in _rows()}
    files = {row.variable + "_FILE": row for row in _rows() if row.is_secret}
    found: dict[str, dict[str, Any]] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable.startswith(NOT_OURS) or value == "":
            continue
        if variable in rows:
            row, text = rows[variable], value
        elif variable in files:
            row, text = files[variable], _secret_of(variable, value)
        else:
            raise BadSettings(f"unknown environment variable {variable}{_hint(variable, rows)}")
        found.setdefault(row.section, {})[row.name] = text
    return found


def _of_flags(flags: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    rows = _by_name()
    found: dict[str, dict[str, Any]] = {}
    for name, value in flags.items():
        if value is not None:
            found.setdefault(rows[name].section, {})[name] = value
    return found


def _secret_of(name: str, path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSettings(f"{name}: {path}: {error.strerror or error}") from error


def _convert(values: dict[str, dict[str, Any]]) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        # "Expected `int` <= 65535 - at `$.listen.port`": the path is ours, and no value is quoted
        said = re.sub(r" - at `\$\.(\w+)\.(\w+)`", r"", str(error))
        where = re.search(r"\$\.(\w+)\.(\w+)", str(error))
        name = f"{where[1]}.{where[2]}" if where else "settings"
        raise BadSettings(f"{name}: {said[:1].lower()}{said[1:]}") from error


def _check(settings: Settings) -> None:
    """Refuse what is well-formed but at odds with itself."""
    listen, storage = settings.listen, settings.storage
    if bool(listen.tls_cert_file) != bool(listen.tls_key_file):
        raise BadSettings("listen.tls_cert_file and listen.tls_key_file belong together")
    try:
        parse_networks(listen.proxy_addresses)
    except ValueError as error:
        raise BadSettings(f"listen.proxy_addresses: {error}") from error
    if listen.port and listen.port == listen.http_port:
        raise BadSettings("listen.port and listen.http_port are the same")
    if storage.keys_path.is_relative_to(storage.data_path):
        raise BadSettings("storage.keys_folder lies inside the data folder: a backup would hold the keys")
    if storage.database_url and not storage.database_url.startswith(("postgresql://", "postgres://")):
        raise BadSettings("storage.database_url: expected postgresql://…")
    _check_keys(storage)


def _check_keys(storage: Storage) -> None:
    for name in ("master_key", "master_key_former"):
        try:
            if text := getattr(storage, name):
                parse_master(text)
        except MasterKeyWrong as error:
            raise BadSettings(f"storage.{name}: {error}") from error
    if storage.master_key_former and not storage.master_key:
        raise BadSettings("storage.master_key_former is nothing without storage.master_key")
    if not storage.keys_url:
        return
    if not storage.keys_url.startswith(("postgresql://", "postgres://")):
        raise BadSettings("storage.keys_url: expected postgresql://…")
    if storage.keys_url == storage.database_url:
        raise BadSettings(
            "storage.keys_url is storage.database_url: a backup of the data would hold the keys"
        )
    if not storage.master_key:
        raise BadSettings("storage.keys_url needs storage.master_key: every node must have the same")


def _hint(name: str, known: Mapping[str, Any] | set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
