"""The bends that make a feed-forward more than one matrix."""

import math

import numpy as np
from jaxtyping import Float, Real

from minitransformer.reference.inputs import as_float


def relu(x: Real[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Keep what is positive; the rest becomes 0.

    Examples
    --------
    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return np.maximum(as_float(x), 0.0)


def squared_relu(x: Real[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Square what is positive; the rest becomes 0.

    Notes
    -----
    So et al. 2021 (Primer), section 4.1.

    Examples
    --------
    >>> squared_relu(np.array([-2.0, 3.0]))
    array([0., 9.])
    """
    return np.square(relu(x))


def gelu(x: Real[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Multiply each number by the share of a bell curve that lies below it.

    Notes
    -----
    Hendrycks & Gimpel 2016, section 2: x·(1 + erf(x/√2)) / 2. NumPy has no erf, so it is
    computed number by number, slowly.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(3)
    array([-0.159,  0.   ,  0.841])
    """
    x = as_float(x)
    below = 0.5 + 0.5 * _erf(x / math.sqrt(2.0))
    return x * below.astype(x.dtype)


_erf = np.vectorize(math.erf, otypes=[np.float64])
