"""How fast is grading? Beside nbgrader's `autograde`, over the same notebooks, in one run.

    python -m benchmarks.grading [--count 50] [--skip-nbgrader]

Prints a table: seconds for each submission of a batch with three NumPy exercises, for
both; a submission of the whole course, torch included; and the slowest `check` of a
NumPy exercise in a notebook. Whole processes are timed, from start to end. The targets
are those of the design; on a busy machine look at the ratio.
"""

import argparse
import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import nbgrader_course
from minitransformer.grader import catalogue

ROOT = Path(__file__).parents[1]
ASSIGNMENT = "02_soft_lookup"  # three NumPy exercises, as they are handed out
REPEATS = 5  # of our own batch, before nbgrader's and after it
RIGHT, WRONG = "np.log", "np.log2"  # in every third student's entropy


def lay_out(folder: Path, count: int) -> None:
    """Write a course with so many submissions, every third with a mistake."""
    source, solved = (
        json.loads((ROOT / kind / f"{ASSIGNMENT}.ipynb").read_text("utf-8"))
        for kind in ("exercises", "solutions")
    )
    students = {}
    for number in range(count):
        notebook = copy.deepcopy(solved)
        for cell in notebook["cells"] if number % 3 == 2 else ():
            if cell["metadata"].get("minitransformer") == {"exercise": "entropy"}:
                cell["source"] = "".join(cell["source"]).replace(RIGHT, WRONG)
        students[f"student{number:02}"] = notebook
    nbgrader_course.lay_out(folder, source, students, ASSIGNMENT)


def seconds_of_nbgrader(course: Path) -> float:
    """Time `nbgrader autograde` over the whole batch."""
    nbgrader_course.run(course, "generate_assignment", ASSIGNMENT)
    began = time.perf_counter()
    nbgrader_course.run(course, "autograde", ASSIGNMENT)
    return time.perf_counter() - began


def seconds_of_ours(folder: Path, *options: str) -> tuple[float, dict[str, object]]:
    """Time `minitransformer grade`, and give its report."""
    command = [sys.executable, "-m", "minitransformer.cli", "grade", str(folder)]
    command += ["--format", "json", *options]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, json.loads(done.stdout)


def solved_exercises(report: dict[str, object]) -> str:
    """Say how many exercises of a report's only submission were right."""
    (submission,) = report["submissions"]  # pyright: ignore[reportGeneralTypeIssues] - one was graded
    exercises = submission["exercises"]
    right = sum(one["status"] == "passed" for one in exercises)
    return f"{right} of {len(exercises)} exercises right"


def slowest_check() -> tuple[float, str]:
    """Time `check` of a right answer to each NumPy exercise, the second of two calls."""
    from minitransformer import check, reference

    slowest = (0.0, "")
    for one in catalogue.exercises():
        answer = getattr(reference, one.id, None)
        if answer is not None and not one.needs_torch:
            check(one.id, answer)
            began = time.perf_counter()
            check(one.id, answer)
            slowest = max(slowest, (time.perf_counter() - began, one.id))
    return slowest


def main() -> None:
    """Measure, and print the table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--count", type=int, default=50)
    words.add_argument("--skip-nbgrader", action="store_true")
    chosen = words.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        course = Path(name)
        lay_out(course, chosen.count)
        batch = [course / "submitted", "--topics", ASSIGNMENT[:2]]
        ours = [seconds_of_ours(*batch)[0] for _ in range(REPEATS)]
        if not chosen.skip_nbgrader:
            theirs = seconds_of_nbgrader(course)
            ours += [seconds_of_ours(*batch)[0] for _ in range(REPEATS)]
        ours = sorted(1000 * seconds / chosen.count for seconds in ours)
        middle = statistics.median(ours)
        spread = f"{ours[0]:.1f} to {ours[-1]:.1f} ms"
        rows.append(("batch, a submission", f"{middle:.1f} ms", spread))
        if not chosen.skip_nbgrader:
            rows.append(("the same, nbgrader", f"{theirs / chosen.count:.2f} s", ""))
            ratio = 1000 * theirs / chosen.count / middle
            rows.append(("times faster", f"{ratio:.0f}", "at least 50"))
    whole, report = seconds_of_ours(ROOT / "solutions")
    count = len(report["submissions"])  # pyright: ignore[reportArgumentType] - a list
    if count:
        rows.append(("all solutions, one by one", f"{whole:.2f} s", ""))
    with tempfile.TemporaryDirectory() as name:
        everything = Path(name, "everything")
        everything.mkdir()
        for path in (ROOT / "solutions").glob("*.ipynb"):
            (everything / path.name).write_bytes(path.read_bytes())
        whole, report = seconds_of_ours(Path(name), "--jobs", "1")
        rows.append(
            (
                f"the whole course ({solved_exercises(report)})",
                f"{whole:.2f} s",
                "at most 3 s",
            )
        )
    slowest, which = slowest_check()
    rows.append(
        (f"slowest check ({which})", f"{1000 * slowest:.0f} ms", "at most 100 ms")
    )
    for what, found, target in rows:
        print(f"{what:<60} {found:>10}   {target}")


if __name__ == "__main__":
    main()
