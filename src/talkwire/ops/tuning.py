"""What the process asks of the interpreter and of the system. Each figure is explained where it is set."""

import ctypes
import gc
import resource
import sys

SWITCH_SECONDS = 0.0005
ARENAS = 2
BACKLOG = 4096
"""Connections that wait to be accepted: a reconnect storm fills the queue faster than one loop turn empties it."""
_M_ARENA_MAX = -8  # malloc.h of glibc


def tune_interpreter() -> None:
    """Before anything runs."""
    # the loop and the database's writer share one interpreter lock: 5 ms, the default, is a whole p99
    sys.setswitchinterval(SWITCH_SECONDS)
    _bound_arenas()
    # importing makes much that stays and nothing to collect: looking for it costs a sixth of the start
    gc.disable()


def _bound_arenas() -> None:
    """Few heaps for many threads: each keeps what its largest upload took. Elsewhere than with glibc: nothing."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_ARENA_MAX, ARENAS)


def settle_memory() -> None:
    """Once everything is imported and assembled: what is there now stays, and need not be walked again."""
    gc.collect()
    gc.freeze()
    gc.enable()
    # requests make little that refers to itself; a full walk over 10,000 sockets takes tens of milliseconds
    gc.set_threshold(50_000, 20, 50)


def raise_open_files() -> int:
    """Allow as many open files as the system lets us; every socket is one. Gives the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # macOS refuses more than kern.maxfilesperproc
            return soft
        return wanted
    return soft


def forbid_core_files() -> None:
    """What is in memory, keys too, is not written to disk when the process dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
