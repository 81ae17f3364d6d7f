"""The transformer block: norms, the feed-forward part, and two residual steps."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Real

from minitransformer.reference.inputs import (
    as_float,
    check_multiplies,
    check_same_width,
)

ArrayFunction = Callable[[np.ndarray], np.ndarray]


def layer_norm(
    x: Real[np.ndarray, "*batch C"],
    gain: Real[np.ndarray, " C"],
    bias: Real[np.ndarray, " C"],
    eps: float = 1e-5,
) -> Float[np.ndarray, "*batch C"]:
    """Bring each token's features to mean 0 and variance 1, then scale and shift them.

    Parameters
    ----------
    x : ndarray of shape (..., C)
        Tokens; each is treated by itself.
    gain, bias : ndarray of shape (C,)
        What each feature is multiplied by, and what is added to it.
    eps : float
        Added to the variance, so that a constant token does not divide by zero.

    Returns
    -------
    ndarray of shape (..., C)
        gain·(x - mean) / √(variance + eps) + bias, with the variance over C, not C - 1.

    Raises
    ------
    ValueError
        If `x`, `gain` and `bias` differ in width.

    Notes
    -----
    Ba et al. 2016, section 3.

    Examples
    --------
    >>> layer_norm(np.array([1.0, 3.0]), np.array([10.0, 10.0]), np.array([0.0, 5.0]), eps=0.0)
    array([-10.,  15.])
    """
    x = as_float(x)
    check_same_width(x=x, gain=gain, bias=bias)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)  # (..., 1)
    return centred / np.sqrt(variance + eps) * gain + bias


def rms_norm(
    x: Real[np.ndarray, "*batch C"], gain: Real[np.ndarray, " C"], eps: float = 1e-5
) -> Float[np.ndarray, "*batch C"]:
    """Bring each token's features to a mean square of 1, then scale them.

    Parameters
    ----------
    x : ndarray of shape (..., C)
        Tokens; each is treated by itself.
    gain : ndarray of shape (C,)
        What each feature is multiplied by.
    eps : float
        Added to the mean square, so that a token of zeros does not divide by zero.

    Returns
    -------
    ndarray of shape (..., C)
        gain·x / √(mean of x² + eps).

    Raises
    ------
    ValueError
        If `x` and `gain` differ in width.

    Notes
    -----
    Zhang & Sennrich 2019, equation 4: layer norm without its mean and its bias.

    Examples
    --------
    >>> rms_norm(np.array([1.0, 7.0]), np.array([1.0, 2.0]), eps=0.0)  # mean square 25
    array([0.2, 2.8])
    """
    x = as_float(x)
    check_same_width(x=x, gain=gain)
    return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + eps) * gain


def feed_forward(
    x: Real[np.ndarray, "*batch C"],
    w_1: Real[np.ndarray, "C F"],
    b_1: Real[np.ndarray, " F"],
    w_2: Real[np.ndarray, "F Co"],
    b_2: Real[np.ndarray, " Co"],
) -> Float[np.ndarray, "*batch Co"]:
    """Let each token think for itself: two affine maps with a ReLU between them.

    Parameters
    ----------
    x : ndarray of shape (..., C)
        Tokens; each is treated by itself.
    w_1, b_1 : ndarray of shape (C, F) and (F,)
        The way into the F hidden features.
    w_2, b_2 : ndarray of shape (F, C) and (C,)
        The way back.

    Returns
    -------
    ndarray of shape (..., C)
        max(0, x·w_1 + b_1)·w_2 + b_2.

    Raises
    ------
    ValueError
        If a parameter does not fit what it meets.

    Notes
    -----
    Vaswani et al. 2017, equation 2.

    Examples
    --------
    >>> w_1, w_2 = np.array([[1.0, -1.0]]), np.array([[2.0], [3.0]])
    >>> feed_forward(np.array([[4.0], [-5.0]]), w_1, np.zeros(2), w_2, np.ones(1))
    array([[ 9.],
           [16.]])
    """
    x = as_float(x)
    check_multiplies(x, w_1=w_1)
    check_same_width(w_1=w_1, b_1=b_1)
    hidden = np.maximum(x @ w_1 + b_1, 0.0)  # (..., F)
    check_multiplies(hidden, w_2=w_2)
    check_same_width(w_2=w_2, b_2=b_2)
    return hidden @ w_2 + b_2  # (..., C)


def pre_norm_block(
    x: Real[np.ndarray, "*batch T C"],
    attend: ArrayFunction,
    feed_forward: ArrayFunction,
    norm_1: ArrayFunction,
    norm_2: ArrayFunction,
) -> Float[np.ndarray, "*batch T C"]:
    """Add to each token what it learns from the others, then what it makes of it.

    Parameters
    ----------
    x : ndarray of shape (..., T, C)
        The sequence.
    attend, feed_forward : callable
        The two branches, (..., T, C) to (..., T, C).
    norm_1, norm_2 : callable
        What each branch sees is normalised first; what is carried on is not.

    Returns
    -------
    ndarray of shape (..., T, C)
        y + feed_forward(norm_2(y)), where y = x + attend(norm_1(x)).

    Notes
    -----
    The pre-norm order of Xiong et al. 2020, figure 1 (b). Vaswani et al. 2017 normalise
    after each sum.

    Examples
    --------
    >>> double, same = lambda x: 2 * x, lambda x: x
    >>> pre_norm_block(np.array([[1.0]]), double, same, same, same)  # 1 + 2, then 3 + 3
    array([[6.]])
    """
    x = as_float(x)
    x = x + attend(norm_1(x))
    return x + feed_forward(norm_2(x))
