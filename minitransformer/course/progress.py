"""What a learner has done so far: every answer of their notebooks, checked again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minitransformer.grader.grading import Grader, Settings
from minitransformer.grader.reports.model import ExerciseReport, SubmissionReport
from minitransformer.grader.sandbox.box import Sandbox
from minitransformer.grader.submissions import Submission

FOLDER = "my_course"  # where `minitransformer lab` makes it


@dataclass(frozen=True)
class Page:
    """A learner's notebook and what its answers came to."""

    path: Path
    report: SubmissionReport

    @property
    def solved(self) -> int:
        """How many of its exercises are right."""
        return sum(one.status == "passed" for one in self.report.exercises)

    @property
    def open(self) -> list[ExerciseReport]:
        """Give the exercises that are not right yet, in their order."""
        return [one for one in self.report.exercises if one.status != "passed"]


def find_notebooks(start: Path) -> list[Path]:
    """Find the exercises of the learner's folder: here, above, or in `my_course`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    for folder in (start, *start.parents, start / FOLDER):
        found = sorted((folder / "exercises").glob("[0-9][0-9]_*.ipynb"))
        if found:
            return found
    raise FileNotFoundError(
        f"no folder of the course in {start}, nor in {start / FOLDER}; "
        "`minitransformer lab` makes one"
    )


def check_notebooks(paths: Iterable[Path]) -> Iterator[Page]:
    """Check every answer of some notebooks, one notebook after the other.

    The answers run locked away, as far as this machine can, on the cases that `check`
    shows: what hangs or dies costs only itself.
    """
    with Sandbox() as sandbox:
        grader = Grader(sandbox, Settings(seed=None, policy_costs=False))
        for path in paths:
            yield Page(path, grader.grade(Submission(path.stem, (path,))))


def next_step(pages: Sequence[Page]) -> str:
    """Say in a sentence what to do next."""
    for page in pages:
        if page.report.error:
            return f"{page.path.name} cannot be read: {page.report.error}"
        tried = [one for one in page.open if one.status != "not_written"]
        if tried:
            return f"Next: mend {tried[0].id} in {page.path.name}."
        if page.open:
            return f"Next: write {page.open[0].id} in {page.path.name}."
    return "All of it is right. Go on with the next lesson."
