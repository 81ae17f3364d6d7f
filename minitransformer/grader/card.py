"""A verdict in words: a card for a notebook or a feedback page, text for a terminal."""

import re
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from minitransformer.grader.comparison import number
from minitransformer.grader.diagnosis import Fault, Verdict, input_names

MOST_ROWS = MOST_COLUMNS = 8
MOST_ENTRIES = 40  # of an input that is written out
LONGEST_MESSAGE = 2_000

HEADLINES = {
    "passed": ("✓", "right"),
    "failed": ("✗", "not right yet"),
    "not_written": ("○", "not written yet"),
    "error": ("✗", "stopped by an error"),
    "timeout": ("✗", "did not end in time"),
    "memory": ("✗", "needs too much memory"),
    "crashed": ("✗", "the process that ran it died"),
}


# ---------------------------------------------------------------- what there is to say
@dataclass(frozen=True, eq=False)
class Window:
    """The part of two arrays in which they first differ, as rows and columns."""

    name: str
    given: np.ndarray
    needed: np.ndarray
    where: np.ndarray | None
    cut: str  # "" if everything is shown


def headline(verdict: Verdict) -> str:
    """Say how it went, with the points."""
    sign, words = HEADLINES[verdict.status]
    if verdict.stock and verdict.status == "passed":
        words = "right, on its own"
    whole = verdict.exercise.points
    unit = "point" if whole == 1 else "points"
    return f"{sign} {verdict.exercise.id}: {words} · {verdict.points:g} of {whole:g} {unit}"


def findings(verdict: Verdict) -> list[str]:
    """Say in sentences what was found, the most useful first."""
    lines: list[str] = []
    if verdict.stock:
        lines.append(_stock_words(verdict))
    if verdict.status == "passed":
        lines.append(f"Verified: {', '.join(verdict.right)}.")
    fault = verdict.fault
    if fault is not None:
        if verdict.recognised:
            lines += _mistake_words(verdict)
        if fault.case.hidden:
            lines.append(_hidden_words(verdict, fault))
        else:
            lines += _fault_words(verdict, fault)
        lines += _group_words(verdict)
    if verdict.status == "not_written":
        lines.append(
            "Replace `raise NotImplementedError` by your answer, then check again."
        )
    return lines + list(verdict.notes)


def _group_words(verdict: Verdict) -> list[str]:
    """Say which groups of cases, or which of a bank's implementations, went how."""
    if verdict.exercise.bank is None:
        right = [f"Right so far: {', '.join(verdict.right)}."] if verdict.right else []
        return [*right, f"Not yet: {', '.join(verdict.wrong)}."]
    bank, lines = verdict.exercise.bank, []
    shown = [one for one in verdict.faults if not one.case.hidden]
    for words, truth in (("Missed", bank), ("Accused, though right", not bank)):
        names = [one.case.about for one in shown if one.needed.value == truth]
        if names:
            lines.append(f"{words}: {', '.join(names)}.")
    return lines


def _stock_words(verdict: Verdict) -> str:
    names = " and ".join(f"`{one}`" for one in verdict.stock)
    again = "it" if len(verdict.stock) == 1 else "them"
    return (
        f"Your {names} still {'has' if len(verdict.stock) == 1 else 'have'} a mistake; "
        f"this answer was checked with a right version of {again}, for its own work."
    )


def _mistake_words(verdict: Verdict) -> list[str]:
    variants = verdict.recognised
    lines = []
    if len(variants) > 1:
        lines.append("It looks like one of these; no output can tell them apart:")
    for variant in variants:
        plain = " And: ".join(one.plain for one in variant)
        lines.append(("• " if len(variants) > 1 else "") + plain)
        lines += [one.question for one in variant]
    return lines


def _hidden_words(verdict: Verdict, fault: Fault) -> str:
    group = fault.case.group
    if fault.kind == "raised":
        line = f" in {fault.given.line}" if fault.given.line else ""
        return f"On a hidden input ({group}) it raised {fault.given.error}{line}."
    words = f"It is right on the inputs shown, not on a hidden one ({group})."
    return f"{words} What broke: {verdict.broken}." if verdict.broken else words


