"""Attention: the plain formula, tiles, the linear form, and torch's fused kernel."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional

from benchmarks.measuring import Figure, exponent, extra_memory, race, speeds
from minitransformer.reference import (
    attention,
    linear_attention,
    tiled_attention,
)

HEADS, WIDTH = 4, 32
PLAIN, TILES = "NumPy, plain formula", "NumPy, tiles"
LINEAR, FUSED = "NumPy, linear attention", "torch, fused kernel"


def measure(*, quick: bool) -> Iterator[Figure]:
    """Race the forms at growing lengths, and fit how time and memory grow."""
    lengths = [128, 512, 2048] if quick else [128, 512, 2048, 4096, 8192, 16384]
    seconds: dict[str, list[tuple[int, float]]] = {}
    memory: dict[str, list[tuple[int, float]]] = {}
    for n in lengths:
        forms = contenders(n)
        times = race(forms, repeats=7 if n <= 2048 else 2)
        yield from speeds(f"attention, n = {n}", times, FUSED)
        for name, form in forms.items():
            seconds.setdefault(name, []).append((n, min(times[name])))
            if name == FUSED:
                continue  # torch's memory is not NumPy's to count
            memory.setdefault(name, []).append((n, extra_memory(form)))
            yield Figure(
                group=f"attention, extra memory, n = {n}",
                name=name,
                value=memory[name][-1][1] / 2**20,
                unit="MiB",
                beside=PLAIN,
                ratio=plain_memory(memory[PLAIN], n) / memory[name][-1][1],
                note="" if PLAIN in forms else "the plain formula's n² carried on",
            )
    for what, table in (("time", seconds), ("extra memory", memory)):
        for name, points in table.items():
            late = [point for point in points if point[0] >= 512]
            yield Figure(
                group=f"attention, growth of {what}",
                name=name,
                value=exponent([n for n, _ in late], [value for _, value in late]),
                unit="exponent of n",
                note=f"fitted from n = {late[0][0]} to {late[-1][0]}",
            )


def contenders(n: int) -> dict[str, Callable[[], object]]:
    """Give the forms at this length, on the same random numbers."""
    rng = np.random.default_rng(0)
    shape = (HEADS, n, WIDTH)
    q, k, v = (rng.normal(size=shape).astype(np.float32) for _ in range(3))
    # with fewer than four axes torch takes its plain formula, not the fused kernel
    tensors = [torch.from_numpy(x)[None] for x in (q, k, v)]  # (1, H, n, D)
    forms: dict[str, Callable[[], object]] = {}
    if n <= 4096:  # beyond, its weights alone fill gigabytes
        forms[PLAIN] = lambda: attention(q, k, v)
    forms[TILES] = lambda: tiled_attention(q, k, v)
    forms[FUSED] = lambda: functional.scaled_dot_product_attention(*tensors)
    if n <= 2048:
        forms[LINEAR] = lambda: linear_attention(q, k, v)
    return forms


def plain_memory(points: list[tuple[int, float]], n: int) -> float:
    """Give the plain formula's memory at n, carried on as n² from where it last ran."""
    length, value = points[-1]
    return value * (n / length) ** 2
