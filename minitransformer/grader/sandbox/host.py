"""The parent's side: start zygotes, take workers from them, and hold conversations.

Nothing that a worker sends is believed further than that it is plain data; the clock and
the counting of bytes are here.
"""

import importlib.util
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from minitransformer.grader.sandbox import wire
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
STOP_SECONDS = 0.2  # how soon a stop is noticed
KEPT_OUTPUT = 4_000  # bytes of what a worker prints past Python
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

    One worker is always forked in advance, so that locking it down costs no waiting.
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


# ---------------------------------------------------------------- one job
@dataclass
class Line:
    """One conversation with a worker: frames both ways, output counted, a deadline."""

    worker: Worker
    deadline: float  # on the monotonic clock
    stop: threading.Event
    printed: bytes = b""
    _incoming: bytearray = field(default_factory=bytearray)
    _outgoing: bytearray = field(default_factory=bytearray)

    def send(self, frame: bytes) -> None:
        """Queue a frame; it leaves while we listen."""
        self._outgoing += frame

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """Give header and body of each frame as it comes.

        Raises
        ------
        TimeoutError
            When the deadline has passed.
        InterruptedError
            When everything is to stop.
        wire.BadFrameError
            When what comes cannot be a frame.
        """
        channel, output = self.worker.channel, self.worker.output
        channel.settimeout(0.0)
        os.set_blocking(output, False)
        with selectors.DefaultSelector() as ready:
            ready.register(channel, selectors.EVENT_READ)
            ready.register(output, selectors.EVENT_READ)
            while True:
                yield from self._whole_frames()
                left = self.deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                if self.stop.is_set():
                    raise InterruptedError
                writing = selectors.EVENT_WRITE if self._outgoing else 0
                ready.modify(channel, selectors.EVENT_READ | writing)
                for key, event in ready.select(min(left, STOP_SECONDS)):
                    if key.fd == output:
                        if not self._drain():
                            ready.unregister(output)
                    elif not self._exchange(event):
                        return

    def _exchange(self, event: int) -> bool:
        """Write what waits, read what came; False when the worker has hung up."""
        try:
            if event & selectors.EVENT_WRITE:
                sent = self.worker.channel.send(self._outgoing[: 1 << 18])
                del self._outgoing[:sent]
            if event & selectors.EVENT_READ:
                came = self.worker.channel.recv(1 << 18)
                self._incoming += came
                return bool(came)
        except BlockingIOError:
            return True
        except OSError:  # reset, broken pipe: the worker is gone
            return False
        return True

    def _drain(self) -> bool:
        """Take what the worker printed, keep the beginning; False at its end."""
        try:
            came = os.read(self.worker.output, 1 << 16)
        except BlockingIOError:
            return True
        self.printed += came[: KEPT_OUTPUT - len(self.printed)]
        return bool(came)

    def _whole_frames(self) -> Iterator[tuple[bytes, bytes]]:
        start = wire.LENGTHS.size
        while len(self._incoming) >= start:
            header, body = wire.lengths(bytes(self._incoming[:start]))
            middle, end = start + header, start + header + body
            if len(self._incoming) < end:
                return
            frame = (
                bytes(self._incoming[start:middle]),
                bytes(self._incoming[middle:end]),
            )
            del self._incoming[:end]
            yield frame
