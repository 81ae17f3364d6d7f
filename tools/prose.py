"""Find numbers that the text tells and no cell of the section gives.

`python -m tools.prose [NN …]` lists them with file and line. A number is given if it
stands in the code, an output or a drawing of its section, as exactly as the text tells it: 22.63
gives "22.6", "about 23" and, as a share, 0.874 gives "87 %". The words of pictures are
text too. Formulas, code in text, links and headings are left alone; so are whole numbers
below ten, which count things, and years from 1900 to 2029.

What comes from elsewhere is allowed where it stands, each number with its reason:
`<!-- numbers: 98 quoted from the thread; 0.31 worked out above on paper -->`.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import nbformat
from nbformat.notebooknode import NotebookNode

from tools import notebook
from tools.notebook import Page
from tools.pictures import lettering, pictures
from tools.source import ROOT, SourceCell, shown

COUNTS_BELOW = 10

_NUMBER = re.compile(
    r"(?<![\w.,/·−-])(?P<digits>[−-]?(?:\d{1,3}(?:[,\u202f\xa0]\d{3}| 000)+(?!\d)|\d+)(?:\.\d+)?)"
    r"(?P<exponent>e[+-]?\d+)?(?P<percent>\s?%)?(?![\w⁻])"
)
_YEAR = re.compile(r"19\d\d|20[0-2]\d")
_ALLOWED = re.compile(r"<!-- numbers:(?P<items>.*?)-->", re.DOTALL)
_NOT_PROSE = (  # in this order: code before formulas, because code may hold a $
    r"^```.*?^```",
    r"`[^`\n]*`",
    r"\$\$.*?\$\$",
    r"\$[^$]*\$",
    r"<!--.*?-->",
    r"<[^>]*>",
    r"\]\([^)]*\)",
    r"https?://\S+",
    r"^#{1,6} [^\n]*",
    r"^\s*\d+\. ",  # an ordered list
    r"(?i:\b(?:lessons?|exercises?|topics?|sections?|equations?|figures?|issues?|chapters?) #?\d[\d.]*(?:\s?(?:,|and|to|–|-)\s?\d[\d.]*)*)",
    r"#\d+",
    r"arXiv:[\d.]+",
    r"\bPython \d+(?:\.\d+)*",
    r"\*\*Time:?\*\*[^\n]*",
)
_BLANK = re.compile("|".join(f"(?:{p})" for p in _NOT_PROSE), re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(
    r"-?(?:\d{1,3}(?:[,_]\d{3})+(?!\d)(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
)


@dataclass(frozen=True)
class Told:
    """A number in the text: its value, the last place that it states, and where it is."""

    text: str
    value: float
    step: float  # of the last digit: 22.6 states tenths
    percent: bool
    cell: SourceCell
    offset: int  # lines after the cell's first

    def is_given_by(self, number: float) -> bool:
        """Tell whether a number, rounded as the text does, is this one."""
        scales = (1, 100) if self.percent else (1,)
        off = min(abs(abs(number) * scale - abs(self.value)) for scale in scales)
        return off <= self.step / 2 * (1 + 1e-9)

    def __str__(self) -> str:
        """Write the finding with its file and line."""
        place = f"{shown(self.cell.path)}:{self.cell.line + self.offset}"
        return f"{place}: no cell of the section gives {self.text}"


@dataclass
class _Section:
    told: list[Told] = field(default_factory=list)
    given: set[float] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    has_code: bool = False

    def unfounded(self) -> Iterator[Told]:
        for told in self.told:
            if told.text.rstrip(" %\u202f\xa0") in self.allowed:
                continue
            if not any(told.is_given_by(number) for number in self.given):
                yield told


def unfounded(page: Page, kept: NotebookNode) -> list[Told]:
    """List the numbers in a page's text that no cell of their section gives.

    `page` is what the sources build, `kept` the same page with its outputs.
    """
    found = [_Section()]
    for source, cell in zip(page.cells, kept.cells, strict=False):
        if source.text != cell.source:
            raise source.error(f"{page.name} is older than this: build it first")
        if cell.cell_type == "markdown":
            for place, (offset, part) in enumerate(_parts(source.text)):
                if place:
                    found.append(_Section())
                found[-1].allowed |= _allowed(source, part)
                found[-1].told += numbers_in_text(part, source, offset)
        else:
            found[-1].has_code = True
            found[-1].given |= numbers_in_code(source.text) | _numbers_out(cell)
            found[-1].told += _numbers_in_alts(source)
    everything = set().union(*(section.given for section in found))
    for section in found:
        if not section.has_code:  # a summary tells what the sections gave
            section.given = everything
    return [told for section in found for told in section.unfounded()]


def numbers_in_text(text: str, cell: SourceCell, offset: int = 0) -> list[Told]:
    """List the numbers which a text tells, apart from counts and formulas."""
    prose = _BLANK.sub(lambda gap: re.sub(r"[^\n]", " ", gap.group()), text)
    found = []
    for match in _NUMBER.finditer(prose):
        digits = re.sub(r"[, \u202f\xa0]", "", match["digits"]).replace("−", "-")
        exponent = match["exponent"] or ""
        value = float(digits + exponent)
        whole = "." not in digits and not exponent
        counts = abs(value) < COUNTS_BELOW or _YEAR.fullmatch(match["digits"])
        if whole and counts and not match["percent"]:
            continue
        places = len(digits.partition(".")[2])
        step = float(f"1e{-places}") * float("1" + exponent)
        line = offset + prose[: match.start()].count("\n")
        percent = bool(match["percent"])
        found.append(Told(match.group().strip(), value, step, percent, cell, line))
    return found


def numbers_in_code(text: str) -> set[float]:
    """Collect the numbers that a cell's code states, those in strings left out."""
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NUMBER:
            number = ast.literal_eval(token.string)
            if not isinstance(number, complex):
                found.add(float(number))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.prose", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("topics", nargs="*", metavar="NN", help="topics; default: all")
    chosen = parser.parse_args(arguments).topics
    found = [
        told
        for folder in notebook.topics()
        if not chosen or folder.name.partition("_")[0] in chosen
        for told in of_lesson(notebook.lesson(folder))
    ]
    for told in found:
        print(told)
    return 1 if found else 0


