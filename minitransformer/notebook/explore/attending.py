"""Explorers of attention: who looks at whom."""

from collections.abc import Sequence

import numpy as np

from minitransformer.notebook import plots
from minitransformer.notebook.explore.shell import (
    Explorer,
    Numbers,
    View,
    choice,
    slider,
)
from minitransformer.reference import softmax

_TOKENS = ("the", "cat", "sat")
_VECTORS = ((1.0, 0.0), (0.0, 2.0), (1.0, 1.5))


def attention(
    tokens: Sequence[str] = _TOKENS, vectors: Sequence[Sequence[float]] = _VECTORS
) -> Explorer:
    """Edit the vectors of a few tokens, and the scale of their scores; the weights follow.

    Parameters
    ----------
    tokens : sequence of str
        The words.
    vectors : sequence of sequences of float
        Two or three features for each.

    Returns
    -------
    Explorer
        To be the last line of a cell.
    """
    names = tuple(tokens)

    def view(
        vectors: Sequence[Sequence[float]], divide_by: str, temperature: float
    ) -> View:
        return attention_view(
            names, np.asarray(vectors), divide_by=divide_by, temperature=temperature
        )

    return Explorer(
        view,
        {
            "vectors": Numbers(names, vectors),
            "divide_by": choice("Divide scores by", ["√D", "1", "D"]),
            "temperature": slider("Temperature", 1.0, 0.1, 5.0, 0.1),
        },
        "what makes a token look at another, and what makes it choose sharply?",
    )


def attention_weights(
    vectors: np.ndarray, *, divide_by: str = "√D", temperature: float = 1.0
) -> np.ndarray:
    """Weights of self-attention in which each vector is its own query and key.

    Parameters
    ----------
    vectors : ndarray of shape (T, D)
        One row for each token.
    divide_by : {"√D", "1", "D"}
        What the scores are divided by.
    temperature : float
        A further divisor; small ones sharpen.

    Returns
    -------
    ndarray of shape (T, T)

    Examples
    --------
    >>> attention_weights(np.zeros((1, 2)))
    array([[1.]])
    """
    D = vectors.shape[-1]
    divisor = {"√D": np.sqrt(D), "1": 1.0, "D": float(D)}[divide_by]
    scores = vectors @ vectors.T  # (T, T)
    return softmax(scores / divisor / temperature)


def attention_view(
    tokens: Sequence[str], vectors: np.ndarray, *, divide_by: str, temperature: float
) -> View:
    """Draw the weights, and say who looks hardest at whom."""
    weights = attention_weights(vectors, divide_by=divide_by, temperature=temperature)
    row, column = divmod(int(weights.argmax()), len(tokens))
    shares = "; ".join(
        f"“{token}” gives most to “{tokens[int(line.argmax())]}”, {line.max():.2f}"
        for token, line in zip(tokens, weights, strict=True)
    )
    return View(
        figure=plots.heat_map(weights, rows=tokens, columns=tokens),
        alt=f"Weights of {len(tokens)} tokens: {shares}.",
        marker=f"The largest weight is {weights.max():.2f}: from “{tokens[row]}” to "
        f"“{tokens[column]}”. Each row adds up to 1.",
    )
