"""The built notebooks in nbgrader's own hands: validated, released, collected, graded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "minitransformer"
c.ClearSolutions.begin_solution_delimeter = ">>> solution"
c.ClearSolutions.end_solution_delimeter = "<<< solution"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError()"}
"""

pytestmark = pytest.mark.slow


def nbgrader(folder, *words):
    # nbgrader starts `alembic` by name
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": scripts + os.pathsep + os.environ["PATH"],
        "HOME": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def answered(page):
    """Copy a released page with the exercise solved."""
    solved = nbformat.from_dict(page)
    (answer,) = (cell for cell in solved.cells if cell.id == "add")
    answer.source = "def add(a, b):\n    return a + b"
    return solved


def test_nbgrader_validates_a_released_page(built, tmp_path):
    released = built.pages / "exercises" / "01_adding.ipynb"
    solved = tmp_path / "solved.ipynb"
    nbformat.write(answered(nbformat.read(released, as_version=4)), solved)
    assert "Success!" in nbgrader(tmp_path, "validate", str(solved))


def test_nbgrader_grades_what_was_written_into_our_page(built, tmp_path):
    course = tmp_path / "school"
    for part in ("source/01", "submitted/ada/01", "submitted/bob/01"):
        (course / part).mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    name = "01_adding.ipynb"
    shutil.copy(built.pages / "solutions" / name, course / "source" / "01" / name)
    nbgrader(course, "generate_assignment", "01")
    released = nbformat.read(built.pages / "exercises" / name, as_version=4)
    nbformat.write(answered(released), course / "submitted/ada/01" / name)
    nbformat.write(released, course / "submitted/bob/01" / name)
    nbgrader(course, "autograde", "01")
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        scores = {
            student: gradebook.find_submission("01", student).score
            for student in ("ada", "bob")
        }
    assert scores == {"ada": 2.0, "bob": 0.0}