def of_lesson(page: Page) -> list[Told]:
    """List the unfounded numbers of a lesson as it is built now."""
    path = ROOT / f"{page.name}.ipynb"
    return unfounded(page, nbformat.read(path, as_version=4))


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text before each second-level heading; give lines before, and the part."""
    starts = [0, *(m.start() for m in re.finditer(r"^## ", text, re.MULTILINE))]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[:start].count("\n"), text[start:end]


def _allowed(cell: SourceCell, text: str) -> set[str]:
    """Read the numbers that come from elsewhere; each wants a reason."""
    found = set()
    for comment in _ALLOWED.finditer(text):
        for item in comment["items"].split(";"):
            number, _, reason = item.strip().partition(" ")
            if not reason.strip():
                raise cell.error(f"the number {number!r} is allowed without a reason")
            found.add(number.rstrip("%"))
    return found


def _numbers_in_alts(cell: SourceCell) -> list[Told]:
    """List the numbers which the words of a cell's pictures tell."""
    found = []
    for node in ast.walk(ast.parse(cell.text)):
        if isinstance(node, ast.keyword) and node.arg == "alt":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found += numbers_in_text(part.value, cell, part.lineno - 1)
    return found


def _numbers_out(cell: NotebookNode) -> set[float]:
    """Collect the numbers that a cell's outputs show, the words of pictures left out."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        texts.append(output.get("text", ""))
        if "<img" not in data.get("text/html", ""):
            texts.append(data.get("text/plain", ""))
    for picture in pictures(cell.outputs):
        if picture.kind == "image/svg+xml":
            texts += lettering(picture.content.decode())
    shown_numbers = _SHOWN.findall("\n".join(texts).replace("−", "-"))
    return {float(re.sub("[,_]", "", number)) for number in shown_numbers}


if __name__ == "__main__":
    sys.exit(main())
