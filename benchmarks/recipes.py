"""The long recipes, run to their end by the clock; half an hour, so only when asked for."""

import time
from collections.abc import Iterator

from benchmarks.measuring import Figure
from benchmarks.training import texts, trainer
from minitransformer.model import preset

RUNS = {"minutes": (1.50, 3), "coffee": (1.47, 2)}  # the bar in nats, how many seeds


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
