"""All locks of a worker, turned one after the other before it sees learner code.

The order matters. Identity goes first, because giving up a user id resets some other
properties; `no_new_privs` comes before the two locks that need it; the filter of system
calls comes last, because it forbids the calls that the steps before it make.
"""

import ctypes
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minitransformer.grader.sandbox import landlock, limits, seccomp
from minitransformer.grader.sandbox.libc import (
    NEUTRAL_ENVIRONMENT,
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    checked,
    prctl,
)

CAPABILITY_VERSION = 0x20080522
MYSELF = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
NO_CAPABILITY = (ctypes.c_uint32 * 6)()


@dataclass(frozen=True, kw_only=True)
class Locks:
    """Which locks to turn, and how far."""

    limits: limits.Limits
    readable: Sequence[landlock.Rule]
    scratch: Path | None  # the only writable folder, if there is one
    user: int | None  # a user id that nobody uses, if this process is root
    landlock: bool = True
    seccomp: bool = True


def apply(locks: Locks) -> dict[str, bool]:
    """Lock this process for ever; return which of the two kernel locks took hold."""
    _move_into(locks.scratch)
    give_up_privileges(locks.user)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # die with the zygote
    prctl(PR_SET_DUMPABLE, 0)  # no core, no ptrace, /proc/self belongs to root
    filters = locks.seccomp and seccomp.is_known()
    limits.apply(locks.limits, may_fork=filters)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    allowed = list(locks.readable)
    if locks.scratch is not None:
        allowed.append((str(locks.scratch), landlock.WRITE))
    return {
        "landlock": locks.landlock and landlock.restrict(allowed),
        "seccomp": filters and seccomp.restrict(),
    }


def rehearse(readable: Sequence[landlock.Rule]) -> None:
    """Do what can be done of it without locking anything; see `worker.rehearse`."""
    if seccomp.is_known():
        seccomp.filter_for(os.getpid())
    prctl(PR_GET_DUMPABLE)
    made = landlock.ruleset(readable)
    if made is not None:
        os.close(made)


def forget_surroundings() -> None:
    """Leave the parent's folder and environment behind, once for all workers."""
    os.chdir("/")
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(NEUTRAL_ENVIRONMENT, HOME="/")


def _move_into(scratch: Path | None) -> None:
    if scratch is not None:
        os.chdir(scratch)
        os.environ["HOME"] = os.environ["TMPDIR"] = str(scratch)


def give_up_privileges(user: int | None) -> None:
    """Become a user without a name and without a single capability."""
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    checked("capset", ctypes.byref(MYSELF), ctypes.byref(NO_CAPABILITY))
