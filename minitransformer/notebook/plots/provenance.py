"""Whose parts a transformer is made of."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from minitransformer.notebook.plots.palette import (
    CARD,
    INK,
    QUIET,
    SERIES,
    WIDTH,
    lettering,
    tint,
)
from minitransformer.notebook.plots.sheet import Sheet

_LINE, _TALL, _BETWEEN = 0.5, 0.32, 0.1  # inches


def built_from(parts: Mapping[str, Mapping[str, bool]]) -> Figure:
    """Draw the parts of a model, stage by stage: one's own with a tick, borrowed ones dashed.

    Parameters
    ----------
    parts : mapping of stage to mapping of part to bool
        In the order in which data passes through; True where the part is one's own.

    Returns
    -------
    Figure
    """
    beside = 0.35 + 0.085 * max(map(len, parts))
    lines = [
        (stage if first == 0 else "", line)
        for stage, members in parts.items()
        for first, line in enumerate(_broken(members, WIDTH - beside - 0.1))
    ]
    with lettering():
        sheet = Sheet(WIDTH, 0.15 + len(lines) * _LINE + 0.35)
        for row, (stage, line) in enumerate(lines):
            top = 0.1 + row * _LINE
            middle = top + _TALL / 2
            sheet.write(0.1, middle, stage, bold=True, across="left")
            left = beside
            for part, own in line:
                _part(sheet, left, top, part, own=own)
                left += _width(part) + _BETWEEN
        own = sum(sum(members.values()) for members in parts.values())
        all_parts = sum(map(len, parts.values()))
        bottom = 0.1 + len(lines) * _LINE + 0.12
        sheet.write(
            0.1,
            bottom,
            f"✓ solid: yours, {own} of {all_parts}.   Dashed: from the reference.",
            size=9,
            colour=QUIET,
            across="left",
        )
        return sheet.figure


def _width(part: str) -> float:
    return 0.36 + 0.078 * len(part)


def _broken(members: Mapping[str, bool], room: float) -> list[list[tuple[str, bool]]]:
    """Break a stage's parts into lines that fit."""
    lines: list[list[tuple[str, bool]]] = [[]]
    used = 0.0
    for part, own in members.items():
        wide = _width(part) + _BETWEEN
        if lines[-1] and used + wide > room:
            lines.append([])
            used = 0.0
        lines[-1].append((part, own))
        used += wide
    return lines


def _part(sheet: Sheet, left: float, top: float, part: str, *, own: bool) -> None:
    colour = SERIES[2] if own else QUIET
    sheet.at.add_patch(
        FancyBboxPatch(
            (left, top),
            _width(part),
            _TALL,
            boxstyle="round,pad=0,rounding_size=0.07",
            facecolor=tint(colour, 0.16) if own else CARD,
            edgecolor=colour,
            linewidth=1.2,
            linestyle="-" if own else (0, (3, 2)),
        )
    )
    text = f"✓ {part}" if own else part
    sheet.write(
        left + _width(part) / 2,
        top + _TALL / 2,
        text,
        size=9,
        colour=INK if own else QUIET,
    )
