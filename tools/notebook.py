"""Put the three notebooks of a topic together from its sources, not yet executed.

A lesson is one page. The exercises file makes two: the exercises with stubs, and the
solutions, which are the same text with the answers. Cell ids come from what a cell says,
so that a cell keeps its id when its neighbours change.
"""

import copy
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import nbformat
from nbformat.notebooknode import NotebookNode

from tools import grading
from tools.source import ROOT, SourceCell, read

BEGIN, END = "# >>> solution", "# <<< solution"
FOLDERS = {"lesson": "lessons", "exercises": "exercises", "solutions": "solutions"}
SOURCES = {"lesson": "lesson.py", "exercises": "exercises.py"}

_TAGS_WITH_REASON = {"once", "nbval-ignore-output", "nbval-skip", "raises-exception"}
_HEADING = re.compile(r"## Exercise \S")
_LANGUAGE = {  # without the version, which differs from machine to machine
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
}
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class Rating(Protocol):
    """What a page says about an exercise; the grader's catalogue is its home."""

    @property
    def difficulty(self) -> int:
        """From 1 to 5."""
        ...

    @property
    def minutes(self) -> int:
        """How long a first try takes."""
        ...

    @property
    def points(self) -> float:
        """What a right answer is worth."""
        ...


Rate = Callable[[str], Rating]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A notebook to be, and the source cell behind each of its cells."""

    topic: str  # "03_self_attention"
    kind: str  # "lesson", "exercises" or "solutions"
    source: Path
    notebook: NotebookNode
    cells: list[SourceCell]

    @property
    def name(self) -> str:
        """The notebook's place in the repository, without its ending."""
        return f"{FOLDERS[self.kind]}/{self.topic}"

    @property
    def executed(self) -> bool:
        """Tell whether the page is kept with its outputs."""
        return self.kind != "exercises"


def catalogue_rating(exercise: str) -> Rating:
    """Look an exercise up in the grader's catalogue."""
    from minitransformer.grader import catalogue

    return catalogue.exercise(exercise)


def pages(folder: Path, rate: Rate = catalogue_rating) -> Iterator[Page]:
    """Make the pages of one topic's folder, `authoring/NN_topic`, one by one."""
    yield _page("lesson", folder / SOURCES["lesson"], rate)
    if (exercises := folder / SOURCES["exercises"]).exists():
        yield _page("exercises", exercises, rate)
        yield _page("solutions", exercises, rate)


def lesson(folder: Path) -> Page:
    """Make the lesson of one topic's folder."""
    return _page("lesson", folder / SOURCES["lesson"], catalogue_rating)


def topics(authoring: Path = ROOT / "authoring") -> list[Path]:
    """List the topics' folders in the order of the course."""
    return sorted(p for p in authoring.glob("[0-9][0-9]_*") if p.is_dir())


def as_text(notebook: NotebookNode) -> str:
    """Write a notebook the one way in which it is kept."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook as it was before anything ran."""
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


def _page(kind: str, source: Path, rate: Rate) -> Page:
    topic = source.parent.name
    cells = read(source)
    if kind == "lesson":
        nodes = [_plain(cell) for cell in cells]
    else:
        nodes = _exercise_nodes(cells, rate, with_answers=kind == "solutions")
    _give_ids(nodes)
    notebook = nbformat.v4.new_notebook(
        cells=nodes,
        metadata={
            "kernelspec": _KERNEL,
            "language_info": _LANGUAGE,
            "minitransformer": {"page": kind, "topic": topic},
        },
    )
    # the id of a cell came with minor version 5; a later one may not change the pages
    notebook.nbformat_minor = 5
    return Page(topic=topic, kind=kind, source=source, notebook=notebook, cells=cells)


def _plain(cell: SourceCell) -> NotebookNode:
    """Make a cell that carries no exercise."""
    if BEGIN in cell.text or END in cell.text:
        raise cell.error('answers stand in a cell marked exercise="…" in exercises.py')
    if {"exercise", "check"} & cell.marks.keys():
        raise cell.error("exercises and checks belong in exercises.py")
    return _node(cell, cell.text)


def _node(cell: SourceCell, text: str) -> NotebookNode:
    if cell.kind == "markdown":
        return nbformat.v4.new_markdown_cell(text)
    return nbformat.v4.new_code_cell(text, metadata=_metadata(cell))


