"""Resource limits: how much a worker may use before the kernel stops it.

What they are for: memory (`MemoryError`, or an early death), processor time (a signal
that can be ignored, then one that cannot), the size of files, open files, core dumps.
What they do not do: waiting costs no processor time, so the parent also watches the
clock; on macOS the kernel does not enforce the limit on memory.
"""

import sys
from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one worker may use, in seconds and bytes."""

    seconds: float = 10.0
    memory: int = 1024 * MEBIBYTE
    file_size: int = 16 * MEBIBYTE
    open_files: int = 64


def apply(limits: Limits, *, may_fork: bool) -> None:
    """Set the limits of this process, hard ones, so that they cannot be raised again.

    Without `may_fork` it can have no children. That limit counts threads too on Linux
    and does not bind root there, so it is for where no filter of calls does better.
    """
    import resource

    seconds = int(limits.seconds) + 2
    wanted = {
        resource.RLIMIT_CPU: (seconds, seconds + 1),
        resource.RLIMIT_FSIZE: (limits.file_size, limits.file_size),
        resource.RLIMIT_NOFILE: (limits.open_files, limits.open_files),
        resource.RLIMIT_CORE: (0, 0),
    }
    if sys.platform == "linux":
        wanted[resource.RLIMIT_AS] = (limits.memory, limits.memory)
    if not may_fork:
        wanted[resource.RLIMIT_NPROC] = (0, 0)
    for kind, values in wanted.items():
        resource.setrlimit(kind, values)
