"""Check an answer where it was written: at once, in the learner's own notebook."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minitransformer.grader import card, drives
from minitransformer.grader.catalogue import exercise as find_exercise
from minitransformer.grader.diagnosis import Verdict, judge
from minitransformer.grader.exercise import Case, Exercise
from minitransformer.grader.outcome import Outcome
from minitransformer.grader.running import namespace_of, replaced, run_case


def check(exercise: str, answer: Callable[..., Any]) -> "Result":
    """Check an answer and say what is right, what is not, and what it looks like.

    Parameters
    ----------
    exercise : str
        The exercise's id, which is the name of what is written.
    answer : callable
        The function or class itself, not the result of a call.

    Returns
    -------
    Result
        A card in a notebook, text when printed, the points as a float.

    Raises
    ------
    ValueError
        If there is no such exercise.
    TypeError
        If the answer cannot be called.

    Examples
    --------
    >>> from minitransformer import check
    >>> check("dot_products", lambda queries, keys: keys @ queries.mT).mistakes
    ['dot_products.transposed']
    >>> check("dot_products", lambda queries, keys: queries @ keys.mT).points
    1.0
    """
    asked = find_exercise(exercise)
    if not callable(answer):
        raise TypeError(
            f"check needs the function itself, as in check({exercise!r}, {exercise}); got "
            f"{type(answer).__name__}, perhaps the result of calling it"
        )
    wrong = _wrong_ones_below(asked, answer)
    return Result(judge(asked, InProcess(answer), wrong=wrong))


class InProcess:
    """A runner for an answer that is at hand and trusted, as in its author's notebook."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer

    def __call__(
        self, exercise: Exercise, cases: Sequence[Case], stock: Sequence[Exercise] = ()
    ) -> list[Outcome]:
        """Call the answer on copies of each case's data."""
        drive = drives.find(exercise.drive)
        spares = {one.id: one.stock or one.oracle for one in stock}
        with replaced(namespace_of(self.answer), spares):
            return [
                run_case(
                    drive,
                    self.answer,
                    case.data,
                    case.options,
                    measure_peak=case.peak_limit is not None,
                )
                for case in cases
            ]


def _wrong_ones_below(exercise: Exercise, answer: Callable[..., Any]) -> Iterator[str]:
    """Name the answers this one may be built on that are there and not right."""
    names = namespace_of(answer) or {}
    for below in exercise.built_on:
        other = names.get(below)
        if not callable(other) or other is answer or _is_ours(other):
            continue
        if judge(find_exercise(below), InProcess(other)).status != "passed":
            yield below


def _is_ours(answer: object) -> bool:
    return str(getattr(answer, "__module__", "")).startswith("minitransformer.")


class Result:
    """What a check found: a card in a notebook, text in a terminal, points as a float."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    @property
    def points(self) -> float:
        """The points earned."""
        return float(self.verdict.points)

    @property
    def status(self) -> str:
        """One of passed, failed, not_written, error, memory."""
        return self.verdict.status

    @property
    def mistakes(self) -> list[str]:
        """Ids of the mistakes that were recognised."""
        return self.verdict.mistakes

    def __float__(self) -> float:
        """Give the points."""
        return self.points

    def __str__(self) -> str:
        """Give the card as text."""
        return card.text(self.verdict)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Give the card; as plain text the points alone, which nbgrader reads."""
        return {
            "text/plain": repr(self.points),
            "text/html": card.html(self.verdict),
        }
