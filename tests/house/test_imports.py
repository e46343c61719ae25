"""Who may import whom, as pyproject.toml says."""

import subprocess
import sys
from pathlib import Path

import pytest

LINT = Path(sys.executable).with_name("lint-imports")
CONTRACT_BREAKERS = {
    "layers": ("kernel/x.py", "import talkwire.accounts\n"),
    "protected": ("identity/service.py", "import talkwire.backends.database.sqlite\n"),
    "forbidden": ("files/rules.py", "import asyncio\n"),
    "forbidden, by way of another module": ("files/rules.py", "import talkwire.kernel.napping\n"),
    "an unknown room": ("utils/__init__.py", ""),
}


def _lint(root: Path, pythonpath: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-logo", "--no-cache", "--config", root / "pyproject.toml"],
        cwd=pythonpath, env={"PYTHONPATH": str(pythonpath)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.parents:
        if folder.name == "src":
            break
        (folder / "__init__.py").touch()
    path.write_text(text)


def test_the_import_contracts_hold(root: Path) -> None:
    result = _lint(root, root / "src")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("contract", CONTRACT_BREAKERS)
def test_a_breach_of_each_contract_is_noticed(contract: str, root: Path, tmp_path: Path) -> None:
    package = tmp_path / "src" / "talkwire"
    _write(package / "accounts" / "model.py", "")
    _write(package / "kernel" / "napping.py", "import time\n")
    _write(package / "backends" / "database" / "sqlite.py", "")
    _write(package / "files" / "rules.py", "")
    _write(package / "assembly" / "node.py", "import talkwire.backends.database.sqlite\n")
    kept = _lint(root, tmp_path / "src")
    assert kept.returncode == 0, kept.stdout + kept.stderr

    name, text = CONTRACT_BREAKERS[contract]
    _write(package / name, text)
    assert _lint(root, tmp_path / "src").returncode == 1
