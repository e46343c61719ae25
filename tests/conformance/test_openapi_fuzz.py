"""Schemathesis asks every described route for what breaks it: whatever is sent, no answer is a 5xx, and each is
as it was described.
"""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from live import Live, serving

ENDS_THE_SESSION = "/logout$|/signing-keys$"
"""Left out: the run would sign itself out; and a new RSA key for every example is slow by nature."""

PATHS_OF = {"connector": "/messaging/consumer/", "consumer": "/messaging_history/"}
"""What these two may call at all; the others call everything, administrators last: they change and delete."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live


def ask(live: Live, url: str, body: object = None, **headers: str) -> dict[str, str]:
    """A POST that gives a token in some member of its answer."""
    sent = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), sent)
    with urllib.request.urlopen(request, context=live.trust()) as response:
        found: dict[str, str] = json.load(response)
        return found


def headers_of(live: Live, who: str) -> dict[str, str]:
    """What somebody shows with every call."""
    if who == "administrator":
        people = {"username": live.env["LP_USER"], "password": live.env["LP_PASS"]}
        return {"Authorization": f"Bearer {ask(live, live.url('AGENTVEP', 'login'), people)['bearer']}"}
    if who == "consumer":
        return {"Authorization": f"Bearer {ask(live, live.url('IDP', 'signup'))['jwt']}"}
    if who == "connector":
        app = {name: live.env[f"LP_APP_{name.upper()}"] for name in ("client_id", "client_secret")}
        base = f"https://{live.env['LP_SENTINEL']}/sentinel/api/account/{live.account}/app/token"
        token = ask(live, base, {"grant_type": "client_credentials", **app})["access_token"]
        url = live.url("IDP", "consumer?v=1.0")
        jws = ask(live, url, {"ext_consumer_id": "fuzz"}, Authorization=token)["token"]
        return {"Authorization": token, "X-LP-ON-BEHALF": jws}
    return {}


def description(live: Live, folder: Path) -> Path:
    """The served description, with this brand as the only one there is."""
    with urllib.request.urlopen(f"http://{live.env['LP_HTTP']}/openapi.json") as response:
        known = json.loads(response.read().replace(b"{account_id}", live.account.encode()))
    for operations in known["paths"].values():
        for operation in operations.values():
            parameters = operation["parameters"]
            operation["parameters"] = [one for one in parameters if one["name"] != "account_id"]
    path = folder / "openapi.json"
    path.write_text(json.dumps(known))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("who", ["connector", "consumer", "nobody", "administrator"])
def test_no_described_call_breaks_the_server(live: Live, tmp_path: Path, who: str) -> None:
    headers = [f"--header={name}: {value}" for name, value in headers_of(live, who).items()]
    if who in PATHS_OF:
        headers += ["--include-path-regex", PATHS_OF[who]]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(description(live, tmp_path))),
        *("--url", f"http://{live.env['LP_HTTP']}"),
        *("--checks", "not_a_server_error,response_schema_conformance,content_type_conformance"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all"),
        *("--max-examples", "5", "--seed", "1", "--generation-database", "none", "--no-color"),
        *("--exclude-path-regex", ENDS_THE_SESSION, "--request-timeout", "20", "--workers", "1"),
        *("--suppress-health-check", "all", "--warnings", "off"),
    ]
    run = subprocess.run(
        [*command, *headers], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert not re.search(r'"event":\s*"incident"', live.log)
