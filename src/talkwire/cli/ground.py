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
from talkwire.settings import Settings
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.masters import make_private

DEMO_HTTP_PORT = 8080
BACKLOG = 4096  # a reconnect storm fills the queue faster than one loop turn empties it


@dataclass
class Ground:
    """Held for the life of the process. `settings` carries the ports that were really opened."""

    settings: Settings
    lock: IO[bytes]
    tls_sockets: list[socket.socket]
    http_sockets: list[socket.socket]


def take_ground(settings: Settings) -> Ground:
    """Make the folders, lock them, open the ports. Raises CannotStart, in words for an operator."""
    settings = with_demo_port(settings)
    prepare_folder(settings.storage.data_path)
    prepare_keys_folder(settings.storage.keys_path)
    lock = take_lock(settings.storage.data_path)
    listen = settings.listen
    tls_sockets = open_port(listen.host, listen.port, "--port")
    http_sockets: list[socket.socket] = []
    if listen.http_port is not None:
        http_sockets = open_port(listen.host, listen.http_port, "--http-port")
    listen = replace(
        listen,
        port=tls_sockets[0].getsockname()[1],
        http_port=http_sockets[0].getsockname()[1] if http_sockets else None,
    )
    return Ground(replace(settings, listen=listen), lock, tls_sockets, http_sockets)


def with_demo_port(settings: Settings) -> Settings:
    """A demo serves plain http too: on 8080, or on any free port when `--port 0` asks for any."""
    listen = settings.listen
    if not settings.process.demo or listen.http_port is not None:
        return settings
    return replace(settings, listen=replace(listen, http_port=DEMO_HTTP_PORT if listen.port else 0))


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
