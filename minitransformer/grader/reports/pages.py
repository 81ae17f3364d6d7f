"""Pages to read: feedback for each submission, and what a class should hear tomorrow.

Each page is one file that needs nothing else: no script, no font, no picture from
elsewhere. It reads well on a phone, in the dark, and to a screen reader.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from minitransformer.grader.reports.model import (
    ExerciseReport,
    Report,
    SubmissionReport,
    clean,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.55 system-ui,sans-serif;max-width:52rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8886;vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}code,pre{overflow-wrap:anywhere;white-space:pre-wrap}
svg{max-width:100%;height:auto}.note{border-left:4px solid #8888;padding-left:.8rem}
""".strip()
STATUS = {
    "passed": "✓ right",
    "failed": "✗ not right yet",
    "not_written": "○ not written",
    "error": "✗ stopped by an error",
    "timeout": "✗ not done in time",
    "memory": "✗ too much memory",
    "crashed": "✗ its process died",
}


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{_safe(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _safe(words: str) -> str:
    return escape(clean(words))


def _points(points: float, most: float) -> str:
    return f"{points:g} of {most:g}"


# ---------------------------------------------------------------- one submission
def feedback(submission: SubmissionReport) -> str:
    """Write the page that a learner gets back."""
    title = f"Feedback for {submission.name}"
    parts = [f"<h1>{_safe(title)}</h1>"]
    if submission.error:
        parts.append(
            f'<p role="alert"><strong>It could not be read.</strong> {_safe(submission.error)}</p>'
        )
    else:
        points = _points(submission.points, submission.max_points)
        parts.append(f"<p><strong>{points} points.</strong></p>")
        parts.append(_overview(submission.exercises))
    parts += [f'<p class="note">{_safe(note)}</p>' for note in submission.notes]
    for one in submission.exercises:
        parts.append(f'<h2 id="{escape(one.id)}">{escape(one.id)}</h2>')
        parts.append(one.card or f"<p>{_safe(one.message)}</p>")
        parts += [
            f'<p class="note">Handed in as the answer: {_safe(words)}</p>'
            for words in one.policy
        ]
    return _page(title, "\n".join(parts))


def _overview(exercises: Sequence[ExerciseReport]) -> str:
    rows = "\n".join(
        f'<tr><th scope="row"><a href="#{escape(one.id)}">{escape(one.id)}</a></th>'
        f"<td>{STATUS[one.status]}</td>"
        f'<td class="number">{_points(one.points, one.max_points)}</td></tr>'
        for one in exercises
    )
    return (
        '<div class="wide"><table><caption>All exercises</caption>'
        '<thead><tr><th scope="col">Exercise</th><th scope="col">How it went</th>'
        f'<th scope="col">Points</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


# ---------------------------------------------------------------- the class
@dataclass(frozen=True)
class Share:
    """One exercise over the whole class."""

    id: str
    statuses: Counter[str]
    mistakes: Counter[str]

    @property
    def count(self) -> int:
        """How many were asked for it."""
        return self.statuses.total()

    @property
    def solved(self) -> float:
        """The share that solved it."""
        return self.statuses["passed"] / self.count


def shares(report: Report) -> list[Share]:
    """Count, for each exercise, how it went and which mistakes were made."""
    found: dict[str, Share] = {}
    for submission in report.submissions:
        for one in submission.exercises:
            share = found.setdefault(one.id, Share(one.id, Counter(), Counter()))
            share.statuses[one.status] += 1
            if len(one.mistakes) == 1:
                share.mistakes.update(one.mistakes[0].split("+"))
            elif one.mistakes:
                share.mistakes[" or ".join(one.mistakes)] += 1
    return list(found.values())


def class_report(report: Report) -> str:
    """Write the page for the instructor: what was understood, what to teach again."""
    found = shares(report)
    bad = [one for one in report.submissions if one.error]
    counts = f"{len(report.submissions) - len(bad)} submissions graded, {len(bad)} not readable"
    parts = [
        "<h1>Class report</h1>",
        f"<p>{counts}. Isolation: {escape(report.isolation)}.</p>",
    ]
    if found:
        parts += [
            "<h2>Share that solved each exercise</h2>",
            _bars(found),
            "<h2>In numbers, with the mistakes that were recognised</h2>",
            _class_table(found),
        ]
    if bad:
        listed = "".join(
            f"<li>{_safe(one.name)}: {_safe(one.error)}</li>" for one in bad
        )
        parts += ["<h2>Not readable</h2>", f"<ul>{listed}</ul>"]
    return _page("Class report", "\n".join(parts))


def _class_table(found: Sequence[Share]) -> str:
    rows = []
    for one in found:
        unwritten = one.statuses["not_written"]
        wrong = one.count - unwritten - one.statuses["passed"]
        listed = "".join(
            f"<li>{count} × <code>{escape(name)}</code></li>"
            for name, count in one.mistakes.most_common()
        )
        rows.append(
            f'<tr><th scope="row">{escape(one.id)}</th>'
            f'<td class="number">{one.solved:.0%}</td><td class="number">{wrong}</td>'
            f'<td class="number">{unwritten}</td><td>{f"<ul>{listed}</ul>" if listed else "–"}</td></tr>'
        )
    heads = ("Exercise", "Solved", "Wrong", "Not written", "Mistakes")
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _bars(found: Sequence[Share]) -> str:
    """Draw a bar for each exercise: filled as far as it was solved, the rest outlined."""
    row, left, width = 24, 250, 380
    marks = []
    for place, one in enumerate(found):
        y, middle = place * row + 4, place * row + 17
        marks.append(
            f'<text x="{left - 8}" y="{middle}" text-anchor="end">{escape(one.id)}</text>'
            f'<rect x="{left}" y="{y}" width="{width}" height="16" fill="none" '
            'stroke="currentColor" stroke-opacity=".4"/>'
            f'<rect x="{left}" y="{y}" width="{width * one.solved:.1f}" height="16" '
            'fill="#1b7f4b"/>'
            f'<text x="{left + width + 8}" y="{middle}">{one.solved:.0%}</text>'
        )
    words = "; ".join(f"{one.id} {one.solved:.0%}" for one in found)
    high, wide = len(found) * row + 8, left + width + 60
    return (
        f'<svg role="img" aria-label="Share that solved each exercise: {escape(words)}" '
        f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" font-size="13" '
        f'fill="currentColor">{"".join(marks)}</svg>'
    )
