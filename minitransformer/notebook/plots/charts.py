"""Charts: heat maps, curves, bars, points and arrows, from arrays to a Figure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from minitransformer.notebook.plots.palette import (
    CARD,
    DASHES,
    INK,
    MARKERS,
    QUIET,
    ROLES,
    RULE,
    SERIES,
    SHADE,
    WIDTH,
    both_ways,
    card,
    colour_of,
    contrast,
    lettering,
    rising,
    settle,
)

Kind = Literal["weights", "scores", "query", "key", "value", "plain"]
Curve = np.ndarray | Sequence[float] | tuple[np.ndarray, np.ndarray]

_MOST_NUMBERED = 10  # with more columns the numbers no longer fit their cells
_LARGEST_CELL = 0.62  # inches
_TALLEST = 5.4


def heat_map(
    values: np.ndarray | Mapping[str, np.ndarray],
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    x: str = "key",
    y: str = "query",
    kind: Kind = "weights",
    limits: tuple[float, float] | None = None,
    mask: np.ndarray | None = None,
    digits: int = 2,
    title: str | None = None,
) -> Figure:
    """Draw a matrix as coloured cells, or several matrices on one scale.

    Parameters
    ----------
    values : ndarray of shape (Tq, Tk), or mapping of title to such an array
        The numbers; several panels share one scale. Cells without a finite number are
        hatched.
    rows, columns : sequence of str, optional
        The tokens beside and below the cells; places are numbered where there are none.
    x, y : str
        What the columns and the rows are.
    kind : {"weights", "scores", "query", "key", "value", "plain"}
        Which colours: weights from 0 up, a role's own colour, or, for scores and plain
        arrays, slate below zero and ochre above.
    limits : (float, float), optional
        Ends of the scale. Without them, 0 and 1 for weights (0 and the largest where there
        are more than ten columns), else what the values span.
    mask : Boolean ndarray that broadcasts to the values, optional
        True where a query may look; the other cells are hatched.
    digits : int
        Places after the point of the numbers in the cells, which are written where
        there are at most ten columns.
    title : str, optional
        A title for a single panel.

    Returns
    -------
    Figure
    """
    panels = dict(values) if isinstance(values, Mapping) else {title or "": values}
    arrays = {name: np.asarray(array, dtype=float) for name, array in panels.items()}
    for name, array in arrays.items():
        if array.ndim != 2:
            raise ValueError(
                f"a heat map needs arrays of shape (rows, columns); got {array.shape}"
                + (f" for {name!r}" if name else "")
            )
    if mask is not None:
        arrays = {
            name: np.where(np.broadcast_to(mask, array.shape), array, np.nan)
            for name, array in arrays.items()
        }
    scale, low, high = _scale(arrays.values(), kind, limits)
    across = min(len(arrays), 4 if len(arrays) > 3 else 3)
    down = -(-len(arrays) // across)
    shape = next(iter(arrays.values())).shape
    with lettering():
        wide, tall = _size(shape, across, down, rows, named=any(arrays))
        figure = card(tall, wide)
        axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        drawn = None
        for at, (name, array) in zip(axes.flat, arrays.items(), strict=False):
            drawn = at.imshow(
                np.ma.masked_invalid(array),
                cmap=scale,
                vmin=low,
                vmax=high,
                aspect="auto",
                interpolation="nearest",
            )
            _finish_cells(at, array, drawn, digits, room=wide / (across * shape[1]))
            at.set_title(name)
        for at in axes.flat[len(arrays) :]:
            at.set_visible(False)
        for at in axes[-1]:
            at.set_xlabel(x)
        for at in axes[:, 0]:
            at.set_ylabel(y)
        _token_ticks(axes, shape, rows, columns)
        if drawn is not None:
            _scale_bar(figure, drawn, axes, kind)
        return settle(figure)


def _scale(
    arrays: Collection[np.ndarray], kind: Kind, limits: tuple[float, float] | None
) -> tuple[Colormap, float, float]:
    """Choose colours and ends: from zero up for weights, around zero for signed values."""
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    if kind == "weights":
        wide = any(array.shape[1] > _MOST_NUMBERED for array in arrays)
        low, high = limits or (0.0, float(finite.max(initial=0.0)) if wide else 1.0)
        return rising(colour_of("weight")), low, high or 1.0
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    if kind in ROLES and (finite.size == 0 or finite.min() >= 0):
        low, high = limits or (0.0, largest)
        return rising(colour_of(kind)), low, high
    low, high = limits or (-largest, largest)
    return both_ways(), low, high


def _size(
    shape: tuple[int, ...],
    across: int,
    down: int,
    rows: Sequence[str] | None,
    *,
    named: bool,
) -> tuple[float, float]:
    """Find width and height at which cells are square, as far as the page allows."""
    beside = 0.08 * max(map(len, rows or ["00"])) + 0.45
    bar = 0.85
    cell = min(
        (WIDTH - beside - bar - 0.2 * across) / (across * shape[1]), _LARGEST_CELL
    )
    cell_height = min(cell, _TALLEST / (down * shape[0]))
    wide = across * shape[1] * cell + 0.2 * across + beside + bar
    tall = down * (shape[0] * cell_height + (0.32 if named else 0.08)) + 0.6
    return wide, max(tall, 1.6)


def _finish_cells(
    at: Axes, array: np.ndarray, drawn: AxesImage, digits: int, *, room: float
) -> None:
    at.tick_params(length=0)
    for side in at.spines.values():
        side.set_visible(True)
        side.set_color(RULE)
    for i, j in np.argwhere(~np.isfinite(array)):
        at.add_patch(_hatched(j, i))
    if (
        array.shape[1] > _MOST_NUMBERED
        or array.shape[0] > 2 * _MOST_NUMBERED
        or room < 0.36
    ):
        return
    for (i, j), value in np.ndenumerate(array):
        if np.isfinite(value):
            at.text(
                j,
                i,
                f"{round(value, digits) + 0.0:.{digits}f}",
                ha="center",
                va="center",
                fontsize=8.5,
                color=_readable_on(to_hex(tuple(drawn.cmap(drawn.norm(value))))),
            )


def _readable_on(colour: str) -> str:
    """Return the ink that has the higher contrast on a cell's colour."""
    return max((CARD, INK), key=lambda ink: contrast(ink, colour))


