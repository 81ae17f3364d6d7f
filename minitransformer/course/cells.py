"""Merge two notebooks cell by cell: the course's new text, the learner's own work.

A cell is known by its id, a learner's answer by the id of its exercise. What was
delivered is remembered as a digest of each cell's source, which is enough to tell which
cells the learner has changed since.
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

Notebook = dict[str, Any]
Cell = dict[str, Any]


_KINDS = ("code", "markdown", "raw")


class DamagedNotebookError(ValueError):
    """A file that should be a notebook and cannot be read as one."""


def read(data: bytes) -> Notebook:
    """Read a notebook of format 4.

    Raises
    ------
    DamagedNotebookError
        If the bytes are no such notebook.
    """
    try:
        notebook = json.loads(data)
    except ValueError as error:
        raise DamagedNotebookError(f"a notebook is JSON; got {error}") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(map(_is_cell, cells)):
        raise DamagedNotebookError("a notebook of format 4 has a list of cells")
    return notebook


def write(notebook: Notebook) -> bytes:
    """Write a notebook as the course's own are written."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode()


def source(cell: Cell) -> str:
    """Give the text of a cell, which a file may hold as a list of lines."""
    return "".join(cell["source"])


def key(cell: Cell) -> str:
    """Name a cell: an answer by its exercise, any other by its id; "" if it has none."""
    mark = cell.get("metadata", {}).get("nbgrader", {})
    if mark.get("solution") and mark.get("grade_id"):
        return f"answer:{mark['grade_id']}"
    return cell.get("id", "")


def digests(notebook: Notebook) -> dict[str, str]:
    """Describe each cell of a delivered notebook by the digest of its text."""
    return {key(cell): _text(cell) for cell in notebook["cells"]}


def digest(data: bytes) -> str:
    """Shorten data to a name that no other data has."""
    return hashlib.sha256(data).hexdigest()


def merge(mine: Notebook, new: Notebook, delivered: Mapping[str, str]) -> Notebook:
    """Put the learner's work into the course's new text.

    Each cell that the learner left alone becomes the new one. An answer stays an answer.
    Another delivered cell that was changed stays as it is, if the course did not change
    it too; if it did, both stand there, the learner's below the new one. The learner's
    own cells, and answers to exercises that are no more, stay below the cell they were
    below. Merging the result again changes nothing.

    Parameters
    ----------
    mine : dict
        The learner's notebook.
    new : dict
        The notebook as the course ships it now.
    delivered : mapping of str to str
        `digests` of the notebook as it came to the learner; empty if that is not known.

    Returns
    -------
    dict
        A new notebook.
    """
    merged = copy.deepcopy(new)
    places = {key(cell): place for place, cell in enumerate(merged["cells"])}
    by_text = {text: name for name, text in delivered.items()}
    names = [key(cell) or by_text.get(_text(cell), "") for cell in mine["cells"]]
    last = {name: number for number, name in enumerate(names)}
    own: dict[int, list[Cell]] = {}
    above = -1  # the place in the new notebook that own cells stand below
    for number, (name, cell) in enumerate(zip(names, mine["cells"], strict=True)):
        # of two answers to one exercise the last counts, the other is a cell of its own
        place = places.get(name) if last[name] == number else None
        if place is not None:
            above = place
            if _settle(cell, merged["cells"][place], delivered.get(name)):
                continue
        elif _text(cell) == delivered.get(name) or not source(cell).strip():
            continue
        own.setdefault(above, []).append(cell)
    _insert(merged, own)
    return merged


def _is_cell(cell: object) -> bool:
    if not isinstance(cell, dict) or cell.get("cell_type") not in _KINDS:
        return False
    text = cell.get("source")
    return isinstance(cell.get("metadata", {}), dict) and (
        isinstance(text, str)
        or (isinstance(text, list) and all(isinstance(line, str) for line in text))
    )


_KINDS = ("code", "markdown", "raw")


def _text(cell: Cell) -> str:
    return digest(source(cell).encode())


def _settle(cell: Cell, target: Cell, was: str | None) -> bool:
    """Bring a learner's cell into its place; False if it has to stand below instead."""
    theirs, text = _text(cell), _text(target)
    if theirs == text and cell.get("outputs") and not target.get("outputs"):
        _take(cell, target, "outputs", "execution_count")
    if theirs in (text, was):
        return True
    is_answer = key(target).startswith("answer:")
    if cell["cell_type"] != target["cell_type"] or not (is_answer or text == was):
        return False
    _take(cell, target, "source", "attachments", "outputs", "execution_count")
    return True


def _take(cell: Cell, target: Cell, *fields: str) -> None:
    for field in fields:
        if field in cell:
            target[field] = copy.deepcopy(cell[field])


def _insert(merged: Notebook, own: Mapping[int, list[Cell]]) -> None:
    """Put the learner's own cells below the places they belong to, under free ids."""
    taken = {cell["id"] for cell in merged["cells"]}
    for place in sorted(own, reverse=True):  # from the end: places above stay true
        cells = [_as_own(cell, taken) for cell in own[place]]
        merged["cells"][place + 1 : place + 1] = cells


def _as_own(cell: Cell, taken: set[str]) -> Cell:
    """Copy a cell so that it stands for itself, and answers no exercise."""
    name = wanted = cell.get("id") or ""
    if not name or name in taken:
        name = wanted = f"mine-{_text(cell)[:12]}"
    count = 1
    while name in taken:
        count += 1
        name = f"{wanted}-{count}"
    taken.add(name)
    metadata = {k: v for k, v in cell.get("metadata", {}).items() if k != "nbgrader"}
    return {**copy.deepcopy(cell), "id": name, "metadata": metadata}
