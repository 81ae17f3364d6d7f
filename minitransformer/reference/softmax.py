"""Scores to weights, what is known about weights, and the way back for gradients."""

import numpy as np
from jaxtyping import Bool, Float, Real

from minitransformer.reference.inputs import as_float, broadcast_mask


def softmax(
    scores: Real[np.ndarray, "*shape"], axis: int = -1
) -> Float[np.ndarray, "*shape"]:
    """Turn scores into weights: positive, larger for larger scores, one in sum.

    Parameters
    ----------
    scores : ndarray of any shape
        Any real numbers; minus infinity gets the weight 0.
    axis : int
        The axis along which the weights sum to one.

    Returns
    -------
    ndarray of the shape of `scores`
        e^score, divided by the sum of all e^score along `axis`.

    Notes
    -----
    The largest score is subtracted first: e^(s - m) / sum e^(s - m) is the same number,
    and cannot overflow. Where every score along `axis` is minus infinity there is no
    largest, and the result is NaN; `masked_softmax` gives zeros there.

    Examples
    --------
    >>> softmax(np.array([0.0, np.log(3.0)]))  # 1 to 3
    array([0.25, 0.75])
    """
    scores = as_float(scores)
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def masked_softmax(
    scores: Real[np.ndarray, "*shape"], mask: Bool[np.ndarray, "..."], axis: int = -1
) -> Float[np.ndarray, "*shape"]:
    """Turn scores into weights that are zero wherever the mask forbids looking.

    Parameters
    ----------
    scores : ndarray of shape (..., Tq, Tk)
        How well each query matches each key.
    mask : Boolean ndarray that broadcasts to the shape of `scores`
        True where a query may look.
    axis : int
        The axis along which the weights sum to one.

    Returns
    -------
    ndarray of the shape of `scores`
        Non-negative weights; each slice along `axis` sums to one, or is all zeros where
        nothing may be looked at.

    Raises
    ------
    TypeError
        If `mask` is not Boolean.
    ValueError
        If `mask` does not broadcast to the shape of `scores`.

    Notes
    -----
    Masking before the softmax, not after, is what keeps the sum at one (Vaswani et al.
    2017, section 3.2.3). The largest *allowed* score is subtracted, so that a forbidden
    one, however large, cannot push all others down to zero.

    Examples
    --------
    >>> masked_softmax(np.zeros((1, 3)), np.array([[True, True, False]]))
    array([[0.5, 0.5, 0. ]])
    """
    scores = as_float(scores)
    mask = broadcast_mask(mask, scores.shape)
    largest = scores.max(axis=axis, keepdims=True, where=mask, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0.0)  # an empty row has none
    powers = np.exp(np.where(mask, scores - largest, -np.inf))  # e^-inf = 0
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0.0, 1.0, total)


def entropy(
    weights: Real[np.ndarray, "*rows n"],
) -> Float[np.ndarray | np.generic, "*rows"]:
    """Measure how widely weights are spread.

    Parameters
    ----------
    weights : ndarray of shape (..., n)
        Probabilities along the last axis.

    Returns
    -------
    ndarray of shape (...), or a number for a single row
        Minus the sum of w ln w, in nats: 0 if one weight has it all, ln n if all are
        equal. A weight of 0 adds nothing.

    Raises
    ------
    ValueError
        If a weight is negative.

    Notes
    -----
    Shannon 1948, section 6. The number e^entropy reads as "among how many things the
    weights are shared".

    Examples
    --------
    >>> weights = np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> entropy(weights).round(3)  # 0 and ln 2
    array([0.   , 0.693])
    """
    weights = as_float(weights)
    if np.any(weights < 0.0):
        raise ValueError(f"weights must not be negative; got {weights.min()}")
    logarithms = np.log(np.where(weights == 0.0, 1.0, weights))  # so that 0 ln 0 is 0
    return 0.0 - (weights * logarithms).sum(axis=-1)


def softmax_backward(
    weights: Real[np.ndarray, "*rows n"], grad_weights: Real[np.ndarray, "*rows n"]
) -> Float[np.ndarray, "*rows n"]:
    """Carry a gradient back through a softmax over the last axis.

    Parameters
    ----------
    weights : ndarray of shape (..., n)
        What the softmax gave.
    grad_weights : ndarray of shape (..., n)
        How the loss changes with each weight.

    Returns
    -------
    ndarray of shape (..., n)
        How the loss changes with each score. Each row sums to zero: adding one number
        to all scores of a row changes no weight.

    Raises
    ------
    ValueError
        If the two shapes differ.

    Notes
    -----
    The derivative of weight i by score j is w_i (1[i = j] - w_j). Multiplied with the
    gradient g and summed over i, this is w_j (g_j - sum_i w_i g_i): how much better than
    the average, seen by the weights, is place j?

    Examples
    --------
    >>> softmax_backward(np.array([0.25, 0.75]), np.array([4.0, 0.0]))  # average: 1
    array([ 0.75, -0.75])
    """
    weights, grad_weights = as_float(weights), as_float(grad_weights)
    if weights.shape != grad_weights.shape:
        raise ValueError(
            f"grad_weights must have the weights' shape {weights.shape}; "
            f"got {grad_weights.shape}"
        )
    average = (weights * grad_weights).sum(axis=-1, keepdims=True)  # (..., 1)
    return weights * (grad_weights - average)
