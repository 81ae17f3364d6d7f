"""Attention: each query takes a weighted mean of the values whose keys match it."""

import math

import numpy as np
from jaxtyping import Bool, Float, Real

from minitransformer.reference.inputs import (
    as_float,
    check_multiplies,
    check_same_length,
    check_same_width,
)
from minitransformer.reference.softmax import masked_softmax, softmax, softmax_backward


def soft_lookup(
    query: Real[np.ndarray, " D"],
    keys: Real[np.ndarray, "Tk D"],
    values: Real[np.ndarray, "Tk Dv"],
    temperature: float = 1.0,
) -> Float[np.ndarray, " Dv"]:
    """Look one query up among keys, and mix the values by how well each key matches.

    Parameters
    ----------
    query : ndarray of shape (D,)
        What is looked for.
    keys : ndarray of shape (Tk, D)
        What each entry is filed under.
    values : ndarray of shape (Tk, Dv)
        What each entry holds.
    temperature : float
        Above zero. The scores are divided by it: small values pick the best match, large
        ones mix everything.

    Returns
    -------
    ndarray of shape (Dv,)
        A weighted mean of the values.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the temperature is not above zero.

    Notes
    -----
    With a distance in place of the dot product this is kernel regression (Nadaraya 1964,
    Watson 1964).

    Examples
    --------
    >>> keys, values = np.array([[0.0], [np.log(3.0)]]), np.array([[0.0], [8.0]])
    >>> soft_lookup(np.array([1.0]), keys, values)  # weights 1/4 and 3/4
    array([6.])
    """
    query, keys, values = as_float(query), as_float(keys), as_float(values)
    check_same_width(query=query, keys=keys)
    check_same_length(keys=keys, values=values)
    if not temperature > 0.0:
        raise ValueError(f"temperature must be above 0; got {temperature}")
    weights = softmax(keys @ query / temperature)  # (Tk,)
    return weights @ values  # (Dv,)


def attention_scores(
    q: Real[np.ndarray, "... Tq D"], k: Real[np.ndarray, "... Tk D"]
) -> Float[np.ndarray, "... Tq Tk"]:
    """Score every key for every query: dot products, divided by the root of the width.

    Parameters
    ----------
    q : ndarray of shape (..., Tq, D)
        Queries: what each place looks for.
    k : ndarray of shape (..., Tk, D)
        Keys: what each place has to offer.

    Returns
    -------
    ndarray of shape (..., Tq, Tk)
        Scores, before softmax.

    Raises
    ------
    ValueError
        If `q` and `k` differ in width.

    Notes
    -----
    Vaswani et al. 2017, equation 1. A sum of D products of independent numbers of variance
    1 has the variance D; divided by √D it has the variance 1 at any width.

    Examples
    --------
    >>> attention_scores(np.array([[1, 2, 3, 4]]), np.array([[1, 1, 1, 1]]))  # 10 / 2
    array([[5.]])
    """
    q, k = as_float(q), as_float(k)
    check_same_width(q=q, k=k)
    return q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])  # (..., Tq, Tk)


def attention(
    q: Real[np.ndarray, "... Tq D"],
    k: Real[np.ndarray, "... Tk D"],
    v: Real[np.ndarray, "... Tk Dv"],
) -> tuple[Float[np.ndarray, "... Tq Dv"], Float[np.ndarray, "... Tq Tk"]]:
    """Let every query take a weighted mean of all values.

    Parameters
    ----------
    q : ndarray of shape (..., Tq, D)
        Queries: what each place looks for.
    k : ndarray of shape (..., Tk, D)
        Keys: what each place has to offer.
    v : ndarray of shape (..., Tk, Dv)
        Values: what each place passes on.

    Returns
    -------
    output : ndarray of shape (..., Tq, Dv)
        For each query, the mean of the values under its weights.
    weights : ndarray of shape (..., Tq, Tk)
        The softmax of the scores; each row sums to one.

    Raises
    ------
    ValueError
        If `q` and `k` differ in width, or `k` and `v` in length.

    Notes
    -----
    Scaled dot-product attention: Vaswani et al. 2017, equation 1.

    Examples
    --------
    >>> q, k = np.array([[1.0]]), np.array([[0.0], [np.log(3.0)]])
    >>> output, weights = attention(q, k, np.array([[0.0], [8.0]]))
    >>> output, weights
    (array([[6.]]), array([[0.25, 0.75]]))
    """
    v = as_float(v)
    check_same_length(k=k, v=v)
    weights = softmax(attention_scores(q, k))  # (..., Tq, Tk)
    return weights @ v, weights  # (..., Tq, Dv)


