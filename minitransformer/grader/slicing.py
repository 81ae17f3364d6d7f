"""Which statements does one answer need? Read from the code, without running it.

An answer is executed with the imports, definitions and assignments that its names lead
to, and with other statements only where those give or change such a name. What else
stands in the file may fail or never end: it costs nothing.
"""

import ast
import builtins
import re
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
PLAIN = (*DEFINITIONS, *IMPORTS, ast.Assign, ast.AnnAssign)
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # as the parser counts them


@dataclass(frozen=True, eq=False)
class Piece:
    """One statement at top level.

    Attributes
    ----------
    file : str
        The file or cell it stands in, as shown to people.
    line : int
        Its first line there, decorators included.
    source : str
        Its text.
    node : ast.stmt
        The same, parsed.
    """

    file: str
    line: int
    source: str
    node: ast.stmt

    @cached_property
    def names(self) -> "Names":
        """What it gives, changes and uses."""
        return _names_of(self)

    @property
    def is_import(self) -> bool:
        """Whether it is an import."""
        return isinstance(self.node, IMPORTS)

    @property
    def is_call(self) -> bool:
        """Whether it is only there for what it does to something else."""
        return isinstance(self.node, ast.Expr)

    @property
    def is_star(self) -> bool:
        """Whether it may give any name at all."""
        return isinstance(self.node, ast.ImportFrom) and self.node.names[0].name == "*"

    @property
    def is_future(self) -> bool:
        """Whether it changes how the rest is compiled."""
        return (
            isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"
        )


@dataclass(frozen=True)
class Names:
    """The names of a statement: given, changed, used at once, used by later calls."""

    given: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()


def pieces_of(source: str, file: str) -> list[Piece]:
    """Cut a text into its top-level statements.

    Raises
    ------
    SyntaxError
        If it is not Python, or too deeply nested to be read.
    """
    try:
        tree = ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(f"cannot be read: {type(error).__name__}") from None
    lines = LINE.findall(source)
    return [_piece(node, lines, file) for node in tree.body]


def _piece(node: ast.stmt, lines: list[str], file: str) -> Piece:
    if isinstance(node, DEFINITIONS) and node.decorator_list:
        first = node.decorator_list[0].lineno
        text = "".join(lines[first - 1 : node.end_lineno])
        return Piece(file, first, text, node)
    text = lines[node.lineno - 1 : node.end_lineno]
    text[-1] = text[-1].encode()[: node.end_col_offset].decode()  # places are in bytes
    text[0] = text[0].encode()[node.col_offset :].decode()
    return Piece(file, node.lineno, "".join(text), node)


# ---------------------------------------------------------------- names of a statement
def _names_of(piece: Piece) -> Names:
    try:
        table = symtable.symtable(piece.source, piece.file, "exec")
        changed = frozenset(_changed_names(piece.node))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names()  # whatever needs it will find it missing
    given, now, later = set(), set(), set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            given.add(symbol.get_name())
        if symbol.is_referenced():
            now.add(symbol.get_name())
    for child in table.get_children():
        _inner_names(child, now, later, given)
    return Names(frozenset(given), changed, frozenset(now), frozenset(later))


def _inner_names(
    table: symtable.SymbolTable, now: set[str], later: set[str], given: set[str]
) -> None:
    """Collect the global names of functions, classes and comprehensions within."""
    at_once = table.get_type() == "class" or table.get_name() in COMPREHENSIONS
    used = now if at_once else later
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced():
            used.add(symbol.get_name())
        if symbol.is_declared_global() and symbol.is_assigned():
            given.add(symbol.get_name())
    for child in table.get_children():
        _inner_names(child, used, later, given)


def _changed_names(node: ast.AST) -> Iterator[str]:
    """Names whose value a statement changes: `x[0] = …`, `x.y = …`, `x += …`, `x.add(…)`."""
    if isinstance(node, (*DEFINITIONS, ast.Lambda)):
        return
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        targets = [one for one in node.targets if not isinstance(one, ast.Name)]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        targets = [called] if isinstance(called, ast.Attribute) else []
    for target in targets:
        root = target
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        if isinstance(root, ast.Name):
            yield root.id
    for child in ast.iter_child_nodes(node):
        yield from _changed_names(child)


