"""How alike two vectors are."""

import numpy as np
from jaxtyping import Float, Int, Real

from minitransformer.reference.inputs import as_float, check_same_width


def dot_products(
    queries: Real[np.ndarray, "... Tq D"], keys: Real[np.ndarray, "... Tk D"]
) -> Float[np.ndarray, "... Tq Tk"]:
    """Multiply every query with every key.

    Parameters
    ----------
    queries : ndarray of shape (..., Tq, D)
        One row for each question.
    keys : ndarray of shape (..., Tk, D)
        One row for each thing that may answer.

    Returns
    -------
    ndarray of shape (..., Tq, Tk)
        Row i, column j holds the sum over the features of query i times key j.

    Raises
    ------
    ValueError
        If queries and keys differ in width.

    Examples
    --------
    >>> dot_products(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0], [0.0, -1.0]]))
    array([[ 5., -2.]])
    """
    queries, keys = as_float(queries), as_float(keys)
    check_same_width(queries=queries, keys=keys)
    return queries @ keys.swapaxes(-1, -2)  # (..., Tq, Tk)


def cosine_similarity(
    queries: Real[np.ndarray, "... Tq D"], keys: Real[np.ndarray, "... Tk D"]
) -> Float[np.ndarray, "... Tq Tk"]:
    """Compare directions alone: the dot products of vectors brought to length one.

    Parameters
    ----------
    queries : ndarray of shape (..., Tq, D)
        One row for each question.
    keys : ndarray of shape (..., Tk, D)
        One row for each thing that may answer.

    Returns
    -------
    ndarray of shape (..., Tq, Tk)
        Cosine of the angle between query i and key j, from -1 to 1. A zero vector has
        no direction: its similarity is 0.

    Raises
    ------
    ValueError
        If queries and keys differ in width.

    Examples
    --------
    >>> cosine_similarity(np.array([[3.0, 4.0]]), np.array([[6.0, 8.0], [0.0, 1.0]]))
    array([[1. , 0.8]])
    """
    return dot_products(_unit(as_float(queries)), _unit(as_float(keys)))


def most_similar(
    query: Real[np.ndarray, " D"], keys: Real[np.ndarray, "Tk D"], k: int
) -> Int[np.ndarray, " k"]:
    """Find the keys that match a query best.

    Parameters
    ----------
    query : ndarray of shape (D,)
        What is looked for.
    keys : ndarray of shape (Tk, D)
        Where it is looked for.
    k : int
        How many places to give, from 0 to Tk.

    Returns
    -------
    ndarray of int, of shape (k,)
        Places of the keys by falling dot product; equal ones by rising place.

    Raises
    ------
    ValueError
        If query and keys differ in width, or `k` is not between 0 and Tk.

    Examples
    --------
    >>> most_similar(np.array([1, 0]), np.array([[1, 9], [3, 0], [3, 5]]), k=2)
    array([1, 2])
    """
    if not 0 <= k <= len(keys):
        raise ValueError(f"k must be between 0 and the {len(keys)} keys; got k={k}")
    (products,) = dot_products(query[None, :], keys)  # (Tk,)
    return np.argsort(-products, kind="stable")[:k]  # (k,)


def _unit(vectors: Float[np.ndarray, "... D"]) -> Float[np.ndarray, "... D"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)  # (..., 1)
    return vectors / np.where(length == 0.0, 1.0, length)