def masked_attention(
    q: Real[np.ndarray, "... Tq D"],
    k: Real[np.ndarray, "... Tk D"],
    v: Real[np.ndarray, "... Tk Dv"],
    mask: Bool[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "... Tq Dv"], Float[np.ndarray, "... Tq Tk"]]:
    """Let every query take a weighted mean of the values that it may look at.

    Parameters
    ----------
    q : ndarray of shape (..., Tq, D)
        Queries: what each place looks for.
    k : ndarray of shape (..., Tk, D)
        Keys: what each place has to offer.
    v : ndarray of shape (..., Tk, Dv)
        Values: what each place passes on.
    mask : Boolean ndarray that broadcasts to (..., Tq, Tk)
        True where a query may look.

    Returns
    -------
    output : ndarray of shape (..., Tq, Dv)
        For each query, the mean of the allowed values; zeros if none is allowed.
    weights : ndarray of shape (..., Tq, Tk)
        Zero where the mask is False; each row sums to one, or is all zeros.

    Raises
    ------
    TypeError
        If `mask` is not Boolean.
    ValueError
        If the shapes of `q`, `k` and `v` do not fit, or `mask` does not broadcast to
        (..., Tq, Tk).

    Notes
    -----
    Vaswani et al. 2017, section 3.2.3.

    Examples
    --------
    >>> q, v = np.array([[0.0], [0.0]]), np.array([[2.0], [4.0]])
    >>> output, weights = masked_attention(q, q, v, np.tri(2, dtype=bool))
    >>> output
    array([[2.],
           [3.]])
    """
    v = as_float(v)
    check_same_length(k=k, v=v)
    weights = masked_softmax(attention_scores(q, k), mask)  # (..., Tq, Tk)
    return weights @ v, weights  # (..., Tq, Dv)


def self_attention(
    x: Real[np.ndarray, "... T C"],
    w_q: Real[np.ndarray, "C D"],
    w_k: Real[np.ndarray, "C D"],
    w_v: Real[np.ndarray, "C Dv"],
) -> tuple[Float[np.ndarray, "... T Dv"], Float[np.ndarray, "... T T"]]:
    """Let every place of one sequence look at all places of the same sequence.

    Parameters
    ----------
    x : ndarray of shape (..., T, C)
        The sequence.
    w_q, w_k : ndarray of shape (C, D)
        Parameters that make queries and keys.
    w_v : ndarray of shape (C, Dv)
        Parameters that make values.

    Returns
    -------
    output : ndarray of shape (..., T, Dv)
        For each place, the mean of the values under its weights.
    weights : ndarray of shape (..., T, T)
        Row i says where place i looks.

    Raises
    ------
    ValueError
        If a parameter has not C rows, or `w_q` and `w_k` differ in width.

    Notes
    -----
    Vaswani et al. 2017, section 3.2.3.

    Examples
    --------
    >>> x, one = np.array([[0.0], [np.log(3.0)]]), np.array([[1.0]])
    >>> output, weights = self_attention(x, one, one, one / np.log(3.0))
    >>> output[0], weights[0]  # the first place asks for 0: everything matches equally
    (array([0.5]), array([0.5, 0.5]))
    """
    return cross_attention(x, x, w_q, w_k, w_v)


