"""The Postman collection of docs/postman, run by newman against a demo server."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from live import ROOT, Live, serving

FOLDER = ROOT / "docs/postman"
COLLECTION = FOLDER / "talkwire.postman_collection.json"
NEWMAN = ROOT / "tests/conformance/js/node_modules/.bin/newman"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live


def test_newman_walks_the_collection_without_a_failure(live: Live, tmp_path: Path) -> None:
    if not NEWMAN.exists() or shutil.which("node") is None:
        pytest.skip("needs node and the npm package newman")
    env = live.env
    variables = {
        "account": live.account,
        "csds": env["LP_HTTP"],
        "user": env["LP_USER"],
        "password": env["LP_PASS"],
        "clientId": env["LP_APP_CLIENT_ID"],
        "clientSecret": env["LP_APP_CLIENT_SECRET"],
        "fileSize": str((FOLDER / "picture.png").stat().st_size),
    }
    report = tmp_path / "report.json"
    command = [
        *(str(NEWMAN), "run", str(COLLECTION), "--working-dir", str(FOLDER)),
        *("--ssl-extra-ca-certs", env["NODE_EXTRA_CA_CERTS"]),
        *("--reporters", "cli,json", "--reporter-json-export", str(report), "--color", "off"),
        *(word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    stats = json.loads(report.read_text())["run"]["stats"]
    requests = sum(len(folder["item"]) for folder in json.loads(COLLECTION.read_text())["item"])
    assert stats["requests"] == {"total": requests, "pending": 0, "failed": 0}
    assert stats["assertions"]["failed"] == 0
    assert stats["assertions"]["total"] > requests


def test_the_collection_holds_nobodys_secret() -> None:
    collection = json.loads(COLLECTION.read_text())
    assert {variable["value"] for variable in collection["variable"]} == {""}
