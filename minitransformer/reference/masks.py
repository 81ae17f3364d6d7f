"""Who may look at whom: Boolean arrays that are True where a query may look."""

import numpy as np
from jaxtyping import Bool, Int


def causal_mask(length: int) -> Bool[np.ndarray, "T T"]:
    """Let every place look at itself and at what came before.

    Parameters
    ----------
    length : int
        Number of places T.

    Returns
    -------
    Boolean ndarray of shape (T, T)
        True on the diagonal and below.

    Raises
    ------
    ValueError
        If the length is negative.

    Notes
    -----
    Vaswani et al. 2017, section 3.2.3.

    Examples
    --------
    >>> causal_mask(2)
    array([[ True, False],
           [ True,  True]])
    """
    _check_length(length)
    return np.tri(length, dtype=bool)  # (T, T)


def padding_mask(
    lengths: Int[np.ndarray, " B"], length: int
) -> Bool[np.ndarray, "B 1 T"]:
    """Let every place look at the real tokens of its own sequence, not at the filling.

    Parameters
    ----------
    lengths : ndarray of int, of shape (B,)
        How many real tokens each sequence of the batch starts with.
    length : int
        The length T to which all were filled up.

    Returns
    -------
    Boolean ndarray of shape (B, 1, T)
        True where a real token stands. The middle axis spreads over the queries.

    Raises
    ------
    ValueError
        If a length lies outside 0 to T.

    Examples
    --------
    >>> padding_mask(np.array([1, 3]), 3)
    array([[[ True, False, False]],
    <BLANKLINE>
           [[ True,  True,  True]]])
    """
    lengths = np.asarray(lengths)
    if np.any((lengths < 0) | (lengths > length)):
        raise ValueError(
            f"lengths must lie between 0 and {length}; got {lengths.tolist()}"
        )
    return np.arange(length) < lengths[:, None, None]  # (B, 1, T)


def sliding_window_mask(length: int, window: int) -> Bool[np.ndarray, "T T"]:
    """Let every place look at itself and at the few places just before it.

    Parameters
    ----------
    length : int
        Number of places T.
    window : int
        How many places each one sees, itself included; at least 1.

    Returns
    -------
    Boolean ndarray of shape (T, T)
        True where key j lies in i - window < j <= i.

    Raises
    ------
    ValueError
        If the length is negative or the window below 1.

    Notes
    -----
    The causal form of the sliding window of Beltagy et al. 2020, section 3.1.

    Examples
    --------
    >>> sliding_window_mask(3, window=2)
    array([[ True, False, False],
           [ True,  True, False],
           [False,  True,  True]])
    """
    _check_length(length)
    if window < 1:
        raise ValueError(f"window must be at least 1; got {window}")
    return np.tri(length, dtype=bool) & ~np.tri(length, k=-window, dtype=bool)  # (T, T)


def _check_length(length: int) -> None:
    if length < 0:
        raise ValueError(f"length must not be negative; got {length}")