def _hatched(column: float, row: float) -> Rectangle:
    return Rectangle(
        (column - 0.5, row - 0.5),
        1,
        1,
        facecolor=SHADE,
        edgecolor="#A9B1B9",
        hatch="////",
        linewidth=0,
    )


def _token_ticks(
    axes: np.ndarray,
    shape: tuple[int, ...],
    rows: Sequence[str] | None,
    columns: Sequence[str] | None,
) -> None:
    first = axes.flat[0]
    for axis, size, names in (
        (first.yaxis, shape[0], rows),
        (first.xaxis, shape[1], columns),
    ):
        if names is None:
            if size <= 16:
                axis.set_ticks(range(size))
            else:
                axis.set_major_locator(MaxNLocator(integer=True, nbins=9))
        elif len(names) != size:
            raise ValueError(
                f"one label is needed for each of {size} lines; got {len(names)}"
            )
        else:
            axis.set_ticks(range(size), [_visible(name) for name in names])
    if columns is not None and max(map(len, columns), default=0) > 3:
        for at in axes.flat:
            at.tick_params(axis="x", rotation=45 if shape[1] > 4 else 0)


def _visible(token: str) -> str:
    """Give a blank or a line break a sign that can be seen."""
    return {" ": "␣", "\n": "↵", "\t": "⇥"}.get(token, token).replace("$", r"\$")


def _scale_bar(figure: Figure, drawn: AxesImage, axes: np.ndarray, kind: Kind) -> None:
    names = {"weights": "weight", "scores": "score", "plain": "value"}
    tall = figure.get_figheight()
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, aspect=7 * tall, fraction=0.05)
    bar.locator = MaxNLocator(nbins=min(5, max(2, round(1.6 * tall))))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(names.get(kind, kind))


