"""The parent's side: start zygotes, and take workers from them.

NumPy does not load here, so that a zygote can get ready while it loads in the parent.
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from minitransformer.grader.sandbox.limits import MEBIBYTE

PACKAGE_ROOT = Path(__file__).resolve().parents[3]
GRADER = "minitransformer.grader"
MODULES = {
    "numpy": (f"{GRADER}.running", f"{GRADER}.drives"),
    "torch": (
        *(f"{GRADER}.running", f"{GRADER}.drives", f"{GRADER}.torch_drives"),
        f"{GRADER}.sandbox.warm_torch",
    ),
}
MEMORY = {"numpy": 1024 * MEBIBYTE, "torch": 3072 * MEBIBYTE}
SPARES = 2
START = (
    "import json, sys; sys.path += json.loads(sys.argv[2]); "
    "from minitransformer.grader.sandbox.{module} import main; main()"
)


# ---------------------------------------------------------------- one worker
@dataclass
class Worker:
    """The parent's ends of a worker: its channel, and what it prints."""

    ticket: int
    channel: socket.socket
    output: int

    def close(self) -> None:
        """Hang up."""
        self.channel.close()
        os.close(self.output)


@dataclass(frozen=True)
class Ending:
    """How a worker ended: its exit status (negative: a signal), and if we killed it."""

    status: int | None
    killed: bool

    @property
    def out_of_time(self) -> bool:
        """Whether the limit on processor time was what ended it."""
        return not self.killed and self.status == -getattr(signal, "SIGXCPU", 24)

    @property
    def words(self) -> str:
        """Say it for a person."""
        if self.killed or self.status is None:
            return "the process closed its line to the grader"
        if self.status < 0:
            return f"the process died of {_signal_name(-self.status)}"
        return f"the code ended the interpreter (exit status {self.status})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Source(Protocol):
    """Where workers come from: a zygote, or a new process each time."""

    @property
    def locks(self) -> Mapping[str, bool]:
        """Tell which locks hold for all its workers."""
        ...

    def take(self) -> Worker:
        """Give a worker that waits for a job."""
        ...

    def drop(self, worker: Worker) -> None:
        """Kill a worker that is no longer needed."""
        ...

    def end(self, worker: Worker, grace: float) -> Ending:
        """Wait a little for a worker to end by itself, then kill it."""
        ...

    def close(self) -> None:
        """End everything."""
        ...


def search_path() -> list[str]:
    """Folders that hold this package and the libraries that answers may import."""
    folders = [PACKAGE_ROOT]
    for name in ("numpy", "torch", "scipy"):
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            folders.append(Path(found.origin).parents[1])
    return list(dict.fromkeys(map(str, folders)))


def clean_environment() -> dict[str, str]:
    """Give what an interpreter needs to start, and one thread for each library."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return kept | dict.fromkeys(threads, "1")


_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")


# ---------------------------------------------------------------- the zygote
class Zygote:
    """A clean process and the workers forked from it; one for NumPy, one for torch.

    Some workers are always forked in advance, so that locking them down costs no waiting.
    """

    def __init__(self, kind: str, orders: Mapping[str, Any]) -> None:
        self._lock = threading.Lock()
        self._tickets = iter(range(1, 1 << 60))
        self._spare: deque[Worker] = deque()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = {"modules": MODULES[kind], **orders}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [
                    *(sys.executable, "-I", "-S", "-c", START.format(module="zygote")),
                    *(
                        json.dumps(told),
                        json.dumps(search_path()),
                        str(theirs.fileno()),
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=clean_environment(),
                pass_fds=(theirs.fileno(),),
            )
        self._hello: dict[str, bool] | None = None

    @property
    def locks(self) -> Mapping[str, bool]:
        """Wait until the zygote is ready, and tell whether it has a world of its own."""
        with self._lock:
            return self._ready()

    def _ready(self) -> dict[str, bool]:
        if self._hello is None:
            hello = self._control.recv(1 << 16)
            if not hello:
                raise OSError("the process that answers run in did not start")
            self._hello = json.loads(hello)
        return self._hello or {}

    def take(self) -> Worker:
        """Give a worker that waits for a job."""
        with self._lock:
            self._ready()
            worker = self._spare.popleft() if self._spare else self._fork()
            while len(self._spare) < SPARES:
                self._spare.append(self._fork())
            return worker

    def _fork(self) -> Worker:
        ticket = next(self._tickets)
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        order = json.dumps({"do": "fork", "ticket": ticket}).encode()
        socket.send_fds(self._control, [order], [theirs.fileno(), write])
        theirs.close()
        os.close(write)
        return Worker(ticket, ours, read)

    def drop(self, worker: Worker) -> None:
        """Kill a worker that is no longer needed."""
        worker.close()
        order = json.dumps({"do": "drop", "ticket": worker.ticket})
        with self._lock:
            self._control.send(order.encode())

    def end(self, worker: Worker, grace: float) -> Ending:
        """Wait a little for a worker to end by itself, then kill it."""
        order = {"do": "end", "ticket": worker.ticket, "grace": grace}
        worker.close()
        with self._lock:
            self._control.send(json.dumps(order).encode())
            answer = self._control.recv(1 << 16)
        return Ending(**json.loads(answer)) if answer else Ending(None, killed=False)

    def close(self) -> None:
        """Hang up: the zygote ends, and its workers with it."""
        self._control.close()
        while self._spare:
            self._spare.pop().close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
