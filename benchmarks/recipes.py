"""The long recipes, run to their end by the clock; and what choices of `minutes` buy."""

import time
from collections.abc import Iterator

from benchmarks.measuring import Figure
from benchmarks.training import Changes, ablations, recipe, texts, trainer
from minitransformer.model import preset

RUNS = {"minutes": (1.50, 3), "coffee": (1.47, 2)}  # the bar in nats, how many seeds
STEPS = 1100  # about as many as `minutes` takes on two processors in its time
CHANGES: Changes = {
    "no weight decay": ({}, {"weight_decay": 0.0}),
    "dropout of 0.05 in its place": ({"dropout": 0.05}, {"weight_decay": 0.0}),
    "no token shift": ({"token_shift": False}, {}),
}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Train each recipe from several seeds; a quick look stops after ten seconds."""
    data = texts()
    for name, (bar, seeds) in RUNS.items():
        config, training = preset(name, vocab_size=64, seconds=10.0 if quick else None)
        for seed in range(1 if quick else seeds):
            run = trainer(config, training, data, seed)
            began = time.perf_counter()
            for record in run.run():
                last = record
            spent = time.perf_counter() - began
            characters = last.step * run.task.characters_per_step
            yield Figure(
                group=f"recipe {name}, bar {bar}",
                name=f"seed {seed}",
                value=run.best_loss,
                unit="nats/character",
                note=f"{spent:.0f} s, {last.step:,} steps, {characters / 1e6:.2f} M "
                f"characters; {run.plan}",
            )


def measure_choices(*, quick: bool) -> Iterator[Figure]:
    """Change one choice of `minutes` at a time, for a given number of steps."""
    settings = recipe("minutes", seconds=None, steps=10 if quick else STEPS)
    yield from ablations(texts(), settings, CHANGES, "what choices of `minutes` buy")
