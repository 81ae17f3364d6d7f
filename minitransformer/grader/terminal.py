"""The `grade` command at the terminal: a bar while it works, a table when it is done.

What draws loads only when something is drawn; the sandbox need not wait for it.
"""

import atexit
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from minitransformer.grader import batch, submissions
from minitransformer.grader.batch import BusyFolderError
from minitransformer.grader.order import FORMATS, BadOptionError, Order
from minitransformer.grader.reports import files
from minitransformer.grader.reports.model import Report, SubmissionReport
from minitransformer.grader.sandbox.box import Sandbox

if TYPE_CHECKING:
    from rich.table import Table

INTERRUPTED = 130
SIGNS = {"passed": "✓", "failed": "✗", "not_written": "○"}
MOST_SIGNS = 12  # exercises that fit beside each other
USER_ERRORS = (BadOptionError, BusyFolderError, submissions.NothingToGradeError)


def grade(order: Order, sandbox: Sandbox) -> int:
    """Grade in a sandbox, write or print the reports, and give the exit status.

    Raises
    ------
    BadOptionError, NothingToGradeError, BusyFolderError, WeakIsolationError
        Each with one clear line.
    """
    found, remarks = submissions.find(order.paths)
    each = [name for name in order.formats if name in files.ONE_EACH]
    if each and order.out is None and len(found) != 1:
        raise BadOptionError(
            f"{each[0]} is one file for each submission; got {len(found)} submissions, "
            "which need --out"
        )
    for remark in remarks:
        _tell(remark)
    memory = batch.Memory(order.out, order.settings) if order.out else None
    atexit.register(gc.freeze)  # who ends need not look for what nobody uses any more
    with memory.held() if memory else nullcontext():
        level = batch.prove(sandbox, order.settings, order.required, found[0])
        with _progress(len(found)) as done:
            finished = batch.grade(
                found,
                order.settings,
                sandbox,
                level,
                jobs=order.jobs,
                memory=memory,
                done=done,
            )
        _hand_out(finished.report, order)
        if memory and finished.complete:
            memory.forget()
    if not finished.complete:
        count = len(finished.report.submissions)
        again = "; the same command goes on from here" if order.out else ""
        _tell(f"Stopped after {count} of {len(found)} submissions{again}.")
        return INTERRUPTED
    some = finished.report.submissions
    return 1 if any(one.error or one.partly for one in some) else 0


def _tell(words: str) -> None:
    """Say something beside the reports, on the error stream."""
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, highlight=False).print(Text(words))


def _hand_out(report: Report, order: Order) -> None:
    """Write files, or print the one report that was asked for, or a table."""
    if order.out is not None:
        files.write_all(report, order.out, order.formats or FORMATS)
    elif order.formats:
        sys.stdout.write(files.one_text(report, order.formats[0]))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(table(report))
    where = f" Reports are in {order.out}." if order.out else ""
    console.print(
        Text(f"Isolation: {report.isolation}. Seed: {report.seed}.{where}"),
        soft_wrap=True,
    )


@contextmanager
def _progress(count: int) -> Iterator[Callable[[SubmissionReport], object]]:
    """Show a bar while submissions are graded, on the error stream only."""
    if not sys.stderr.isatty():
        yield id
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Grading", total=count)

        def done(report: SubmissionReport) -> None:
            del report
            progress.advance(task)

        yield done


def table(report: Report) -> "Table":
    """Lay a report out for the eye: a row a submission, a sign an exercise."""
    from rich.table import Table
    from rich.text import Text

    ids = list(
        dict.fromkeys(one.id for some in report.submissions for one in some.exercises)
    )
    few = 0 < len(ids) <= MOST_SIGNS
    caption = f"signs: {', '.join(ids)}; ✓ right, ✗ wrong, ○ not written, ! else"
    shown = Table(box=None, pad_edge=False, caption=caption if few else None)
    shown.caption_justify = "left"
    shown.add_column("submission", overflow="fold")
    shown.add_column("points", justify="right", no_wrap=True)
    shown.add_column("signs" if few else "solved", no_wrap=True)
    shown.add_column("recognised, or why not read", overflow="fold")
    for one in report.submissions:
        statuses = {exercise.id: exercise.status for exercise in one.exercises}
        solved = list(statuses.values()).count("passed")
        signs = "".join(
            SIGNS.get(statuses[name], "!") if name in statuses else " " for name in ids
        )
        points = "–" if one.error else f"{one.points:g} / {one.max_points:g}"
        row = [
            one.name,
            points,
            signs if few else f"{solved} of {len(statuses)}",
            one.error or _recognised(one),
        ]
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def _recognised(submission: SubmissionReport) -> str:
    words = [" or ".join(one.mistakes) for one in submission.exercises if one.mistakes]
    words += [
        f"{one.id}: {one.status}"
        for one in submission.exercises
        if one.status in ("error", "timeout", "memory", "crashed") and not one.policy
    ]
    words += [f"{one.id}: policy" for one in submission.exercises if one.policy]
    return ", ".join(words)


def isolation_report() -> tuple[str | None, dict[str, str]]:
    """Prove the level of isolation that holds here, for `minitransformer doctor`.

    Returns
    -------
    level : str or None
        The highest level whose canaries all failed to get out.
    canaries : dict
        What each of them tried, and "held" or "open".
    """
    with Sandbox() as sandbox:
        return sandbox.level(), sandbox.canaries()
