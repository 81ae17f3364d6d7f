"""Pictures of the parts of a transformer, drawn from their arrays."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minitransformer.notebook.plots.palette import (
    CARD,
    INK,
    QUIET,
    SERIES,
    WIDTH,
    colour_of,
    lettering,
    tint,
    visible,
)
from minitransformer.notebook.plots.sheet import Box, Sheet


def masks(
    allowed: Mapping[str, np.ndarray],
    *,
    tokens: Sequence[str],
    key_tokens: Sequence[str] | None = None,
) -> Figure:
    """Draw who may look at whom: a tick where it is allowed, hatching where it is not.

    Parameters
    ----------
    allowed : mapping of str to Boolean ndarray of shape (Tq, Tk)
        Masks by name, True where a query may look.
    tokens : sequence of str
        The words of the queries.
    key_tokens : sequence of str, optional
        The words of the keys, where they are others.

    Returns
    -------
    Figure
    """
    others = key_tokens or tokens
    beside = 0.35 + 0.085 * max(map(len, tokens))
    gap = 0.35
    cell = min(
        0.4, (WIDTH - beside - gap * len(allowed)) / (len(allowed) * len(others))
    )
    turned = max(map(len, others)) * 0.085 > cell
    below = 0.12 + 0.085 * max(map(len, others)) if turned else 0.25
    with lettering():
        sheet = Sheet(
            beside + len(allowed) * (len(others) * cell + gap),
            0.42 + len(tokens) * cell + below + 0.28,
        )
        for index, (name, mask) in enumerate(allowed.items()):
            left = beside + index * (len(others) * cell + gap)
            box = _mask(sheet, np.asarray(mask, dtype=bool), left, 0.38, cell)
            sheet.write(box.left, 0.2, name, bold=True, across="left")
            sheet.write(
                (box.left + box.right) / 2, box.bottom + below + 0.08, "key", size=9
            )
            for j, token in enumerate(others):
                sheet.at.text(
                    left + (j + 0.5) * cell,
                    box.bottom + 0.05,
                    visible(token),
                    fontsize=9,
                    ha="center",
                    va="top",
                    rotation=90 if turned else 0,
                )
        for i, token in enumerate(tokens):
            sheet.write(
                beside - 0.07,
                0.38 + (i + 0.5) * cell,
                visible(token),
                size=9,
                across="right",
            )
        sheet.at.text(
            0.1,
            0.38 + len(tokens) * cell / 2,
            "query",
            fontsize=9,
            ha="center",
            va="center",
            rotation=90,
        )
        return sheet.figure


def _mask(sheet: Sheet, mask: np.ndarray, left: float, top: float, cell: float) -> Box:
    for (i, j), may in np.ndenumerate(mask):
        x, y = left + j * cell, top + i * cell
        if may:
            sheet.at.add_patch(
                Rectangle(
                    (x, y),
                    cell,
                    cell,
                    facecolor=tint(colour_of("weight"), 0.28),
                    edgecolor=CARD,
                )
            )
            sheet.write(x + cell / 2, y + cell / 2, "✓", size=min(10, 24 * cell))
        else:
            sheet.hatch(x, y, cell, cell)
    rows, columns = mask.shape
    return Box(left, top, left + columns * cell, top + rows * cell)


def head_split(
    x: np.ndarray,
    num_heads: int,
    *,
    tokens: Sequence[str] | None = None,
    name: str = "q",
) -> Figure:
    """Draw how a matrix is cut into heads along its features, and put together again.

    Parameters
    ----------
    x : ndarray of shape (T, C)
        The matrix; C is a multiple of `num_heads`.
    num_heads : int
        How many heads.
    tokens : sequence of str, optional
        The words.
    name : str
        What the matrix is called.

    Returns
    -------
    Figure
    """
    T, C = x.shape
    if C % num_heads:
        raise ValueError(
            f"C must be a multiple of num_heads; got C={C}, num_heads={num_heads}"
        )
    D = C // num_heads
    parts = [
        x[:, head * D : (head + 1) * D] for head in range(num_heads)
    ]  # (T, D) each
    beside = 0.15 + (0.085 * max(map(len, tokens)) if tokens else 0.0)
    between = 0.75
    cell = min(0.42, (WIDTH - 2 * beside - 0.3 - 2 * between) / (2 * C + D))
    tall, gap = 0.28, 0.5
    with lettering():
        height = num_heads * (T * tall + gap) + 0.2
        sheet = Sheet(2 * beside + 0.2 + 2 * between + (2 * C + D) * cell, height)
        middle = height / 2 + 0.1
        whole = _banded(sheet, x, D, beside, middle - T * tall / 2, cell, tall, tokens)
        _title(sheet, whole, name, x.shape)
        merged_left = whole.right + 2 * between + D * cell
        merged = _banded(
            sheet, x, D, merged_left, middle - T * tall / 2, cell, tall, None
        )
        _title(sheet, merged, "merged", x.shape)
        for head, part in enumerate(parts):
            top = 0.5 + head * (T * tall + gap)
            box = _banded(
                sheet, part, D, whole.right + between, top, cell, tall, None, first=head
            )
            _title(
                sheet,
                box,
                f"head {head}",
                part.shape,
                colour=SERIES[head % len(SERIES)],
            )
            where = (head + 0.5) / num_heads
            for start, end in (
                (
                    (whole.right + 0.06, whole.top + where * T * tall),
                    (box.left - 0.06, box.middle[1]),
                ),
                (
                    (box.right + 0.06, box.middle[1]),
                    (merged.left - 0.06, merged.top + where * T * tall),
                ),
            ):
                sheet.arrow(start, end, colour=SERIES[head % len(SERIES)])
        return sheet.figure


def _banded(
    sheet: Sheet,
    x: np.ndarray,
    D: int,
    left: float,
    top: float,
    cell: float,
    tall: float,
    tokens: Sequence[str] | None,
    *,
    first: int = 0,
) -> Box:
    """Draw a matrix whose features carry the colour of the head they belong to."""
    largest = float(np.abs(x).max()) or 1.0
    T, C = x.shape
    for (i, j), value in np.ndenumerate(x):
        colour = SERIES[(first + j // D) % len(SERIES)]
        corner = (left + j * cell, top + i * tall)
        fill = tint(colour, 0.1 + 0.22 * abs(float(value)) / largest)
        sheet.at.add_patch(
            Rectangle(corner, cell, tall, facecolor=fill, edgecolor=CARD, linewidth=1)
        )
        if cell >= 0.28:
            text = f"{round(float(value), 1) + 0.0:.1f}".replace("-", "−")
            sheet.write(corner[0] + cell / 2, corner[1] + tall / 2, text, size=8)
    for head in range(C // D):
        sheet.at.add_patch(
            Rectangle(
                (left + head * D * cell, top),
                D * cell,
                T * tall,
                fill=False,
                edgecolor=SERIES[(first + head) % len(SERIES)],
                linewidth=1.4,
            )
        )
    for i, token in enumerate(tokens or ()):
        sheet.write(
            left - 0.07, top + (i + 0.5) * tall, visible(token), size=9, across="right"
        )
    return Box(left, top, left + C * cell, top + T * tall)


def _title(
    sheet: Sheet, box: Box, name: str, shape: tuple[int, ...], *, colour: str = INK
) -> None:
    x = (box.left + box.right) / 2
    sheet.write(x, box.top - 0.27, name, bold=True, colour=colour)
    sheet.write(x, box.top - 0.1, str(shape), size=7.5, colour=QUIET)


def alignment(
    weights: np.ndarray,
    *,
    queries: Sequence[str],
    keys: Sequence[str],
    faintest: float = 0.05,
    x: str = "memory (keys)",
    y: str = "output (queries)",
) -> Figure:
    """Draw two sequences and between them a line for each weight, as thick as it is large.

    Parameters
    ----------
    weights : ndarray of shape (Tq, Tk)
        Weights of cross-attention.
    queries, keys : sequence of str
        The tokens that look, below, and those looked at, above.
    faintest : float
        Weights smaller than this are left out.
    x, y : str
        What the two sequences are.

    Returns
    -------
    Figure
    """
    if weights.shape != (len(queries), len(keys)):
        raise ValueError(
            "weights must have one row for each query and one column for each key, "
            f"({len(queries)}, {len(keys)}); got {weights.shape}"
        )
    longest = max(len(queries), len(keys))
    left = 0.12 + 0.078 * max(len(x), len(y))
    step = min(0.5, (WIDTH - left - 0.3) / longest)
    with lettering():
        sheet = Sheet(left + step * longest + 0.2, 2.5)
        above, below = 0.35, 2.15
        inset = {n: left + step * (longest - n) / 2 for n in {len(queries), len(keys)}}
        for row, tokens, role, label in (
            (above, keys, "key", x),
            (below, queries, "query", y),
        ):
            sheet.write(
                left - 0.12, row, label, size=9, colour=colour_of(role), across="right"
            )
            for place, token in enumerate(tokens):
                centre = inset[len(tokens)] + (place + 0.5) * step
                _token(sheet, centre, row, token, role, step)
        for (i, j), weight in np.ndenumerate(weights):
            if weight >= faintest:
                sheet.at.plot(
                    [
                        inset[len(queries)] + (i + 0.5) * step,
                        inset[len(keys)] + (j + 0.5) * step,
                    ],
                    [below - 0.17, above + 0.17],
                    color=colour_of("weight"),
                    linewidth=0.4 + 5 * float(weight),
                    alpha=0.25 + 0.7 * float(weight),
                    solid_capstyle="butt",
                )
        return sheet.figure


def _token(
    sheet: Sheet, x: float, y: float, token: str, role: str, step: float
) -> None:
    wide = min(step * 0.88, 0.14 + 0.09 * max(len(token), 2))
    sheet.at.add_patch(
        Rectangle(
            (x - wide / 2, y - 0.15),
            wide,
            0.3,
            facecolor=tint(colour_of(role), 0.1),
            edgecolor=colour_of(role),
            linewidth=1,
        )
    )
    sheet.write(x, y, visible(token), size=9)


def block_flow(x: np.ndarray, attended: np.ndarray, fed_forward: np.ndarray) -> Figure:
    """Draw a pre-norm block: the stream that runs through, and what two branches add.

    Parameters
    ----------
    x : ndarray of shape (T, C)
        What enters the block.
    attended : ndarray of shape (T, C)
        What attention adds.
    fed_forward : ndarray of shape (T, C)
        What the feed-forward part adds.

    Returns
    -------
    Figure

    Notes
    -----
    The size beside each array is the root of its mean square.
    """
    between = x + attended
    after = between + fed_forward
    largest = float(
        max(np.abs(array).max() for array in (x, attended, between, fed_forward, after))
    )
    with lettering():
        sheet = Sheet(WIDTH, 2.85)
        stream, branch, size = 0.95, 2.35, 0.92
        lefts = [0.15, 3.14, 6.13]
        boxes = []
        for left, array, name in zip(
            lefts, (x, between, after), ("x", "x + attention", "output"), strict=True
        ):
            boxes.append(
                _thumbnail(sheet, array, left, stream - size / 2, size, name, largest)
            )
        for start, end, steps, array, name in (
            (boxes[0], boxes[1], ("norm", "attention"), attended, "attention adds"),
            (
                boxes[1],
                boxes[2],
                ("norm", "feed-forward"),
                fed_forward,
                "feed-forward adds",
            ),
        ):
            _branch(sheet, start, end, steps, array, name, stream, branch, largest)
        sheet.write(
            (boxes[0].right + boxes[1].left) / 2 - 0.3,
            stream - 0.2,
            "residual stream",
            size=8.5,
            colour=QUIET,
        )
        return sheet.figure


def _branch(
    sheet: Sheet,
    start: Box,
    end: Box,
    steps: tuple[str, str],
    array: np.ndarray,
    name: str,
    stream: float,
    branch: float,
    largest: float,
) -> None:
    """Draw one branch below the stream: leave, two steps, come back and be added."""
    sum_at = end.left - 0.42
    leave = start.right + 0.14
    sheet.arrow(
        (start.right + 0.04, stream), (sum_at - 0.13, stream), width=2.2, colour=INK
    )
    sheet.arrow(
        (sum_at + 0.13, stream), (end.left - 0.04, stream), width=2.2, colour=INK
    )
    norm = sheet.box(leave + 0.13, branch - 0.45, 0.8, 0.3, steps[0])
    work = sheet.box(
        leave + 0.13,
        branch + 0.0,
        0.9,
        0.34,
        steps[1],
        role="weight" if steps[1] == "attention" else None,
    )
    sheet.path([(leave, stream), (leave, norm.middle[1]), (norm.left, norm.middle[1])])
    sheet.arrow((norm.left + 0.35, norm.bottom), (norm.left + 0.35, work.top))
    size = 0.62
    box = _thumbnail(
        sheet, array, sum_at - size / 2, branch - 0.28, size, name, largest, small=True
    )
    sheet.arrow((work.right, box.middle[1]), (box.left - 0.02, box.middle[1]))
    sheet.arrow((sum_at, box.top - 0.34), (sum_at, stream + 0.14))
    sheet.plus(sum_at, stream)


def _thumbnail(
    sheet: Sheet,
    array: np.ndarray,
    left: float,
    top: float,
    size: float,
    name: str,
    largest: float,
    *,
    small: bool = False,
) -> Box:
    """Draw an array as a small square of colours, with its name and its typical size."""
    table = np.atleast_2d(array)
    box = Box(left, top, left + size, top + size)
    sheet.colours(table, box, largest)
    typical = float(np.sqrt(np.mean(np.square(table))))
    x = left + size / 2
    if small:
        sheet.write(x, top - 0.22, name, size=8.5)
        sheet.write(x, top - 0.08, f"size {typical:.2f}", size=7.5, colour=QUIET)
    else:
        sheet.write(x, top - 0.27, name, bold=True)
        sheet.write(x, top - 0.1, f"size {typical:.2f}", size=7.5, colour=QUIET)
    return box


def stages(
    arrays: Mapping[str, np.ndarray],
    *,
    between: Sequence[str] | None = None,
    across: int = 4,
) -> Figure:
    """Draw a whole model as the arrays that pass through it, one after the other.

    Parameters
    ----------
    arrays : mapping of str to ndarray of shape (T, C) or (C,)
        What there is after each stage, in order.
    between : sequence of str, optional
        What turns each array into the next.
    across : int
        How many stand side by side.

    Returns
    -------
    Figure
    """
    names = list(arrays)
    steps = list(between or [""] * (len(names) - 1))
    if len(steps) != len(names) - 1:
        raise ValueError(
            f"between {len(names)} arrays there are {len(names) - 1} steps; got {len(steps)}"
        )
    across = min(across, len(names))
    size, line = 0.85, 1.62  # inches
    gap = (WIDTH - 0.45 - across * size) / max(across - 1, 1)
    with lettering():
        sheet = Sheet(WIDTH, line * -(-len(names) // across) + 0.05)
        before: Box | None = None
        for place, (name, array) in enumerate(arrays.items()):
            left = 0.25 + (place % across) * (size + gap)
            top = 0.5 + place // across * line
            box = _stage(sheet, array, left, top, size, name)
            if before is not None:
                _step(sheet, before, box, steps[place - 1])
            before = box
        return sheet.figure


def _stage(
    sheet: Sheet, array: np.ndarray, left: float, top: float, size: float, name: str
) -> Box:
    table = np.atleast_2d(np.asarray(array, dtype=float))
    largest = float(np.abs(table[np.isfinite(table)]).max(initial=0.0)) or 1.0
    tall = size if table.shape[0] > 1 else 0.22
    box = Box(left, top + (size - tall) / 2, left + size, top + (size + tall) / 2)
    sheet.colours(table, box, largest)
    sheet.write(left + size / 2, box.top - 0.27, name, bold=True, size=9)
    sheet.write(
        left + size / 2, box.top - 0.1, str(np.shape(array)), size=7.5, colour=QUIET
    )
    return box


def _step(sheet: Sheet, before: Box, box: Box, text: str) -> None:
    """Draw the arrow from one stage to the next, on the same line or the one below."""
    if box.left > before.left:
        sheet.arrow(
            (before.right + 0.05, before.middle[1]), (box.left - 0.05, box.middle[1])
        )
        x, y = (before.right + box.left) / 2, before.middle[1] - 0.06
    else:
        turn = before.middle[1] + 0.62
        sheet.path(
            [
                (before.middle[0], before.bottom + 0.04),
                (before.middle[0], turn),
                (box.left - 0.07, turn),
                (box.left - 0.07, box.middle[1]),
                (box.left - 0.01, box.middle[1]),
            ]
        )
        x, y = (before.middle[0] + box.left) / 2, turn - 0.06
    sheet.write(x, y, text, size=8, up="bottom", colour=INK)


def cache_steps(weights: np.ndarray, *, tokens: Sequence[str]) -> Figure:
    """Draw what generation computes anew at each step, without and with a cache.

    Parameters
    ----------
    weights : ndarray of shape (T, T)
        Causal weights, row by row the steps of generation; they are the same both ways.
    tokens : sequence of str
        The tokens read or written so far.

    Returns
    -------
    Figure
    """
    T = len(tokens)
    if weights.shape != (T, T):
        raise ValueError(
            f"weights must have shape ({T}, {T}), one row a token; got {weights.shape}"
        )
    beside = 0.75 + 0.085 * max(map(len, tokens))
    gap = 0.5
    cell = min(0.42, (WIDTH - beside - 2 * gap) / (2 * T))
    with lettering():
        wide = max(T * cell, 2.1)  # the words above need as much
        sheet = Sheet(beside + 2 * wide + gap + 0.1, 0.75 + T * cell + 0.62)
        for side, (title, cached) in enumerate(
            (("without a cache", False), ("with a cache", True))
        ):
            left = beside + side * (wide + gap)
            new = T if cached else T * (T + 1) // 2
            sheet.write(left, 0.18, title, bold=True, across="left")
            sheet.write(
                left, 0.37, f"{new} keys and values computed", size=8.5, across="left"
            )
            for i in range(T):
                for j in range(i + 1):
                    _cached_cell(
                        sheet,
                        (left + j * cell, 0.55 + i * cell),
                        cell,
                        float(weights[i, j]),
                        kept=cached and j < i,
                    )
            for j, token in enumerate(tokens):
                sheet.write(
                    left + (j + 0.5) * cell,
                    0.55 + T * cell + 0.13,
                    visible(token),
                    size=9,
                )
        for i, token in enumerate(tokens):
            sheet.write(
                beside - 0.08,
                0.55 + (i + 0.5) * cell,
                f"step {i + 1}: {visible(token)}",
                size=8.5,
                across="right",
            )
        y = 0.55 + T * cell + 0.45
        for x, kept, text in (
            (beside, False, "key and value computed now"),
            (beside + 2.3, True, "kept from an earlier step"),
        ):
            _cached_cell(sheet, (x, y - 0.08), 0.16, None, kept=kept)
            sheet.write(x + 0.24, y, text, size=8.5, across="left")
        return sheet.figure


def _cached_cell(
    sheet: Sheet,
    corner: tuple[float, float],
    cell: float,
    weight: float | None,
    *,
    kept: bool,
) -> None:
    colour = colour_of("key")
    fill = CARD if kept else tint(colour, 0.3)
    sheet.at.add_patch(
        Rectangle(
            corner,
            cell * 0.94,
            cell * 0.94,
            facecolor=fill,
            edgecolor=colour,
            linewidth=0.9,
            linestyle=(0, (2, 2)) if kept else "-",
        )
    )
    if weight is not None and cell >= 0.3:
        sheet.write(
            corner[0] + cell * 0.47, corner[1] + cell * 0.47, f"{weight:.2f}", size=7.5
        )
