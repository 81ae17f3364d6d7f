"""Reading step by step, and how far apart that keeps two places."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Float, Real

from minitransformer.reference.inputs import (
    as_float,
    check_multiplies,
    check_same_width,
)


def recurrent_states(
    x: Real[np.ndarray, "*batch T C"],
    w_x: Real[np.ndarray, "C S"],
    w_h: Real[np.ndarray, "S S"],
    b: Real[np.ndarray, " S"],
) -> Float[np.ndarray, "*batch T S"]:
    """Read a sequence from left to right into one state that is carried on.

    Parameters
    ----------
    x : ndarray of shape (..., T, C)
        The sequence.
    w_x : ndarray of shape (C, S)
        What the new token does to the state.
    w_h : ndarray of shape (S, S)
        What the old state does to the new one.
    b : ndarray of shape (S,)
        Added at each step.

    Returns
    -------
    ndarray of shape (..., T, S)
        The state after each token: hₜ = tanh(xₜ·w_x + hₜ₋₁·w_h + b), from a zero state.

    Raises
    ------
    ValueError
        If the parameters do not fit `x` or each other.

    Notes
    -----
    Elman 1990. Step t needs the result of step t - 1: the loop cannot be one product.

    Examples
    --------
    >>> one = np.array([[1.0]])
    >>> recurrent_states(np.array([[1.0], [0.0]]), one, one, np.zeros(1)).round(3)
    array([[0.762],
           [0.642]])
    """
    x = as_float(x)
    check_multiplies(x, w_x=w_x)
    inputs = x @ w_x  # (..., T, S)
    check_multiplies(inputs, w_h=w_h)
    check_same_width(w_x=w_x, w_h=w_h, b=b)
    states = np.empty_like(inputs)
    state = np.zeros_like(inputs[..., 0, :])  # (..., S)
    for t in range(x.shape[-2]):
        state = np.tanh(inputs[..., t, :] + state @ w_h + b)
        states[..., t, :] = state
    return states


def path_length(
    kind: Literal["recurrent", "attention", "window"],
    distance: int,
    window: int | None = None,
) -> int:
    """Count the steps that a piece of information takes from one place to another.

    Parameters
    ----------
    kind : {"recurrent", "attention", "window"}
        How places are linked: each with the next, all with all, or each with those in
        its window.
    distance : int
        How many places lie from one to the other; 0 for the same place.
    window : int, optional
        For "window": how many places each one sees, itself included; at least 2.

    Returns
    -------
    int
        Steps: `distance`, 1, or distance / (window - 1) rounded up.

    Raises
    ------
    ValueError
        If the kind is unknown, the distance negative, or the window missing or below 2.

    Notes
    -----
    "Maximum path length" in table 1 of Vaswani et al. 2017.

    Examples
    --------
    >>> path_length("window", distance=10, window=4)  # 3 + 3 + 3 + 1
    4
    """
    if kind not in ("recurrent", "attention", "window"):
        raise ValueError(
            f'kind must be "recurrent", "attention" or "window"; got {kind!r}'
        )
    if distance < 0:
        raise ValueError(f"distance must not be negative; got {distance}")
    if kind == "recurrent":
        return distance
    if kind == "attention":
        return min(distance, 1)
    if window is None or window < 2:
        raise ValueError(f"window must be at least 2 to get anywhere; got {window}")
    return math.ceil(distance / (window - 1))
