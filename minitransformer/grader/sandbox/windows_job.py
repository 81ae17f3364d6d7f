"""A job object of Windows: one process, so much memory, so much time, gone when closed.

Structures and constants are those of <winnt.h>; see "Job Objects" in Microsoft's
documentation. Files and the network are not confined by it.
"""

import ctypes
import subprocess
from dataclasses import dataclass
from typing import Any

from minitransformer.grader.sandbox.limits import Limits

PROCESS_TIME, ACTIVE_PROCESS, PROCESS_MEMORY = 0x2, 0x8, 0x100
DIE_ON_UNHANDLED_EXCEPTION, KILL_ON_JOB_CLOSE = 0x400, 0x2000
EXTENDED_LIMIT_INFORMATION = 9
TICKS = 10_000_000  # hundreds of nanoseconds in a second


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = [
        ("per_process_time", ctypes.c_int64),
        ("per_job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("active_processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority_class", ctypes.c_uint32),
        ("scheduling_class", ctypes.c_uint32),
    ]


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = [
        ("basic", BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    ]


def limits_of(limits: Limits) -> ExtendedLimits:
    """Write the limits of a worker as Windows wants them."""
    written = ExtendedLimits()
    written.basic.flags = (
        PROCESS_TIME
        | ACTIVE_PROCESS
        | PROCESS_MEMORY
        | DIE_ON_UNHANDLED_EXCEPTION
        | KILL_ON_JOB_CLOSE
    )
    written.basic.per_process_time = int((limits.seconds + 2) * TICKS)
    written.basic.active_processes = 1
    written.process_memory = limits.memory
    return written


@dataclass
class Job:
    """An open job object."""

    kernel: Any
    handle: Any

    def close(self) -> None:
        """Close it, which ends the process in it."""
        self.kernel.CloseHandle(self.handle)


def bind(process: "subprocess.Popen[bytes]", limits: Limits) -> Job:
    """Put a process into a new job object.

    Raises
    ------
    OSError
        If Windows refuses; the process is then killed.
    """
    kernel: Any = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - it exists on Windows only
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    written = limits_of(limits)
    done = (
        job.value
        and kernel.SetInformationJobObject(
            job,
            EXTENDED_LIMIT_INFORMATION,
            ctypes.byref(written),
            ctypes.sizeof(written),
        )
        and kernel.AssignProcessToJobObject(
            job,
            ctypes.c_void_p(int(getattr(process, "_handle"))),  # noqa: B009 - it exists on Windows only
        )
    )
    if not done:
        process.kill()
        raise OSError("the job object that bounds a worker could not be made")
    return Job(kernel, job)
