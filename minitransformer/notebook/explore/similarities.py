"""Explorers of similarity and of the soft look-up made from it."""

from collections.abc import Sequence

import numpy as np

from minitransformer.notebook import plots
from minitransformer.notebook.explore.shell import Explorer, View, slider
from minitransformer.reference import (
    cosine_similarity,
    dot_products,
    entropy,
    soft_lookup,
    softmax,
)


def similarity(length: float = 2.0, angle: float = 40.0) -> Explorer:
    """Turn and stretch a key against a fixed query; dot product and cosine follow.

    Parameters
    ----------
    length : float
        Length of the key at the start.
    angle : float
        Angle between key and query at the start, in degrees.

    Returns
    -------
    Explorer
    """
    return Explorer(
        similarity_view,
        {
            "angle": slider("Angle of the key, degrees", angle, -180.0, 180.0, 5.0),
            "length": slider("Length of the key", length, 0.0, 3.0, 0.1),
        },
        "which of the two numbers notices the key's length?",
    )


def similarity_view(*, angle: float, length: float) -> View:
    """Draw a query of length 2 and a key, with their dot product and cosine."""
    query = np.array([2.0, 0.0])
    key = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    dot = dot_products(query[None], key[None]).item()
    cosine = cosine_similarity(query[None], key[None]).item()
    numbers = f"q·k = {dot + 0.0:.2f}, cosine = {cosine + 0.0:.2f}"
    return View(
        figure=plots.vectors(
            {"q": query, "k": key},
            roles={"q": "query", "k": "key"},
            angles=[("q", "k")],
            reach=3.2,
        ),
        alt=f"A query along the first axis and a key of length {length:.1f} at {angle:.0f} degrees "
        f"to it: {numbers}.",
        marker=numbers,
    )


_KEYS = ((1.0, 0.0), (0.8, 0.6), (0.0, 1.0), (-1.0, 0.0))
_VALUES = ((1.0, 0.0), (2.0, 1.0), (0.0, 3.0), (4.0, 4.0))


def soft_look_up(
    query: Sequence[float] = (1.0, 0.2),
    keys: Sequence[Sequence[float]] = _KEYS,
    values: Sequence[Sequence[float]] = _VALUES,
    tokens: Sequence[str] = ("east", "north-east", "north", "west"),
) -> Explorer:
    """Change the temperature of a soft dictionary look-up, from arg-max to mean.

    Parameters
    ----------
    query : sequence of float
        What is looked for, (D,).
    keys, values : sequence of sequences of float
        The dictionary, (Tk, D) and (Tk, Dv).
    tokens : sequence of str
        Names of its entries.

    Returns
    -------
    Explorer
    """
    arrays = tuple(np.asarray(array, dtype=float) for array in (query, keys, values))

    def view(temperature: float) -> View:
        return soft_look_up_view(*arrays, tokens=tokens, temperature=temperature)

    return Explorer(
        view,
        {"temperature": slider("Temperature", 0.5, 0.05, 5.0, 0.05)},
        "at which end does the look-up find one entry, and at which the mean of all?",
    )


def soft_look_up_view(
    query: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    *,
    tokens: Sequence[str],
    temperature: float,
) -> View:
    """Draw one look-up, and say how widely it spreads."""
    weights = softmax(keys @ query / temperature)
    found = soft_lookup(query, keys, values, temperature)
    shares = ", ".join(
        f"{token} {weight:.2f}" for token, weight in zip(tokens, weights, strict=True)
    )
    spread = float(np.exp(entropy(weights)))
    return View(
        figure=plots.look_up(
            query, keys, values, tokens=tokens, temperature=temperature
        ),
        alt=f"One query against {len(tokens)} keys at temperature {temperature:.2f}; "
        f"weights: {shares}; output {np.array2string(found, precision=2)}.",
        marker=f"The largest weight is {weights.max():.2f}; the look-up spreads over "
        f"{spread:.1f} of {len(tokens)} entries.",
    )
