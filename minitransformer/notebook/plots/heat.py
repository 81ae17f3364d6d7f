"""Heat maps: a matrix as coloured cells, or several on one scale."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorizer import ColorizingArtist
from matplotlib.colors import Colormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from minitransformer.notebook.plots.palette import (
    CARD,
    ROLES,
    RULE,
    SHADE,
    WIDTH,
    both_ways,
    card,
    colour_of,
    lettering,
    readable_on,
    rising,
    settle,
    visible,
)

Kind = Literal["weights", "scores", "query", "key", "value", "plain"]
Curve = np.ndarray | Sequence[float] | tuple[np.ndarray, np.ndarray]

_MEANING = {"weights": "weight", "scores": "score", "plain": "value"}
_OCHRE = "#8F5A00"  # the upper half of the signed scale
_MOST_NUMBERED = 10  # with more columns the numbers no longer fit their cells
_LARGEST_CELL = 0.62  # inches
_TALLEST = 5.4
_MOST_VECTOR_CELLS = 450


def heat_map(
    values: np.ndarray | Mapping[str, np.ndarray],
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    x: str = "key",
    y: str = "query",
    kind: Kind | None = None,
    limits: tuple[int | float, int | float] | None = None,
    mask: np.ndarray | None = None,
    digits: int = 2,
    label: str | None = None,
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
    kind : {"weights", "scores", "query", "key", "value", "plain"}, optional
        Which colours: weights between 0 and 1, a role's own colour, or ochre for scores
        and plain arrays; where there are values below zero, those are slate. Without it,
        weights if everything lies between 0 and 1, else plain.
    limits : (float, float), optional
        Ends of the scale. Without them, 0 and 1 for weights (0 and the largest where there
        are more than ten columns), else what the values span.
    mask : Boolean ndarray that broadcasts to the values, optional
        True where a query may look; the other cells are hatched.
    digits : int
        Places after the point of the numbers in the cells, which are written where
        there are at most ten columns.
    label : str, optional
        What the numbers are, beside the scale; without it, what `kind` says.
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
    if kind is None:
        kind = "weights" if _are_weights(arrays.values()) else "plain"
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
            drawn = _cells(at, array, scale, low, high)
            _finish_cells(at, array, drawn, digits, room=wide / (across * shape[1]))
            at.set_title(name)
        for at in axes.flat[len(arrays) :]:
            at.set_visible(b=False)
        for at in axes[-1]:
            at.set_xlabel(x)
        for at in axes[:, 0]:
            at.set_ylabel(y)
        _token_ticks(axes, shape, rows, columns, room=wide / (across * shape[1]))
        if drawn is not None:
            _scale_bar(figure, drawn, axes, label or _MEANING.get(kind, kind))
        return settle(figure)


def _are_weights(arrays: Collection[np.ndarray]) -> bool:
    """Say whether everything lies between 0 and 1, up to rounding."""
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    return bool(((finite >= 0) & (finite <= 1 + 1e-6)).all())


def _scale(
    arrays: Collection[np.ndarray],
    kind: Kind,
    limits: tuple[int | float, int | float] | None,
) -> tuple[Colormap, float, float]:
    """Choose colours and ends: from zero up for weights, around zero for signed values."""
    limits = None if limits is None else (float(limits[0]), float(limits[1]))
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    if kind == "weights":
        if not _are_weights(arrays):
            raise ValueError(
                f"weights lie between 0 and 1; got values from {finite.min():.3g} to "
                f"{finite.max():.3g}: choose another kind, as kind='plain'"
            )
        wide = any(array.shape[1] > _MOST_NUMBERED for array in arrays)
        low, high = limits or (0.0, float(finite.max(initial=0.0)) if wide else 1.0)
        return rising(colour_of("weight")), low, high or 1.0
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    if finite.size == 0 or finite.min() >= 0:
        low, high = limits or (0.0, largest)
        return rising(colour_of(kind) if kind in ROLES else _OCHRE), low, high
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


def _cells(
    at: Axes, array: np.ndarray, scale: Colormap, low: float, high: float
) -> ColorizingArtist:
    """Colour the cells: as vectors with a thin gap, or as one image where they are many."""
    seen = np.ma.masked_invalid(array)
    rows, columns = array.shape
    if array.size > _MOST_VECTOR_CELLS:
        return at.imshow(
            seen,
            cmap=scale,
            vmin=low,
            vmax=high,
            aspect="auto",
            interpolation="nearest",
        )
    mesh = at.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        seen,
        cmap=scale,
        vmin=low,
        vmax=high,
        edgecolors=CARD,
        linewidth=0.8,
    )
    at.set_ylim(rows - 0.5, -0.5)  # the first row on top
    return mesh


def _finish_cells(
    at: Axes, array: np.ndarray, drawn: ColorizingArtist, digits: int, *, room: float
) -> None:
    at.tick_params(length=0)
    for side in at.spines.values():
        side.set_visible(b=True)
        side.set_color(RULE)
    empty = np.argwhere(~np.isfinite(array))
    if len(empty):
        at.add_patch(_hatched(empty))
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
                _number(value, digits),
                ha="center",
                va="center",
                fontsize=8.5,
                color=readable_on(to_hex(tuple(drawn.cmap(drawn.norm(value))))),
            )


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _hatched(cells: np.ndarray) -> PathPatch:
    """Hatch the cells of these rows and columns, all in one go."""
    square = Path.unit_rectangle()
    squares = [
        Path(np.add(square.vertices, (column - 0.5, row - 0.5)), square.codes)
        for row, column in cells
    ]
    return PathPatch(
        Path.make_compound_path(*squares),
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
    *,
    room: float,
) -> None:
    """Write tokens, or numbers at as many lines as there is room for, in inches a cell."""
    first = axes.flat[0]
    for axis, size, names, letter in (
        (first.yaxis, shape[0], rows, 0.16),
        (first.xaxis, shape[1], columns, 0.24),
    ):
        if names is not None and len(names) != size:
            raise ValueError(
                f"one label is needed for each of {size} lines; got {len(names)}"
            )
        if names is not None:
            axis.set_ticks(range(size), [visible(name) for name in names])
        elif size <= 16 and room >= letter:
            axis.set_ticks(range(size))
        else:
            most = max(2, min(9, int(size * room / letter / 1.5)))
            axis.set_major_locator(MaxNLocator(integer=True, nbins=most))
    if columns is not None and max(map(len, columns), default=0) > 3:
        for at in axes.flat:
            at.tick_params(axis="x", rotation=45 if shape[1] > 4 else 0)
    if room < 0.14:
        for at in axes.flat:
            at.tick_params(labelsize=max(5.5, 62 * room))


def _scale_bar(
    figure: Figure, drawn: ColorizingArtist, axes: np.ndarray, label: str
) -> None:
    tall = figure.get_figheight()
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, aspect=7 * tall, fraction=0.05)
    bar.locator = MaxNLocator(nbins=min(5, max(2, round(1.6 * tall))))
    bar.outline.set_visible(b=False)
    bar.ax.tick_params(length=0)
    bar.set_label(label)
