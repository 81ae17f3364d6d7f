"""The parent's end of one conversation with a worker.

Nothing that a worker sends is believed further than that it is plain data; the clock and
the counting of bytes are here.
"""

import os
import selectors
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from minitransformer.grader.sandbox import wire
from minitransformer.grader.sandbox.host import Worker

STOP_SECONDS = 0.2  # how soon a stop is noticed
KEPT_OUTPUT = 4_000  # bytes of what a worker prints past Python


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
            listening = selectors.EVENT_READ
            while True:
                yield from self._whole_frames()
                left = self.deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                if self.stop.is_set():
                    raise InterruptedError
                writing = selectors.EVENT_WRITE if self._outgoing else 0
                if listening != selectors.EVENT_READ | writing:
                    listening = selectors.EVENT_READ | writing
                    ready.modify(channel, listening)
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