def _fault_words(verdict: Verdict, fault: Fault) -> list[str]:
    lines = [fault.words]
    if fault.given.line:
        where = f"in your {fault.given.line}"
        odd = fault.kind in ("nan", "infinity")
        lines.append(
            f"It comes from an operation {where} ({fault.given.reason})."
            if odd
            else f"It happened {where}."
        )
    if verdict.broken:
        lines.append(f"What does not hold: {verdict.broken}.")
    return lines


def place(verdict: Verdict) -> tuple[str, str]:
    """Give the lesson's heading to reread, and a link to it from the exercises' folder."""
    exercise = verdict.exercise
    heading = exercise.place
    for variant in verdict.recognised[:1]:
        heading = next((one.place for one in variant if one.place), heading)
    anchor = re.sub(r"\s", "-", heading)
    return heading, f"../lessons/{exercise.topic}.ipynb" + (
        f"#{anchor}" if anchor else ""
    )


def message(verdict: Verdict) -> str:
    """Give everything that was found as one paragraph, for reports."""
    words = " ".join(findings(verdict))
    words = "".join(sign if sign.isprintable() else " " for sign in words)
    return (
        words if len(words) <= LONGEST_MESSAGE else words[: LONGEST_MESSAGE - 1] + "…"
    )


def _case_words(fault: Fault) -> str:
    return ", ".join(words for words in (fault.case.group, fault.case.about) if words)


# ---------------------------------------------------------------- arrays
def window(fault: Fault) -> Window | None:
    """Cut out the part of what came and what was needed where the difference shows."""
    found = fault.difference
    if found is None or not isinstance(found.given, np.ndarray):
        return None
    if found.where is None or found.where.ndim == 0:
        return None
    first = tuple(int(i) for i in np.argwhere(found.where)[0])
    leading = first[:-2]
    name = (
        f"{found.form.name}[{', '.join(map(str, leading))}]"
        if leading
        else found.form.name
    )
    blocks = [
        np.atleast_2d(array[leading])
        for array in (found.given, found.needed, found.where)
    ]
    row, column = np.argwhere(blocks[2])[0]
    top = max(0, int(row) - MOST_ROWS + 1)
    left = max(0, int(column) - MOST_COLUMNS + 1)
    rows, columns = slice(top, top + MOST_ROWS), slice(left, left + MOST_COLUMNS)
    height, width = blocks[0].shape
    cut = (
        f"{height} × {width} in all, here from [{top}, {left}]"
        if height > MOST_ROWS or width > MOST_COLUMNS
        else ""
    )
    given, needed, where = (block[rows, columns] for block in blocks)
    return Window(name, given, needed, where, cut)


def inputs(verdict: Verdict, fault: Fault) -> list[str]:
    """Write out the data and options of a case by name, arrays row by row."""
    names = input_names(verdict.exercise)
    pairs = [*zip(names, fault.case.data, strict=False), *fault.case.options.items()]
    shown = [(name, value) for name, value in pairs if not callable(value)]
    return [f"{name} = {written(value, len(name) + 3)}" for name, value in shown]


def written(value: Any, indent: int = 0) -> str:
    """Write a value of a case out, or say how large it is."""
    if isinstance(value, np.ndarray):
        if value.size > MOST_ENTRIES:
            return f"an array of shape {value.shape}, {value.dtype}"
        return np.array2string(
            value, separator=", ", precision=3, suppress_small=True, prefix=" " * indent
        )
    if isinstance(value, list | tuple):
        inner = ", ".join(written(one) for one in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict):
        inner = ", ".join(f"{name}: {written(one)}" for name, one in value.items())
        return f"{{{inner}}}"
    return f"{value:g}" if isinstance(value, float) else repr(value)


