"""One exercise of one submission: what goes to the worker, and what is made of its words.

Here stands everything that decides what a silent, dying, flooding or lying worker gets.
Its outcomes are plain data about what its own calls gave; whether they are right is for
the diagnosis to say, in another process than the one that ran the answer.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from minitransformer.grader.outcome import Kind, Outcome, arrays_in, plain
from minitransformer.grader.sandbox import wire
from minitransformer.grader.sandbox.host import Ending, Source
from minitransformer.grader.sandbox.ladder import LockError
from minitransformer.grader.sandbox.line import Line

MOST_CALLS = 20_000  # of functions that stay with the parent, in one job
MOST_ENTRIES = 16_384  # of each array that such a function is given
LONGEST_AXIS = 512
LARGEST_NUMBER = 1 << 16
MOST_WORDS = 2_000
LONGEST_NAME = 40
KINDS = set(get_args(Kind)) - {"timeout", "crashed"}  # what a worker may say of itself
GRACE = 0.1  # seconds in which a worker may end by itself


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """What a worker is asked to do.

    Attributes
    ----------
    answer : mapping
        The statements to execute and how to call what they give; see `worker`.
    cases : bytes
        The inputs of all cases, packed.
    functions : sequence of callable
        Those among the inputs, which stay here.
    count : int
        How many cases there are.
    seconds : float
        For all cases together.
    """

    answer: Mapping[str, Any]
    cases: bytes
    functions: Sequence[Callable[..., Any]]
    count: int
    seconds: float


@dataclass
class Report:
    """What came of a job: an outcome for each case, tripwires, and how it ended."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    tripped: list[str] = field(default_factory=list)
    printed: str = ""
    finished: bool = False
    calls: int = 0


def order_of(groups: Sequence[str], seed: int | None) -> list[int]:
    """Put cases in the order in which a worker meets them.

    Groups keep their order, from gentle to extreme; within one, shown and hidden cases
    are mixed. The first is met again at the end, to see that it gives the same.
    """
    first_seen = {group: i for i, group in reversed(list(enumerate(groups)))}
    order = list(range(len(groups)))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order, not a secret
    order.sort(key=lambda index: first_seen[groups[index]])
    return [*order, order[0]] if order else []


def run(
    source: Source, job: Job, locks: Mapping[str, bool], stop: threading.Event
) -> Report:
    """Do a job with a fresh worker.

    Raises
    ------
    LockError
        If the worker lacks a lock that the proven level rests on.
    """
    report = Report()
    worker = source.take()
    line = Line(worker, time.monotonic() + job.seconds, stop)
    words, kind = "", "crashed"
    try:
        line.send(wire.pack(job.answer, job.functions.index))
        line.send(job.cases)
        _converse(line, job, report, locks)
    except TimeoutError:
        kind = "timeout"
    except wire.BadFrameError as error:
        words = f"the process sent what is not a result: {error}"
    except BaseException:
        source.drop(worker)
        raise
    report.printed = line.printed.decode("utf-8", "replace")
    if report.finished:
        source.drop(worker)
    else:
        ending = source.end(worker, 0.0 if kind == "timeout" or words else GRACE)
        _fill(report, job.count, kind, words or ending.words, ending)
    return report


def _converse(line: Line, job: Job, report: Report, locks: Mapping[str, bool]) -> None:
    """Do what each message calls for, until the last one or until the worker is gone."""
    for header, body in line.frames():
        message = wire.unpack(header, body)
        if not isinstance(message, dict):
            raise wire.BadFrameError("not a message")
        _listen(message, job, report, line, locks)
        if report.finished:
            return


def _fill(report: Report, count: int, kind: str, words: str, ending: Ending) -> None:
    """Give the cases without an outcome the reason why they have none."""
    if ending.out_of_time:
        kind = "timeout"
    missing = Outcome(kind=kind, message=words)  # pyright: ignore[reportArgumentType] - one of three literals
    for index in range(count):
        report.outcomes.setdefault(index, missing)


def _listen(
    message: Mapping[str, Any],
    job: Job,
    report: Report,
    line: Line,
    locks: Mapping[str, bool],
) -> None:
    """Do what one message of the worker calls for."""
    if "locks" in message:
        held = message["locks"] if isinstance(message["locks"], dict) else {}
        if any(wanted and not held.get(lock) for lock, wanted in locks.items()):
            raise LockError("a worker is not locked down; nothing was run in it")
    elif "function" in message:
        report.calls += 1
        line.send(wire.pack(_answer_call(message, job, report.calls)))
    elif "index" in message:
        _note(_outcome(message), message["index"], job, report)
    elif "tripped" in message:
        tripped = message["tripped"] if isinstance(message["tripped"], list) else []
        report.tripped = [_words(one) for one in tripped[:20]]
        report.finished = len(report.outcomes) == job.count
        if not report.finished:
            raise wire.BadFrameError("it ended before all was done")
    else:
        raise wire.BadFrameError("not a message")


