"""Read the text that notebooks are made from, and keep the line of every cell.

A source is a py:percent file, `authoring/NN_topic/lesson.py` or `exercises.py`. Jupytext
takes it apart; this module adds where each cell begins, so that whatever goes wrong later
can be told with a file and a line.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext

ROOT = Path(__file__).resolve().parents[1]

_MARKER = re.compile(r"^# %%(?P<rest>.*)$")
_MARKDOWN_QUOTES = ('r"""', '"""')
_KNOWN = {"tags", "reason", "holds", "exercise", "check"}
# jupytext's notes to itself about how the text was laid out
_LAYOUT = {"cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"}


class SourceError(Exception):
    """Something in an authoring file has to be put right."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{shown(path)}:{line}: {message}")


@dataclass(frozen=True, kw_only=True)
class SourceCell:
    """One cell of an authoring file."""

    path: Path
    line: int  # of the cell's first line of text, counted from 1
    kind: str  # "markdown" or "code"
    text: str
    marks: dict[str, Any] = field(default_factory=dict)  # from the marker line

    def error(self, message: str, offset: int = 0) -> SourceError:
        """Make an error that points at a line of this cell."""
        return SourceError(self.path, self.line + offset, message)


def shown(path: Path) -> str:
    """Write a path as it is seen from the top of the repository."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def read(path: Path) -> list[SourceCell]:
    """Read the cells of one authoring file, in order."""
    if not path.exists():
        raise SourceError(path, 1, "there is no such file")
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if _MARKER.match(line)]
    if not starts:
        raise SourceError(path, 1, "no cell: a cell starts with a line '# %%'")
    if "".join(lines[: starts[0]]).strip():
        raise SourceError(path, 1, "text before the first '# %%' belongs to no cell")
    form = {"extension": ".py", "format_name": "percent", "comment_magics": False}
    cells = jupytext.reads(text, form).cells
    if len(cells) != len(starts):
        message = f"{len(starts)} lines '# %%' but {len(cells)} cells"
        raise SourceError(path, starts[0] + 1, message)
    return [
        _cell(path, lines, start, node)
        for start, node in zip(starts, cells, strict=True)
    ]


def _cell(path: Path, lines: list[str], start: int, node: dict) -> SourceCell:
    if not node["source"].strip():
        raise SourceError(path, start + 1, "an empty cell")
    line = start + 1  # of the text, counted from 0
    while line < len(lines) - 1 and not lines[line].strip():
        line += 1
    if node["cell_type"] == "markdown":
        if lines[line].strip() not in _MARKDOWN_QUOTES:
            message = 'the text of a markdown cell stands in r""" … """'
            raise SourceError(path, line + 1, message)
        line += 1
    marks = {k: v for k, v in node["metadata"].items() if k not in _LAYOUT}
    cell = SourceCell(
        path=path,
        line=line + 1,
        kind=node["cell_type"],
        text=node["source"].strip("\n"),
        marks=marks,
    )
    if unknown := sorted(marks.keys() - _KNOWN):
        raise cell.error(
            f"unknown words on the '# %%' line: {', '.join(unknown)}; "
            f"known are {', '.join(sorted(_KNOWN))}"
        )
    return cell
