"""How things are measured here: interleaved, several times, medians with their spread."""

import os
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number, and what it is compared with."""

    group: str
    name: str
    value: float
    unit: str
    low: float | None = None  # the smallest of the repeats
    high: float | None = None
    beside: str | None = None  # the name of the peer measured in the same run
    ratio: float | None = None  # how many times better than that peer
    note: str = ""


def race(
    contenders: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Time each contender several times, in turns; in seconds.

    With one thread it is processor time, which a busy neighbour does not change much; on
    a quiet machine it is the time on the wall. With more threads it is the time on the
    wall: processor time would add up what they do side by side.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for work in contenders.values():
        work()  # the first time pays for memory and kernels
    for _ in range(repeats):
        for name, work in contenders.items():
            began = clock()
            work()
            times[name].append(clock() - began)
    return times


def speeds(
    group: str,
    times: Mapping[str, list[float]],
    beside: str,
    *,
    amount: float = 1.0,
    unit: str = "ms",
) -> list[Figure]:
    """Turn times into figures beside a peer: milliseconds, or an amount per second."""
    peer = statistics.median(times[beside])

    def shown(seconds: float) -> float:
        return 1000 * seconds if unit == "ms" else amount / seconds

    figures = []
    for name, seconds in times.items():
        ends = sorted((shown(min(seconds)), shown(max(seconds))))
        figures.append(
            Figure(
                group=group,
                name=name,
                value=shown(statistics.median(seconds)),
                unit=unit,
                low=ends[0],
                high=ends[1],
                beside=beside,
                ratio=peer / statistics.median(seconds),
            )
        )
    return figures


def extra_memory(work: Callable[[], object]) -> int:
    """Measure the bytes NumPy holds at most beyond what it held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def exponent(sizes: list[int], values: list[float]) -> float:
    """Fit value = a·size^b through all points, in logarithms, and give b."""
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(slope)


def this_machine() -> dict[str, object]:
    """Say where the figures are from."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def load() -> float | None:
    """Give how many processes wanted a core in the last minute, where this is known."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    """Name the processor and its widest vector instructions."""
    name = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    name = line.partition(":")[2].strip()
                    break
    except OSError:
        pass  # not Linux: the short name must do
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
