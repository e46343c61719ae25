"""A demo server in a process of its own, for tests that walk with real clients.

@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live
"""

import contextlib
import os
import shlex
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30  # on a busy machine, with a fresh data folder
STOP_SECONDS = 10  # the promise: SIGTERM drains and exits within this


@dataclass(frozen=True)
class Live:
    """A running demo server: what `demo.env` says, where its data lies, and its process."""

    data: Path
    env: dict[str, str] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def account(self) -> str:
        return self.env["LP_ACCOUNT"]

    @property
    def shell_env(self) -> dict[str, str]:
        """The environment of somebody who has typed `. data/demo.env`."""
        return {**os.environ, **self.env}

    def url(self, service: str, path: str, *, scheme: str = "https") -> str:
        """`url("IDP", "signup")` is the address of that call for the demo's account."""
        return f"{scheme}://{self.env[f'LP_{service}']}/api/account/{self.account}/{path}"

    def socket_url(self, rest: str) -> str:
        """`socket_url("consumer?v=3")`, `socket_url("brand/<bearer>?v=2.1")`."""
        return f"wss://{self.env['LP_ASYNCMESSAGINGENT']}/ws_api/account/{self.account}/messaging/{rest}"

    def trust(self) -> ssl.SSLContext:
        """Believes in the demo's own certificate authority and in nothing else."""
        return ssl.create_default_context(cafile=self.env["NODE_EXTRA_CA_CERTS"])

    @property
    def log(self) -> str:
        """What the server has said so far."""
        return (self.data.parent / "server.log").read_text(errors="replace")


def parse_env(text: str) -> dict[str, str]:
    """Read a file of `export NAME='value'` lines as a shell would."""
    words = shlex.split(text, comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def start_server(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Live:
    """Start a demo server on free ports, its data in `folder`/data, and wait until all its ports listen.

    A folder used before is taken up again, with its people and conversations; `env` comes over our own
    environment. Raises TimeoutError or RuntimeError with the server's log when it does not come up.
    """
    process = launch(folder, *options, env=env)
    data, log = folder / "data", folder / "server.log"
    told = data / "demo.env"
    deadline = time.monotonic() + START_SECONDS
    while not told.exists():
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{log.read_text()}")
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"the server is not up after {START_SECONDS} s:\n{log.read_text()}")
        time.sleep(0.02)
    return Live(data=data, env=parse_env(told.read_text()), process=process)


def launch(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Begin to start a server, as `start_server` does, and wait for nothing."""
    data, log = folder / "data", folder / "server.log"
    (data / "demo.env").unlink(missing_ok=True)  # the file of an earlier start names ports of the past
    command = [
        sys.executable,
        "-m",
        "talkwire",
        "serve",
        "--demo",
        "--data",
        str(data),
        "--port",
        "0",
        *options,
    ]
    with log.open("ab") as said:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdout=said,
            stderr=said,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )


def stop(live: Live) -> int:
    """End the server as an operator does, and return its exit status."""
    live.process.send_signal(signal.SIGTERM)
    try:
        return live.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        live.process.kill()
        live.process.wait()
        raise


def kill(live: Live) -> None:
    """End the server as a power cut does."""
    live.process.kill()
    live.process.wait()


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Live]:
    """A demo server for as long as the block lasts; it must end cleanly."""
    live = start_server(folder, *options)
    try:
        yield live
    except BaseException:
        print(live.log)  # pytest shows it with the failure
        raise
    finally:
        status = stop(live)
    assert status == 0, f"the server ended with {status}:\n{live.log}"
