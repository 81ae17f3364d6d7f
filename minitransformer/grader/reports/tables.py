"""Tables for spreadsheets and for nbgrader's gradebook.

A cell that begins like a formula gets an apostrophe in front: a spreadsheet that opens
the file must not run what a submission is called.
"""

import csv
import io
from collections.abc import Iterable

from minitransformer.grader.reports.model import Report, clean

FORMULA_SIGNS = ("=", "+", "-", "@")
NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name"),
    *("email", "raw_score", "late_submission_penalty", "score", "max_score"),
)


def cell(value: object) -> object:
    """Make a value safe to open in a spreadsheet.

    Examples
    --------
    >>> cell("=1+1"), cell(-1.5)
    ("'=1+1", -1.5)
    """
    if not isinstance(value, str):
        return value
    words = clean(value).replace("\n", " ")
    return f"'{words}" if words.lstrip().startswith(FORMULA_SIGNS) else words


def _written(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def grades(report: Report) -> str:
    """Write a row a submission: its points in all and in each exercise."""
    ids = list(
        dict.fromkeys(
            one.id for submission in report.submissions for one in submission.exercises
        )
    )
    rows: list[list[object]] = [["name", "points", "max_points", "error", *ids]]
    for one in report.submissions:
        points = {exercise.id: exercise.points for exercise in one.exercises}
        rows.append(
            [one.name, one.points, one.max_points, one.error]
            + [points.get(exercise_id, "") for exercise_id in ids]
        )
    return _written(rows)


def nbgrader(report: Report) -> str:
    """Write the columns of nbgrader's own export: a row for each topic and submission."""
    topics = sorted(
        {one.topic for submission in report.submissions for one in submission.exercises}
    )
    rows: list[Iterable[object]] = [NBGRADER]
    for topic in topics:
        for submission in report.submissions:
            some = [one for one in submission.exercises if one.topic == topic]
            score = round(sum(one.points for one in some), 2)
            most = round(sum(one.max_points for one in some), 2)
            rows.append(
                [topic, "", "", submission.name, "", "", "", score, 0.0, score, most]
            )
    return _written(rows)
