"""Call an answer on one case and say what came. Runs beside answers: NumPy alone."""

import contextlib
import io
import linecache
import sys
import tracemalloc
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitransformer.grader.outcome import Outcome, Plain, arrays_in, plain

MOST_PRINTED = 2_000
OUR_FOLDER = str(Path(__file__).parent)


def run_case(
    drive: Callable[..., Any],
    answer: Callable[..., Any],
    data: Sequence[Any],
    options: Mapping[str, Any],
    *,
    measure_peak: bool = False,
    observe: bool = True,
) -> Outcome:
    """Call `drive(answer, *data, **options)` on copies and describe what happened.

    With `observe`, inputs are compared with what they were, and an answer that gave NaN
    or infinity is called once more, to find the line in which the first of them arose.
    """
    outcome = _call(
        drive, answer, data, options, measure_peak=measure_peak, observe=observe
    )
    if observe and outcome.kind == "value" and _has_odd_numbers(outcome.value):
        line, reason = _where_odd_numbers_arise(drive, answer, data, options)
        outcome = Outcome(**{**vars(outcome), "line": line, "reason": reason})
    return outcome


def _call(
    drive: Callable[..., Any],
    answer: Callable[..., Any],
    data: Sequence[Any],
    options: Mapping[str, Any],
    *,
    measure_peak: bool,
    observe: bool,
) -> Outcome:
    given = copied(tuple(data))
    printed, peak = io.StringIO(), None
    try:
        with _quiet(printed), np.errstate(all="ignore"):
            if measure_peak:
                value, peak = _with_peak(
                    lambda: drive(answer, *given, **copied(dict(options)))
                )
            else:
                value = drive(answer, *given, **copied(dict(options)))
            value = plain(value)
    except NotImplementedError:
        return Outcome(kind="not_written")
    except MemoryError as error:
        return Outcome(kind="memory", error="MemoryError", line=own_line(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an answer may raise anything
        return Outcome(
            kind="raised",
            error=type(error).__name__,
            message=words_of(error),
            line=own_line(error),
            printed=printed.getvalue()[:MOST_PRINTED],
        )
    return Outcome(
        kind="value",
        value=value,
        changed=tuple(
            place
            for place, (before, after) in enumerate(zip(data, given, strict=True))
            if observe and not same_data(before, after)
        ),
        peak_bytes=peak,
        printed=printed.getvalue()[:MOST_PRINTED],
    )


@contextlib.contextmanager
def _quiet(printed: io.StringIO) -> Iterator[None]:
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _with_peak(call: Callable[[], Any]) -> tuple[Any, int]:
    already = tracemalloc.is_tracing()
    if not already:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        value = call()
        return value, tracemalloc.get_traced_memory()[1] - before
    finally:
        if not already:
            tracemalloc.stop()


def _has_odd_numbers(value: Plain) -> bool:
    return any(
        array.dtype.kind == "f" and not np.isfinite(array).all()
        for array in arrays_in(value)
    )


def _where_odd_numbers_arise(
    drive: Callable[..., Any],
    answer: Callable[..., Any],
    data: Sequence[Any],
    options: Mapping[str, Any],
) -> tuple[str, str]:
    """Call again with NumPy told to stop at the first overflow, 0/0 or inf − inf."""
    try:
        with (
            _quiet(io.StringIO()),
            np.errstate(over="raise", invalid="raise", divide="raise"),
        ):
            drive(answer, *copied(tuple(data)), **copied(dict(options)))
    except FloatingPointError as error:
        return own_line(error), words_of(error)
    except (Exception, SystemExit):  # noqa: BLE001 - an answer may raise anything
        return "", ""
    return "", ""


def words_of(error: BaseException) -> str:
    """Give an exception's message; an exception may fail even at that."""
    try:
        return str(error)[:MOST_PRINTED]
    except Exception:  # noqa: BLE001 - the learner's own exception class may raise
        return ""


def own_line(error: BaseException) -> str:
    """Find the innermost line that is neither the grader's nor a library's."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not _is_library(name):
            text = linecache.getline(name, trace.tb_lineno, trace.tb_frame.f_globals)
            found = f"line {trace.tb_lineno}: {text.strip()}".rstrip(": ")
        trace = trace.tb_next
    return found


def _is_library(filename: str) -> bool:
    ours = (OUR_FOLDER, sys.base_prefix, "<frozen", "<__array_function__")
    return filename.startswith(ours) or "site-packages" in filename


def copied(value: Any) -> Any:
    """Copy arrays and what holds them; functions and numbers are passed on."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return value


def same_data(before: Any, after: Any) -> bool:
    """Tell whether an input is still what it was."""
    if isinstance(before, np.ndarray):
        if before.shape == after.shape and before.tobytes() == after.tobytes():
            return True  # the usual case, told quickly
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(same_data, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(
            same_data(item, after[name]) for name, item in before.items()
        )
    return True


# ---------------------------------------------------------------- answers at hand
def namespace_of(answer: object) -> dict[str, Any] | None:
    """Find the globals that an answer's names are looked up in."""
    candidates = (
        answer,
        getattr(answer, "func", None),  # partial
        getattr(answer, "__wrapped__", None),  # decorated
        getattr(answer, "forward", None),  # a torch module's class
        vars(type(answer)).get("__call__"),  # an object that can be called
    )
    for candidate in candidates:
        function = getattr(candidate, "__func__", candidate)
        if isinstance(function, types.FunctionType):
            return function.__globals__
    return None


@contextlib.contextmanager
def replaced(names: dict[str, Any] | None, stock: Mapping[str, Any]) -> Iterator[None]:
    """Put stock versions in place of a learner's own names for a while."""
    if names is None:
        yield
        return
    kept = {name: names[name] for name in stock if name in names}
    names.update({name: stock[name] for name in kept})
    try:
        yield
    finally:
        names.update(kept)
