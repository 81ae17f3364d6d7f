"""A sheet to draw on, in inches from the top left: the ground of every data-flow picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from minitransformer.notebook.plots.palette import (
    CARD,
    INK,
    QUIET,
    RULE,
    SHADE,
    both_ways,
    colour_of,
    readable_on,
    tint,
    visible,
)

_SMALLEST_NUMBERED = 0.3  # inches: a narrower cell has no room for its number


@dataclass(frozen=True)
class Box:
    """Where something was drawn: its corners, for arrows to start and end at."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Matrix:
    """An array to be drawn as numbered cells.

    Parameters
    ----------
    values : ndarray of shape (rows, columns) or (columns,)
        The numbers.
    name : str
        What it is called in the text, as in ``"q"``.
    role : {"query", "key", "value", "weight"}, optional
        Which colour it has.
    rows, columns : sequence of str, optional
        The tokens beside and below it.
    mask : Boolean ndarray, optional
        True where there is something to see; the other cells are hatched.
    """

    values: np.ndarray
    name: str
    role: str | None = None
    rows: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    mask: np.ndarray | None = field(default=None)

    @property
    def table(self) -> np.ndarray:
        """The values as rows and columns."""
        return np.atleast_2d(np.asarray(self.values, dtype=float))

    @property
    def shape(self) -> str:
        """The shape as it is written beside the name."""
        return str(np.shape(self.values))


