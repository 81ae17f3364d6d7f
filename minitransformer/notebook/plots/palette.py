"""Colours, card and lettering that every picture of the course shares.

Query, key, value and weight keep one colour each in every lesson. The four were
chosen together: each has a contrast of at least 4.5 to 1 on the card, so that words
may be set in it, and they stay apart under the three common kinds of colour
blindness. Colour is never alone: each role also has a letter and a marker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType


@dataclass(frozen=True, kw_only=True)
class Role:
    """How one kind of array looks in every picture."""

    colour: str
    letter: str
    marker: str


ROLES = {
    "query": Role(colour="#2A6FDB", letter="q", marker="o"),
    "key": Role(colour="#C24E00", letter="k", marker="s"),
    "value": Role(colour="#005F46", letter="v", marker="^"),
    "weight": Role(colour="#7B1E7A", letter="w", marker="D"),
}

CARD = "#FFFFFF"  # opaque, so that a dark page does not swallow the ink
INK = "#1F2933"
QUIET = "#5B6670"  # secondary words; 4.5 to 1 on the card
RULE = "#D5DADF"  # grid lines and frames: decoration, never meaning
SHADE = "#F1F3F5"

SERIES = ("#1F2933", "#A65E00", "#127C99", "#B3265E", "#5C6B00", "#6B7178")
DASHES = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.5, 2)), (0, (9, 3)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P")

WIDTH = 7.2  # inches; 690 pixels, the width of a notebook's page

_LETTERING: dict[RcKeyType, object] = {
    "figure.facecolor": CARD,
    "figure.dpi": 96,
    "savefig.facecolor": CARD,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10,
    "text.color": INK,
    "axes.facecolor": CARD,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "path",  # letters as shapes: no font is needed where it is read
    "svg.hashsalt": "minitransformer",  # the same picture gives the same bytes
}


@contextmanager
def lettering() -> Iterator[None]:
    """Draw with the course's lettering, and leave matplotlib's settings as they were."""
    with mpl.rc_context(_LETTERING):
        yield


def card(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure of a page's width, in inches; pyplot is not involved."""
    return Figure(figsize=(width, height), layout="constrained")


def settle(figure: Figure) -> Figure:
    """Fix the layout where it is, so that drawing again moves nothing."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    return figure


def tint(colour: str, strength: float) -> str:
    """Mix a colour with the card: 0 is the card, 1 the colour itself."""
    parts = [
        round(
            (1 - strength) * int(CARD[at : at + 2], 16)
            + strength * int(colour[at : at + 2], 16)
        )
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02X}" for part in parts)


def colour_of(role: str | None) -> str:
    """Return a role's colour; ink for an array that has no role."""
    return ROLES[role].colour if role in ROLES else INK


def rising(colour: str) -> LinearSegmentedColormap:
    """Return a scale from the card to a colour, for values from zero up."""
    return LinearSegmentedColormap.from_list(
        f"rising {colour}", [CARD, tint(colour, 0.45), colour]
    )


def both_ways() -> LinearSegmentedColormap:
    """Return a scale for signed values: slate below zero, card at zero, ochre above."""
    return LinearSegmentedColormap.from_list(
        "both ways", ["#33506B", "#9DB0C1", CARD, "#E5B969", "#8F5A00"]
    )


def visible(token: str) -> str:
    """Give a blank or a line break a sign that can be seen."""
    signs = {" ": "␣", "\n": "↵", "\t": "⇥"}
    return signs.get(token, token).replace("$", r"\$")


def readable_on(colour: str) -> str:
    """Return black or white, whichever stands out more: at least 4.5 to 1 on any colour."""
    return max(("#000000", "#FFFFFF"), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
