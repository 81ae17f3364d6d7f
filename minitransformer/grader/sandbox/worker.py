"""What happens inside a locked worker: load one answer, call it, say what came.

A worker serves one exercise and ends. It runs after `lockdown`; from the moment it
loads the answer, nothing it says is trusted, and nothing it knows is secret: it holds
the learner's statements, the inputs of the cases, and no result.
"""

import builtins
import linecache
import os
import socket
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from minitransformer.grader import drives
from minitransformer.grader.outcome import Outcome, plain
from minitransformer.grader.running import own_line, run_case, words_of
from minitransformer.grader.sandbox import canaries, stand_ins, wire

Answer = dict[str, Any]
REHEARSALS = 12
MOST_ANSWERED = 1 << 16
_BODY = """(x, axis=-1):
    y = np.sqrt(np.abs(x - x.mean(axis=axis, keepdims=True)) + 1.0)
    z = np.log(y) * np.exp(-y) / x.sum(axis=axis, keepdims=True)
    return np.where(z > 0, z, 0.0) @ np.swapaxes(x, -1, -2) + x.max(axis=axis).min()
"""
_CASE = {
    "data": (np.arange(1.0, 7.0).reshape(2, 3),),
    "options": {"axis": -1},
    "measure_peak": False,
}


class Channel:
    """The worker's end: whole frames in, whole frames out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, tree: Any) -> None:
        """Send one frame."""
        self._connection.sendall(wire.pack(tree))

    def receive(self, function: Callable[[int], Any] | None = None) -> Any:
        """Wait for one frame."""
        header, body = wire.lengths(self._exactly(wire.LENGTHS.size))
        return wire.unpack(self._exactly(header), self._exactly(body), function)

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = self._connection.recv(min(count, 1 << 20))
            if not part:
                os._exit(0)  # the parent has gone
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Remote:
    """A function that stays with the parent: arguments go out, a result comes back."""

    def __init__(self, channel: Channel, number: int) -> None:
        self._channel, self._number = channel, number

    def __call__(self, *data: object, **options: object) -> Any:
        """Ask the parent."""
        asked = {
            "function": self._number,
            "data": tuple(plain(value) for value in data),
            "options": {name: plain(value) for name, value in options.items()},
        }
        self._channel.send(asked)
        answered = self._channel.receive()
        if "raised" in answered:
            kind = getattr(builtins, answered["raised"], None)
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                kind = RuntimeError
            raise kind(answered["message"])
        return answered["value"]


def serve(connection: socket.socket, locks: Mapping[str, bool]) -> None:
    """Do one job: read the answer, then the cases, send an outcome for each case.

    The first frame tells the parent which locks hold. A job may ask for the `canaries`
    in place of an answer.
    """
    channel = Channel(connection)
    channel.send({"locks": dict(locks)})
    given: Answer = channel.receive(lambda number: Remote(channel, number))
    if "canaries" in given:
        channel.send({"canaries": canaries.sing(given["canaries"])})
        return
    cases = channel.receive(lambda number: Remote(channel, number))
    drive = drives.find(given["drive"])
    tripped = stand_ins.install(given)
    failure, namespace = _load(given)
    name = given["name"]
    for index in given["order"]:
        if failure is not None:
            outcome = failure
        elif name not in namespace:
            outcome = Outcome(kind="not_written")
        else:
            outcome = _run(drive, namespace[name], cases[index])
        if outcome.kind == "memory":
            failure = outcome  # filling the memory takes long; once is enough
        _send(channel, index, outcome)
    channel.send({"tripped": tripped})


def rehearse() -> None:
    """Do a whole job in the zygote, often, until the interpreter knows it by heart.

    Python rewrites code that runs often, and NumPy remembers which loop suits which
    numbers. Done here, it is done once, and its pages stay shared with the workers.
    """
    stand_ins.own_modules()
    parent, connection = socket.socketpair()
    job = wire.pack(_rehearsal()) + wire.pack((_CASE, _CASE))
    for _ in range(REHEARSALS):
        modules, finders = dict(sys.modules), list(sys.meta_path)
        parent.sendall(job)
        serve(connection, {})
        parent.recv(MOST_ANSWERED)
        sys.meta_path[:] = finders
        sys.modules.clear()
        sys.modules.update(modules)
    linecache.cache.pop("rehearsal", None)
    del builtins.get_ipython  # pyright: ignore[reportAttributeAccessIssue] - `_load` put it there
    parent.close()
    connection.close()


def _rehearsal() -> Answer:
    """Make up an answer that computes nothing of use with what answers often use."""
    lines = ("import numpy as np", *(f"def {name}{_BODY}" for name in ("own", "f")))
    statements = [
        {"file": "rehearsal", "line": line, "source": source, "needed": True}
        for line, source in enumerate(lines, start=1)
    ]
    return {
        "name": "f",
        "statements": statements,
        "files": {"rehearsal": "\n".join(lines)},
        "helpers": {},
        "drive": "drives.call",
        "order": [0, 1, 0],
        "finished": [],
        "view": {"modules": {}, "allowed": {}, "refused": {}},
        "stock": {},
        "stock_sources": {},
    }


def _load(given: Answer) -> tuple[Outcome | None, dict[str, Any]]:
    """Execute the learner's statements, then put stock answers in place of theirs."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    names = vars(module)
    builtins.get_ipython = _no_notebook  # pyright: ignore[reportAttributeAccessIssue] - IPython puts it there too
    for file, source in given["files"].items():
        lines = source.splitlines(keepends=True)
        linecache.cache[file] = (len(source), None, lines, file)
    try:
        stock = {**given["stock"], **_stock_classes(given["stock_sources"])}
        names.update(stock)
        for statement in given["statements"]:
            _execute(statement, names)
            names.update(stock)
    except NotImplementedError:
        return Outcome(kind="not_written"), names
    except MemoryError as error:
        return Outcome(kind="memory", error="MemoryError", line=own_line(error)), names
    except BaseException as error:  # noqa: BLE001 - a submission may raise anything
        return _raised(error), names
    return None, names


