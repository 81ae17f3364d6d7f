"""Made-up tasks that ask whether a model can bring something across a distance."""

import numpy as np
from jaxtyping import Int


def copy_sequences(
    count: int, length: int, num_symbols: int, rng: np.random.Generator
) -> Int[np.ndarray, "B T"]:
    """Make sequences whose second half repeats the first.

    Parameters
    ----------
    count : int
        How many sequences, B.
    length : int
        Symbols to remember.
    num_symbols : int
        How many kinds of symbols; their ids are 0 … num_symbols - 1.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    ndarray of int, of shape (B, 2·length + 1)
        Random symbols, the separator `num_symbols`, the same symbols again. Guessing a
        symbol of the second half means looking back length + 1 places, from the place
        before it length.

    Raises
    ------
    ValueError
        If one of the numbers is below 1.

    Examples
    --------
    >>> copy_sequences(1, 3, num_symbols=2, rng=np.random.default_rng(0))
    array([[1, 1, 1, 2, 1, 1, 1]])
    """
    sizes = {"count": count, "length": length, "num_symbols": num_symbols}
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1; got {size}")
    symbols = rng.integers(num_symbols, size=(count, length))  # (B, length)
    separator = np.full((count, 1), num_symbols)  # (B, 1)
    return np.concatenate([symbols, separator, symbols], axis=1)  # (B, 2·length + 1)
