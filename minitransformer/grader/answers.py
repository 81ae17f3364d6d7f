"""Read answers out of notebooks and `.py` files, as text: nothing is run here.

Saved outputs are ignored, magics and shell lines are dropped and named, and what cannot
be read becomes one clear line. What an answer needs to run is worked out by `slicing`.
"""

import ast
import json
import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minitransformer.grader import slicing
from minitransformer.grader.slicing import Piece

MOST_BYTES = 50 << 20
MOST_CODE = 2 << 20  # characters of code in one file
MOST_STATEMENTS = 20_000
ENDINGS = (".ipynb", ".py")
MAGIC = re.compile(
    r"^(\s*)(?:%|!|\?|[A-Za-z_][\w., ]*=\s*[%!]).*|^(\s*)[\w.]+\?{1,2}\s*$"
)
FOREIGN_CELL = re.compile(r"^\s*%%(?!time\b|timeit\b|capture\b|prun\b|python\b)\w+")
MAGIC_CALL = re.compile(r"^\s*get_ipython\(\)\..*")


class UnreadableError(Exception):
    """A submission cannot be read; the message is the line for its report."""


@dataclass(frozen=True)
class Cell:
    """A piece of code with a name to show."""

    name: str
    source: str
    grade_id: str = ""


@dataclass
class Document:
    """One file of a submission.

    Attributes
    ----------
    name : str
        The file's name.
    cells : list of Cell
        Its code; a `.py` file is one cell.
    pieces : list of Piece
        Its top-level statements in order.
    broken : dict
        Cells that are not Python, by name, and what is wrong with them.
    dropped : list of str
        Magics and shell lines, with their cells.
    """

    name: str
    cells: list[Cell]
    pieces: list[Piece] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    @property
    def is_notebook(self) -> bool:
        """Whether it came as a notebook."""
        return self.name.endswith(".ipynb")


@dataclass(frozen=True)
class Answer:
    """An answer and what it needs, ready to be executed somewhere safe.

    Attributes
    ----------
    name : str
        The exercise's id.
    pieces : tuple of Piece
        The statements it needs, in order.
    files : dict
        Text of every cell or file that they come from.
    helpers : dict
        Text of the other `.py` files that were handed in, by module name.
    broken : str
        Why it cannot even be executed; "" if it can.
    """

    name: str
    pieces: tuple[Piece, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    broken: str = ""

    @property
    def uses_package(self) -> bool:
        """Whether it imports anything of this package."""
        return any("minitransformer" in piece.source for piece in self.pieces)


# ---------------------------------------------------------------- files
def read_document(path: Path) -> Document:
    """Read a notebook or a `.py` file.

    Raises
    ------
    UnreadableError
        If it is not a plain file of reasonable size with such content.
    """
    text = _read_text(path)
    cells = (
        _notebook_cells(text) if path.suffix == ".ipynb" else [Cell(path.name, text)]
    )
    if sum(len(cell.source) for cell in cells) > MOST_CODE:
        raise UnreadableError(
            f"{path.name} holds more than {MOST_CODE >> 20} MB of code"
        )
    document = Document(path.name, cells)
    for cell in cells:
        _cut(cell, document)
    if len(document.pieces) > MOST_STATEMENTS:
        raise UnreadableError(f"{path.name} has more than {MOST_STATEMENTS} statements")
    if document.broken and not document.is_notebook:
        raise UnreadableError(f"{path.name}: {document.broken[path.name]}")
    return document


def _read_text(path: Path) -> str:
    """Read a plain file, and nothing that only looks like one."""
    try:
        opened = os.open(
            path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
        )
        with os.fdopen(opened, "rb") as file:
            what = os.fstat(opened)
            if not stat.S_ISREG(what.st_mode):
                raise UnreadableError(f"{path.name} is not a plain file")
            if what.st_size > MOST_BYTES:
                megabytes = what.st_size >> 20
                raise UnreadableError(
                    f"{path.name} has {megabytes} MB; at most {MOST_BYTES >> 20} are read"
                )
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"{path.name}: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise UnreadableError(f"{path.name} is not UTF-8 text") from None


def _notebook_cells(text: str) -> list[Cell]:
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("not a notebook: it is not JSON") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict):  # nbformat 3
        sheets = notebook.get("worksheets")
        if isinstance(sheets, list):
            cells = [cell for sheet in sheets for cell in _list(sheet, "cells")]
    if not isinstance(cells, list):
        raise UnreadableError("not a notebook: it has no list of cells")
    code = [cell for cell in cells if _get(cell, "cell_type") == "code"]
    return [
        Cell(f"cell {number}", _source(cell), _grade_id(cell))
        for number, cell in enumerate(code, start=1)
    ]