def curves(
    positions: np.ndarray | Sequence[float],
    series: Mapping[str, Curve],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    lines: Mapping[str, float] | None = None,
    places: Mapping[str, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one or more curves, each named at its end.

    Parameters
    ----------
    positions : array of shape (N,)
        Where the values stand on the horizontal axis.
    series : mapping of str to array
        Values of shape (N,); or of shape (seeds, N), drawn as their mean with a band from
        the smallest to the largest; or a pair (positions, values) with places of its own.
    x, y : str
        Labels of the axes, with units.
    log_x, log_y : bool
        Whether an axis is logarithmic.
    lines, places : mapping of str to float, optional
        Named horizontal and vertical lines to compare with.
    title : str, optional
        What the picture answers.

    Returns
    -------
    Figure
    """
    with lettering():
        figure = card(3.7)
        at = figure.subplots()
        ends = []
        for index, (name, curve) in enumerate(series.items()):
            where, values = curve if isinstance(curve, tuple) else (positions, curve)
            ends.append(
                _curve(
                    at, np.asarray(where, float), np.asarray(values, float), index, name
                )
            )
        if log_x:
            at.set_xscale("log", base=2 if _powers_of_two(positions) else 10)
        if log_y:
            at.set_yscale("log")
            _plain_numbers(at)
        if log_x and _powers_of_two(positions):
            at.set_xticks(list(positions), [f"{place:g}" for place in positions])
            at.minorticks_off()
        at.grid(visible=True)
        _compare_with(at, lines or {}, places or {})
        at.set(xlabel=x, ylabel=y, title=title or "")
        _name_ends(figure, at, ends)
        return settle(figure)


def growth(
    positions: np.ndarray | Sequence[float],
    series: Mapping[str, Curve],
    *,
    x: str,
    y: str,
) -> Figure:
    """Draw curves on two logarithmic axes, where a power law is a straight line."""
    return curves(positions, series, x=x, y=y, log_x=True, log_y=True)


def _plain_numbers(at: Axes) -> None:
    """Write 2, 5, 10 beside a short logarithmic axis, not powers of ten."""
    low, high = at.get_ylim()
    if high / low < 1e3:
        at.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        at.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        at.yaxis.set_minor_locator(NullLocator())


def _powers_of_two(positions: np.ndarray | Sequence[float]) -> bool:
    places = np.asarray(positions, dtype=float)
    if not 1 < places.size <= 14 or (places <= 0).any():
        return False
    return bool(np.allclose(np.log2(places) % 1, 0))


def _curve(
    at: Axes, where: np.ndarray, values: np.ndarray, index: int, name: str
) -> tuple[float, float, str, str]:
    colour = SERIES[index % len(SERIES)]
    if values.ndim == 2:
        at.fill_between(
            where,
            values.min(axis=0),
            values.max(axis=0),
            color=colour,
            alpha=0.16,
            linewidth=0,
        )
        values = values.mean(axis=0)
    few = len(where) <= 20
    at.plot(
        where,
        values,
        color=colour,
        linestyle=DASHES[index % len(DASHES)],
        marker=MARKERS[index % len(MARKERS)] if few else "",
        label=name,
    )
    seen = np.isfinite(values)
    if not seen.any():
        return float("nan"), float("nan"), name, colour
    last = max(1, len(where) // 25)  # a noisy curve ends where its last stretch lies
    return float(where[seen][-1]), float(values[seen][-last:].mean()), name, colour


def _compare_with(
    at: Axes, lines: Mapping[str, float], places: Mapping[str, float]
) -> None:
    """Add named straight lines in quiet ink."""
    for name, level in lines.items():
        at.axhline(level, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        at.annotate(
            name,
            (0, level),
            xycoords=("axes fraction", "data"),
            xytext=(5, 3),
            textcoords="offset points",
            color=QUIET,
            fontsize=9,
        )
    for name, place in places.items():
        at.axvline(place, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        at.annotate(
            name,
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -2),
            textcoords="offset points",
            va="top",
            color=QUIET,
            fontsize=9,
        )


def _name_ends(
    figure: Figure, at: Axes, ends: Sequence[tuple[float, float, str, str]]
) -> None:
    """Write each curve's name beside its end, moved apart where names would touch."""
    named = [end for end in ends if np.isfinite(end[1])]
    if len(named) < 2 and len(ends) == 1 and not ends[0][2]:
        return
    figure.draw_without_rendering()
    apart = 13.0  # points between two names
    to_points = 72 / figure.dpi
    right = max((end[0] for end in named), default=0.0)
    heights = [at.transData.transform((right, end[1]))[1] * to_points for end in named]
    order = np.argsort(heights)
    spread = _spread(np.asarray(heights)[order], apart) if named else np.empty(0)
    floor = at.bbox.y0 * to_points + apart / 2
    if len(spread) and spread[0] < floor:
        spread = np.maximum(spread, floor + apart * np.arange(len(spread)))
    moved = dict(zip(order, spread, strict=True))
    for index, (where, level, name, colour) in enumerate(named):
        shift = moved[index] - heights[index]
        at.annotate(
            name.replace("$", r"\$"),
            (where, level),
            xytext=(8, shift),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=9,
            color=colour,
            annotation_clip=False,
            fontweight="bold",
        )


def _spread(heights: np.ndarray, apart: float) -> np.ndarray:
    """Move sorted heights as little as needed so that neighbours are `apart`."""
    groups = [[height, 1.0] for height in heights]  # centre and members
    sizes = [1] * len(groups)
    at = 0
    while at < len(groups) - 1:
        reach = apart * (sizes[at] + sizes[at + 1]) / 2
        if groups[at + 1][0] - groups[at][0] >= reach - 1e-9:
            at += 1
            continue
        total = sizes[at] + sizes[at + 1]
        centre = (groups[at][0] * sizes[at] + groups[at + 1][0] * sizes[at + 1]) / total
        groups[at : at + 2] = [[centre, 1.0]]
        sizes[at : at + 2] = [total]
        at = max(at - 1, 0)
    return np.concatenate(
        [
            centre + apart * (np.arange(size) - (size - 1) / 2)
            for (centre, _), size in zip(groups, sizes, strict=True)
        ]
    )
