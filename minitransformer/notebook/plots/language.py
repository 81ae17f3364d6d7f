"""A character model at work, from the characters it reads to what it expects."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minitransformer.notebook.plots.palette import (
    QUIET,
    RULE,
    WIDTH,
    colour_of,
    lettering,
    tint,
    visible,
)
from minitransformer.notebook.plots.sheet import Box, Sheet, cell_colour

_ROW, _TOP = 0.27, 0.62  # inches


def guesses(
    read: Sequence[str],
    came: Sequence[str],
    stream: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    probabilities: np.ndarray,
) -> Figure:
    """Draw a model's way from characters to guesses, one line for each place.

    Parameters
    ----------
    read : sequence of T characters
        What the model reads.
    came : sequence of T characters
        What came one place later.
    stream : pair of arrays of shape (T, C)
        The activations before the first block and after the last.
    weights : sequence of L arrays of shape (T, T)
        Who looks at whom, in each block.
    probabilities : ndarray of shape (T,)
        What the model gave to the character that came.

    Returns
    -------
    Figure
    """
    T, L = len(read), len(weights)
    first, last = stream
    tall = T * _ROW
    step = (WIDTH - 4.2) / L  # inches for a block
    with lettering():
        sheet = Sheet(WIDTH, _TOP + tall + 0.3)
        _letters(sheet, read, 0.28)
        _head(sheet, 0.28, "reads")
        before = Box(0.62, _TOP, 1.42, _TOP + tall)
        sheet.colours(first, before, float(np.abs(first).max()))
        _head(sheet, 1.02, "characters", f"as vectors {first.shape}")
        x = before.right
        for layer, looks in enumerate(weights, start=1):
            box = Box(x + 0.22, _TOP, x + step - 0.02, _TOP + tall)
            sheet.arrow((x + 0.03, _middle(box)), (box.left - 0.02, _middle(box)))
            _looks(sheet, looks, box)
            _head(sheet, box.middle[0], f"block {layer}", "who looks where")
            x += step
        after = Box(x + 0.24, _TOP, x + 1.04, _TOP + tall)
        sheet.arrow((x + 0.02, _middle(after)), (after.left - 0.02, _middle(after)))
        sheet.colours(last, after, float(np.abs(last).max()))
        _head(sheet, after.middle[0], "what it knows", f"by now {last.shape}")
        start = after.right + 0.55
        sheet.arrow(
            (after.right + 0.03, _middle(after)), (start - 0.32, _middle(after))
        )
        _letters(sheet, came, start - 0.15)
        _head(sheet, start + 0.32, "what came", "and its probability")
        for row, share in enumerate(probabilities):
            y = _TOP + (row + 0.5) * _ROW
            sheet.at.add_patch(
                Rectangle((start, y - 0.07), 0.55 * share, 0.14, facecolor=QUIET)
            )
            sheet.write(
                start + 0.55 * share + 0.05, y, f"{share:.2f}", size=8, across="left"
            )
        return sheet.figure


def _middle(box: Box) -> float:
    return box.middle[1]


def _head(sheet: Sheet, x: float, name: str, remark: str = "") -> None:
    sheet.write(x, _TOP - 0.38, name, size=9, bold=True)
    sheet.write(x, _TOP - 0.18, remark, size=7.5, colour=QUIET)


def _letters(sheet: Sheet, characters: Sequence[str], x: float) -> None:
    for row, character in enumerate(characters):
        sheet.write(x, _TOP + (row + 0.5) * _ROW, visible(character), size=10)


def _looks(sheet: Sheet, weights: np.ndarray, box: Box) -> None:
    """Draw one block's weights, nothing above the diagonal."""
    T = len(weights)
    wide = (box.right - box.left) / T
    for i, j in np.ndindex(T, T):
        fill = (
            cell_colour(float(weights[i, j]), 1.0, "weight")
            if j <= i
            else tint(RULE, 0.25)
        )
        sheet.at.add_patch(
            Rectangle(
                (box.left + j * wide, box.top + i * _ROW), wide, _ROW, facecolor=fill
            )
        )
    sheet.at.add_patch(
        Rectangle(
            (box.left, box.top),
            box.right - box.left,
            box.bottom - box.top,
            fill=False,
            edgecolor=colour_of("weight"),
        )
    )
