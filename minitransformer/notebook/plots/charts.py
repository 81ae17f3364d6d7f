"""Charts: curves, bars, points and arrows, from arrays to a Figure."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Arc
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from minitransformer.notebook.plots.palette import (
    CARD,
    DASHES,
    INK,
    MARKERS,
    QUIET,
    ROLES,
    SERIES,
    WIDTH,
    card,
    lettering,
    settle,
    tint,
    visible,
)

Numbers = np.ndarray | Sequence[int | float]
Curve = Numbers | Sequence[Numbers] | tuple[Numbers, Numbers]
Bar = int | float | Numbers

_LONGEST_NAME = 20  # characters on one line at the end of a curve


def curves(
    positions: Numbers,
    series: Mapping[str, Curve],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    lines: Mapping[str, int | float] | None = None,
    places: Mapping[str, int | float] | None = None,
    limits: tuple[int | float, int | float] | None = None,
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
    limits : (float, float), optional
        Ends of the vertical axis, where pictures are to be compared.
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
            _stretch(at, np.asarray(positions, dtype=float))
        if log_y:
            at.set_yscale("log")
            _plain_numbers(at.yaxis, at.get_ylim())
        if limits:
            at.set_ylim(*limits)
        at.grid(visible=True)
        _compare_with(at, lines or {}, places or {})
        at.set(xlabel=x, ylabel=y, title=title or "")
        _name_ends(figure, at, ends)
        return settle(figure)


def growth(
    positions: Numbers,
    series: Mapping[str, Curve],
    *,
    x: str,
    y: str,
) -> Figure:
    """Draw curves on two logarithmic axes, where a power law is a straight line."""
    return curves(positions, series, x=x, y=y, log_x=True, log_y=True)


def _stretch(at: Axes, places: np.ndarray) -> None:
    """Make the horizontal axis logarithmic, with ticks where a reader expects them."""
    at.set_xscale("log")
    even = np.ptp(np.diff(np.log(places))) < 0.5 if 1 < places.size <= 14 else False
    if even:  # each some times as large as the one before
        at.set_xticks(places, [f"{place:,g}" for place in places])
        at.xaxis.set_minor_locator(NullLocator())
    else:
        _plain_numbers(at.xaxis, at.get_xlim())


def _plain_numbers(axis: Axis, ends: tuple[float, float]) -> None:
    """Write 2, 5, 10 beside a short logarithmic axis, not powers of ten."""
    if ends[1] / ends[0] < 1e4:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_locator(NullLocator())


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
    at: Axes, lines: Mapping[str, int | float], places: Mapping[str, int | float]
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
    named = [(x, y, fill(name, _LONGEST_NAME), colour) for x, y, name, colour in named]
    apart = 13.0 * max((name.count("\n") + 1 for _, _, name, _ in named), default=1)
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
            name,
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


def bars(
    heights: Mapping[str, Bar] | Mapping[str, Mapping[str, Bar]],
    *,
    x: str,
    y: str,
    lines: Mapping[str, int | float] | None = None,
    limits: tuple[int | float, int | float] | None = None,
    digits: int = 2,
    title: str | None = None,
) -> Figure:
    """Draw named amounts as bars, each with its number.

    Parameters
    ----------
    heights : mapping of str to float or array
        The amount of each name; an array holds one amount a seed and is drawn as the bar
        of its mean with a dot for each. Or several series of such amounts by name, drawn
        side by side.
    x, y : str
        What the names are, and what the amounts are, with the unit.
    lines : mapping of str to float, optional
        Named levels to compare with.
    limits : (float, float), optional
        Ends of the vertical axis, where pictures are to be compared.
    digits : int
        Places after the point.
    title : str, optional
        What the picture answers.

    Returns
    -------
    Figure
    """
    series: dict[str, Mapping[str, Bar]] = {
        label: group for label, group in heights.items() if isinstance(group, Mapping)
    } or {
        "": {
            name: amount
            for name, amount in heights.items()
            if not isinstance(amount, Mapping)
        }
    }
    names = list(dict.fromkeys(name for group in series.values() for name in group))
    wide = 0.74 / len(series)
    room = (WIDTH - 0.8) * wide / len(names)  # inches for the number of a bar
    size = 9.0 if room > 0.42 else 7.5 if room > 0.3 else 0.0
    with lettering():
        figure = card(3.4)
        at = figure.subplots()
        for index, (label, group) in enumerate(series.items()):
            for place, name in enumerate(names):
                if name in group:
                    where = place + wide * (index - (len(series) - 1) / 2)
                    _bar(
                        at,
                        where,
                        np.atleast_1d(np.asarray(group[name], float)),
                        wide,
                        index,
                    )
                    _amount(at, where, group[name], digits=digits, size=size)
            at.bar(
                0,
                0,
                color=_fill(index),
                edgecolor=SERIES[index % len(SERIES)],
                hatch=_HATCHES[index % len(_HATCHES)],
                label=label,
            )
        at.set_xticks(range(len(names)), names)
        at.tick_params(axis="x", length=0)
        at.grid(visible=True, axis="y")
        at.margins(y=0.14)
        if limits:
            at.set_ylim(*limits)
        at.axhline(0, color=QUIET, linewidth=0.8)
        for name, level in (lines or {}).items():
            at.axhline(level, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
            at.annotate(
                name,
                (1, level),
                xycoords=("axes fraction", "data"),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=QUIET,
                fontsize=9,
            )
        at.set(xlabel=x, ylabel=y, title=title or "")
        if len(series) > 1:
            figure.legend(loc="outside upper right", ncols=len(series))
        return settle(figure)


_HATCHES = ("", "///", "...", "xx", "\\\\", "oo")


def _fill(index: int) -> str:
    return tint(SERIES[index % len(SERIES)], 0.28)


def _bar(at: Axes, where: float, amounts: np.ndarray, wide: float, index: int) -> None:
    """Draw one bar at the mean of its amounts, and a dot for each seed."""
    at.bar(
        where,
        amounts.mean(),
        wide * 0.92,
        color=_fill(index),
        edgecolor=SERIES[index % len(SERIES)],
        hatch=_HATCHES[index % len(_HATCHES)],
        linewidth=1,
    )
    if len(amounts) > 1:
        at.plot(
            where + np.linspace(-0.2, 0.2, len(amounts)) * wide,
            amounts,
            "o",
            color=CARD,
            markeredgecolor=INK,
            markersize=4.5,
            zorder=3,
        )


def _amount(at: Axes, where: float, bar: Bar, *, digits: int, size: float) -> None:
    """Write a bar's number beyond its end, if there is room for it."""
    amounts = np.atleast_1d(np.asarray(bar, dtype=float))
    mean = float(amounts.mean())
    above = mean >= 0
    if size:
        at.annotate(
            f"{round(mean, digits) + 0.0:,.{digits}f}".replace("-", "−"),
            (where, float(amounts.max() if above else amounts.min())),
            xytext=(0, 4 if above else -4),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=size,
        )


