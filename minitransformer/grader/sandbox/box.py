"""The sandbox as a whole: it proves its level once, then runs job after job."""

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from minitransformer.grader.sandbox import ladder
from minitransformer.grader.sandbox.host import MEMORY, Source, Zygote
from minitransformer.grader.sandbox.limits import Limits

if TYPE_CHECKING:  # these load NumPy, which a zygote need not wait for
    from minitransformer.grader.sandbox import jobs

CANARY_SECONDS = 20.0


class Sandbox:
    """Workers of one grading run, and the proven level of their isolation.

    Parameters
    ----------
    timeout : float
        Seconds of one exercise, which also bound its processor time.
    without : set of str
        Locks to leave out ("landlock", "seccomp", "namespaces"), to see the weaker
        levels of the ladder hold what they promise.
    """

    def __init__(
        self, *, timeout: float = 10.0, without: frozenset[str] = frozenset()
    ) -> None:
        self.timeout = timeout
        self._without = without
        self._sources: dict[str, Source] = {}
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._known: dict[str, tuple[str | None, dict[str, str], dict[str, bool]]] = {}

    def __enter__(self) -> Self:
        """Give the sandbox itself; processes start when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every process."""
        for source in self._sources.values():
            source.close()

    def stop(self) -> None:
        """Let every job that is running end soon, with `InterruptedError`."""
        self._stop.set()

    def start(self, kind: str) -> Source:
        """Start the process that workers of a kind, numpy or torch, come from."""
        with self._starting:
            if kind not in self._sources:
                self._sources[kind] = self._new_source(kind)
            return self._sources[kind]

    def _new_source(self, kind: str) -> Source:
        limits = Limits(seconds=self.timeout, memory=MEMORY[kind])
        locks = ("landlock", "seccomp", "namespaces")
        wanted = {lock: lock not in self._without for lock in locks}
        if sys.platform == "linux":
            return Zygote(kind, {"limits": asdict(limits), **wanted})
        from minitransformer.grader.sandbox.spawner import Spawner

        return Spawner(kind, limits)

    # ------------------------------------------------------------ proof
    def level(self, kind: str = "numpy") -> str | None:
        """Give the level of isolation that canaries have proven, None if none holds."""
        return self._proof(kind)[0]

    def canaries(self, kind: str = "numpy") -> dict[str, str]:
        """Give what each canary found, "held" or "open"."""
        return self._proof(kind)[1]

    def _proof(self, kind: str) -> tuple[str | None, dict[str, str], dict[str, bool]]:
        source = self.start(kind)
        with self._starting:
            if kind not in self._known:
                found, locks = _sing(source, MEMORY[kind])
                level = ladder.proven(found, locks)
                self._known[kind] = level, found, locks
            return self._known[kind]

    # ------------------------------------------------------------ work
    def run(self, kind: str, job: "jobs.Job") -> "jobs.Report":
        """Do a job with a worker of a kind that is locked as proven."""
        from minitransformer.grader.sandbox import jobs

        locks = self._proof(kind)[2]
        worker_locks = {name: locks[name] for name in ("landlock", "seccomp")}
        return jobs.run(self.start(kind), job, worker_locks, self._stop)


def _sing(source: Source, memory: int) -> tuple[dict[str, str], dict[str, bool]]:
    """Let the canaries try, on a secret, a listener and a variable made for them."""
    import tempfile

    variable = f"CANARY_{os.urandom(8).hex()}"
    os.environ[variable] = "sings"
    locks = {"landlock": False, "seccomp": False, **source.locks}
    found: dict[str, str] = {}
    try:
        with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            secret = Path(folder, "secret")
            secret.write_text(os.urandom(16).hex())
            for path, mode in ((Path(folder), 0o777), (secret, 0o666)):
                path.chmod(mode)  # only the sandbox stands between a worker and these
            plan = {
                "secret": str(secret),
                "parent": os.getpid(),
                "port": listener.getsockname()[1],
                "memory": memory,
                "variable": variable,
            }
            message = _ask(source, plan, locks)
            found = dict(message)
            if secret.stat().st_mode & 0o777 != 0o666:
                found["change_a_mode"] = "open"
            if secret.with_name("written").exists():
                found["write_outside"] = "open"
    finally:
        del os.environ[variable]
    return found, locks


def _ask(
    source: Source, plan: Mapping[str, Any], locks: dict[str, bool]
) -> dict[str, str]:
    from minitransformer.grader.sandbox import jobs, wire
    from minitransformer.grader.sandbox.line import Line

    worker = source.take()
    line = Line(worker, time.monotonic() + CANARY_SECONDS, threading.Event())
    line.send(wire.pack({"canaries": dict(plan)}))
    found: dict[str, str] = {}
    try:
        for header, body in line.frames():
            message = wire.unpack(header, body)
            locks.update(message.get("locks", {}))
            found = message.get("canaries", {})
            if found:
                break
    except TimeoutError:
        pass  # what has not been seen to hold does not count
    source.end(worker, jobs.GRACE)
    return found