# ---------------------------------------------------------------- text
def text(verdict: Verdict) -> str:
    """Write the card for a terminal."""
    lines = [headline(verdict), *(f"  {line}" for line in findings(verdict))]
    fault = verdict.fault
    if fault is not None and not fault.case.hidden:
        given = "\n".join(inputs(verdict, fault))
        if given:
            lines.append(f"  The smallest input that shows it ({_case_words(fault)}):")
            lines += [f"    {line}" for line in given.splitlines()]
        found = window(fault)
        if found is not None:
            lines += [f"    {line}" for line in _side_by_side(found)]
        if fault.given.printed:
            lines.append("  It printed:")
            lines += [f"    {line}" for line in fault.given.printed.splitlines()[:5]]
    if verdict.status != "passed":
        heading, _ = place(verdict)
        verb = "Read" if verdict.status == "not_written" else "Reread"
        lines.append(f"  {verb} lesson {verdict.exercise.topic[:2]}: {heading}")
    return "\n".join(lines)


def _side_by_side(found: Window) -> list[str]:
    came, needed = _grid(found.given, found.where), _grid(found.needed, None)
    title = f"{found.name} came"
    width = max(len(line) for line in [*came, title]) + 3
    lines = [f"{title:<{width}}needed  (* differs)"]
    lines += [f"{one:<{width}}{two}" for one, two in zip(came, needed, strict=True)]
    return [*lines, f"({found.cut})"] if found.cut else lines


def _grid(array: np.ndarray, where: np.ndarray | None) -> list[str]:
    cells = [[number(entry) for entry in row] for row in array]
    widths = [max(len(row[i]) for row in cells) for i in range(array.shape[1])]
    return [
        " ".join(
            f"{cell:>{widths[j]}}" + ("*" if where is not None and where[i, j] else " ")
            for j, cell in enumerate(row)
        ).rstrip()
        for i, row in enumerate(cells)
    ]


# ---------------------------------------------------------------- HTML
STYLE = """
.mt-card{border:1px solid;border-color:var(--jp-border-color1,#8888);border-left:6px solid;
border-radius:4px;padding:.6em 1em;margin:.4em 0;max-width:52em;line-height:1.45;
color:var(--jp-content-font-color1,inherit)}
.mt-card.passed{border-left-color:#1b7f4b}.mt-card.open{border-left-color:#8888}
.mt-card.wrong{border-left-color:#b45309}
.mt-card p{margin:.35em 0}.mt-card .head{font-weight:700}
.mt-card .ask{font-style:italic;padding-left:.8em;border-left:2px solid #8888}
.mt-card a{color:var(--jp-content-link-color,inherit);text-decoration:underline}
.mt-card table{font-size:inherit;border-collapse:collapse;margin:.2em 1.5em .4em 0;font-variant-numeric:tabular-nums}
.mt-card caption{font-size:inherit;color:inherit;text-align:left;caption-side:top;padding:0 0 .2em}
.mt-card td{border:none;padding:.1em .5em;text-align:right;font-family:monospace}
.mt-card td.differs{font-weight:700;outline:2px solid currentColor;outline-offset:-2px}
.mt-card .side{display:flex;flex-wrap:wrap;align-items:flex-start}
.mt-card code,.mt-card pre{background:none;color:inherit}
.mt-card pre{margin:.2em 0 .6em;overflow-x:auto}
.mt-card svg{max-width:100%;height:auto}
""".replace("\n", "")


def html(verdict: Verdict) -> str:
    """Write the card for a notebook or a page; needs nothing from outside itself."""
    look = {"passed": "passed", "not_written": "open"}.get(verdict.status, "wrong")
    body = [f'<p class="head">{escape(headline(verdict))}</p>']
    questions = {one.question for variant in verdict.recognised for one in variant}
    for line in findings(verdict):
        ask = ' class="ask"' if line in questions else ""
        body.append(f"<p{ask}>{_inline(line)}</p>")
    fault = verdict.fault
    if fault is not None and not fault.case.hidden:
        body.append(_fault_html(verdict, fault))
    if verdict.status != "passed":
        heading, link = place(verdict)
        body.append(
            f'<p>In the lesson: <a href="{escape(link)}">{escape(heading)}</a></p>'
        )
    name = f"Result of {verdict.exercise.id}"
    return (
        f"<style>{STYLE}</style>"
        f'<section class="mt-card {look}" aria-label="{escape(name)}">{"".join(body)}</section>'
    )


