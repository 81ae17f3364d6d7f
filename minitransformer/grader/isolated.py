"""The second runner: the same cases and the same words, the answer locked away.

`check` calls an answer that is at hand; `Isolated` sends its statements to a worker of
the sandbox and gets outcomes back. The diagnosis cannot tell the two apart.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from minitransformer.grader import catalogue
from minitransformer.grader.answers import Answer
from minitransformer.grader.exercise import Case, Exercise
from minitransformer.grader.outcome import Outcome
from minitransformer.grader.sandbox import jobs, wire
from minitransformer.grader.sandbox.box import Sandbox
from minitransformer.grader.stock import source_of
from minitransformer.grader.view import View, package_view


@dataclass
class Clock:
    """The time that one submission may still take, all its exercises together."""

    left: float

    def spend(self, seconds: float) -> None:
        """Take from what is left."""
        self.left = max(0.0, self.left - seconds)


@dataclass
class Isolated:
    """A runner for one answer of an unknown author.

    Attributes
    ----------
    sandbox : Sandbox
        Where it runs.
    answer : Answer
        What was handed in.
    timeout : float
        Seconds for one exercise, all its cases together.
    clock : Clock
        What the submission as a whole may still take.
    seed : int or None
        Mixes shown and hidden cases.
    turn : lock
        Held by whoever computes a verdict; let go while a worker computes.
    tripped : list of str
        Filled with the finished library functions that were called.
    """

    sandbox: Sandbox
    answer: Answer
    timeout: float
    clock: Clock
    seed: int | None
    turn: threading.Lock
    tripped: list[str] = field(default_factory=list)

    def __call__(
        self, exercise: Exercise, cases: Sequence[Case], stock: Sequence[Exercise] = ()
    ) -> list[Outcome]:
        """Give one outcome for each case."""
        if self.answer.broken:
            broken = Outcome(
                kind="raised", error="SyntaxError", message=self.answer.broken
            )
            return [broken] * len(cases)
        job = self._job(exercise, cases, stock)
        started = time.monotonic()
        self.turn.release()
        try:
            report = self.sandbox.run(_kind(exercise, self.answer), job)
        finally:
            self.turn.acquire()
        self.clock.spend(time.monotonic() - started)
        self.tripped += report.tripped
        outcomes = [report.outcomes[index] for index in range(len(cases))]
        return [
            replace(one, line=self._own_line(one.line)) if one.line else one
            for one in outcomes
        ]

    def _own_line(self, told: str) -> str:
        """Believe that a line was at fault only if it stands in the submission so."""
        found = re.fullmatch(r"line (\d+)(?:: (.*))?", told, re.DOTALL)
        if found is None:
            return ""
        place, words = int(found[1]), found[2] or ""
        for source in (*self.answer.files.values(), *self.answer.helpers.values()):
            lines = source.split("\n")
            if 0 < place <= len(lines) and lines[place - 1].strip() == words:
                return told
        return ""

    def _job(
        self, exercise: Exercise, cases: Sequence[Case], stock: Sequence[Exercise]
    ) -> jobs.Job:
        packed, known = _packed(tuple(cases))
        functions = list(known)
        spares = {
            one.id: one.stock or one.oracle
            for one in stock
            if one.stock or not one.needs_torch  # an oracle is no class to build on
        }
        classes = {name: one for name, one in spares.items() if isinstance(one, type)}
        answer = {
            **_statements(self.answer),
            "drive": exercise.drive,
            "order": jobs.order_of([case.group for case in cases], self.seed),
            "finished": list(exercise.finished),
            "view": _view_for(self.answer),
            "stock": {name: one for name, one in spares.items() if name not in classes},
            "stock_sources": {name: source_of(one) for name, one in classes.items()},
        }
        for one in answer["stock"].values():
            _numbering(functions)(one)
        return jobs.Job(
            answer=answer,
            cases=packed,
            functions=functions,
            count=len(cases),
            seconds=min(self.timeout, self.clock.left),
        )


def _numbering(functions: list[Callable[..., Any]]) -> Callable[[Any], int]:
    def number_of(function: Callable[..., Any]) -> int:
        if function not in functions:
            functions.append(function)
        return functions.index(function)

    return number_of


@lru_cache(maxsize=256)
def _packed(cases: tuple[Case, ...]) -> tuple[bytes, tuple[Callable[..., Any], ...]]:
    """Write the cases once for all submissions; give also the functions among them."""
    functions: list[Callable[..., Any]] = []
    packed = wire.pack(tuple(map(_written, cases)), _numbering(functions))
    return packed, tuple(functions)


def _written(case: Case) -> dict[str, Any]:
    return {
        "data": tuple(case.data),
        "options": dict(case.options),
        "measure_peak": case.peak_limit is not None,
    }


def _statements(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "statements": [
            {
                "file": piece.file,
                "line": piece.line,
                "source": piece.source,
                "needed": not piece.is_call,
            }
            for piece in answer.pieces
        ],
        "files": answer.files,
        "helpers": answer.helpers,
    }


def _kind(exercise: Exercise, answer: Answer) -> str:
    """Tell which zygote an answer needs; torch may be used in NumPy exercises too."""
    uses_torch = any(
        "torch" in piece.source for piece in answer.pieces if piece.is_import
    )
    return "torch" if exercise.needs_torch or uses_torch else "numpy"


# ---------------------------------------------------------------- the package's view
def _view_for(answer: Answer) -> Mapping[str, Any]:
    """Give the view of the package that an answer needs: nothing, if it imports nothing."""
    view = View({}, {}, {})
    if answer.uses_package:
        view = view_of(answer.name)
    return {
        "modules": dict(view.modules),
        "allowed": {room: dict(names) for room, names in view.allowed.items()},
        "refused": {room: dict(names) for room, names in view.refused.items()},
    }


@lru_cache(maxsize=128)
def view_of(exercise_id: str) -> View:
    """Give what of this package an answer may use while an exercise is graded."""
    topics = {name: topic[:2] for name, topic in topics_by_exercise().items()}
    return package_view(exercise_id, topics)


def topics_by_exercise() -> dict[str, str]:
    """Give the topic of every exercise, without loading any of them."""
    return {
        name: page.removeprefix("t")
        for page, names in catalogue.PAGES.items()
        for name in names
    }