def _metadata(cell: SourceCell) -> dict[str, object]:
    """Take over tags, and the reasons that go with them."""
    tags, about = cell.marks.get("tags", []), {}
    needs_reason = "holds" in cell.marks or _TAGS_WITH_REASON & set(tags)
    if needs_reason and not str(cell.marks.get("reason", "")).strip():
        raise cell.error('tags and holds="…" want a reason="…" beside them', -1)
    for word in ("reason", "holds"):
        if word in cell.marks:
            about[word] = cell.marks[word]
    metadata = {"tags": tags, "minitransformer": about}
    return {name: value for name, value in metadata.items() if value}


def _exercise_nodes(
    cells: list[SourceCell], rate: Rate, *, with_answers: bool
) -> list[NotebookNode]:
    """Make the cells of exercises or solutions, ratings put under their headings."""
    nodes: list[NotebookNode] = []
    heading = waiting = (
        None  # the heading of, and the exercise that waits for its check
    )
    for cell in cells:
        if "exercise" in cell.marks:
            exercise = cell.marks["exercise"]
            if heading is None:
                raise cell.error("no '## Exercise …' heading since the exercise before")
            if waiting:
                raise cell.error(f"{waiting} has no check cell before this exercise")
            heading.source = _with_rating(heading.source, _rated(cell, exercise, rate))
            nodes.append(_answer_node(cell, exercise, with_answers=with_answers))
            heading, waiting = None, exercise
        elif "check" in cell.marks:
            exercise = cell.marks["check"]
            if exercise != waiting:
                raise cell.error(f"a check of {exercise}, not of {waiting}")
            nodes.append(_check_node(cell, exercise, rate, sealed=not with_answers))
            waiting = None
        else:
            nodes.append(_plain(cell))
            if cell.kind == "markdown" and _HEADING.match(cell.text):
                heading = nodes[-1]
    if waiting:
        raise cells[-1].error(f"{waiting} has no check cell")
    return nodes


def _rated(cell: SourceCell, exercise: str, rate: Rate) -> Rating:
    try:
        return rate(exercise)
    except (ValueError, LookupError) as error:
        raise cell.error(str(error)) from None


def _with_rating(text: str, rating: Rating) -> str:
    heading, _, rest = text.partition("\n")
    points = f"{rating.points:g} point{'s' if rating.points != 1 else ''}"
    line = (
        f"*Difficulty {rating.difficulty} of 5 · {rating.minutes} minutes · {points}*"
    )
    return f"{heading}\n\n{line}\n\n{rest.lstrip()}".rstrip()


def _answer_node(
    cell: SourceCell, exercise: str, *, with_answers: bool
) -> NotebookNode:
    """Make the cell in which the learner writes."""
    stub = _stub(cell, exercise)
    node = _node(cell, cell.text if with_answers else stub)
    node.metadata.update(
        deletable=False,
        nbgrader=grading.answer_cell(exercise),
        minitransformer={"exercise": exercise},
    )
    if not with_answers:
        grading.seal(node)
    return node


def _stub(cell: SourceCell, exercise: str) -> str:
    """Put `raise NotImplementedError` where the answer stands."""
    kept, inside, answers = [], False, 0
    for offset, line in enumerate(cell.text.splitlines()):
        if line.strip() == (END if inside else BEGIN):
            if not inside:
                indent = line[: len(line) - len(line.lstrip())]
                message = f"{exercise} is not written yet"
                kept.append(f'{indent}raise NotImplementedError("{message}")')
                answers += 1
            inside = not inside
        elif line.strip() in (BEGIN, END):
            raise cell.error(f"{line.strip()!r} is out of place", offset)
        elif not inside:
            kept.append(line)
    if inside or not answers:
        raise cell.error(f"an answer starts with {BEGIN!r} and ends with {END!r}")
    return "\n".join(kept)


def _check_node(
    cell: SourceCell, exercise: str, rate: Rate, *, sealed: bool
) -> NotebookNode:
    """Make the cell that asks the grader."""
    if cell.text.strip() != f'check("{exercise}", {exercise})':
        raise cell.error(f'a check cell is exactly check("{exercise}", {exercise})')
    node = _node(cell, cell.text.strip())
    node.metadata.update(
        deletable=False,
        editable=False,
        nbgrader=grading.check_cell(exercise, rate(exercise).points),
        minitransformer={"check": exercise},
    )
    if sealed:
        grading.seal(node)
    return node


def _give_ids(nodes: list[NotebookNode]) -> None:
    """Name each cell after its exercise, or after what it says."""
    seen: Counter[str] = Counter()
    for node in nodes:
        about = node.metadata.get("nbgrader", {})
        words = f"{node.cell_type}\n{node.source}"
        name = about.get("grade_id") or hashlib.sha256(words.encode()).hexdigest()[:8]
        seen[name] += 1
        if about and seen[name] > 1:
            raise ValueError(f"exercise {name} stands twice on its page")
        node.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
