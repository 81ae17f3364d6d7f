"""What the tests of the isolated grader share: one sandbox, and submissions as text."""

import contextlib
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path

from minitransformer.grader.grading import Grader, Settings
from minitransformer.grader.reports.model import SubmissionReport
from minitransformer.grader.sandbox.box import Sandbox
from minitransformer.grader.submissions import find

IMPORTS = "import numpy as np\n"
# The exercise that stands beside every attack, and keeps its points.
INNOCENT = """
def softmax_backward(weights, grad_weights):
    inner = (weights * grad_weights).sum(axis=-1, keepdims=True)
    return weights * (grad_weights - inner)
"""
RIGHT = """
def attention_scores(q, k):
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
"""


@functools.cache
def sandbox() -> Sandbox:
    """One sandbox for all tests of a process; its zygotes end with the process."""
    left_out = os.environ.get("SANDBOX_WITHOUT", "")
    return Sandbox(timeout=20.0, without=frozenset({left_out}))


def graded(
    path: Path, *, timeout: float = 20.0, box: Sandbox | None = None, **settings: object
) -> list[SubmissionReport]:
    """Grade a file, or everything in a folder, as the command does, with a fixed seed."""
    chosen = Settings(seed=5, timeout=timeout, **settings)
    grader = Grader(box or sandbox(), chosen)
    submissions, _ = find([path])
    return [grader.grade(one) for one in submissions]


def graded_text(folder: Path, source: str, **settings: object) -> SubmissionReport:
    """Grade one `.py` file with this text."""
    path = folder / "submission.py"
    path.write_text(IMPORTS + source, "utf-8")
    (report,) = graded(path, **settings)
    return report


def statuses(report: SubmissionReport) -> dict[str, str]:
    return {one.id: one.status for one in report.exercises}


def notebook(*cells: str | tuple[str, str]) -> str:
    """A notebook of code cells; a pair is a `grade_id` and the code."""
    made = []
    for cell in cells:
        grade_id, source = cell if isinstance(cell, tuple) else ("", cell)
        metadata = {}
        if grade_id:
            metadata["nbgrader"] = {
                "schema_version": 3,
                "grade_id": grade_id,
                "grade": False,
                "solution": True,
                "locked": False,
            }
        made.append(
            {
                "cell_type": "code",
                "metadata": metadata,
                "source": source.splitlines(keepends=True),
                "outputs": [],
                "execution_count": None,
            }
        )
    whole = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole)


def descendants(process: int) -> Iterator[int]:
    """Every process below one, as Linux lists them; one may end while it is looked at."""
    children: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{process}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    for child in children:
        yield child
        yield from descendants(child)