def cross_attention(
    x: Real[np.ndarray, "... Tq C"],
    memory: Real[np.ndarray, "... Tk Cm"],
    w_q: Real[np.ndarray, "C D"],
    w_k: Real[np.ndarray, "Cm D"],
    w_v: Real[np.ndarray, "Cm Dv"],
    memory_mask: Bool[np.ndarray, "..."] | None = None,
) -> tuple[Float[np.ndarray, "... Tq Dv"], Float[np.ndarray, "... Tq Tk"]]:
    """Let every place of one sequence look at all places of another.

    Parameters
    ----------
    x : ndarray of shape (..., Tq, C)
        The sequence that asks.
    memory : ndarray of shape (..., Tk, Cm)
        The sequence that is asked; it gives keys and values.
    w_q : ndarray of shape (C, D)
        Parameters that make queries.
    w_k : ndarray of shape (Cm, D)
        Parameters that make keys.
    w_v : ndarray of shape (Cm, Dv)
        Parameters that make values.
    memory_mask : Boolean ndarray that broadcasts to (..., Tq, Tk), optional
        True where a place of `memory` may be looked at.

    Returns
    -------
    output : ndarray of shape (..., Tq, Dv)
        For each place of `x`, a mean of what was found in `memory`.
    weights : ndarray of shape (..., Tq, Tk)
        Row i says where in `memory` place i looks.

    Raises
    ------
    TypeError
        If `memory_mask` is not Boolean.
    ValueError
        If the parameters do not fit `x` and `memory`, or the mask does not broadcast to
        (..., Tq, Tk).

    Notes
    -----
    "Encoder-decoder attention" in Vaswani et al. 2017, section 3.2.3; first used, with an
    additive score, by Bahdanau et al. 2014.

    Examples
    --------
    >>> x, memory, one = np.zeros((1, 1)), np.array([[2.0], [4.0]]), np.array([[1.0]])
    >>> output, weights = cross_attention(x, memory, one, one, one)
    >>> output, weights
    (array([[3.]]), array([[0.5, 0.5]]))
    """
    x, memory = as_float(x), as_float(memory)
    check_multiplies(x, w_q=w_q)
    check_multiplies(memory, w_k=w_k, w_v=w_v)
    q = x @ w_q  # (..., Tq, D)
    k = memory @ w_k  # (..., Tk, D)
    v = memory @ w_v  # (..., Tk, Dv)
    if memory_mask is None:
        return attention(q, k, v)
    return masked_attention(q, k, v, memory_mask)


def attention_backward(
    q: Real[np.ndarray, "*batch Tq D"],
    k: Real[np.ndarray, "*batch Tk D"],
    v: Real[np.ndarray, "*batch Tk Dv"],
    grad_output: Real[np.ndarray, "*batch Tq Dv"],
) -> tuple[
    Float[np.ndarray, "*batch Tq D"],
    Float[np.ndarray, "*batch Tk D"],
    Float[np.ndarray, "*batch Tk Dv"],
]:
    """Carry a gradient back through `attention`.

    Parameters
    ----------
    q : ndarray of shape (..., Tq, D)
        The queries.
    k : ndarray of shape (..., Tk, D)
        The keys.
    v : ndarray of shape (..., Tk, Dv)
        The values.
    grad_output : ndarray of shape (..., Tq, Dv)
        How the loss changes with each number of the output.

    Returns
    -------
    grad_q : ndarray of shape (..., Tq, D)
        How the loss changes with the queries.
    grad_k : ndarray of shape (..., Tk, D)
        How the loss changes with the keys.
    grad_v : ndarray of shape (..., Tk, Dv)
        How the loss changes with the values.

    Raises
    ------
    ValueError
        If the shapes do not fit; leading axes must be equal, they do not broadcast here.

    Notes
    -----
    The steps of `attention` in reverse order: each matrix product hands its gradient to
    both its factors, and the factor 1/√D stands wherever a score met a query or a key.

    Examples
    --------
    >>> q, k, v = np.array([[1.0]]), np.array([[0.0], [0.0]]), np.array([[0.0], [8.0]])
    >>> grad_q, grad_k, grad_v = attention_backward(q, k, v, np.array([[1.0]]))
    >>> grad_k  # the second key would bring more of the 8
    array([[-2.],
           [ 2.]])
    """
    q, k, v, grad_output = map(as_float, (q, k, v, grad_output))
    output, weights = attention(q, k, v)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        raise ValueError(
            "q, k and v must have equal leading axes; "
            f"got {q.shape[:-2]}, {k.shape[:-2]} and {v.shape[:-2]}"
        )
    if grad_output.shape != output.shape:
        raise ValueError(
            f"grad_output must have the output's shape {output.shape}; "
            f"got {grad_output.shape}"
        )
    grad_v = weights.swapaxes(-1, -2) @ grad_output  # (..., Tk, Dv)
    grad_weights = grad_output @ v.swapaxes(-1, -2)  # (..., Tq, Tk)
    grad_products = softmax_backward(weights, grad_weights) / math.sqrt(q.shape[-1])
    grad_q = grad_products @ k  # (..., Tq, D)
    grad_k = grad_products.swapaxes(-1, -2) @ q  # (..., Tk, D)
    return grad_q, grad_k, grad_v