def _get(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: object, name: str) -> list[Any]:
    found = _get(value, name)
    return found if isinstance(found, list) else []


def _source(cell: object) -> str:
    source = _get(cell, "source")
    if source is None:
        source = _get(cell, "input")  # nbformat 3
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _grade_id(cell: object) -> str:
    found = _get(_get(_get(cell, "metadata"), "nbgrader"), "grade_id")
    return found if isinstance(found, str) else ""


# ---------------------------------------------------------------- cells
def _cut(cell: Cell, document: Document) -> None:
    """Add a cell's statements to its document, without magics."""
    source, dropped = without_magics(cell.source)
    document.dropped += [f"{cell.name}: {line}" for line in dropped]
    try:
        document.pieces += slicing.pieces_of(source, cell.name)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        document.broken[cell.name] = f"{where}{error.msg}"


def without_magics(source: str) -> tuple[str, list[str]]:
    r"""Take out what only IPython understands; give the rest, lines in place, and the list.

    Code that is Python as it stands is left alone, so that no line within a text or a
    formula is ever mistaken for a magic.

    Examples
    --------
    >>> without_magics("%matplotlib inline\nx = 1")
    ('pass\nx = 1', ['%matplotlib inline'])
    """
    if FOREIGN_CELL.match(source):
        return "", [source.strip().splitlines()[0]]
    lines, dropped = source.split("\n"), []
    while True:
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            place = (error.lineno or 0) - 1
            if not (0 <= place < len(lines) and MAGIC.match(lines[place])):
                return (
                    _all_magics_out(source)
                    if not dropped
                    else ("\n".join(lines), dropped)
                )
            dropped.append(lines[place].strip())
            indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
            lines[place] = f"{indent}pass"
            if len(dropped) > 200:
                return _all_magics_out(source)
        except (ValueError, RecursionError, MemoryError):
            return source, []
        else:
            return "\n".join(lines), dropped + _magic_calls(lines)


def _all_magics_out(source: str) -> tuple[str, list[str]]:
    """Take every line that looks like a magic, where one by one did not help."""
    dropped = [line.strip() for line in source.split("\n") if MAGIC.match(line)]
    lines = [
        re.sub(r"\S.*", "pass", line) if MAGIC.match(line) else line
        for line in source.split("\n")
    ]
    return "\n".join(lines), dropped


def _magic_calls(lines: Sequence[str]) -> list[str]:
    """Name magics in the form that a notebook saved as a script has; they never run."""
    return [line.strip() for line in lines if MAGIC_CALL.match(line)]


# ---------------------------------------------------------------- answers
def defined_in(document: Document) -> set[str]:
    """Name what a file defines at top level, however it is made, but not by import."""
    return {
        name
        for piece in document.pieces
        if not piece.is_import
        for name in piece.names.given
    }


def checked_in(document: Document) -> set[str]:
    """Name the exercises that a file asks about: by `grade_id`, or by a check."""
    by_id = {cell.grade_id for cell in document.cells if cell.grade_id}
    return by_id | {name for piece in document.pieces if (name := _checked(piece))}


