"""`python -m benchmarks`: measure everything, print a table, write JSON and a picture."""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure as Picture
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import generation
from benchmarks.child import LONG, SUITES, WITH_MORE_THREADS, figures_of
from benchmarks.measuring import Figure, load, this_machine
from minitransformer.grader.reports.files import write_whole
from minitransformer.notebook.plots.palette import QUIET, SERIES

WHICH = f"{', '.join(SUITES)}; all when none is named, but {' and '.join(sorted(LONG))}"
APART = "Grading has a command of its own: python -m benchmarks.grading --help"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that were asked for."""
    page = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog=APART
    )
    page.add_argument("suites", nargs="*", metavar="SUITE", help=WHICH)
    page.add_argument("--quick", action="store_true", help="a look, in two minutes")
    page.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[1, 2] if (os.cpu_count() or 1) > 1 else [1],
        metavar="N",
        help="measure with so many threads; with more than one "
        f"{' and '.join(sorted(WITH_MORE_THREADS))} (default: 1 2)",
    )
    page.add_argument("--out", type=Path, default=Path("artefacts/benchmarks"))
    chosen = page.parse_args(arguments)
    unknown = sorted(set(chosen.suites) - set(SUITES))
    if unknown:
        page.error(f"a suite must be one of {', '.join(SUITES)}; got {unknown[0]}")
    if min(chosen.threads) < 1:
        page.error(f"threads must be at least 1; got {min(chosen.threads)}")
    usual = [suite for suite in SUITES if suite not in LONG]
    jobs = plan(chosen.suites or usual, chosen.threads)
    wide = None if sys.stdout.isatty() else 160
    console, machine = Console(width=wide), this_machine()
    if "generation" in dict(jobs) and not generation.has_peer():
        console.print(generation.HOW_TO_INSTALL, soft_wrap=True)
    machine["load at the beginning"] = load()
    figures = collect(jobs, console, quick=chosen.quick)
    machine["load at the end"] = load()
    console.print(table(figures, machine))
    document = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    write_whole(chosen.out / "results.json", json.dumps(document, indent=1))
    draw(figures, chosen.out / "ratios.svg")
    console.print(f"Written to {chosen.out}.", soft_wrap=True)
    return 0


def plan(suites: Sequence[str], threads: Sequence[int]) -> list[tuple[str, int]]:
    """List what is to be run: each suite with one thread, some with more too."""
    return [
        (suite, count)
        for count in sorted(set(threads))
        for suite in suites
        if count == 1 or suite in WITH_MORE_THREADS
    ]


def collect(
    jobs: Sequence[tuple[str, int]], console: Console, *, quick: bool
) -> list[Figure]:
    """Measure, telling how much is done and what was measured last."""
    figures: list[Figure] = []
    columns = (
        BarColumn(bar_width=20),
        TextColumn("{task.completed} of {task.total} suites,"),
        TextColumn("{task.fields[figures]} figures,"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(jobs), figures=0)
        for suite, threads in jobs:
            progress.update(task, description=suite)
            for figure in figures_of(suite, threads, quick=quick):
                figures.append(figure)
                said = f"{figure.group}, {figure.name}"
                progress.update(task, description=said, figures=len(figures))
            progress.advance(task)
    return figures


def table(figures: Sequence[Figure], machine: dict[str, object]) -> Table:
    """Lay the figures out, one a line."""
    caption = ", ".join(f"{name} {value}" for name, value in machine.items())
    page = Table(caption=caption, header_style="bold")
    for heading in ("what", "who", "median", "from – to", "times the peer", ""):
        page.add_column(heading)
    before = ""
    for figure in figures:
        spread = ""
        if figure.low is not None and figure.high is not None:
            spread = f"{shown(figure.low)} – {shown(figure.high)}"
        page.add_row(
            figure.group if figure.group != before else "",
            figure.name,
            f"{shown(figure.value)} {figure.unit}",
            spread,
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.note,
        )
        before = figure.group
    return page


def shown(value: float) -> str:
    """Write a number with four digits, or as many as stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def draw(figures: Sequence[Figure], picture: Path) -> None:
    """Draw how many times better than its peer each contender is, a dot a line."""
    shown = [x for x in figures if x.ratio is not None and x.name != x.beside]
    if not shown:
        return
    page = Picture(figsize=(9, 0.6 + 0.24 * len(shown)), layout="constrained")
    at = page.subplots()
    at.scatter([x.ratio for x in shown], range(len(shown)), color=SERIES[0], zorder=2)
    at.axvline(1.0, color=QUIET, linewidth=1)  # as good as the peer
    names = [f"{x.group}: {x.name} / {x.beside}" for x in shown]
    at.set_yticks(range(len(shown)), names, fontsize=7)
    at.set(xscale="log", xlabel="times the peer (right is better)")
    at.invert_yaxis()
    at.grid(axis="x", alpha=0.3)
    drawn = io.StringIO()
    page.savefig(drawn, format="svg")
    write_whole(picture, drawn.getvalue())


if __name__ == "__main__":
    sys.exit(main())