def _stock_classes(sources: Mapping[str, str]) -> dict[str, Any]:
    """Make the classes that stand in for wrong ones, away from the learner's names."""
    made = {}
    for name, source in sources.items():
        names: dict[str, Any] = {"__name__": "stock"}
        exec(compile(source, "<frozen stock>", "exec"), names)  # noqa: S102 - the parent's own text
        made[name] = names[name]
    return made


def _execute(statement: Answer, names: dict[str, Any]) -> None:
    """Execute one statement at its own line; what is not needed may fail."""
    source = "\n" * (statement["line"] - 1) + statement["source"]
    code = compile(source, statement["file"], "exec", dont_inherit=True)
    try:
        exec(code, names)  # noqa: S102 - this is what the sandbox is for
    except Exception:
        if statement["needed"]:
            raise


def _run(
    drive: Callable[..., Any], answer: Callable[..., Any], case: Answer
) -> Outcome:
    try:
        return run_case(
            drive,
            answer,
            case["data"],
            case["options"],
            measure_peak=case["measure_peak"],
        )
    except MemoryError as error:
        return Outcome(kind="memory", error="MemoryError", line=own_line(error))
    except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt and the like
        return _raised(error)


def _raised(error: BaseException) -> Outcome:
    return Outcome(
        kind="raised",
        error=type(error).__name__,
        message=words_of(error),
        line=own_line(error),
    )


def _send(channel: Channel, index: int, outcome: Outcome) -> None:
    """Send an outcome; what it does not say, an error's name of a value say, stays."""
    told = {"index": index, "kind": outcome.kind, "value": outcome.value}
    for name in ("error", "message", "line", "reason", "changed", "printed"):
        if getattr(outcome, name):
            told[name] = getattr(outcome, name)
    if outcome.peak_bytes is not None:
        told["peak_bytes"] = outcome.peak_bytes
    try:
        channel.send(told)
    except wire.BadFrameError as error:
        kind = f"value too large ({error})"
        channel.send({"index": index, "kind": "value", "value": {"foreign": kind}})


def _no_notebook() -> NoReturn:
    raise RuntimeError("get_ipython() is not available where answers are graded")