def _checked(piece: Piece) -> str:
    """Name the exercise that a statement `check("name", name)` checks, or nothing."""
    if "check(" not in piece.source:
        return ""
    for node in ast.walk(piece.node):
        if isinstance(node, ast.Call) and node.args:
            called, first = node.func, node.args[0]
            if (
                isinstance(called, ast.Name)
                and called.id == "check"
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                return first.value
    return ""


def find_answer(documents: Sequence[Document], name: str) -> tuple[Answer | None, str]:
    """Find an answer by its cell's `grade_id`, else by its name; the last one counts.

    Returns
    -------
    answer : Answer or None
        None if it is absent.
    note : str
        What is worth telling, "" if nothing is.
    """
    found = [
        (how, document, place)
        for document in documents
        if (how := _place(document, name)) and (place := how[1]) is not None
    ]
    if not found:
        return _broken_answer(documents, name), ""
    best = max(how[0] for how, _, _ in found)
    found = [one for one in found if one[0][0] == best]
    _, document, place = found[-1]
    note = ""
    if len(found) > 1:
        names = ", ".join(document.name for _, document, _ in found)
        note = f"{name} is defined in {names}; the last one counts"
    return _answer(documents, document, name, place), note


def _place(document: Document, name: str) -> tuple[int, int] | None:
    """How surely a file answers an exercise, and with which of its statements."""
    cells = {cell.name for cell in document.cells if cell.grade_id == name}
    places = [i for i, piece in enumerate(document.pieces) if name in piece.names.given]
    in_cell = [i for i in places if document.pieces[i].file in cells]
    made_here = [i for i in places if not document.pieces[i].is_import]
    for sureness, some in ((3, in_cell), (2, made_here), (1, places)):
        if some:
            return sureness, some[-1]
    return None


def _answer(
    documents: Sequence[Document], document: Document, name: str, place: int
) -> Answer:
    pieces = document.pieces
    checks = [i for i in range(place, len(pieces)) if _checked(pieces[i]) == name]
    horizon = checks[0] if checks else len(pieces)
    chosen = slicing.needed(pieces, name, place, horizon)
    files = {piece.file for piece in chosen}
    return Answer(
        name=name,
        pieces=tuple(chosen),
        files={cell.name: cell.source for cell in document.cells if cell.name in files},
        helpers=_helpers(documents, document),
    )


def _helpers(documents: Sequence[Document], document: Document) -> dict[str, str]:
    return {
        other.name.removesuffix(".py"): other.cells[0].source
        for other in documents
        if other is not document and not other.is_notebook
    }


def _broken_answer(documents: Sequence[Document], name: str) -> Answer | None:
    """Find an answer in a cell that is not Python, so that it can be told."""
    begins = re.compile(
        rf"^(?:def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*=", re.M
    )
    for document in documents:
        for cell in document.cells:
            is_its_cell = cell.grade_id == name or begins.search(cell.source)
            if cell.name in document.broken and is_its_cell:
                words = f"{cell.name}, {document.broken[cell.name]}"
                return Answer(name=name, broken=words)
    return None


def finished_uses(
    answer: Answer, finished: Collection[str], refused: Collection[str]
) -> list[str]:
    """Name library functions that are the whole exercise, each with its line.

    Parameters
    ----------
    finished : collection of str
        Full names of such functions.
    refused : collection of str
        Names in `minitransformer.reference` that this exercise may not use.
    """
    words = {name.split(".")[-1] for name in (*finished, *refused)}
    if not any(word in piece.source for word in words for piece in answer.pieces):
        return []
    packages = {"minitransformer", *(name.split(".")[0] for name in finished)}
    found = {}
    uses = slicing.dotted_names(answer.pieces, answer.name, packages)
    for dotted, piece, line in uses:
        ours = (
            dotted.startswith("minitransformer.") and dotted.split(".")[-1] in refused
        )
        if dotted in finished or ours:
            found[f"{dotted} in {piece.file}, line {line}"] = None
    return list(found)
