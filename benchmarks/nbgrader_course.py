"""A course in nbgrader's own layout, to hold its results and its speed beside ours."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ASSIGNMENT = "03_self_attention"
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "minitransformer"
c.Execute.timeout = 120
c.Execute.kernel_name = "python3"
"""


def exercise_notebook(
    answers: Mapping[str, str], points: Mapping[str, float]
) -> dict[str, Any]:
    """Make an exercise notebook with answers in it.

    Parameters
    ----------
    answers : mapping
        The text of each answer, by the exercise's id; "" for one that is not written.
    points : mapping
        What each is worth.
    """
    cells = [_cell("import numpy as np\n\nfrom minitransformer import check", {})]
    for name, text in answers.items():
        stub = f"def {name}(*data):\n    raise NotImplementedError('not written yet')"
        marks = {"schema_version": 3, "task": False}
        solution = {**marks, "grade": False, "solution": True, "locked": False}
        test = {**marks, "grade": True, "solution": False, "locked": True}
        test |= {"points": points[name], "grade_id": f"check-{name}"}
        cells.append(_cell(text or stub, {**solution, "grade_id": name}))
        cells.append(_cell(f'check("{name}", {name})', test))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(source: str, nbgrader: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"c{abs(hash((source, str(nbgrader)))) % 10**8}",
        "cell_type": "code",
        "metadata": {"nbgrader": dict(nbgrader)} if nbgrader else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def lay_out(
    root: Path,
    source: Mapping[str, Any],
    submissions: Mapping[str, Mapping[str, Any]],
    assignment: str = ASSIGNMENT,
) -> None:
    """Write a course: its source notebook, and one notebook for each student."""
    (root / "nbgrader_config.py").write_text(CONFIG, "utf-8")
    places = {root / "source" / assignment: source}
    for student, notebook in submissions.items():
        places[root / "submitted" / student / assignment] = notebook
    for folder, notebook in places.items():
        folder.mkdir(parents=True)
        (folder / f"{assignment}.ipynb").write_text(json.dumps(notebook), "utf-8")


def run(root: Path, *words: str) -> None:
    """Run an nbgrader command in a course; its scripts lie beside this Python."""
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"PYTHONWARNINGS": "ignore", "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(
        [str(scripts / "nbgrader"), *words],
        check=False,
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"nbgrader {' '.join(words)} failed:\n{done.stderr[-3000:]}")


def scores(root: Path, students: Sequence[str]) -> dict[str, dict[str, float]]:
    """Read the points that nbgrader gave, by student and exercise."""
    from nbgrader.api import Gradebook

    found = {}
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        for student in students:
            notebook = book.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student)
            found[student] = {
                grade.name.removeprefix("check-"): float(grade.score)
                for grade in notebook.grades
            }
    return found