def _inline(line: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line, quote=False))


def _fault_html(verdict: Verdict, fault: Fault) -> str:
    given, parts = "\n".join(inputs(verdict, fault)), []
    if given:
        about = escape(f"The smallest input that shows it ({_case_words(fault)}):")
        parts.append(f"<p>{about}</p><pre>{escape(given)}</pre>")
    found = window(fault)
    if found is not None:
        came = _table(f"{found.name} that came", found.given, found.where)
        needed = _table("needed", found.needed, None)
        cut = f"<p>({escape(found.cut)})</p>" if found.cut else ""
        parts.append(f'<div class="side">{came}{needed}</div>{cut}{_picture(found)}')
    if fault.given.printed:
        shown = "\n".join(fault.given.printed.splitlines()[:5])
        parts.append(f"<p>It printed:</p><pre>{escape(shown)}</pre>")
    return "".join(parts)


def _table(caption: str, array: np.ndarray, where: np.ndarray | None) -> str:
    rows = []
    for i, row in enumerate(array):
        cells = []
        for j, entry in enumerate(row):
            if where is not None and where[i, j]:
                cells.append(
                    f'<td class="differs" title="differs"><strong>{number(entry)}</strong></td>'
                )
            else:
                cells.append(f"<td>{number(entry)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><caption>{escape(caption)}</caption>{''.join(rows)}</table>"


def _picture(found: Window) -> str:
    """Draw what came beside what was needed; a broken frame marks a difference."""
    height, width = found.given.shape
    if min(height, width) < 2:
        return ""
    side, gap = 20, 40
    shapes = _squares(found.given, found, 0, side, framed=True)
    shapes += _squares(found.needed, found, width * side + gap, side, framed=False)
    count = int(found.where.sum()) if found.where is not None else 0
    label = (
        f"{found.name}: what came on the left, what was needed on the right; "
        f"{count} of {found.given.size} entries differ and are framed"
    )
    wide, high = 2 * width * side + gap, height * side
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}">{"".join(shapes)}</svg>'
        "<p><small>Left what came, right what was needed. The larger the square, the larger "
        "the number; hollow is negative, ? is not finite; a broken frame marks what "
        "differs.</small></p>"
    )


def _squares(
    array: np.ndarray, found: Window, left: int, side: int, *, framed: bool
) -> list[str]:
    """Draw each entry as a square: filled if positive, an outline if negative."""
    both = np.concatenate([found.given.ravel(), found.needed.ravel()]).astype(float)
    largest = np.abs(both[np.isfinite(both)]).max(initial=0.0) or 1.0
    shapes = []
    for (i, j), entry in np.ndenumerate(array.astype(float)):
        x, y = left + j * side, i * side
        if not np.isfinite(entry):
            shapes.append(
                f'<text x="{x + side / 2:g}" y="{y + side * 0.7:g}" font-size="12" '
                'text-anchor="middle" fill="currentColor">?</text>'
            )
        else:
            length = (side - 8) * np.sqrt(abs(entry) / largest)
            inset = (side - length) / 2
            fill = "currentColor" if entry > 0 else "none"
            shapes.append(
                f'<rect x="{x + inset:.1f}" y="{y + inset:.1f}" width="{length:.1f}" '
                f'height="{length:.1f}" fill="{fill}" stroke="currentColor"/>'
            )
        if framed and found.where is not None and found.where[i, j]:
            shapes.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}" '
                'fill="none" stroke="currentColor" stroke-dasharray="3 2"/>'
            )
    return shapes
