"""What a worker gives up before its first job: files, network, other processes, privileges, memory.

Each step is tried on its own; one that the kernel does not know or does not allow is reported, not fatal.
Landlock binds the calling thread and the ones it starts: this runs while there is only one.

Source: Linux manual pages landlock(7), unshare(2), prctl(2), capabilities(7), getrlimit(2).
"""

import ctypes
import os
import resource
import sys

from talkwire.sanitation import seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_CAPABILITIES_VERSION = 0x20080522
_NOBODY = 65_534

_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # the same on every architecture
_ASK_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights over files each version of Landlock knows; 16 from the fifth on."""
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6

_OPEN_FILES = 16
_PROCESSES = 64  # threads count; a worker has fewer than ten
_SLACK_BYTES = 192 * 1024 * 1024
"""Address space that threads and allocators reserve, and do not use."""


def give_up(parent: int, *, full: bool = True) -> dict[str, bool]:
    """What is given up, by name. `full=False` leaves out what could keep a worker from working at all."""
    done = {"limits": _limit_resources()}
    if not sys.platform.startswith("linux"):
        return done
    libc = ctypes.CDLL(None, use_errno=True)
    done["user"] = _become_nobody()
    done["namespaces"] = full and _leave_namespaces(libc)
    done["no_new_privileges"] = _done(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    done["undumpable"] = _done(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
    die_with(parent, libc)
    done["landlock"] = full and _restrict_files(libc)
    done["seccomp"] = full and seccomp.install(libc)
    return done


def die_with(parent: int, libc: ctypes.CDLL) -> None:
    """After every change of credentials, which forgets it."""
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


class Memory:
    """How much is held: opened while files can be, read when everything is loaded and warm."""

    def __init__(self) -> None:
        try:
            self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def limit(self, more_bytes: int) -> bool:
        """From now on so much more than now."""
        if self._file < 0:
            return False
        try:
            pages = os.read(self._file, 1000).split()
            os.close(self._file)
            page_bytes = resource.getpagesize()
            _set(resource.RLIMIT_DATA, int(pages[5]) * page_bytes + more_bytes)
            _set(resource.RLIMIT_AS, int(pages[0]) * page_bytes + more_bytes + _SLACK_BYTES)
        except (OSError, ValueError, IndexError):
            return False
        return True


def _limit_resources() -> bool:
    try:
        for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
            _set(limit, 0)
        _set(resource.RLIMIT_NOFILE, _OPEN_FILES)
    except (OSError, ValueError):
        return False
    return True


def _set(limit: int, value: int) -> None:
    resource.setrlimit(limit, (value, value))


def _become_nobody() -> bool:
    """A server that runs as root has workers that do not."""
    if os.geteuid():
        return True
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return False
    return True


def _leave_namespaces(libc: ctypes.CDLL) -> bool:
    """An empty network; and no capability in the new namespaces either."""
    if not _done(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)):
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())
    try:  # processes are counted per user and namespace: here, only ours
        _set(resource.RLIMIT_NPROC, _PROCESSES)
    except (OSError, ValueError):
        return False
    return True


def _restrict_files(libc: ctypes.CDLL) -> bool:
    """Landlock, with no rule at all: nothing may be opened, made, listed or connected to."""
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    network = 0b11 if version >= _NETWORK_SINCE else 0
    scopes = 0b11 if version >= _SCOPES_SINCE else 0
    words = 3 if version >= _SCOPES_SINCE else 2 if version >= _NETWORK_SINCE else 1
    rules = (ctypes.c_uint64 * 3)(files, network, scopes)
    ruleset = libc.syscall(_LANDLOCK_CREATE, rules, ctypes.c_size_t(8 * words), 0)
    if ruleset < 0:
        return False
    restricted = _done(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)
    return restricted


def _done(result: int) -> bool:
    return result == 0
