"""What the command line asks of `grade`, checked.

Loads next to nothing, so that the process that answers run in can be started at once and
get ready while the rest of the grader loads.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minitransformer.grader.sandbox.ladder import LEVELS
from minitransformer.grader.settings import Settings
from minitransformer.grader.topics import TOPICS

FORMATS = ("json", "csv", "nbgrader", "gradescope", "classroom50", "junit")
MEMORY = ".unfinished"  # the folder of what is finished, in that of the reports
LARGEST_SEED = 1 << 31
LONGEST_TIMEOUT = 3600.0


class BadOptionError(Exception):
    """An option has a value that it cannot have; the message is one clear line."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line asks for, checked."""

    paths: Sequence[Path]
    settings: Settings
    out: Path | None
    formats: Sequence[str]
    jobs: int
    required: str | None


def read(
    *,
    paths: Sequence[Path],
    out: Path | None,
    format: Sequence[str],  # noqa: A002 - it is the option's name
    jobs: str | None,
    timeout: str,
    topics: str,
    policy: str,
    seed: str | None,
    require_isolation: str | None,
    **_: object,
) -> Order:
    """Check the options of the command line.

    Raises
    ------
    BadOptionError
        Which option needs what, and what came.
    """
    for name in format:
        _one_of("--format", name, FORMATS)
    if len(set(format)) > 1 and out is None:
        raise BadOptionError("several formats need --out, the folder for their files")
    _one_of("--policy", policy, ("cost", "report"))
    if require_isolation is not None:
        _one_of("--require-isolation", require_isolation, LEVELS)
    numbers = tuple(one.strip() for one in topics.split(",") if one.strip())
    for number in numbers:
        _one_of("--topics", number, tuple(TOPICS))
    if seed is not None:
        chosen = _number("--seed", seed, 0, LARGEST_SEED - 1, int)
    else:
        chosen = kept_seed(out) if out else None
    return Order(
        paths=paths,
        settings=Settings(
            seed=new_seed() if chosen is None else int(chosen),
            timeout=_number("--timeout", timeout, 0.1, LONGEST_TIMEOUT, float),
            topics=numbers,
            policy_costs=policy == "cost",
        ),
        out=out,
        formats=tuple(dict.fromkeys(format)),
        jobs=default_jobs()
        if jobs is None
        else int(_number("--jobs", jobs, 1, 256, int)),
        required=require_isolation,
    )


def _one_of(option: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise BadOptionError(f"{option} is one of {', '.join(allowed)}; got {value!r}")


def _number(
    option: str, text: str, least: float, most: float, kind: type[int] | type[float]
) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise BadOptionError(
            f"{option} needs a number from {least:g} to {most:g}; got {text!r}"
        )
    return value


def new_seed() -> int:
    """Draw a seed that nobody can foresee."""
    return int.from_bytes(os.urandom(8)) % LARGEST_SEED


def kept_seed(folder: Path) -> int | None:
    """Give the seed of a run that stopped in a folder."""
    try:
        return int((folder / MEMORY / "seed").read_text("ascii"))
    except (OSError, ValueError):
        return None


def default_jobs() -> int:
    """Give two for each processor this process may use: one is judged, one runs."""
    if hasattr(os, "sched_getaffinity"):
        return 2 * len(os.sched_getaffinity(0))
    return 2 * (os.cpu_count() or 1)
