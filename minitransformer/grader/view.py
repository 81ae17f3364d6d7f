"""The part of `minitransformer.reference` that an answer may use, as text.

An answer may call the reference functions of earlier topics. Its own function, what
contains it, and all of its own and later topics are replaced by stand-ins that say so.
The text is cut from the files of the package by the same slicing that cuts answers, so
nothing is imported, and what is not allowed never enters a worker's memory.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from minitransformer.grader import slicing
from minitransformer.grader.slicing import Piece

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
ROOMS = ("minitransformer.reference", "minitransformer.text")


@dataclass(frozen=True)
class View:
    """What `minitransformer.reference` holds while one exercise is graded.

    Attributes
    ----------
    modules : mapping
        Text of each module of the package that is needed, by full name.
    allowed : mapping
        The module that each allowed function comes from.
    refused : mapping
        Why each other function is not there.
    """

    modules: Mapping[str, str]
    allowed: Mapping[str, str]
    refused: Mapping[str, str]


def reference_view(exercise_id: str, topics: Mapping[str, str]) -> View:
    """Work out the view for one exercise.

    Parameters
    ----------
    topics : mapping
        The topic's number of every exercise, "03".
    """
    topic, homes = topics[exercise_id], _homes()
    refused = {}
    needed: dict[str, set[Piece]] = {}
    allowed = {}
    for name, home in homes.items():
        if name == exercise_id:
            refused[name] = f"{name} is what this exercise asks you to write"
        elif name not in topics:
            refused[name] = f"{name} is not an exercise of an earlier topic"
        elif topics[name] >= topic:
            refused[name] = (
                f"{name} belongs to topic {topics[name]}, not to an earlier one"
            )
        else:
            parts = _closure(home, name)
            if any(exercise_id in piece.names.given for _, piece in parts):
                refused[name] = (
                    f"{name} contains {exercise_id}, which is asked for here"
                )
                continue
            allowed[name] = home
            for module, piece in parts:
                needed.setdefault(module, set()).add(piece)
    modules = {module: _text(module, pieces) for module, pieces in needed.items()}
    return View(modules, allowed, refused)


@lru_cache(maxsize=1)
def _homes() -> dict[str, str]:
    """Find the module of every public reference function, as the room's `__init__` says."""
    found = {}
    for piece in _pieces("minitransformer.reference"):
        node = piece.node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ROOMS):
            for one in node.names:
                found[one.asname or one.name] = str(node.module)
    return found


def _closure(module: str, name: str) -> list[tuple[str, Piece]]:
    """Every statement that a function needs, in its module and in those it imports."""
    pieces = _pieces(module)
    places = [i for i, piece in enumerate(pieces) if name in piece.names.given]
    if not places:
        return []
    found = []
    for piece in slicing.needed(pieces, name, places[-1], len(pieces)):
        found.append((module, piece))
        node = piece.node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ROOMS):
            for one in node.names:
                found += _closure(str(node.module), one.name)
    return found


def _text(module: str, pieces: Iterable[Piece]) -> str:
    chosen = set(pieces)
    return "\n".join(ast.unparse(one.node) for one in _pieces(module) if one in chosen)


@lru_cache(maxsize=64)
def _pieces(module: str) -> tuple[Piece, ...]:
    """Cut a module of this package into statements, without type annotations."""
    path = PACKAGE_FOLDER.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return ()
    tree = _WithoutAnnotations().visit(ast.parse(file.read_text("utf-8")))
    return tuple(slicing.pieces_of(ast.unparse(tree), file.name))


class _WithoutAnnotations(ast.NodeTransformer):
    """Take annotations off functions: workers need not load what they are made of."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        for one in ast.walk(node.args):
            if isinstance(one, ast.arg):
                one.annotation = None
        self.generic_visit(node)
        return node
