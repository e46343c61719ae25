"""Which system calls a worker may still make: memory, threads, time, and bytes through open pipes.

Everything else fails with EPERM: opening, connecting, starting programs, signalling others, making memory
executable. Built by hand, since it is one screen and libseccomp is not everywhere.

Source: Linux manual page seccomp(2); kernel documentation, "Seccomp BPF".
"""

import ctypes
import os
import platform
import struct
import sys

_ALLOWED = {
    "x86_64": (
        0, 1, 19, 20,  # read, write, readv, writev
        3, 5, 8, 72,  # close, fstat, lseek, fcntl
        11, 12, 25, 28,  # munmap, brk, mremap, madvise
        13, 14, 15, 131,  # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
        7, 271, 24, 203, 204,  # poll, ppoll, sched_yield, sched_setaffinity, sched_getaffinity
        35, 230, 228, 229, 96, 36, 38,  # nanosleep, clock_*, gettimeofday, getitimer, setitimer
        39, 186, 98, 99, 100, 309,  # getpid, gettid, getrusage, sysinfo, times, getcpu
        202, 273, 334, 218, 324,  # futex, set_robust_list, rseq, set_tid_address, membarrier
        60, 231, 219, 318,  # exit, exit_group, restart_syscall, getrandom
    ),
    "aarch64": (
        63, 64, 65, 66,
        57, 80, 62, 25,
        215, 214, 216, 233,
        134, 135, 139, 132,
        73, 124, 122, 123,
        101, 115, 113, 114, 169, 102, 103,
        172, 178, 165, 179, 153, 168,
        98, 99, 293, 96, 283,
        93, 94, 128, 278,
    ),
}  # fmt: skip

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# mmap, mprotect, clone, clone3, tgkill, prctl, prlimit64, seccomp itself
_SPECIAL = {
    "x86_64": (9, 10, 56, 435, 234, 157, 302, 317),
    "aarch64": (222, 226, 220, 435, 131, 167, 261, 277),
}

_LOAD, _EQUALS, _HAS, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF: ld abs, jeq, jset, ret
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in what the filter sees
_ALLOW, _REFUSE, _UNKNOWN, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # EPERM; ENOSYS
_EXECUTABLE, _THREAD, _SET_NAME = 4, 0x00010000, 15
_SET_FILTER, _ALL_THREADS = 1, 1

_Line = tuple[int, int, int, int]


def install(libc: ctypes.CDLL) -> bool:
    """True when the filter is on, for all threads and for good. Needs no-new-privileges."""
    machine = platform.machine()
    if machine not in _ALLOWED or struct.calcsize("P") != 8 or sys.byteorder != "little":  # noqa: PLR2004
        return False
    lines = _program(machine)
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in lines))
    program = struct.pack("<H6xQ", len(lines), ctypes.addressof(code))
    number = _SPECIAL[machine][-1]
    return bool(libc.syscall(number, _SET_FILTER, _ALL_THREADS, program) == 0)


def _program(machine: str) -> list[_Line]:
    mmap, mprotect, clone, clone3, tgkill, prctl, prlimit, _ = _SPECIAL[machine]
    return [
        (_LOAD, 0, 0, _ARCH),
        (_EQUALS, 1, 0, _ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *(line for number in _ALLOWED[machine] for line in _when(number, (_RETURN, 0, 0, _ALLOW))),
        *_when(clone3, (_RETURN, 0, 0, _UNKNOWN)),  # its flags cannot be seen; libraries then use clone
        *_unless(mmap, 2, _HAS, _EXECUTABLE),
        *_unless(mprotect, 2, _HAS, _EXECUTABLE),
        *_only(clone, 0, _HAS, _THREAD),
        *_only(tgkill, 0, _EQUALS, os.getpid()),
        *_only(prctl, 0, _EQUALS, _SET_NAME),
        *_only(prlimit, 0, _EQUALS, 0),  # its own limits, which it cannot raise
        (_RETURN, 0, 0, _REFUSE),
    ]


def _when(number: int, *then: _Line) -> list[_Line]:
    return [(_EQUALS, 0, len(then), number), *then]


def _only(number: int, argument: int, test: int, value: int) -> list[_Line]:
    """Allowed if the argument passes the test."""
    return _when(number, *_judge(argument, test, value, _ALLOW, _REFUSE))


def _unless(number: int, argument: int, test: int, value: int) -> list[_Line]:
    return _when(number, *_judge(argument, test, value, _REFUSE, _ALLOW))


def _judge(argument: int, test: int, value: int, passed: int, failed: int) -> list[_Line]:
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (test, 0, 1, value),
        (_RETURN, 0, 0, passed),
        (_RETURN, 0, 0, failed),
    ]
