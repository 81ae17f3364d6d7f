"""Pictures and arrays that several tests look at."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.figure import Figure

from minitransformer.notebook import display, plots

WORDS = "Three rows of weights: the last on its own token."
TOKENS = ("the", "cat", "sat")
X = np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0], [1.0, 1.0, 0.0]])
W_Q = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
W_K = np.array([[0.5, 1.0], [1.0, 0.0], [0.0, 1.0]])
WEIGHTS = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]])
CAUSAL = np.tril(np.ones((3, 3), dtype=bool))
STEPS = np.arange(1, 30)

CHARTS: dict[str, Callable[[], Figure]] = {
    "heat_map": lambda: plots.heat_map(WEIGHTS, rows=TOKENS, columns=TOKENS),
    "heat_map of scores": lambda: plots.heat_map(X - 1, kind="scores", mask=CAUSAL),
    "heat_map of two": lambda: plots.heat_map({"one": WEIGHTS, "two": WEIGHTS.T}),
    "heat_map, large": lambda: plots.heat_map(np.outer(STEPS, STEPS), kind="plain"),
    "curves": lambda: plots.curves(
        STEPS,
        {"a": 1 / STEPS, "b": np.stack([1 / STEPS, 2 / STEPS])},
        x="step",
        y="loss",
        lines={"bound": 0.5},
        places={"here": 3},
    ),
    "growth": lambda: plots.growth([2, 8, 32], {"a": [1, 2, 4]}, x="n", y="bytes"),
    "bars": lambda: plots.bars({"a": 1.0, "b": [0.5, 0.7]}, x="scheme", y="share"),
    "bars, grouped": lambda: plots.bars(
        {"inside": {"a": 1.0}, "beyond": {"a": 0.5}}, x="scheme", y="share"
    ),
    "scatter": lambda: plots.scatter({"one": X[:, :2], "two": X[:, 1:]}, x="u", y="v"),
    "vectors": lambda: plots.vectors(
        {"q": (2, 1), "k": (1, 2)}, roles={"q": "query"}, angles=[("q", "k")]
    ),
}

DIAGRAMS: dict[str, Callable[[], Figure]] = {
    "projections": lambda: plots.projections(X, W_Q, W_K, W_K, tokens=TOKENS),
    "attention_flow": lambda: plots.attention_flow(
        X @ W_Q, X @ W_K, X, tokens=TOKENS, mask=CAUSAL
    ),
    "look_up": lambda: plots.look_up(X[0], X, X, tokens=TOKENS),
    "masks": lambda: plots.masks({"causal": CAUSAL}, tokens=TOKENS),
    "head_split": lambda: plots.head_split(np.hstack([X, X]), 2, tokens=TOKENS),
    "alignment": lambda: plots.alignment(WEIGHTS, queries="abc", keys=TOKENS),
    "block_flow": lambda: plots.block_flow(X, X / 2, X / 3),
    "stages": lambda: plots.stages({"x": X, "y": X, "p": X[0]}, between=["f", "g"]),
    "built_from": lambda: plots.built_from(
        {
            "attention": {"softmax": True, "causal_mask": False},
            "block": {f"part_{number}": True for number in range(12)},
        }
    ),
    "cache_steps": lambda: plots.cache_steps(np.tril(WEIGHTS), tokens=TOKENS),
}


@dataclass(frozen=True)
class Drawn:
    """A picture, how to draw it again, and how it is stored."""

    again: Callable[[], Figure]
    figure: Figure
    source: str
    words: str = WORDS


@pytest.fixture(scope="session", params=[*CHARTS, *DIAGRAMS])
def drawn(request: pytest.FixtureRequest) -> Drawn:
    """Each kind of picture in turn."""
    again = (CHARTS | DIAGRAMS)[request.param]
    figure = again()
    return Drawn(again, figure, display.svg(figure, WORDS))