# ---------------------------------------------------------------- outcomes
def _outcome(message: Mapping[str, Any]) -> Outcome:
    """Make an outcome of a worker's words, each checked for its kind and length."""
    kind = message.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise wire.BadFrameError("not an outcome")
    changed, peak = message.get("changed"), message.get("peak_bytes")
    return Outcome(
        kind=kind,  # pyright: ignore[reportArgumentType] - one of these literals
        value=message.get("value"),
        error=_name(message.get("error")),
        message=_words(message.get("message")),
        line=_words(message.get("line")),
        reason=_words(message.get("reason")),
        changed=tuple(one for one in changed[:20] if type(one) is int)
        if isinstance(changed, tuple)
        else (),
        peak_bytes=peak if type(peak) is int else None,
        printed=_words(message.get("printed")),
    )


def _name(value: object) -> str:
    """Keep an exception's name if it is one: a name is no place for a message."""
    words = _words(value)
    if not words:
        return ""
    return words if words.isidentifier() and len(words) <= LONGEST_NAME else "Exception"


def _words(value: object) -> str:
    return value[:MOST_WORDS] if isinstance(value, str) else ""


def _note(outcome: Outcome, index: object, job: Job, report: Report) -> None:
    if type(index) is not int or not 0 <= index < job.count:
        raise wire.BadFrameError("not a case")
    first = report.outcomes.setdefault(index, outcome)
    if first is not outcome and not _alike(first, outcome):
        report.outcomes[index] = Outcome(
            kind="raised",
            error="TwoResults",
            message="the same input gave different results when it was given again",
        )


def _alike(one: Outcome, two: Outcome) -> bool:
    """Tell whether two calls with the same input gave the same, within rounding."""
    if (one.kind, one.error) != (two.kind, two.error):
        return False
    if isinstance(one.value, bool | str | None):
        return one.value == two.value
    first, second = list(_numbers(one.value)), list(_numbers(two.value))
    return len(first) == len(second) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-6, equal_nan=True)
        for a, b in zip(first, second, strict=True)
    )


def _numbers(value: object) -> list[np.ndarray]:
    if isinstance(value, int | float):
        return [np.asarray(float(value))]
    if isinstance(value, list | tuple) and value and not isinstance(value[0], str):
        return [array for item in value for array in _numbers(item)]
    return list(arrays_in(value))


# ---------------------------------------------------------------- calls from the worker
def _answer_call(message: Mapping[str, Any], job: Job, calls: int) -> dict[str, Any]:
    """Call a function that stays here on what the worker gives; never more than bounded."""
    number, data = message["function"], message.get("data")
    options = message.get("options")
    if type(number) is not int or not 0 <= number < len(job.functions):
        raise wire.BadFrameError("not a function")
    if not isinstance(data, tuple) or not isinstance(options, dict):
        raise wire.BadFrameError("not a call")
    if calls > MOST_CALLS:
        return _refused(
            f"the given functions may be called {MOST_CALLS:,} times at most"
        )
    if not all(map(_bounded, (*data, *options.values()))):
        return _refused(
            f"the given functions take arrays of at most {MOST_ENTRIES:,} entries and "
            f"axes of at most {LONGEST_AXIS}, and whole numbers up to {LARGEST_NUMBER:,}"
        )
    try:
        with np.errstate(all="ignore"):
            value = plain(job.functions[number](*data, **options))
    except Exception as error:  # noqa: BLE001 - given functions may refuse their input
        return {"raised": type(error).__name__, "message": str(error)[:MOST_WORDS]}
    return {"value": value}


def _refused(message: str) -> dict[str, Any]:
    return {"raised": "ValueError", "message": message}


def _bounded(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return (
            value.size <= MOST_ENTRIES and max(value.shape, default=0) <= LONGEST_AXIS
        )
    if isinstance(value, list | tuple):
        return len(value) <= MOST_ENTRIES and all(map(_bounded, value))
    if isinstance(value, int | float):
        return not abs(value) > LARGEST_NUMBER
    return not isinstance(value, str) or len(value) <= MOST_WORDS
