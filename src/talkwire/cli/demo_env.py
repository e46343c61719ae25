"""`demo.env`: what existing scripts need to know, as shell, under the names the public tutorials use."""

import os
import shlex
import tempfile
from pathlib import Path

from talkwire.cli.demo_book import DemoBook
from talkwire.ops.certificates import CertificateFiles
from talkwire.settings import Listen

SERVICE_VARIABLES = (
    "LP_CSDS",
    "LP_ASYNCMESSAGINGENT",
    "LP_AGENTVEP",
    "LP_IDP",
    "LP_SENTINEL",
    "LP_SWIFT",
    "LP_ACCOUNTCONFIGREADWRITE",
    "LP_ACCOUNTCONFIGREADONLY",
    "LP_MSGHIST",
    "LP_RTBF",
)
"""One node serves them all, so each is the same `host:port`; but files may have one of their own."""


def variables(book: DemoBook, listen: Listen, authority: CertificateFiles | None) -> dict[str, str]:
    """Everything `demo.env` exports. Without an authority of ours, nothing is said about trust."""
    people = {
        name: value
        for person in book.people.values()
        for name, value in (
            (f"{person.variable}USER", person.login_name),
            (f"{person.variable}PASS", person.password),
        )
    }
    trust = (
        {
            "NODE_EXTRA_CA_CERTS": str(authority.authority),
            "CURL_CA_BUNDLE": str(authority.bundle),
            "SSL_CERT_FILE": str(authority.bundle),
        }
        if authority
        else {}
    )
    return {
        "LP_ACCOUNT": book.account_id,
        **dict.fromkeys(SERVICE_VARIABLES, listen.advertised),
        "LP_SWIFT": listen.advertised_storage,
        "LP_HTTP": listen.advertised_http,
        "LP_SWIFT_HTTP": listen.advertised_storage_http,
        **people,
        "LP_APP_CLIENT_ID": book.client_id,
        "LP_APP_CLIENT_SECRET": book.client_secret,
        **trust,
    }


def render(values: dict[str, str]) -> str:
    """Shell that any `sh` reads."""
    lines = [f"export {name}={_quoted(value)}" for name, value in values.items()]
    return "\n".join(["# Written anew on every start; read it with `. data/demo.env`.", *lines, ""])


def write_aside(path: Path, text: str) -> None:
    """Readers see the old file or the new one, never half of it; nobody else may read it."""
    number, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(aside).replace(path)


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") or "'" in quoted else f"'{quoted}'"
