"""What the oracle gives for each case, right or with mistakes put into its parts."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import combinations, product
from typing import Any

import numpy as np

from minitransformer.grader import drives
from minitransformer.grader.comparison import (
    ANYTHING,
    DOUBLE,
    Misfit,
    Part,
    Tolerance,
    alike,
    precision,
    read,
    single,
)
from minitransformer.grader.exercise import Case, Exercise, Form, Mistake
from minitransformer.grader.outcome import Outcome, Plain, arrays_in
from minitransformer.grader.running import run_case

Variant = tuple[Mistake, ...]  # (), one mistake, or a pair made at once
Ways = tuple[int, ...]  # which of its forms each mistake of a variant takes

# errors that say "these shapes do not fit" in NumPy, in torch and in plain Python
MISFITS_OF_SHAPE = {"ValueError", "RuntimeError", "IndexError", "AxisError"}


class Given:
    """An answer's outcome in one case, read once as what was asked for."""

    def __init__(self, form: Form, outcome: Outcome) -> None:
        self.outcome = outcome
        self.parts = read(form, outcome.value) if outcome.kind == "value" else []
        self.digits = digits_to_try(self.parts)


class Bench:
    """What the oracle gives for a list of cases, right or with mistakes; remembers it."""

    def __init__(self, exercise: Exercise, cases: Sequence[Case]) -> None:
        self.exercise = exercise
        self.cases = cases
        held = [[*arrays_in((case.data, *case.options.values()))] for case in cases]
        self._in_float32 = [any(x.dtype == np.float32 for x in one) for one in held]
        self._largest = [max(map(_largest, one), default=1.0) for one in held]
        self._known: dict[tuple[tuple[str, ...], Ways, int, str], Outcome] = {}

    def outcome(
        self, variant: Variant, index: int, digits: str = "double", ways: Ways = ()
    ) -> Outcome:
        """Give the outcome of a variant of the oracle in one case."""
        key = (tuple(one.name for one in variant), ways, index, digits)
        if key not in self._known:
            case = self.cases[index]
            parts = {
                name: part
                for one, which in zip(variant, ways, strict=True)
                for name, part in one.forms[which].items()
            }
            data, options = case.data, case.options
            if digits == "single":
                data, options = in_float32(data), in_float32(dict(options))
            self._known[key] = run_case(
                drives.call,
                partial(self.exercise.oracle, **parts),
                data,
                options,
                measure_peak=case.peak_limit is not None,
                observe=False,
            )
        return self._known[key]

    def tolerance(self, index: int, digits: str) -> Tolerance:
        """Give the tolerance for a result of this precision: never finer than inputs."""
        if digits == "double" and not self._in_float32[index]:
            return DOUBLE
        return single(self._largest[index])

    def variants(self) -> Iterator[list[Variant]]:
        """Give the mistakes, then every pair of mistakes that can be made at once."""
        mistakes = self.exercise.mistakes
        yield [(one,) for one in mistakes]
        yield compatible_pairs(mistakes)

    def read(self, outcomes: Sequence[Outcome]) -> list[Given]:
        """Read the outcomes of an answer as what was asked for."""
        return [Given(self.exercise.returns, outcome) for outcome in outcomes]

    def agree(self, given: Sequence[Given], variant: Variant) -> bool:
        """Tell whether a variant gives the same outcome as the answer in every case."""
        # what fails everywhere looks like anything else that fails everywhere
        if not any(
            one.outcome.kind == "value" or self.error_is_asked(index)
            for index, one in enumerate(given)
        ):
            return False
        return any(
            all(
                self._same(index, one, variant, ways) for index, one in enumerate(given)
            )
            for ways in product(*(range(len(one.forms)) for one in variant))
        )

    def error_is_asked(self, index: int) -> bool:
        """Tell whether a right answer raises an error in this case."""
        return self.outcome((), index).kind == "raised"

    def _same(self, index: int, given: Given, variant: Variant, ways: Ways) -> bool:
        case, came = self.cases[index], given.outcome
        made = self.outcome(variant, index, ways=ways)
        if came.kind != made.kind:
            return False
        if came.kind == "raised":
            if self.error_is_asked(index):
                return says(case, came) == says(case, made)
            return _error_class(came.error) == _error_class(made.error)
        if came.kind != "value":
            return False
        if over_limit(case, came) != over_limit(case, made):
            return False
        return self.same_values(index, given, variant, ways)

    def same_values(
        self, index: int, given: Given, variant: Variant = (), ways: Ways = ()
    ) -> bool:
        """Tell whether values that came are those of a variant of the oracle.

        Results in float32 may also agree with the oracle run in float32.
        """
        for digits in given.digits:
            made = self.outcome(variant, index, digits, ways)
            parts = read(self.exercise.returns, made.value)
            if isinstance(given.parts, Misfit) or isinstance(parts, Misfit):
                return type(given.parts) is type(parts) and _same_misfit(
                    given.outcome.value, made.value
                )
            if alike(given.parts, parts, self.tolerance(index, digits)):
                return True
        return False


def compatible_pairs(mistakes: Sequence[Mistake]) -> list[Variant]:
    """Give every pair of mistakes that replace different parts."""
    return [
        pair
        for pair in combinations(mistakes, 2)
        if not pair[0].parts.keys() & pair[1].parts.keys()
    ]


@lru_cache(maxsize=256)
def bench(exercise: Exercise, seed: int | None = None) -> Bench:
    """Give the bench for the shown cases, and with a seed for the hidden ones too."""
    hidden = [] if seed is None else exercise.cases(seed)
    return Bench(exercise, exercise.cases() + hidden)


def in_float32(value: Any) -> Any:
    """Give the same data with every float64 array in float32."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        with np.errstate(over="ignore"):
            return value.astype(np.float32)
    if isinstance(value, list | tuple):
        return type(value)(in_float32(item) for item in value)
    if isinstance(value, dict):
        return {name: in_float32(item) for name, item in value.items()}
    return value


def _largest(array: np.ndarray) -> float:
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array[:0]
    return float(np.abs(finite).max(initial=0.0))


def digits_to_try(parts: list[Part] | Misfit) -> list[str]:
    """Give the precisions in which a result may have been computed."""
    if isinstance(parts, Misfit) or precision(parts) == "double":
        return ["double"]
    return ["double", "single"]


def _error_class(name: str) -> str:
    return "misfit" if name in MISFITS_OF_SHAPE else name


def says(case: Case, given: Outcome) -> bool:
    """Tell whether an error's message holds what it must."""
    return case.must_say in given.message


def over_limit(case: Case, given: Outcome) -> bool:
    """Tell whether a call held more memory at once than the case allows."""
    return (
        case.peak_limit is not None
        and given.peak_bytes is not None
        and given.peak_bytes > case.peak_limit
    )


def _same_misfit(one: Plain, two: Plain) -> bool:
    """Compare values that are not what was asked for: alike in kind, and inside."""
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return alike([Part(ANYTHING, one)], [Part(ANYTHING, two)], single())
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(map(_same_misfit, one, two))
    return type(one) is type(two) and bool(one == two)
