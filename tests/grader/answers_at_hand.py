"""The right and wrong answers that the tests of the grader share."""

import runpy
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from minitransformer.grader.bench import Bench
from minitransformer.grader.catalogue import PAGES, ids
from minitransformer.grader.exercise import Case, Exercise
from minitransformer.grader.outcome import Outcome

HERE = Path(__file__).parent
IDS = ids()
PAGE_OF = {name: page for page, names in PAGES.items() for name in names}


@cache
def alternatives() -> dict[str, dict[str, Callable[..., Any]]]:
    """Right answers for each exercise, by the file that holds them."""
    found: dict[str, dict[str, Callable[..., Any]]] = defaultdict(dict)
    for path in sorted((HERE / "alternatives").glob("*.py")):
        names = runpy.run_path(str(path))
        for exercise_id in IDS:
            if exercise_id in names and path.stem[:3] == PAGE_OF[exercise_id][:3]:
                found[exercise_id][path.stem] = names[exercise_id]
    return found


@cache
def wrong_answers() -> dict[str, list[Callable[..., Any]]]:
    """Wrong answers as learners write them, by the id of the mistake."""
    found: dict[str, list[Callable[..., Any]]] = {}
    for path in sorted((HERE / "wrong_answers").glob("*.py")):
        found |= runpy.run_path(str(path))["WRONG"]
    return found


class FromOracle:
    """A runner that asks the oracle in place of an answer, whatever drives answers."""

    def __init__(self, exercise: Exercise, parts: dict[str, Any]) -> None:
        self.oracle = partial(exercise.oracle, **parts)

    def __call__(
        self, exercise: Exercise, cases: Sequence[Case], stock: Sequence[Exercise] = ()
    ) -> list[Outcome]:
        """Give the oracle's outcomes."""
        changed = Exercise(**{**vars(exercise), "oracle": self.oracle})
        bench = Bench(changed, cases)
        return [bench.outcome((), index) for index in range(len(cases))]
