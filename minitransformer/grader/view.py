"""The part of this package that an answer may use, as text.

An answer may call what earlier topics asked for: NumPy functions of `reference`, torch
modules of `model`. Its own function, what contains it, and all of its own and later
topics are replaced by stand-ins that say so. The text is cut from the files of the
package by the same slicing that cuts answers, so nothing is imported, and what is not
allowed never enters a worker's memory.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from minitransformer.grader import slicing
from minitransformer.grader.slicing import Piece

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
ROOMS = ("minitransformer.reference", "minitransformer.model")
OURS = (*ROOMS, "minitransformer.text")  # where their code may come from


@dataclass(frozen=True)
class View:
    """What the rooms of the package hold while one exercise is graded.

    Attributes
    ----------
    modules : mapping
        Text of each module of the package that is needed, by full name.
    allowed : mapping
        For each room, the module that each of its allowed names comes from.
    refused : mapping
        For each room, why each of its other names is not there.
    """

    modules: Mapping[str, str]
    allowed: Mapping[str, Mapping[str, str]]
    refused: Mapping[str, Mapping[str, str]]

    @property
    def refused_names(self) -> set[str]:
        """All names that are not there."""
        return {name for names in self.refused.values() for name in names}


def package_view(exercise_id: str, topics: Mapping[str, str]) -> View:
    """Work out the view for one exercise.

    Parameters
    ----------
    topics : mapping
        The topic's number of every exercise, "03".
    """
    needed: dict[str, set[Piece]] = {}
    allowed: dict[str, dict[str, str]] = {room: {} for room in ROOMS}
    refused: dict[str, dict[str, str]] = {room: {} for room in ROOMS}
    for room in ROOMS:
        for name, home in _homes(room).items():
            reason = _reason_against(name, exercise_id, topics)
            parts = [] if reason else _closure(home, name)
            if any(exercise_id in piece.names.given for _, piece in parts):
                reason = f"{name} contains {exercise_id}, which is asked for here"
            if reason:
                refused[room][name] = reason
                continue
            allowed[room][name] = home
            for module, piece in parts:
                needed.setdefault(module, set()).add(piece)
    modules = {module: _text(module, pieces) for module, pieces in needed.items()}
    return View(modules, allowed, refused)


def _reason_against(name: str, exercise_id: str, topics: Mapping[str, str]) -> str:
    if name == exercise_id:
        return f"{name} is what this exercise asks you to write"
    if name not in topics:
        return f"{name} is not an exercise of an earlier topic"
    if topics[name] >= topics[exercise_id]:
        return f"{name} belongs to topic {topics[name]}, not to an earlier one"
    return ""


@lru_cache(maxsize=4)
def _homes(room: str) -> dict[str, str]:
    """Find the module of every public name of a room, as its `__init__` says."""
    found = {}
    for piece in _pieces(room):
        node = piece.node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            for one in node.names:
                found[one.asname or one.name] = str(node.module)
        elif isinstance(node, ast.Assign) and "_HOMES" in piece.names.given:
            for module, names in ast.literal_eval(node.value).items():
                found |= dict.fromkeys(names, f"{room}.{module}")
    return found


@lru_cache(maxsize=256)
def _closure(module: str, name: str) -> list[tuple[str, Piece]]:
    """Find every statement that a name needs, in its module and in those it imports."""
    pieces = _pieces(module)
    places = [i for i, piece in enumerate(pieces) if name in piece.names.given]
    if not places:
        return []
    found = []
    for piece in slicing.needed(pieces, name, places[-1], len(pieces)):
        node = piece.node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            for one in node.names:
                found += _closure(str(node.module), one.name)
        found.append((module, piece))
    return found


def _text(module: str, pieces: Iterable[Piece]) -> str:
    chosen = set(pieces)
    return "\n".join(piece.source for piece in _pieces(module) if piece in chosen)


@lru_cache(maxsize=64)
def _pieces(module: str) -> tuple[Piece, ...]:
    """Cut a module of this package into statements, without what only tools read."""
    path = PACKAGE_FOLDER.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return ()
    tree = _Bare().visit(ast.parse(file.read_text("utf-8")))
    return tuple(slicing.pieces_of(ast.unparse(tree), file.name))


class _Bare(ast.NodeTransformer):
    """Takes annotations off functions, and one imported name a line.

    Workers then load neither what annotations are made of nor names that nobody uses.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        for one in ast.walk(node.args):
            if isinstance(one, ast.arg):
                one.annotation = None
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.ImportFrom]:
        return [ast.ImportFrom(node.module, [one], node.level) for one in node.names]
