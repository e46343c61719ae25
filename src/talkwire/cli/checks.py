"""What the doctor looks at. Each check only looks: nothing is made, opened or repaired for good."""

import asyncio
import fcntl
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from talkwire.cli.clamd import longest_scan
from talkwire.cli.failures import CannotStart
from talkwire.cli.findings import Finding
from talkwire.cli.ground import open_port, ports_of, with_demo_ports
from talkwire.cli.stores import check_database, check_key_store
from talkwire.kernel.errors import Unavailable
from talkwire.settings import MIB, Settings
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.masters import MasterFile, check_private

ENOUGH_FILES = 16_384  # 10,000 sockets, and room for uploads
SLOW_FSYNC_MS = 20.0
FEW_FREE_BYTES = 1024 * MIB
EICAR = (
    rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
)  # split, or we are found


def _program(settings: Settings) -> Iterator[Finding]:
    says = f"talkwire {version('talkwire')}, Python {platform.python_version()}, {platform.system()}"
    yield Finding("program", "ok", says)


def _folders(settings: Settings) -> Iterator[Finding]:
    for name, path in (
        ("data folder", settings.storage.data_path),
        ("keys folder", settings.storage.keys_path),
    ):
        yield _folder(name, path)


def _folder(name: str, path: Path) -> Finding:
    place = next(parent for parent in (path, *path.parents) if parent.exists())
    if not place.is_dir():
        return Finding(name, "fail", f"{place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(name, "fail", f"{place} is not writable")
    free = shutil.disk_usage(place).free
    says = f"{path}, {free // MIB} MiB free" + ("" if path.exists() else ", made on first start")
    if path.exists() and path.stat().st_mode & 0o077:
        return _readable(name, path, says)
    return Finding(name, "ok" if free > FEW_FREE_BYTES else "warn", says)


def _readable(name: str, path: Path, says: str) -> Finding:
    try:
        if name.startswith("keys") and any(path.iterdir()):
            check_private(path)
    except MasterKeyWrong as error:
        return Finding(name, "fail", str(error))
    return Finding(name, "warn", f"{says}, readable by others (the server makes it 0700)")


def _master_key(settings: Settings) -> Iterator[Finding]:
    storage = settings.storage
    if storage.master_key:
        changing = " (and the former one)" if storage.master_key_former else ""
        yield Finding("master key", "ok", f"from the settings{changing}")
        return
    try:
        known = list(MasterFile(storage.keys_path).known()) if storage.keys_path.exists() else []
    except (MasterKeyWrong, OSError) as error:
        yield Finding("master key", "fail", str(error))
        return
    if known:
        yield Finding("master key", "ok", f"{known[0]}, in the keys folder")
    elif (storage.keys_path / "keys.db").exists():
        yield Finding(
            "master key", "fail", f"{storage.keys_path} has keys.db and no master.key to open it with"
        )
    else:
        yield Finding("master key", "ok", "made on first start")


def _fsync(settings: Settings) -> Iterator[Finding]:
    """Every answered publish waits for one of these."""
    path = settings.storage.data_path
    place = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(place, os.W_OK):
        return
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(30):
            file.write(b"\0" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    median, worst = statistics.median(taken), max(taken)
    says = f"median {median:.2f} ms, worst {worst:.2f} ms"
    if median > SLOW_FSYNC_MS:
        yield Finding("fsync", "warn", f"{says}: every acknowledged message waits for one; use a faster disk")
    else:
        yield Finding("fsync", "ok", says)


def _open_files(settings: Settings) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= ENOUGH_FILES:
        yield Finding("open files", "ok", f"{soft} now, the server raises it to {_limit(hard)}")
    else:
        yield Finding("open files", "warn", f"{hard} at most, one per socket: raise `ulimit -Hn`")


def _limit(number: int) -> str:
    return "what the system allows" if number == resource.RLIM_INFINITY else str(number)


def _ports(settings: Settings) -> Iterator[Finding]:
    running = holder_of(settings.storage.data_path)
    if running:
        yield Finding("server", "ok", f"process {running} runs on this data folder")
    listen = with_demo_ports(settings).listen
    with ExitStack() as held:  # all at once: two of ours may be the same
        for flag, port in ports_of(listen):
            if port is not None:
                yield _port(listen.host, port, flag, held, is_running=bool(running))


def _port(host: str, port: int, flag: str, held: ExitStack, *, is_running: bool) -> Finding:
    name = f"port {port}"
    try:
        for opened in open_port(host, port, flag):
            held.enter_context(opened)
    except CannotStart as error:
        return Finding(name, "ok" if is_running else "fail", "in use" if is_running else error.message)
    return Finding(name, "ok", f"free on {host}" if port else f"any that is free on {host}")


def holder_of(data: Path) -> str:
    """The process that serves this data now; empty when none does."""
    try:
        with (data / "server.lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(32).decode("ascii", "replace").strip() or "unknown"
    except OSError:
        return ""
    return ""


def _scanner(settings: Settings) -> Iterator[Finding]:
    if settings.scanner.clamd:
        yield asyncio.run(_clamd(settings))
        yield from _patience(settings)


def _patience(settings: Settings) -> Iterator[Finding]:
    """What clamd is given less time for than it allows itself never gets a verdict, and keeps its threads busy."""
    allowed = longest_scan(settings.scanner)
    if allowed is None:
        return
    seconds, path = allowed
    ours = settings.scanner.clamd_seconds
    if seconds and seconds < ours:
        return
    takes = f"{seconds:g} s" if seconds else "any time"
    yield Finding(
        "scanner patience",
        "warn",
        f"clamd may take {takes} for one file (MaxScanTime, {path}) and clamd_seconds is {ours:g}: make"
        " MaxScanTime the smaller one",
    )


async def _clamd(settings: Settings) -> Finding:
    """Asked as an upload asks it, with the test file that every scanner knows."""
    from talkwire.assembly.scanner import scanner_of  # noqa: PLC0415 -- only who has a scanner needs it

    async def test_file() -> AsyncIterator[bytes]:
        yield EICAR

    says = settings.scanner.clamd
    try:
        scanner = scanner_of(settings.scanner)
        verdict = await scanner.scan(test_file()) if scanner else None
    except (Unavailable, ValueError) as error:
        return Finding("scanner", "fail", f"{says}: {error}; until it answers files wait and none is served")
    if verdict is None or verdict.clean:
        return Finding("scanner", "warn", f"{says} answers, but does not know EICAR: has it signatures?")
    return Finding("scanner", "ok", f"{says} finds {verdict.name} in the test file")


def _certificate(settings: Settings) -> Iterator[Finding]:
    from talkwire.ops.certificates import load_certificate  # noqa: PLC0415 -- the help needs no X.509

    listen = settings.listen
    own = settings.storage.data_path / "tls" / "server.pem"
    path = Path(listen.tls_cert_file).expanduser() if listen.tls_cert_file else own
    certificate = load_certificate(path)
    if certificate is None and listen.tls_cert_file:
        yield Finding("certificate", "fail", f"{path}: no certificate can be read there")
    elif certificate is None:
        yield Finding("certificate", "ok", "from a local authority, made on first start")
    else:
        days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
        says = f"{path}, valid for {days} days"
        soon = days < 14  # noqa: PLR2004 -- two weeks to act
        yield Finding("certificate", "fail" if days < 0 else "warn" if soon else "ok", says)


def _demo(settings: Settings) -> Iterator[Finding]:
    told = settings.storage.data_path / "demo.env"
    if told.exists():
        yield Finding("demo", "ok", f"a demo brand; its addresses as of the last start: . {told}")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _program,
    _folders,
    _master_key,
    _fsync,
    _open_files,
    _ports,
    check_database,
    check_key_store,
    _scanner,
    _certificate,
    _demo,
)
