"""Data-flow pictures, drawn from the arrays themselves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from minitransformer.notebook.plots.palette import (
    INK,
    QUIET,
    ROLES,
    WIDTH,
    colour_of,
    lettering,
    tint,
    visible,
)
from minitransformer.notebook.plots.sheet import Matrix, Sheet
from minitransformer.reference import attention_scores, masked_softmax, softmax

_WIDEST_CELL, _TALL_CELL = 0.48, 0.3  # inches
_ABOVE = 0.42  # room for a matrix's name and shape


def matrix_flow(*lines: Sequence[Matrix | str], digits: int = 2) -> Figure:
    """Draw computations with matrices, one a line, with their numbers.

    Parameters
    ----------
    *lines : sequence of Matrix or str
        The matrices of a line, and between them the signs, as in ``"·"``
        and ``"="``; a remark begins with a blank.
    digits : int
        Places after the point.

    Returns
    -------
    Figure
    """
    most = max(sum(_columns(part) for part in line) for line in lines)
    margins = max(_margin(line) for line in lines)
    cell = min(_WIDEST_CELL, (WIDTH - margins - 0.2) / most)
    heights = [_line_height(line) for line in lines]
    wide = (
        max(
            _margin(line) + cell * sum(_columns(part) for part in line)
            for line in lines
        )
        + 0.2
    )
    with lettering():
        sheet = Sheet(wide, sum(heights) + 0.1)
        top = 0.05
        for line, height in zip(lines, heights, strict=True):
            _draw_line(sheet, line, top, cell=cell, digits=digits)
            top += height
        return sheet.figure


def _columns(part: Matrix | str) -> int:
    return 0 if isinstance(part, str) else part.table.shape[1]


def _margin(line: Sequence[Matrix | str]) -> float:
    """Add up what a line needs beside its cells: signs, gaps and tokens."""
    return sum(
        0.3 + 0.075 * len(part) if isinstance(part, str) else 0.06 + _beside(part)
        for part in line
    )


def _beside(part: Matrix) -> float:
    return 0.1 + 0.085 * max(map(len, part.rows)) if part.rows else 0.0


def _line_height(line: Sequence[Matrix | str]) -> float:
    tallest = max(part.table.shape[0] for part in line if isinstance(part, Matrix))
    below = any(part.columns for part in line if isinstance(part, Matrix))
    return _ABOVE + tallest * _TALL_CELL + (0.26 if below else 0.0) + 0.16


def _draw_line(
    sheet: Sheet,
    line: Sequence[Matrix | str],
    top: float,
    *,
    cell: float,
    digits: int,
) -> None:
    tallest = max(part.table.shape[0] for part in line if isinstance(part, Matrix))
    middle = top + _ABOVE + tallest * _TALL_CELL / 2
    x = 0.1
    for part in line:
        if isinstance(part, str):
            room = 0.3 + 0.075 * len(part)
            if part.startswith(" "):  # a remark, not a sign
                sheet.write(x + 0.25, middle, part.strip(), size=9.5, across="left")
            else:
                big = 16 if part == "·" else 11
                sheet.write(
                    x + room / 2, middle, part, size=big if len(part) < 3 else 9.5
                )
            x += room
            continue
        x += _beside(part) + 0.03
        box = sheet.cells(
            part,
            x,
            middle - part.table.shape[0] * _TALL_CELL / 2,
            wide=cell,
            tall=_TALL_CELL,
            digits=digits,
        )
        sheet.name(part, box)
        x = box.right + 0.03


def projections(
    x: np.ndarray,
    w_q: np.ndarray,
    w_k: np.ndarray,
    w_v: np.ndarray,
    *,
    tokens: Sequence[str] | None = None,
) -> Figure:
    """Draw how each token's vector becomes its query, its key and its value.

    Parameters
    ----------
    x : ndarray of shape (T, C)
        One row for each token.
    w_q, w_k, w_v : ndarray of shape (C, D)
        The parameters.
    tokens : sequence of str, optional
        The words.

    Returns
    -------
    Figure
    """
    lines = [
        [
            Matrix(x, "x", rows=tokens),
            "·",
            Matrix(w, f"w_{ROLES[role].letter}", role),
            "=",
            Matrix(x @ w, ROLES[role].letter, role, rows=tokens),
            f" {meaning}",
        ]
        for role, w, meaning in (
            ("query", w_q, "what it looks for"),
            ("key", w_k, "what it can be found by"),
            ("value", w_v, "what it hands over"),
        )
    ]
    return matrix_flow(*lines)


def attention_flow(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    tokens: Sequence[str] | None = None,
    key_tokens: Sequence[str] | None = None,
    mask: np.ndarray | None = None,
) -> Figure:
    """Draw scores, weights and output of attention, each with its numbers.

    Parameters
    ----------
    q : ndarray of shape (Tq, D)
        The queries.
    k : ndarray of shape (Tk, D)
        The keys.
    v : ndarray of shape (Tk, Dv)
        The values.
    tokens, key_tokens : sequence of str, optional
        The words of the queries and of the keys; one list serves for both.
    mask : Boolean ndarray of shape (Tq, Tk), optional
        True where a query may look.

    Returns
    -------
    Figure
    """
    others = key_tokens or tokens
    scores = attention_scores(q, k)  # (Tq, Tk)
    weights = softmax(scores) if mask is None else masked_softmax(scores, mask)
    return matrix_flow(
        [
            Matrix(q, "q", "query", rows=tokens),
            "·",
            Matrix(k.T, "kᵀ", "key", columns=others),
            "/ √D  =",
            Matrix(scores, "scores", rows=tokens, columns=others, mask=mask),
        ],
        [
            "softmax →",
            Matrix(
                weights, "weights", "weight", rows=tokens, columns=others, mask=mask
            ),
            "·",
            Matrix(v, "v", "value", rows=others),
            "=",
            Matrix(weights @ v, "output", "value", rows=tokens),
        ],
    )


def look_up(
    query: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    *,
    tokens: Sequence[str],
    temperature: float = 1.0,
) -> Figure:
    """Draw one query's way: a score for each key, a share of one, a mix of the values.

    Parameters
    ----------
    query : ndarray of shape (D,)
        What is looked for.
    keys : ndarray of shape (Tk, D)
        What it is compared with.
    values : ndarray of shape (Tk, Dv)
        What is mixed.
    tokens : sequence of str
        Names of the keys.
    temperature : float
        What the scores are divided by.

    Returns
    -------
    Figure
    """
    scores = keys @ query / temperature  # (Tk,)
    weights = softmax(scores)
    output = weights @ values  # (Dv,)
    Tk, Dv = values.shape
    cell, tall, step, first = 0.42, 0.3, 0.42, 1.0  # inches
    with lettering():
        sheet = Sheet(WIDTH, first + step * Tk + 0.35)
        left = 0.25 + 0.085 * max(map(len, tokens))
        zero = left + len(query) * cell + 1.1  # where a score of zero stands
        share_at = zero + 1.15
        value_at = share_at + 0.75
        output_at = WIDTH - 0.15 - Dv * cell
        asked = Matrix(query, "query", "query")
        sheet.name(asked, sheet.cells(asked, left, 0.42, wide=cell, tall=tall))
        for x, title, role in (
            (left + len(query) * cell / 2, "keys", "key"),
            (
                zero,
                "score = q·k" if temperature == 1 else f"q·k / {temperature:g}",
                None,
            ),
            (share_at, "weight", "weight"),
            (value_at + Dv * cell / 2, "values", "value"),
        ):
            sheet.write(x, first - 0.13, title, bold=True, colour=colour_of(role))
        middle = first + (step * (Tk - 1) + tall) / 2
        largest = float(np.abs(scores).max()) or 1.0
        for i, token in enumerate(tokens):
            y = first + step * i
            centre = y + tall / 2
            sheet.write(left - 0.08, centre, visible(token), size=9, across="right")
            sheet.cells(Matrix(keys[i], "", "key"), left, y, wide=cell, tall=tall)
            _score_bar(sheet, float(scores[i]), largest, zero, centre)
            sheet.write(
                share_at,
                centre,
                f"{weights[i]:.2f}",
                colour=colour_of("weight"),
                bold=True,
            )
            box = sheet.cells(
                Matrix(values[i], "", "value"), value_at, y, wide=cell, tall=tall
            )
            flow = _share_of_ink(float(weights[i]))
            sheet.at.plot([share_at + 0.24, value_at - 0.04], [centre, centre], **flow)
            sheet.at.plot(
                [box.right + 0.04, output_at - 0.04], [centre, middle], **flow
            )
        mixed = Matrix(output, "output", "value")
        sheet.name(
            mixed,
            sheet.cells(mixed, output_at, middle - tall / 2, wide=cell, tall=tall),
        )
        sheet.write(
            WIDTH - 0.15,
            first + step * Tk + 0.15,
            "a thicker line carries a larger weight",
            size=8.5,
            colour=QUIET,
            across="right",
        )
        return sheet.figure


def _score_bar(
    sheet: Sheet, score: float, largest: float, zero: float, y: float
) -> None:
    length = 0.42 * score / largest
    sheet.at.barh(y, length, 0.15, left=zero, color=tint(INK, 0.55))
    sheet.at.plot([zero, zero], [y - 0.15, y + 0.15], color=QUIET, linewidth=0.8)
    text = f"{score:.2f}".replace("-", "−")
    end = zero + length + (0.05 if score >= 0 else -0.05)
    sheet.write(end, y, text, size=8, across="left" if score >= 0 else "right")


def _share_of_ink(share: float) -> dict[str, Any]:
    """Return the line that stands for a weight: as thick as the weight is large."""
    return {
        "color": colour_of("weight"),
        "linewidth": 0.4 + 7 * share,
        "alpha": 0.85,
        "solid_capstyle": "butt",
    }
