"""`python -m benchmarks`: measure everything, print a table, write JSON and a picture."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from matplotlib.figure import Figure as Picture
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import attention, generation, starting, training
from benchmarks.measuring import Figure, this_machine
from minitransformer.notebook.plots.palette import QUIET, SERIES

SUITES: dict[str, Callable[..., Iterator[Figure]]] = {
    "starting": starting.measure,
    "attention": attention.measure,
    "generation": generation.measure,
    "training": training.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that were asked for."""
    page = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    page.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    page.add_argument("--quick", action="store_true", help="a look, in two minutes")
    page.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    page.add_argument("--out", type=Path, default=Path("artefacts/benchmarks"))
    chosen = page.parse_args(arguments)
    unknown = sorted(set(chosen.suites) - set(SUITES))
    if unknown:
        page.error(f"a suite must be one of {', '.join(SUITES)}; got {unknown[0]}")
    torch.set_num_threads(chosen.threads)
    console, machine = Console(), this_machine()
    figures = collect(chosen.suites or list(SUITES), console, quick=chosen.quick)
    console.print(table(figures, machine))
    chosen.out.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    results = chosen.out / "results.json"
    results.write_text(json.dumps(document, indent=1), "utf-8")
    draw(figures, chosen.out / "ratios.svg")
    console.print(f"Written to {chosen.out}.", soft_wrap=True)
    return 0


def collect(suites: Sequence[str], console: Console, *, quick: bool) -> list[Figure]:
    """Measure, telling what is being measured."""
    figures: list[Figure] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")
        for suite in suites:
            progress.update(task, description=suite)
            for figure in SUITES[suite](quick=quick):
                figures.append(figure)
                said = f"{suite}: {figure.group}, {figure.name}"
                progress.update(task, description=said)
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
            spread = f"{figure.low:,.4g} – {figure.high:,.4g}"
        page.add_row(
            figure.group if figure.group != before else "",
            figure.name,
            f"{figure.value:,.4g} {figure.unit}",
            spread,
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.note,
        )
        before = figure.group
    return page


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
    page.savefig(picture)


if __name__ == "__main__":
    sys.exit(main())
