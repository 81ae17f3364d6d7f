"""Workers without fork: a new process for each, for macOS and Windows.

What it is for: the same jobs over the same wire, each in a process of its own that is
killed with everything it started. On macOS it gets the resource limits that work there,
no file larger than a few MiB, no child processes; its memory is watched from outside,
because the kernel does not enforce that limit. On Windows a job object bounds memory,
processor time and the number of processes, and ends them all when it is closed.
What it does not do: files and the network are not confined on either system. For grades
that matter, use Linux, WSL 2, a container or a CI service.

The two systems could not be tried where this was written. The parts that need no such
system are tested; the rest keeps to the documented interfaces.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from itertools import count
from typing import Any

from minitransformer.grader.sandbox import windows_job
from minitransformer.grader.sandbox.host import (
    MODULES,
    START,
    Ending,
    Worker,
    clean_environment,
    search_path,
)
from minitransformer.grader.sandbox.limits import Limits

WATCH_SECONDS = 0.1


class Spawner:
    """Starts a new worker for each job; as slow as starting Python is."""

    def __init__(self, kind: str, limits: Limits) -> None:
        self._kind, self._limits = kind, limits
        self._tickets = count(1)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._bounds: dict[int, windows_job.Job] = {}

    @property
    def locks(self) -> Mapping[str, bool]:
        """Tell that there is no world of its own here."""
        return {"namespaces": False}

    def take(self) -> Worker:
        """Start a worker that waits for a job."""
        ticket = next(self._tickets)
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        told = {"modules": MODULES[self._kind], "limits": asdict(self._limits)}
        words = [json.dumps(told), json.dumps(search_path())]
        start = START.format(module="spawned")
        command = [sys.executable, "-I", "-S", "-c", start, *words]
        with theirs:
            if sys.platform == "win32":
                process = _start_on_windows(command, theirs)
                self._bounds[ticket] = windows_job.bind(process, self._limits)
                os.close(write)
            else:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter
                    [*command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=write,
                    stderr=write,
                    env=clean_environment(),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
                os.close(write)
                _watch(process, self._limits.memory)
        self._processes[ticket] = process
        return Worker(ticket, ours, read)

    def drop(self, worker: Worker) -> None:
        """Kill a worker that is no longer needed."""
        self.end(worker, 0.0)

    def end(self, worker: Worker, grace: float) -> Ending:
        """Wait a little for a worker to end by itself, then kill it and its group."""
        worker.close()
        process = self._processes.pop(worker.ticket)
        bound = self._bounds.pop(worker.ticket, None)
        killed = False
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            killed = True
        if bound is not None:
            bound.close()  # ends whatever is left of it
        elif sys.platform != "win32":
            _kill_group(process.pid)
        status = process.wait()
        return Ending(status, killed)

    def close(self) -> None:
        """End every worker."""
        for process in self._processes.values():
            process.kill()
            process.wait()


def _kill_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


# ---------------------------------------------------------------- macOS: memory
def resident_bytes(listed: str) -> int:
    r"""Read what `ps -o rss=` prints, in KiB; 0 for a process that is gone.

    Examples
    --------
    >>> resident_bytes("  2048\n"), resident_bytes("")
    (2097152, 0)
    """
    words = listed.split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else 0


def _watch(process: "subprocess.Popen[bytes]", most: int) -> None:
    """Kill a process that holds more memory than it may, from a thread of its own."""

    def look() -> None:
        command = ["/bin/ps", "-o", "rss=", "-p", str(process.pid)]
        while process.poll() is None:
            listed = subprocess.run(  # noqa: S603 - a fixed program
                command, capture_output=True, text=True, check=False
            )
            if resident_bytes(listed.stdout) > most:
                process.kill()
            time.sleep(WATCH_SECONDS)

    threading.Thread(target=look, daemon=True).start()


# ---------------------------------------------------------------- Windows: the channel
def _start_on_windows(
    command: list[str], theirs: socket.socket
) -> "subprocess.Popen[bytes]":
    """Start a process and hand it a socket, which Windows does by value."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [*command, "shared"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )
    share: Any = getattr(theirs, "share")  # noqa: B009 - it exists on Windows only
    if process.stdin is not None:
        process.stdin.write(share(process.pid))
        process.stdin.close()
    return process
