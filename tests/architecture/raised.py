"""What functions say they raise, what they raise, and which tests read the message."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "minitransformer"


@dataclass(kw_only=True)
class Function:
    """A public function or method of a module."""

    name: str  # as it is called: "softmax", "ModelConfig"
    module: Path
    documented: set[str] = field(default_factory=set)
    raised: set[str] = field(default_factory=set)  # by a raise in its own body


def public_functions(folder: Path) -> Iterator[Function]:
    """Go through the public functions and classes of a folder of modules."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                yield Function(
                    name=node.name,
                    module=path,
                    documented=documented(ast.get_docstring(node) or ""),
                    raised=raised(node) if isinstance(node, ast.FunctionDef) else set(),
                )


def documented(docstring: str) -> set[str]:
    """Give the exceptions under "Raises" of a docstring in numpydoc's form."""
    section = re.search(
        r"^Raises\n-+\n(.*?)(?=^\w[^\n]*\n---|\Z)", docstring, re.M | re.S
    )
    return set(re.findall(r"^(\w+)$", section[1], re.M)) if section else set()


def raised(function: ast.AST) -> set[str]:
    """Give the names of the exceptions in the raise statements of a function."""
    calls = (
        node.exc.func
        for node in ast.walk(function)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    )
    return {call.id for call in calls if isinstance(call, ast.Name)}


def read_messages() -> set[tuple[str, str]]:
    """Give (function, exception) for each call inside `pytest.raises(…, match=…)`."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.With) and (caught := _caught(node)):
                found |= {(name, caught) for name in _called(node)}
    return found


def _caught(block: ast.With) -> str | None:
    """Give the exception of a `with pytest.raises(Exception, match=…)`."""
    for item in block.items:
        call = item.context_expr
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        matched = any(keyword.arg == "match" for keyword in call.keywords)
        if call.func.attr == "raises" and matched and call.args:
            return ast.unparse(call.args[0]).split(".")[-1]
    return None


def _called(block: ast.With) -> set[str]:
    calls = (
        node.func
        for part in block.body
        for node in ast.walk(part)
        if isinstance(node, ast.Call)
    )
    return {ast.unparse(call).split(".")[-1] for call in calls}
