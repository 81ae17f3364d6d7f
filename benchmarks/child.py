"""One suite in a process of its own: `python -m benchmarks.child SUITE THREADS KIND`.

How many threads NumPy's products use must be known before NumPy is imported. Each figure
is a line of JSON on standard output; whatever else is said goes to the error output.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import torch

from benchmarks import attention, generation, recipes, starting, training
from benchmarks.measuring import Figure

SUITES: dict[str, Callable[..., Iterator[Figure]]] = {
    "starting": starting.measure,
    "attention": attention.measure,
    "generation": generation.measure,
    "training": training.measure,
    "recipes": recipes.measure,
    "choices": recipes.measure_choices,
}
LONG = {"recipes", "choices"}  # half an hour each: run when they are named
WITH_MORE_THREADS = {"attention", "generation"}  # the others choose for themselves
COMMAND = (sys.executable, "-m", "benchmarks.child")
POOLS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",  # Apple's
)


def figures_of(suite: str, threads: int, *, quick: bool) -> Iterator[Figure]:
    """Run a suite in a child, and give each figure as soon as it is measured.

    Raises
    ------
    RuntimeError
        If the suite fails; it ends with what the child said last.
    """
    environment = os.environ | dict.fromkeys(POOLS, str(threads))
    environment["HF_HUB_OFFLINE"] = "1"
    command = [*COMMAND, suite, str(threads), "quick" if quick else "whole"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, env=environment, text=True
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                yield named(Figure(**json.loads(line)), threads)
        except BaseException:
            process.kill()
            raise
        if process.wait():
            said.seek(0)
            raise RuntimeError(f"the suite {suite} failed:\n{said.read()[-3000:]}")


def named(figure: Figure, threads: int) -> Figure:
    """Say in the group's name how many threads there were, if more than one."""
    if threads == 1:
        return figure
    return replace(figure, group=f"{figure.group}, {threads} threads")


def main() -> None:
    """Measure one suite."""
    suite, threads, kind = sys.argv[1:]
    torch.set_num_threads(int(threads))
    lines = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for figure in SUITES[suite](quick=kind == "quick"):
            print(json.dumps(asdict(figure)), file=lines, flush=True)


if __name__ == "__main__":
    main()
