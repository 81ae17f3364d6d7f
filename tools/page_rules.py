"""Rules that every page keeps, each a function from a notebook to what it finds.

A finding is a sentence; no finding means that the rule is kept. The rules read built
notebooks, so what they say is true of what a reader opens.
"""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from nbformat.notebooknode import NotebookNode

from tools.pictures import images, pictures

Finding = str
Rule = Callable[[NotebookNode], list[Finding]]

NEEDS_REASON = ("once", "nbval-ignore-output", "nbval-skip", "raises-exception")
FEWEST_LETTERS_OF_A_REASON = 20
FEWEST_LETTERS_OF_AN_ALT = 40
LARGEST_SHARE_IGNORED = 0.05

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) +(\S.*)$", re.MULTILINE)
_NO_PREDICTION = re.compile(r"<!-- no prediction: \S.{9,}? -->", re.DOTALL)
_PICTURE_IN_TEXT = re.compile(r"!\[(?P<alt>[^\]]*)\]\(")
_SAYS_ONLY_THAT = re.compile(
    r"(an? |the )?(image|picture|plot|figure|diagram|chart|graph|drawing|screenshot)\b",
    re.IGNORECASE,
)
# what differs from one machine or one day to the next: never in a stored output
_PASSING = {
    "paths": re.compile(
        r"(?<![\w.])(?:/(?:home|root|tmp|usr|opt|var|private|Users|mnt)/[\w.-]+|[A-Z]:\\\w+"
        r"|~/[\w.-]+)|site-packages|ipykernel_\d+"
    ),
    "addresses": re.compile(
        r"\b0x[0-9a-f]{6,}\b|\bhttps?://\S+|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    ),
    "dates": re.compile(r"\b(?:19|20)\d\d-[01]\d-[0-3]\d\b"),
    "times": re.compile(
        r"(?<![\w:.\[])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\w:\]])"
        r"|\b\d+(?:\.\d+)? ?(?:s|ms|µs|μs|us|ns|sec|seconds|minutes)\b"
    ),
}


def was_executed(page: NotebookNode) -> list[Finding]:
    """Run every code cell, in order, in one go."""
    counts = [cell.execution_count for cell in _code(page)]
    if not counts:
        return ["it has no code cell"]
    if counts != list(range(1, len(counts) + 1)):
        return [f"its cells were not run from 1 to {len(counts)}: {counts}"]
    return []


def has_no_outputs(page: NotebookNode) -> list[Finding]:
    """Keep no outputs and no counts."""
    return [
        f"a cell has outputs or a count: {_start(cell)}"
        for cell in _code(page)
        if cell.outputs or cell.execution_count is not None
    ]


def has_ordered_headings(page: NotebookNode) -> list[Finding]:
    """Have one title, at the very top, and leave out no level on the way down."""
    found = headings(page)
    levels = [level for level, _ in found]
    first = page.cells[0]
    problems = []
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        problems.append("it does not begin with its title")
    if levels.count(1) != 1:
        problems.append(f"it has {levels.count(1)} first-level headings; needed is 1")
    problems += [
        f"the heading {words!r} skips a level"
        for (above, _), (level, words) in pairwise(found)
        if level > above + 1
    ]
    return problems


def predicts_in_each_section(page: NotebookNode) -> list[Finding]:
    """Ask the reader first in each section that runs something.

    A section which has nothing to predict says why, in a comment that no reader sees:
    `<!-- no prediction: a summary of what was seen -->`.
    """
    return [
        f"the section {title!r} runs code and has no prediction"
        for title, text, code in sections(page)
        if code
        and not _NO_PREDICTION.search(text)
        and not ("**Predict" in text and any("predict(" in cell for cell in code))
    ]


def has_plain_code(page: NotebookNode) -> list[Finding]:
    """Use no shell, no magic, no wildcard import; silence no warning."""
    return [
        f"{problem}: {_start(cell)}"
        for cell in _code(page)
        for problem in _code_problems(cell.source)
    ]


def gives_reasons(page: NotebookNode) -> list[Finding]:
    """Give a reason beside each tag that lifts a test."""
    found = []
    for cell in _code(page):
        tags = set(cell.metadata.get("tags", [])) & set(NEEDS_REASON)
        about = cell.metadata.get("minitransformer", {})
        lifts = sorted(tags) + (["holds"] if "holds" in about else [])
        if lifts and len(about.get("reason", "")) < FEWEST_LETTERS_OF_A_REASON:
            found.append(f"{', '.join(lifts)} without a real reason: {_start(cell)}")
        if "NBVAL_" in cell.source or "PYTEST_VALIDATE" in cell.source:
            found.append(f"a comment steers nbval; use a tag: {_start(cell)}")
    return found


def speaks_of_its_pictures(page: NotebookNode) -> list[Finding]:
    """Give each picture words of its own that say what there is to see."""
    alts = [alt for cell in page.cells for alt in _alts(cell)]
    titles = {words.strip(" .").lower() for _, words in headings(page)}
    found = []
    for place, alt in enumerate(alts, start=1):
        words = " ".join((alt or "").split())
        if len(words) < FEWEST_LETTERS_OF_AN_ALT:
            found.append(f"picture {place} has too few words: {words!r}")
        elif _SAYS_ONLY_THAT.match(words):
            found.append(f"picture {place} says that it is a picture: {words!r}")
        elif words.strip(" .").lower() in titles:
            found.append(f"picture {place} repeats a heading: {words!r}")
        elif alt in alts[: place - 1]:
            found.append(f"picture {place} has the words of another: {words!r}")
    return found


def prints_what_lasts(page: NotebookNode) -> list[Finding]:
    """Print no path, date, time or address, and nothing to stderr.

    A cell whose output is about such things says so on its marker line:
    `holds="dates" reason="the dates are the data"`. The output of a cell that measures
    time is not compared, for a reason which is given; it may hold times.
    """
    found = []
    for cell in _code(page):
        allowed = cell.metadata.get("minitransformer", {}).get("holds", "").split()
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            allowed = [*allowed, "times"]
        for output in cell.outputs:
            if output.get("name") == "stderr":
                found.append(f"it writes to stderr: {_start(cell)}")
            for kind, pattern in _PASSING.items():
                hit = pattern.search(_words_of(output))
                if hit and kind not in allowed:
                    found.append(
                        f"{kind} in an output, {hit.group()!r}: {_start(cell)}"
                    )
    return found


def fails_only_where_said(page: NotebookNode) -> list[Finding]:
    """Keep a stored error only where the page shows one on purpose."""
    return [
        f"a stored error: {_start(cell)}"
        for cell in _code(page)
        if any(output.output_type == "error" for output in cell.outputs)
        and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def links_to_its_exercises(page: NotebookNode) -> list[Finding]:
    """Lead on, in the last text, to the exercises of the topic."""
    target = f"../exercises/{page.metadata.minitransformer.topic}.ipynb"
    texts = [cell.source for cell in page.cells if cell.cell_type == "markdown"]
    return [] if texts and target in texts[-1] else [f"its last text lacks {target}"]


ON_EVERY_PAGE: tuple[Rule, ...] = (
    has_ordered_headings,
    has_plain_code,
    gives_reasons,
    speaks_of_its_pictures,
)
ON_EXECUTED_PAGES: tuple[Rule, ...] = (
    was_executed,
    prints_what_lasts,
    fails_only_where_said,
)
ON_LESSONS: tuple[Rule, ...] = (predicts_in_each_section,)
ON_EXERCISES: tuple[Rule, ...] = (has_no_outputs,)


def ignored_cells(page: NotebookNode) -> tuple[int, int]:
    """Count the code cells that are not compared, and all of them."""
    lifted = {"nbval-ignore-output", "nbval-skip"}
    code = _code(page)
    return sum(bool(lifted & set(c.metadata.get("tags", []))) for c in code), len(code)


def headings(page: NotebookNode) -> list[tuple[int, str]]:
    """List the headings of a page with their levels."""
    return [
        (len(mark), words)
        for cell in page.cells
        if cell.cell_type == "markdown"
        for mark, words in _HEADING.findall(_FENCE.sub("", cell.source))
    ]


def sections(page: NotebookNode) -> list[tuple[str, str, list[str]]]:
    """Take a page apart at its second-level headings: title, text, sources of code.

    What stands before the first one, the goal and the imports, is left out.
    """
    found: list[tuple[str, list[str], list[str]]] = []
    for cell in page.cells:
        if cell.cell_type == "code":
            if found:
                found[-1][2].append(cell.source)
            continue
        before, *rest = re.split(r"^## +", cell.source, flags=re.MULTILINE)
        if found:
            found[-1][1].append(before)
        for part in rest:
            title, _, text = part.partition("\n")
            found.append((title.strip(), [text], []))
    return [(title, "\n".join(text), code) for title, text, code in found]


def _code(page: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in page.cells if cell.cell_type == "code"]


def _start(cell: NotebookNode) -> str:
    """Quote a cell's first line, to find it by."""
    return cell.source.strip().splitlines()[0] if cell.source.strip() else "(empty)"


def _code_problems(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        yield "not plain Python (a magic, a shell line?)"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            yield "a wildcard import"
        if isinstance(node, ast.Attribute):
            if node.attr in ("filterwarnings", "simplefilter", "catch_warnings"):
                yield "a silenced warning"
            if node.attr in ("run_line_magic", "run_cell_magic", "system", "Popen"):
                yield "a shell line or a magic in disguise"


def _alts(cell: NotebookNode) -> Iterator[str | None]:
    """Give the words of each picture that a cell's text or output holds."""
    if cell.cell_type == "markdown":
        for match in _PICTURE_IN_TEXT.finditer(_FENCE.sub("", cell.source)):
            yield match["alt"]
        for _, alt in images(cell.source):
            yield alt
    else:
        for picture in pictures(cell.outputs):
            yield picture.alt


def _words_of(output: NotebookNode) -> str:
    """Put together what a reader can read in an output."""
    data = output.get("data", {})
    html = re.sub(r"<[^>]*>", " ", data.get("text/html", ""))
    parts = [output.get("text", ""), data.get("text/plain", ""), html]
    parts += [output.get("evalue", ""), data.get("text/markdown", "")]
    return "\n".join(parts)
