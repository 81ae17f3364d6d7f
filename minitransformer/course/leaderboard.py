"""A leaderboard of one's own runs: how low a loss, in a minute and in five.

Each run is one small JSON file in the learner's folder, `.minitransformer/runs/`. None is
ever written again, and a damaged one costs one run. Only runs on the standard nine plays
belong here: losses on different texts do not compare.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from minitransformer.course.workbook import replace_whole
from minitransformer.notebook.prediction_log import predictions_folder

LIMITS = {"60 s": 60.0, "5 minutes": 300.0}  # seconds of training


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one training run reached.

    Parameters
    ----------
    when : date
        The day of the run.
    configuration : str
        What tells it from others, in a few words.
    settings : dict
        All its settings, as plain values.
    measured : tuple of (float, float)
        Seconds of training, validations not counted, and the loss on the held-out tenth
        of the nine plays at that time, in nats per character.
    """

    when: date
    configuration: str
    settings: dict[str, Any]
    measured: tuple[tuple[float, float], ...]

    def best(self, within: float = math.inf) -> tuple[float, float] | None:
        """Give the lowest loss reached within some seconds of training, and when.

        Returns
        -------
        (float, float) or None
            The loss and the seconds; None if nothing was measured so early.

        Examples
        --------
        >>> run = Run(when=date(2026, 3, 1), configuration="", settings={},
        ...           measured=((45.0, 1.75), (90.0, 1.5)))
        >>> run.best(60.0)
        (1.75, 45.0)
        """
        reached = [
            (loss, seconds)
            for seconds, loss in self.measured
            if seconds <= within and math.isfinite(loss)
        ]
        return min(reached, default=None)


@dataclass(frozen=True, kw_only=True)
class Rival:
    """What a recipe reached when it was measured for docs/performance.md."""

    configuration: str
    loss: float
    seconds: float


# docs/performance.md, "Training a character model on nine plays"; of the three seeds of
# `seconds` (1.861 to 1.866) the middle one
RIVALS = (
    Rival(configuration="seconds, 280 steps", loss=1.865, seconds=11.1),
    Rival(configuration="plain recipe, 2000 steps", loss=1.822, seconds=138.0),
)
ABOUT = (
    "Loss: nats per character on the held-out tenth of the nine plays. Seconds: of training "
    "on your machine, validations not counted. The rivals are the course's recipes as "
    "docs/performance.md measured them, in processor time of one thread: `seconds` with "
    "three seeds (1.861 to 1.866; the middle one is shown), and a plain recipe in "
    "nanoGPT's shape. Texts of your own do not "
    "compare, so runs on them are not listed."
)


def runs_folder(start: Path) -> Path | None:
    """Return where runs are kept: in the course folder at `start` or above, or None."""
    predictions = predictions_folder(start)
    return predictions and predictions.with_name("runs")


def keep(folder: Path, run: Run) -> None:
    """Write a run into a file of its own, whole or not at all."""
    kept = asdict(run) | {"when": run.when.isoformat()}
    text = json.dumps(kept, ensure_ascii=False, indent=1) + "\n"
    replace_whole(folder / f"{run.when}_{uuid4().hex[:12]}.json", text.encode())


def read_runs(folder: Path) -> list[Run]:
    """Read every run that was kept, the oldest day first; damaged files are passed over."""
    found = (_read(path) for path in sorted(folder.glob("*.json")))
    return [run for run in found if run is not None]


def _read(path: Path) -> Run | None:
    """Read one run; None if the file is damaged or something else."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        return Run(
            when=date.fromisoformat(kept["when"]),
            configuration=str(kept["configuration"]),
            settings=dict(kept["settings"]),
            measured=tuple((float(at), float(loss)) for at, loss in kept["measured"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def columns(
    folder: Path | None, within: float = LIMITS["60 s"], most: int = 10
) -> dict[str, list[str]]:
    """Rank the runs of a folder, with the rival among them where its loss puts it.

    Parameters
    ----------
    folder : Path, optional
        Where runs are kept, as `runs_folder` tells; None gives the rival alone.
    within : float
        Seconds of training that count.
    most : int
        How many of the best runs to list.

    Returns
    -------
    dict of str to list of str
        The columns of a table, ready for `display.table`.

    Examples
    --------
    >>> columns(None)["configuration"]
    ['seconds, 280 steps']
    """
    runs = read_runs(folder) if folder else []
    own = sorted(
        (*best, run.configuration, run.when.isoformat())
        for run in runs
        if (best := run.best(within)) is not None
    )
    lines = [(str(rank), *line) for rank, line in enumerate(own[:most], start=1)]
    lines += _rival(RIVALS, within)
    lines.sort(key=lambda line: line[1])
    return {
        "rank": [rank for rank, *_ in lines],
        "loss": [f"{loss:.3f}" for _, loss, *_ in lines],
        "seconds": [f"{seconds:.0f}" for _, _, seconds, *_ in lines],
        "configuration": [configuration for *_, configuration, _ in lines],
        "date": [day for *_, day in lines],
    }


def _rival(
    rivals: Iterable[Rival], within: float
) -> list[tuple[str, float, float, str, str]]:
    """Give the line of the best rival that was ready in time."""
    ready = [rival for rival in rivals if rival.seconds <= within]
    best = min(ready, key=lambda rival: rival.loss, default=None)
    if best is None:
        return []
    return [("rival", best.loss, best.seconds, best.configuration, "–")]
