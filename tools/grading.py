"""What nbgrader keeps in a cell's metadata, schema version 3.

The checksum is nbgrader's own: MD5 over the source, the kind of cell, its three
roles, its id and its points. `nbgrader validate` refuses any key it does not know, so
the course's own data stands elsewhere, under `minitransformer`.
"""

import hashlib
from collections.abc import MutableMapping


def check_id(exercise: str) -> str:
    """Name the cell that checks an exercise."""
    return f"check-{exercise}"


def answer_cell(exercise: str) -> dict[str, object]:
    """Describe the cell in which the learner writes."""
    return {
        "schema_version": 3,
        "grade_id": exercise,
        "grade": False,
        "solution": True,
        "locked": False,
        "task": False,
    }


def check_cell(exercise: str, points: float) -> dict[str, object]:
    """Describe the cell that is worth the points."""
    return {
        "schema_version": 3,
        "grade_id": check_id(exercise),
        "grade": True,
        "solution": False,
        "locked": True,
        "task": False,
        "points": points,
    }


def seal(cell: MutableMapping) -> None:
    """Add what nbgrader adds when it releases a notebook: checksum and kind of cell."""
    about = cell["metadata"]["nbgrader"]
    locked = not about["solution"] and (about["grade"] or about["locked"])
    parts = [
        cell["source"],
        cell["cell_type"],
        str(about["grade"]),
        str(about["solution"]),
        str(locked),
        about["grade_id"],
    ]
    if about["grade"]:
        parts.append(str(float(about["points"])))
    # nbgrader's recipe; it guards against accidents, not against people
    digest = hashlib.md5("".join(parts).encode(), usedforsecurity=False)
    about["checksum"] = digest.hexdigest()
    about["cell_type"] = cell["cell_type"]
