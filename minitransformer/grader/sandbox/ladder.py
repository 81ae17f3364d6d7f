"""The levels of isolation, from strongest to weakest, and what each must prove.

full        Landlock, a filter of system calls, resource limits
namespaces  the same without Landlock: a file system and a network of its own
syscalls    a filter of system calls and resource limits; files are not confined
limits      resource limits and the clock; macOS
process     a job object that bounds memory and processes; Windows
"""

from collections.abc import Mapping

LEVELS = ("full", "namespaces", "syscalls", "limits", "process")

_PROCESS = {"start_a_process", "take_memory", "find_the_environment"}
_LIMITS = {"start_a_process", "fork", "raise_a_limit", "find_the_environment"}
_SYSCALLS = (
    _PROCESS
    | _LIMITS
    | {"open_a_socket", "become_a_program", "signal_the_parent", "change_a_mode"}
)
_FILES = _SYSCALLS | {
    *("read_a_secret", "list_a_folder", "write_outside", "look_at_the_parent"),
}
MUST_HOLD = {
    "full": _FILES,
    "namespaces": _FILES,
    "syscalls": _SYSCALLS,
    "limits": _LIMITS,
    "process": _PROCESS,
}


class LockError(Exception):
    """A worker is not locked as the proven level demands: nothing may run in it."""


def proven(found: Mapping[str, str], locks: Mapping[str, bool]) -> str | None:
    """Give the highest level whose canaries all held; None if not even the lowest.

    Parameters
    ----------
    found : mapping
        Each canary and "held" or "open".
    locks : mapping
        Whether "landlock", "seccomp" and "namespaces" took hold in the worker.

    Examples
    --------
    >>> proven({"start_a_process": "held", "take_memory": "held"}, {}) is None
    True
    """
    held = {name for name, what in found.items() if what == "held"}
    for level in LEVELS:
        if MUST_HOLD[level] <= held and _has_locks(level, locks):
            return level
    return None


def _has_locks(level: str, locks: Mapping[str, bool]) -> bool:
    needed = {
        "full": ("landlock", "seccomp"),
        "namespaces": ("namespaces", "seccomp"),
        "syscalls": ("seccomp",),
    }
    return all(locks.get(lock, False) for lock in needed.get(level, ()))


def at_least(level: str | None, required: str) -> bool:
    """Tell whether a proven level is as strong as the one required.

    Examples
    --------
    >>> at_least("full", "syscalls"), at_least("limits", "syscalls"), at_least(None, "process")
    (True, False, False)
    """
    return level is not None and LEVELS.index(level) <= LEVELS.index(required)
