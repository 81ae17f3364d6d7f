"""From outcomes to a verdict: what is right, what is wrong, and which mistake it was.

Everything here looks at outcomes only, never at the answer, so that the notebook and the
sandbox say the same.
"""

import inspect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from minitransformer.grader.bench import (
    Bench,
    Given,
    Variant,
    bench,
    over_limit,
    says,
)
from minitransformer.grader.comparison import Difference, Misfit, differences, read
from minitransformer.grader.drives import Unfit
from minitransformer.grader.exercise import Case, Exercise, Runner
from minitransformer.grader.outcome import Outcome, arrays_in

ENDED = {
    "timeout": "It did not end in time.",
    "memory": "It asked for more memory than there is.",
    "crashed": "The process that ran it died.",
    "not_written": "This part is not written yet (NotImplementedError).",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fault:
    """One case that did not go as needed.

    `kind` is that of a `Difference` ("shape", "nan", "infinity", "values", "verdict",
    "text") or of an `Outcome`, or one of "kind" (a value that is not of the kind asked
    for), "no error", "unnamed" (an error whose message lacks what it must hold), "peak"
    (too much memory at once).
    """

    case: Case
    given: Outcome
    needed: Outcome
    kind: str
    words: str
    difference: Difference | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """What is known about one answer.

    Attributes
    ----------
    status : str
        passed, failed, not_written, error, timeout, memory or crashed.
    points : float
        As given, from 0 to `exercise.points`.
    right, wrong : tuple of str
        The groups of cases by how they went.
    faults : tuple of Fault
        The cases that failed, shown ones first, the smallest first.
    recognised : tuple of variants
        Each one mistake or a pair; several where outputs cannot tell them apart.
    broken : str
        The property that broke, where nothing was recognised.
    stock : tuple of str
        Ids of the learner's other answers that were replaced by right ones.
    notes : tuple of str
        What is worth knowing and costs nothing.
    """

    exercise: Exercise
    status: str
    points: float = 0.0
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    recognised: tuple[Variant, ...] = ()
    broken: str = ""
    stock: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fault(self) -> Fault | None:
        """The smallest shown case that failed, else a hidden one."""
        return self.faults[0] if self.faults else None

    @property
    def mistakes(self) -> list[str]:
        """Ids of what was recognised: pairs joined by +, one entry for each "or"."""
        return sorted(
            "+".join(sorted(self.exercise.mistake_id(one) for one in variant))
            for variant in self.recognised
        )


def judge(
    exercise: Exercise,
    run: Runner,
    *,
    seed: int | None = None,
    wrong: Iterable[str] = (),
) -> Verdict:
    """Run an answer on its cases and say what is right, wrong and recognised.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    run : Runner
        Calls the learner's answer.
    seed : int or None
        Adds the hidden cases that are drawn from it.
    wrong : ids
        The learner's other answers that are known to be wrong or missing; looked at only
        if this one fails. Then it is run again with right ones in their place, and keeps
        the points of its own work (follow-through).
    """
    cases = bench(exercise, seed)
    verdict = weigh(cases, run(exercise, cases.cases))
    if verdict.status == "passed" or not exercise.built_on:
        return verdict
    known = set(wrong)
    faulty = tuple(one for one in exercise.built_on if one in known)
    if not faulty:
        return verdict
    again = weigh(cases, run(exercise, cases.cases, [_named(one) for one in faulty]))
    if (verdict.status, verdict.points, verdict.mistakes) == (
        again.status,
        again.points,
        again.mistakes,
    ):
        return verdict
    return replace(again, stock=faulty)


def _named(exercise_id: str) -> Exercise:
    from minitransformer.grader.catalogue import exercise

    return exercise(exercise_id)


def weigh(cases: Bench, outcomes: Sequence[Outcome]) -> Verdict:
    """Turn the outcomes of all cases into a verdict."""
    exercise = cases.exercise
    if all(outcome.kind == "not_written" for outcome in outcomes):
        return Verdict(exercise=exercise, status="not_written")
    given = cases.read(outcomes)
    faults = [_fault(cases, index, one) for index, one in enumerate(given)]
    found = [fault for fault in faults if fault is not None]
    found.sort(key=lambda fault: (fault.case.hidden, _size(fault.case)))
    bad = {fault.case.group for fault in found}
    groups = dict.fromkeys(case.group for case in cases.cases)
    verdict = Verdict(
        exercise=exercise,
        status="passed",
        points=exercise.points,
        right=tuple(group for group in groups if group not in bad),
        wrong=tuple(group for group in groups if group in bad),
        notes=tuple(_notes(exercise, outcomes)),
    )
    if not found:
        return verdict
    recognised = _recognise(cases, given)
    return replace(
        verdict,
        status=_status(found),
        points=_points(cases, faults),
        faults=tuple(found),
        recognised=tuple(recognised),
        broken="" if recognised else _broken_property(exercise, found),
    )


# ---------------------------------------------------------------- one case
def _fault(cases: Bench, index: int, given: Given) -> Fault | None:
    case, came = cases.cases[index], given.outcome
    needed = cases.outcome((), index)

    def fault(kind: str, words: str, difference: Difference | None = None) -> Fault:
        return Fault(
            case=case,
            given=came,
            needed=needed,
            kind=kind,
            words=words,
            difference=difference,
        )

    if came.kind in ENDED:
        return fault(came.kind, ENDED[came.kind])
    if needed.kind == "raised":
        if came.kind != "raised":
            return fault("no error", f"An error was needed ({needed.message}).")
        if not says(case, came):
            words = f"The error is right, but its message must hold {case.must_say!r}."
            return fault("unnamed", words)
        return None
    if came.kind == "raised" and came.error == Unfit.__name__:
        return fault("kind", came.message)
    if came.kind == "raised":
        return fault("raised", f"{came.error}: {came.message}".removesuffix(": "))
    if isinstance(given.parts, Misfit):
        return fault("kind", given.parts.words)
    if not cases.same_values(index, given):
        right = read(cases.exercise.returns, needed.value)
        assert isinstance(right, list)  # noqa: S101 - an oracle gives what is asked
        tolerance = cases.tolerance(index, given.digits[-1])
        found = differences(given.parts, right, tolerance)
        found = found or differences(given.parts, right)
        first = found[0]
        about = (
            f"About {case.about}: " if first.kind == "verdict" and case.about else ""
        )
        return fault(first.kind, about + first.words, first)
    if over_limit(case, came):
        held, most = (_mebibytes(one) for one in (came.peak_bytes, case.peak_limit))
        return fault("peak", f"{held} were held at once; at most {most} are needed.")
    return None


def _mebibytes(number: int | None) -> str:
    return f"{(number or 0) / 2**20:.1f} MiB"


def _size(case: Case) -> int:
    held = (*case.data, *case.options.values())
    return sum(array.size for array in arrays_in(held)) + sum(
        len(one) for one in held if isinstance(one, str)
    )


# ---------------------------------------------------------------- all cases
def _status(found: Sequence[Fault]) -> str:
    kinds = [fault.kind for fault in found]
    for kind in ("timeout", "memory", "crashed"):
        if kind in kinds:
            return kind
    return "error" if "raised" in kinds else "failed"


def _points(cases: Bench, faults: Sequence[Fault | None]) -> float:
    """Give points for what is right in a failed answer: always less than all."""
    exercise = cases.exercise
    share = (
        _share_of_groups(cases, faults)
        if exercise.bank is None
        else _share_of_bank(cases, faults)
    )
    tenths = math.floor(exercise.points * share * 10 + 1e-9)
    return min(tenths / 10, exercise.points - 0.1)


def _share_of_groups(cases: Bench, faults: Sequence[Fault | None]) -> float:
    """Count groups whose values are all right; a group that asks for errors has none."""
    went_well: dict[str, bool] = {}
    for index, fault in enumerate(faults):
        if not cases.error_is_asked(index):
            group = cases.cases[index].group
            went_well[group] = went_well.get(group, True) and fault is None
    return sum(went_well.values()) / len(went_well)


def _share_of_bank(cases: Bench, faults: Sequence[Fault | None]) -> float:
    """Count wrong implementations found; nothing if a right one is accused."""
    found = []
    for index, fault in enumerate(faults):
        if cases.outcome((), index).value == cases.exercise.bank:
            found.append(fault is None)
        elif fault is not None and fault.kind == "verdict":
            return 0.0
    return sum(found) / len(found)


def _recognise(cases: Bench, given: Sequence[Given]) -> list[Variant]:
    """Find the mistakes, else the pairs, that agree with the answer in every case."""
    if any(one.outcome.kind in ENDED for one in given):
        return []
    for variants in cases.variants():
        found = [variant for variant in variants if cases.agree(given, variant)]
        if found:
            return found
    return []


def _broken_property(exercise: Exercise, found: Sequence[Fault]) -> str:
    for fault in found:
        parts = read(exercise.returns, fault.given.value)
        if fault.kind != "values" or isinstance(parts, Misfit):
            continue
        results = [part.value for part in parts]
        with np.errstate(all="ignore"):
            for one in exercise.properties:
                if not one.holds(fault.case, *results):
                    return one.words
    return ""


def _notes(exercise: Exercise, given: Sequence[Outcome]) -> list[str]:
    changed = sorted({place for outcome in given for place in outcome.changed})
    if not changed:
        return []
    names = input_names(exercise)
    which = ", ".join(names[place] for place in changed if place < len(names))
    note = (
        f"It changes its input in place ({which}); whoever called it may still need the "
        "old values. An operation such as x -= 1 writes into x, x = x - 1 does not."
    )
    return [note]


def input_names(exercise: Exercise) -> list[str]:
    """Name the data of an exercise as its oracle does."""
    return [
        name
        for name, parameter in inspect.signature(exercise.oracle).parameters.items()
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
