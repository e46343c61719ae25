"""Makes the pages that come from tables: `docs/settings.md` and `docs/requests.md`.

With `--check` nothing is written; the exit code says whether a page is stale.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from talkwire.accounts.properties import PROPERTIES
from talkwire.protocol.catalog import BRAND, CONSUMER, REQUESTS
from talkwire.settings import Settings

DOCS = Path(__file__).resolve().parents[1] / "docs"
MADE = "Made by `make docs` from `{source}`: change that, not this page.\n"
KIB = 1024
MIB = 1024 * KIB
UNIONS = {Union, UnionType}


def settings_page() -> str:
    lines = [
        "# Settings\n",
        MADE.format(source="src/talkwire/settings.py"),
        "Read once at start: from a TOML file (`--config`), then from the environment, then from flags, each over the",
        "one before. In the file a setting stands in its section; in the environment its name is `TALKWIRE_` and the",
        "name in capitals. Unknown names are refused. For a secret, `TALKWIRE_…_FILE` names a file that holds it.\n",
    ]
    for section in msgspec.structs.fields(Settings):
        lines += [f"## `[{section.name}]`\n", f"{(section.type.__doc__ or '').strip()}\n"]
        lines += ["| name | default | allowed | what it is |", "|---|---|---|---|"]
        lines += _settings_of(section.type)
        lines.append("")
    lines += [
        "## Account properties\n",
        "What a brand changes at run time, by `talkwire property` or the calls of [protocol.md](protocol.md) 10.1.\n",
        "| name | default | what it is |",
        "|---|---|---|",
        *(f"| `{p.name}` | {_value(p.name, p.default)} | {p.help} |" for p in PROPERTIES.values()),
    ]
    return "\n".join(lines) + "\n"


def _settings_of(section: type) -> Iterator[str]:
    hints = get_type_hints(section, include_extras=True)
    for field in msgspec.structs.fields(section):
        metas = list(_metas(hints[field.name]))
        text = next(meta.description for meta in metas if meta.description)
        secret = any((meta.extra or {}).get("secret") for meta in metas)
        allowed = _allowed(hints[field.name], metas)
        yield (
            f"| `{field.name}` | {_value(field.name, field.default)} | {allowed} | "
            f"{text}{' Secret.' if secret else ''} |"
        )


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    """Every Meta of a type, outermost first."""
    if get_origin(hint) is Annotated:
        yield from (part for part in get_args(hint)[1:] if isinstance(part, msgspec.Meta))
    if get_origin(hint) in {Annotated, *UNIONS}:
        for part in get_args(hint):
            yield from _metas(part)


def _bare(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if get_origin(hint) in UNIONS:
        return next(_bare(part) for part in get_args(hint) if part is not NoneType)
    return hint


def _allowed(hint: Any, metas: list[msgspec.Meta]) -> str:
    kind = _bare(hint)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    words = {bool: "true, false", int: "whole number", float: "number", str: "text"}[kind]
    for meta in metas:
        bounds = [("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt)]
        words += "".join(f", {sign} {bound:,}" for sign, bound in bounds if bound is not None)
    return words


def _value(name: str, value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and name.endswith("_bytes") and value >= KIB:
        whole, unit = (value // MIB, "MiB") if value % MIB == 0 else (value // KIB, "KiB")
        return f"{value:,} ({whole:,} {unit})"
    if isinstance(value, int | float):
        return f"{value}" if "port" in name else f"{value:,}"
    return f"`{value}`" if value else "empty"


def requests_page() -> str:
    lines = [
        "# Requests\n",
        MADE.format(source="src/talkwire/protocol/catalog.py"),
        "Every request a socket understands, and which of them a connector may send over HTTP. Each name is understood in its v2 spelling too, with `.ams.` or `.` in front",
        "and `aam` for `cqm`; what it does is in [protocol.md](protocol.md), section 5.\n",
        "| request | consumer | brand | connector | code | answer on v3 | answer on v2, v2.1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in REQUESTS:
        may = (CONSUMER in row.roles, BRAND in row.roles, row.by_connector)
        who = " | ".join("✓" if one else "" for one in may)
        lines.append(f"| `{row.name}` | {who} | {row.code} | `{row.answer}` | `{row.answer_v2}` |")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings_page, "requests.md": requests_page}


def main(arguments: list[str]) -> int:
    stale = 0
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if "--check" in arguments:
            print(f"docs/{name} is stale: run `make docs`")
        else:
            path.write_text(text, "utf-8")
            print(f"docs/{name} written")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
