"""The one module that talks to IPython: pictures with words, tables, live views.

Everything shown has a `text/plain` that is the same on every machine: the words of a
picture, the aligned text of a table, the sentence of a live view.
"""

import base64
import html
import io
import re
from collections.abc import Mapping, Sequence

import numpy as np
from IPython.display import display
from ipywidgets import Widget
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from minitransformer.notebook.numbers import number
from minitransformer.notebook.plots.palette import lettering

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_FEWEST_WORDS = 6
_SAID_ALREADY = re.compile(
    r"(an? |the )?(image|picture|plot|figure|diagram|chart|graph|screenshot)\b",
    re.IGNORECASE,
)


class Shown:
    """A bundle of representations, and the words that stand for them as plain text."""

    def __init__(self, words: str, **representations: object) -> None:
        self.words = words
        self.bundle = {"text/plain": words, **representations}

    def __repr__(self) -> str:
        """Return the words, for a terminal."""
        return self.words

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return self.bundle


def show(figure: Figure, *, alt: str) -> None:
    """Show a picture together with the words that say what there is to see.

    Parameters
    ----------
    figure : Figure
        What a function of `plots` returned, or any figure of matplotlib.
    alt : str
        What a reader who cannot see the picture needs to know, in a sentence or two.

    Raises
    ------
    ValueError
        If `alt` says nothing, or opens with "a picture of".
    """
    display(Shown(words(alt), **{"text/html": image(figure, alt)}))


def words(alt: str) -> str:
    """Return the words of a picture on one line, or refuse words that say nothing.

    Raises
    ------
    ValueError
        If there are fewer than six words, or they open with "a picture of": a screen
        reader has said that much already.

    Examples
    --------
    >>> words("Two curves that meet at width 64, then part.")
    'Two curves that meet at width 64, then part.'
    """
    line = " ".join(alt.split())
    if len(line.split()) < _FEWEST_WORDS:
        raise ValueError(
            f"alt must say what there is to see, in at least {_FEWEST_WORDS} words; got {line!r}"
        )
    if opening := _SAID_ALREADY.match(line):
        raise ValueError(
            f"alt must begin with what there is to see, not with {opening.group()!r}; got {line!r}"
        )
    return line


def image(figure: Figure, alt: str) -> str:
    """Return a picture as an HTML image that carries its words wherever it goes.

    JupyterLab gives image outputs no alternative text, whatever their metadata says, and
    shows no SVG output of a notebook it does not trust. An image inside HTML has neither
    problem, so this is the one form in which the course keeps its pictures.
    """
    line = words(alt)
    data = base64.b64encode(svg(figure, line).encode()).decode()
    return f'<img alt="{html.escape(line)}" src="data:image/svg+xml;base64,{data}">'


def svg(figure: Figure, description: str) -> str:
    """Return a figure as SVG: the same bytes each time, the words inside, no date."""
    page = io.StringIO()
    dots = figure.dpi
    with lettering():  # the canvas itself: savefig would draw everything twice
        FigureCanvasSVG(figure).print_svg(page, metadata=_NO_METADATA)
    figure.dpi = dots  # the canvas leaves its own behind
    source = page.getvalue()
    source = source[source.index("<svg") :]
    source = re.sub(r'\b(d|x|y|transform|points)="([^"]*)"', _shorten, source)
    source = re.sub(r">\s+<", "><", source)
    first = re.split(r"(?<=[.:;]) ", description, maxsplit=1)[0]
    told = f"<title>{html.escape(first)}</title><desc>{html.escape(description)}</desc>"
    opening, rest = source.split(">", maxsplit=1)
    return f'{opening} role="img">{told}{rest}'


def _shorten(attribute: re.Match[str]) -> str:
    """Round the coordinates of an SVG attribute to a hundredth of a point."""
    name, value = attribute.groups()

    def rounded(number: re.Match[str]) -> str:
        short = f"{float(number.group()):.2f}".rstrip("0").rstrip(".")
        return "0" if short == "-0" else short

    if name == "transform":  # the factors of a scale are small: leave them whole
        moved = re.sub(
            r"(translate|rotate)\([^)]*\)",
            lambda part: re.sub(r"-?\d+\.\d+", rounded, part.group()),
            value,
        )
        return f'{name}="{moved}"'
    shorter = re.sub(r"-?\d+\.\d+", rounded, " ".join(value.split()))
    return f'{name}="{shorter}"'


