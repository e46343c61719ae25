"""What a server stands on: its folders, the lock that keeps a second one out, its listening sockets."""

import errno
import fcntl
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from talkwire.cli.failures import BadRequest, CannotStart, reason_of
from talkwire.ops.tuning import BACKLOG
from talkwire.settings import Listen, Settings
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.masters import make_private

DEMO_HTTP_PORT = 8080
DEMO_STORAGE_PORT, DEMO_STORAGE_HTTP_PORT = 8444, 8081


@dataclass
class Ground:
    """Held for the life of the process. `settings` carries the ports that were really opened."""

    settings: Settings
    lock: IO[bytes]
    tls_sockets: list[socket.socket]
    http_sockets: list[socket.socket]
    storage_tls_sockets: list[socket.socket]
    storage_http_sockets: list[socket.socket]


def take_ground(settings: Settings) -> Ground:
    """Make the folders, lock them, open the ports. Raises CannotStart, in words for an operator."""
    settings = with_demo_ports(settings)
    prepare_folder(settings.storage.data_path)
    prepare_keys_folder(settings.storage.keys_path)
    lock = take_lock(settings.storage.data_path)
    listen = settings.listen
    opened = [
        open_port(listen.host, port, flag) if port is not None else [] for flag, port in ports_of(listen)
    ]
    ports = [sockets[0].getsockname()[1] if sockets else None for sockets in opened]
    listen = replace(
        listen, port=ports[0], http_port=ports[1], storage_port=ports[2], storage_http_port=ports[3]
    )
    return Ground(replace(settings, listen=listen), lock, *opened)


def ports_of(listen: Listen) -> list[tuple[str, int | None]]:
    """Every port that may be wanted, with the flag that names another."""
    return [
        ("--port", listen.port),
        ("--http-port", listen.http_port),
        ("--storage-port", listen.storage_port),
        ("--storage-http-port", listen.storage_http_port),
    ]


def with_demo_ports(settings: Settings) -> Settings:
    """A demo serves plain http too: on 8080, or on any free port when `--port 0` asks for any.

    And files through a process of their own: nobody has to know those ports, so what is not free is not insisted on.
    """
    listen = settings.listen
    if not settings.process.demo:
        return settings
    if listen.http_port is None:
        listen = replace(listen, http_port=DEMO_HTTP_PORT if listen.port else 0)
    if listen.storage_port is None and listen.storage_http_port is None:
        is_usual = listen.http_port == DEMO_HTTP_PORT
        wanted = (DEMO_STORAGE_PORT, DEMO_STORAGE_HTTP_PORT) if is_usual else (0, 0)
        ports = [port if _is_free(listen.host, port) else 0 for port in wanted]
        listen = replace(listen, storage_port=ports[0], storage_http_port=ports[1])
    return replace(settings, listen=listen)


def _is_free(host: str, port: int) -> bool:
    try:
        opened = open_port(host, port, "")
    except (BadRequest, CannotStart):
        return False
    for one in opened:
        one.close()
    return True


def prepare_folder(path: Path) -> None:
    """Have a private folder that we can write to."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError as error:
        raise CannotStart(f"{path} is not a folder") from error
    except OSError as error:
        raise CannotStart(f"{path} is not writable: {reason_of(error)}") from error


def prepare_keys_folder(path: Path) -> None:
    """Have a private folder for keys; one whose keys others could read is refused, not mended in silence."""
    try:
        make_private(path)
    except MasterKeyWrong as error:
        raise CannotStart(str(error)) from error
    except FileExistsError as error:
        raise CannotStart(f"{path} is not a folder") from error
    except OSError as error:
        raise CannotStart(f"{path} is not writable: {reason_of(error)}") from error
    prepare_folder(path)


def take_lock(data: Path) -> IO[bytes]:
    """Keep a second server off the same data. The system lets go of it when we die, however we die."""
    file = (data / "server.lock").open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read(32).decode("ascii", "replace").strip()
        file.close()
        raise CannotStart(f"{data} is in use by another server (process {holder or 'unknown'})") from error
    file.truncate(0)
    file.write(b"%d\n" % os.getpid())
    file.flush()
    return file


def open_port(host: str, port: int, flag: str) -> list[socket.socket]:
    """Listening sockets for every address of `host`, all on one port; 0 picks a free one."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise BadRequest(f"--host {host}: {str(error.strerror).lower()}") from error
    opened: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            opened.append(_listener(family, (address[0], port, *address[2:])))
        except OSError as error:
            if error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL} and opened:
                continue  # a machine without IPv6 still resolves ::1
            for other in opened:
                other.close()
            raise CannotStart(f"cannot listen on {host} port {port}: {_advice(error, flag)}") from error
        port = opened[0].getsockname()[1]
    return opened


def _listener(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _advice(error: OSError, flag: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the port is taken; choose another with {flag}"
    return reason_of(error)
