"""The few system calls that Python has no name for, through ctypes."""

import ctypes
import os
import platform
import sys

MACHINE = platform.machine()
NEUTRAL_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

PR_SET_PDEATHSIG = 1
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def checked(name: str, *arguments: object) -> int:
    """Call a function of the C library; a negative result becomes an `OSError`."""
    if _LIBC is None:
        raise OSError(f"{name} is a call of Linux; this is {sys.platform}")
    result = getattr(_LIBC, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, *values: int) -> None:
    """Set a property of this process; what is missing of the four values is 0."""
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    checked("prctl", ctypes.c_int(option), *padded)


def system_call(number: int, *arguments: object) -> int:
    """Call the kernel by number, for calls that the C library does not wrap."""
    return checked("syscall", ctypes.c_long(number), *arguments)