def scatter(
    points: np.ndarray | Mapping[str, np.ndarray],
    *,
    x: str,
    y: str,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw points in a plane, in groups with a colour and a marker each.

    Parameters
    ----------
    points : ndarray of shape (N, 2), or mapping of group to such an array
        Where the points lie.
    x, y : str
        What the two numbers are.
    names : sequence of str, optional
        A name for each point, written in its place, through all groups in order.
    title : str, optional
        What the picture answers.

    Returns
    -------
    Figure
    """
    groups = dict(points) if isinstance(points, Mapping) else {"": points}
    with lettering():
        figure = card(4.6)
        at = figure.subplots()
        left = list(names or [])
        for index, (group, places) in enumerate(groups.items()):
            here, left = left[: len(places)], left[len(places) :]
            _points(at, np.asarray(places, dtype=float), here, index, group)
        at.grid(visible=True)
        at.margins(0.08)
        at.set(xlabel=x, ylabel=y, title=title or "")
        if len(groups) > 1:
            handles = [
                Line2D(
                    [],
                    [],
                    color=SERIES[i % len(SERIES)],
                    marker=MARKERS[i % len(MARKERS)],
                    linestyle="",
                    label=group,
                )
                for i, group in enumerate(groups)
            ]
            figure.legend(handles=handles, loc="outside upper right", ncols=len(groups))
        return settle(figure)


def _points(
    at: Axes, where: np.ndarray, names: Sequence[str], index: int, group: str
) -> None:
    """Draw one group; short names stand inside its markers, longer ones beside them."""
    colour, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
    inside = bool(names) and max(map(len, names)) <= 2
    at.plot(
        where[:, 0],
        where[:, 1],
        linestyle="",
        marker=marker,
        label=group,
        color=tint(colour, 0.12) if inside else colour,
        markeredgecolor=colour,
        markersize=17 if inside else 6,
    )
    for (across, up), name in zip(where, names, strict=False):
        at.annotate(
            visible(name),
            (across, up),
            xytext=(0, 0) if inside else (6, 4),
            textcoords="offset points",
            ha="center" if inside else "left",
            va="center",
            color=colour,
            fontsize=9.5,
        )


def vectors(
    arrows: Mapping[str, Numbers],
    *,
    roles: Mapping[str, str] | None = None,
    angles: Sequence[tuple[str, str]] = (),
    reach: int | float | None = None,
    x: str = "feature 1",
    y: str = "feature 2",
    title: str | None = None,
) -> Figure:
    """Draw vectors of two features as arrows from the origin, with angles between them.

    Parameters
    ----------
    arrows : mapping of str to array of shape (2,)
        The vectors, each named at its tip.
    roles : mapping of str to {"query", "key", "value", "weight"}, optional
        What a vector is, which sets its colour.
    angles : sequence of pairs of names
        Between which vectors an arc with the angle in degrees is drawn.
    reach : float, optional
        The plane goes this far in each direction, where pictures are to be compared.
    x, y : str
        What the two features are.
    title : str, optional
        What the picture answers.

    Returns
    -------
    Figure
    """
    tips = {name: np.asarray(arrow, dtype=float) for name, arrow in arrows.items()}
    for name, tip in tips.items():
        if tip.shape != (2,):
            raise ValueError(
                f"an arrow needs two features; {name!r} has shape {tip.shape}"
            )
    corners = np.array([(0.0, 0.0), *tips.values()])
    if reach is not None:
        corners = reach * np.array([(-1.0, -1.0), (1.0, 1.0)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = 0.14 * max(*(high - low), 1e-6)
    with lettering():
        spans = high - low + 2 * margin
        tall = float(np.clip(5.2 * spans[1] / spans[0], 2.6, 4.6))
        figure = card(
            tall, min(WIDTH, (tall - 0.55) * float(spans[0] / spans[1]) + 0.85)
        )
        at = figure.subplots()
        at.set_aspect("equal")
        at.set_xlim(low[0] - margin, high[0] + margin)
        at.set_ylim(low[1] - margin, high[1] + margin)
        at.axhline(0, color=QUIET, linewidth=0.8)
        at.axvline(0, color=QUIET, linewidth=0.8)
        at.grid(visible=True)
        for index, (name, tip) in enumerate(tips.items()):
            role = (roles or {}).get(name)
            colour = (
                ROLES[role].colour if role in ROLES else SERIES[index % len(SERIES)]
            )
            _arrow(at, tip, name, colour)
        for step, (one, other) in enumerate(angles):
            _angle(
                at, tips[one], tips[other], float(spans.max()) * (0.16 + 0.06 * step)
            )
        at.set(xlabel=x, ylabel=y, title=title or "")
        return settle(figure)


def _arrow(at: Axes, tip: np.ndarray, name: str, colour: str) -> None:
    length = float(np.hypot(*tip))
    if length == 0:
        at.plot(0, 0, "o", color=colour)
    else:
        at.annotate(
            "",
            (float(tip[0]), float(tip[1])),
            (0, 0),
            arrowprops={
                "arrowstyle": "-|>,head_width=0.28,head_length=0.55",
                "color": colour,
                "linewidth": 2,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=3 + 1 / (1 + length),  # a short arrow lies on a long one
        )
    away = tip / length if length else np.array([0.7, 0.7])
    at.annotate(
        name,
        (float(tip[0]), float(tip[1])),
        xytext=(11 * away[0], 11 * away[1]),
        textcoords="offset points",
        ha="center" if abs(away[0]) < 0.5 else ("left" if away[0] > 0 else "right"),
        va="center" if abs(away[1]) < 0.5 else ("bottom" if away[1] > 0 else "top"),
        color=colour,
        fontweight="bold",
        path_effects=[withStroke(linewidth=3, foreground=CARD)],
        zorder=5,  # legible on another's line
    )


def _angle(at: Axes, one: np.ndarray, other: np.ndarray, radius: float) -> None:
    """Draw an arc from one arrow to the other, with its angle in degrees."""
    if not np.hypot(*one) or not np.hypot(*other):
        return
    start, end = sorted(
        float(np.degrees(np.arctan2(tip[1], tip[0]))) for tip in (one, other)
    )
    if end - start > 180:
        start, end = end, start + 360
    at.add_patch(
        Arc(
            (0, 0),
            2 * radius,
            2 * radius,
            theta1=start,
            theta2=end,
            color=INK,
            linewidth=1.2,
        )
    )
    middle = np.radians((start + end) / 2)
    at.annotate(
        f"{end - start:.0f}°",
        (radius * np.cos(middle), radius * np.sin(middle)),
        xytext=(9 * np.cos(middle), 9 * np.sin(middle)),
        textcoords="offset points",
        ha="left"
        if np.cos(middle) > 0.3
        else ("right" if np.cos(middle) < -0.3 else "center"),
        va="center",
        fontsize=9,
    )