def table(
    columns: Mapping[str, Sequence[object] | np.ndarray],
    *,
    digits: int = 3,
    caption: str | None = None,
) -> None:
    """Show columns side by side: aligned plain text, and a table a screen reader can walk.

    Parameters
    ----------
    columns : mapping of str to sequence
        Headings and what stands below them; all of one length.
    digits : int
        Places after the point. Numbers too small or too large for that are given with
        as many significant digits.
    caption : str, optional
        A line above the table.

    Raises
    ------
    ValueError
        If there is no column, or the columns differ in length.
    """
    cells = {heading: _as_text(column, digits) for heading, column in columns.items()}
    lengths = {heading: len(column) for heading, column in cells.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns must have one length; got {lengths}")
    right = {heading: _is_numeric(column) for heading, column in columns.items()}
    display(
        Shown(
            _text_table(cells, right, caption),
            **{"text/html": _html_table(cells, right, caption)},
        )
    )


def _as_text(column: Sequence[object] | np.ndarray, digits: int) -> list[str]:
    return [_cell(value, digits) for value in column]


def _cell(value: object, digits: int) -> str:
    if value is None:
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.number)):
        return number(value.item() if isinstance(value, np.number) else value, digits)
    if isinstance(value, np.ndarray):
        return np.array2string(
            value, precision=digits, suppress_small=True, separator=", "
        )
    return str(value)


def _is_numeric(column: Sequence[object] | np.ndarray) -> bool:
    numeric = (int, float, np.number)
    return all(
        value is None
        or (isinstance(value, numeric) and not isinstance(value, (bool, np.bool_)))
        for value in column
    )


def _text_table(
    cells: Mapping[str, list[str]], right: Mapping[str, bool], caption: str | None
) -> str:
    widths = {
        heading: max(map(len, (heading, *column))) for heading, column in cells.items()
    }

    def line(row: Sequence[str]) -> str:
        parts = [
            text.rjust(widths[heading])
            if right[heading]
            else text.ljust(widths[heading])
            for heading, text in zip(cells, row, strict=True)
        ]
        return "  ".join(parts).rstrip()

    rows = [line(row) for row in zip(*cells.values(), strict=True)]
    rule = "  ".join("─" * width for width in widths.values())
    return "\n".join([*([caption] if caption else []), line(list(cells)), rule, *rows])


def _html_table(
    cells: Mapping[str, list[str]], right: Mapping[str, bool], caption: str | None
) -> str:
    def side(heading: str) -> str:
        return (
            ' style="text-align: right"'
            if right[heading]
            else ' style="text-align: left"'
        )

    heads = "".join(
        f'<th scope="col"{side(heading)}>{html.escape(heading)}</th>'
        for heading in cells
    )
    first = next(iter(cells))
    lines = []
    for row in zip(*cells.values(), strict=True):
        parts = [
            f'<th scope="row"{side(heading)}>{html.escape(text)}</th>'
            if heading == first
            else f"<td{side(heading)}>{html.escape(text)}</td>"
            for heading, text in zip(cells, row, strict=True)
        ]
        lines.append(f"<tr>{''.join(parts)}</tr>")
    told = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{told}<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def put(shown: Shown) -> None:
    """Place a bundle in the output of the running cell."""
    display(shown)


def widget_bundle(widget: Widget, *, words: str, fallback: str) -> Shown:
    """Return a live view whose stored form reads well where no kernel runs.

    Parameters
    ----------
    widget : Widget
        What a reader with a kernel uses.
    words : str
        The plain text: fixed when the cell runs, so that strict comparison passes.
    fallback : str
        HTML for readers without a kernel, and for notebooks not yet trusted.
    """
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return Shown(words, **{"text/html": fallback, WIDGET_VIEW: view})