class Sheet:
    """A figure whose one axes is a plain sheet, y downward, in inches."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self.at: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.at.set_xlim(0, width)
        self.at.set_ylim(height, 0)
        self.at.axis("off")

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int | float = 10,
        colour: str = INK,
        bold: bool = False,
        across: str = "center",
        up: str = "center",
    ) -> None:
        """Write words at a place."""
        self.at.text(
            x,
            y,
            text,
            fontsize=size,
            color=colour,
            fontweight="bold" if bold else "normal",
            ha=across,
            va=up,
        )

    def cells(
        self,
        matrix: Matrix,
        left: float,
        top: float,
        *,
        wide: float,
        tall: float,
        digits: int = 2,
    ) -> Box:
        """Draw a matrix as cells whose strength is the size of their number.

        Numbers above zero have the role's colour, those below are grey; both are also
        written, where there is room. `digits` are the places after the point, none for
        a matrix of whole numbers.
        """
        table = matrix.table
        seen = (
            np.ones(table.shape, bool)
            if matrix.mask is None
            else np.asarray(matrix.mask)
        )
        seen = seen & np.isfinite(table)
        if np.array_equal(table[seen], np.round(table[seen])):
            digits = 0  # whole numbers are written as such
        largest = float(np.abs(table[seen]).max(initial=0.0)) or 1.0
        for (i, j), value in np.ndenumerate(table):
            x, y = left + j * wide, top + i * tall
            if not seen[i, j]:
                self.hatch(x, y, wide, tall)
                continue
            fill = cell_colour(float(value), largest, matrix.role)
            self.at.add_patch(
                Rectangle(
                    (x, y), wide, tall, facecolor=fill, edgecolor=CARD, linewidth=1
                )
            )
            if wide >= _SMALLEST_NUMBERED:
                number = f"{round(float(value), digits) + 0.0:.{digits}f}".replace(
                    "-", "−"
                )
                self.write(
                    x + wide / 2, y + tall / 2, number, size=8, colour=readable_on(fill)
                )
        box = Box(left, top, left + table.shape[1] * wide, top + table.shape[0] * tall)
        self.at.add_patch(
            Rectangle(
                (box.left, box.top),
                box.right - box.left,
                box.bottom - box.top,
                fill=False,
                edgecolor=colour_of(matrix.role) if matrix.role else QUIET,
                linewidth=1.2,
            )
        )
        for i, token in enumerate(matrix.rows or ()):
            self.write(
                left - 0.07,
                top + (i + 0.5) * tall,
                visible(token),
                size=9,
                across="right",
            )
        for j, token in enumerate(matrix.columns or ()):
            self.write(
                left + (j + 0.5) * wide, box.bottom + 0.12, visible(token), size=9
            )
        return box

    def colours(self, table: np.ndarray, box: Box, largest: float) -> None:
        """Fill a frame with an array too large for numbers: slate below zero, ochre above."""
        self.at.imshow(
            table,
            cmap=both_ways(),
            vmin=-largest,
            vmax=largest,
            extent=(box.left, box.right, box.bottom, box.top),
            aspect="auto",
            interpolation="nearest",
        )
        self.at.add_patch(
            Rectangle(
                (box.left, box.top),
                box.right - box.left,
                box.bottom - box.top,
                fill=False,
                edgecolor=QUIET,
                linewidth=1,
            )
        )

    def name(self, matrix: Matrix, box: Box) -> None:
        """Write a matrix's name and shape above it."""
        x = (box.left + box.right) / 2
        self.write(
            x, box.top - 0.27, matrix.name, bold=True, colour=colour_of(matrix.role)
        )
        self.write(x, box.top - 0.1, matrix.shape, size=7.5, colour=QUIET)

    def hatch(self, x: float, y: float, wide: float, tall: float) -> None:
        """Draw a cell that nothing may look at."""
        self.at.add_patch(
            Rectangle(
                (x, y),
                wide,
                tall,
                facecolor=SHADE,
                edgecolor="#A9B1B9",
                hatch="////",
                linewidth=0,
            )
        )
        self.at.add_patch(
            Rectangle((x, y), wide, tall, fill=False, edgecolor=CARD, linewidth=1)
        )

    def box(
        self,
        left: float,
        top: float,
        wide: float,
        tall: float,
        text: str,
        *,
        role: str | None = None,
    ) -> Box:
        """Draw a step of the computation: a rounded box with its name."""
        colour = colour_of(role) if role else QUIET
        self.at.add_patch(
            FancyBboxPatch(
                (left, top),
                wide,
                tall,
                boxstyle="round,pad=0,rounding_size=0.07",
                facecolor=tint(colour, 0.1),
                edgecolor=colour,
                linewidth=1.2,
            )
        )
        self.write(left + wide / 2, top + tall / 2, text, size=9)
        return Box(left, top, left + wide, top + tall)

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        colour: str = QUIET,
        width: float = 1.3,
        bend: float = 0.0,
    ) -> None:
        """Draw an arrow, straight or bent."""
        self.at.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>,head_width=2.6,head_length=5",
                connectionstyle=f"arc3,rad={bend}",
                color=colour,
                linewidth=width,
                shrinkA=0,
                shrinkB=0,
            )
        )

    def path(
        self,
        points: Sequence[tuple[float, float]],
        *,
        colour: str = QUIET,
        width: float = 1.3,
    ) -> None:
        """Draw a line through points; the last stretch is an arrow."""
        xs, ys = zip(*points[:-1], strict=True)
        self.at.plot(xs, ys, color=colour, linewidth=width, solid_joinstyle="round")
        self.arrow(points[-2], points[-1], colour=colour, width=width)

    def plus(self, x: float, y: float) -> Box:
        """Draw the sign where a branch is added to the stream."""
        reach = 0.13
        self.at.plot(
            x, y, "o", markersize=17, color=CARD, markeredgecolor=INK, zorder=3
        )
        self.at.text(x, y, "+", ha="center", va="center", fontsize=12, zorder=4)
        return Box(x - reach, y - reach, x + reach, y + reach)

    def rule(self, x: float, top: float, bottom: float) -> None:
        """Draw a thin upright line between two parts of a picture."""
        self.at.plot([x, x], [top, bottom], color=RULE, linewidth=1)


def cell_colour(value: float, largest: float, role: str | None) -> str:
    """Return a cell's fill: a role's colour above zero, grey below, stronger when larger."""
    if value == 0:
        return tint(QUIET, 0.04)
    base = QUIET if value < 0 else colour_of(role)
    return tint(base, 0.06 + 0.74 * abs(value) / largest)