# ---------------------------------------------------------------- what is needed
def needed(pieces: Sequence[Piece], name: str, place: int, horizon: int) -> list[Piece]:
    """Give the statements that an answer needs, in their order.

    Parameters
    ----------
    pieces : sequence of Piece
        A whole file.
    name : str
        The answer's name.
    place : int
        The statement that gives it.
    horizon : int
        Where the answer is first called: its functions see the names given before.
    """
    chosen: set[int] = set()
    waiting = list(_givers(pieces, name, place + 1))
    waiting += [i for i, piece in enumerate(pieces) if piece.is_future]
    while waiting:
        index = waiting.pop()
        if index in chosen:
            continue
        chosen.add(index)
        names, whole = pieces[index].names, isinstance(pieces[index].node, PLAIN)
        earlier = names.changed if whole else names.changed | names.given
        for used in names.now | earlier:
            waiting += _givers(pieces, used, index)
        for used in names.later:
            waiting += _givers(pieces, used, horizon)
    return [pieces[index] for index in sorted(chosen)]


def _givers(pieces: Sequence[Piece], name: str, before: int) -> list[int]:
    """Statements that give or change a name, back to the last that gives it whole."""
    found = list(_back_from(pieces, name, before)) or list(
        _back_from(pieces, name, len(pieces))
    )
    if not found and not hasattr(builtins, name):
        return [i for i, piece in enumerate(pieces) if piece.is_star]
    last = pieces[found[-1]].node if found else None
    if isinstance(last, (*DEFINITIONS, *IMPORTS)):  # np.seterr(…) does not change np
        found = [i for i in found if not isinstance(pieces[i].node, ast.Expr)]
    return found


def _back_from(pieces: Sequence[Piece], name: str, before: int) -> Iterator[int]:
    for index in range(before - 1, -1, -1):
        names = pieces[index].names
        if name in names.given:
            yield index
            if isinstance(pieces[index].node, PLAIN):
                return
        elif name in names.changed:
            yield index


# ---------------------------------------------------------------- dotted names
def dotted_names(
    pieces: Sequence[Piece], name: str, packages: Collection[str]
) -> Iterator[tuple[str, Piece, int]]:
    """Give every use of something imported from some packages, by full name, with its line.

    `import torch.nn.functional as F` makes `F.relu` a use of `torch.nn.functional.relu`.
    An import under the answer's own `name` is a use too.
    """
    meaning: dict[str, str] = {}
    for piece in pieces:
        if "import" not in piece.source:
            continue
        for node in ast.walk(piece.node):
            if isinstance(node, IMPORTS):
                meaning |= _meanings(node)
                if piece.node is node and name in _meanings(node):
                    yield meaning[name], piece, node.lineno
    if not any(one.split(".")[0] in packages for one in meaning.values()):
        return
    for piece in pieces:
        for node in ast.walk(piece.node):
            if isinstance(node, ast.Name | ast.Attribute):
                dotted = _dotted(node, meaning)
                if dotted:
                    yield dotted, piece, node.lineno


def _meanings(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Give the full name of each name that an import makes."""
    if isinstance(node, ast.ImportFrom):
        return {
            one.asname or one.name: f"{node.module}.{one.name}" for one in node.names
        }
    return {
        one.asname or one.name.split(".")[0]: one.name
        if one.asname
        else one.name.split(".")[0]
        for one in node.names
    }


def _dotted(node: ast.expr, meaning: dict[str, str]) -> str:
    after: list[str] = []
    while isinstance(node, ast.Attribute):
        after.append(node.attr)
        node = node.value
    first = meaning.get(node.id, "") if isinstance(node, ast.Name) else ""
    return ".".join([first, *reversed(after)]) if first else ""
