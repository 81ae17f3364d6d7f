"""What this computer does fastest, found by measuring for a blink."""

import copy
import ctypes
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitransformer.model.attention import MultiHeadAttention, causal_mask
from minitransformer.model.config import TrainingConfig

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # names of mallopt(3), in <malloc.h>


def keep_freed_memory() -> None:
    """Let the C library keep the memory that one step frees for the next step.

    It would hand large pieces back to the system, which clears every page before it gives
    it out again: about a tenth of a step. Only the GNU C library can be told so.
    """
    tell = None
    if sys.platform == "linux":
        tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        for threshold in (MMAP_THRESHOLD, TRIM_THRESHOLD):
            tell(threshold, 1 << 30)


@dataclass(frozen=True, kw_only=True)
class MachinePlan:
    """How a run computes: choices that change the time and not the mathematics."""

    precision: str  # "float32" or "bfloat16"
    attention: str  # "explicit" or "fused"
    threads: int

    def __str__(self) -> str:
        """Say it in one line."""
        words = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.precision}, {self.attention} attention, {words}"


def plan_for_this_machine(
    config: TrainingConfig, model: nn.Module, window_length: int
) -> MachinePlan:
    """Choose what the settings leave to the machine ("auto", or None for threads).

    Each question is decided by timing a small piece of the real work both ways.
    """
    precision, form, threads = config.precision, config.attention, config.threads
    attentions = [x for x in model.modules() if isinstance(x, MultiHeadAttention)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        if precision == "auto":
            precision = "bfloat16" if bfloat16_is_faster() else "float32"
        if form == "auto":
            form = "fused"
            if attentions:
                form = _faster_form(attentions[0], window_length, precision)
        if threads is None:
            threads = _threads_that_help()
    finally:
        torch.set_num_threads(before)
    return MachinePlan(precision=precision, attention=form, threads=threads)


def best_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Time some work; the best of a few repeats is the least disturbed."""
    work()  # the first time pays for memory and kernels
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bfloat16_is_faster() -> bool:
    """Compare a matrix product in both precisions, 17 million operations each."""
    a, b = torch.ones(512, 128), torch.ones(128, 128)
    low_a, low_b = a.bfloat16(), b.bfloat16()
    return best_seconds(lambda: low_a @ low_b) < 0.6 * best_seconds(lambda: a @ b)


def computing_in(precision: str) -> torch.autocast:
    """Compute matrix products in "float32" or "bfloat16" inside a `with` block."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


def _faster_form(
    attention: MultiHeadAttention, window_length: int, precision: str
) -> str:
    """Compare one attention, forward and backward, on about a thousand characters.

    In the run's own precision: the fused kernel's way back gains little from bfloat16.
    """
    trial = copy.deepcopy(attention)
    width = trial.query.in_features
    x = torch.ones(max(1, 1024 // window_length), window_length, width)
    mask = causal_mask(window_length)

    def there_and_back() -> None:
        with computing_in(precision):
            found = trial(x, mask=mask)
        found.float().sum().backward()

    def seconds(*, fused: bool) -> float:
        trial.fused = fused
        return best_seconds(there_and_back)

    return "fused" if seconds(fused=True) < seconds(fused=False) else "explicit"


def _threads_that_help() -> int:
    """Try all processors on a product of a step's size; busy ones do not help."""
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    every = min(every or os.cpu_count() or 1, 8)
    a, b = torch.ones(2048, 128), torch.ones(128, 512)

    def seconds(threads: int) -> list[float]:
        torch.set_num_threads(threads)
        return sorted(best_seconds(lambda: product(a, b), 1) for _ in range(7))

    def product(a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    alone, together = seconds(1), seconds(every)
    # the second slowest of seven: with waiting threads a few steps cost everything
    return every if together[-2] < 0.8 * alone[3] else 1
