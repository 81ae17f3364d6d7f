"""Where a token stands, told in numbers."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Real

from minitransformer.reference.inputs import as_float


def sinusoidal_positions(
    length: int, width: int, base: float = 10000.0
) -> Float[np.ndarray, "T C"]:
    """Give every place a vector of waves, from fast to slow.

    Parameters
    ----------
    length : int
        Number of places T.
    width : int
        Number of features C, even: each wave needs a sine and a cosine.
    base : float
        The slowest wave takes nearly 2π·base places for one turn.

    Returns
    -------
    ndarray of shape (T, C)
        Features 2i and 2i+1 of place t are sine and cosine of t / base^(2i/C).

    Raises
    ------
    ValueError
        If the width is odd.

    Notes
    -----
    Vaswani et al. 2017, section 3.5.

    Examples
    --------
    >>> sinusoidal_positions(2, 4).round(3)  # sin 1 = 0.841, cos 1 = 0.540; base^(2/4) = 100
    array([[0.   , 1.   , 0.   , 1.   ],
           [0.841, 0.54 , 0.01 , 1.   ]])
    """
    angles = np.arange(length)[:, None] * _frequencies(width, base)  # (T, C/2)
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)  # (T, C/2, 2)
    return waves.reshape(length, width)  # (T, C)


def rotary(
    x: Real[np.ndarray, "*batch T D"],
    positions: Real[np.ndarray, " T"],
    base: float = 10000.0,
) -> Float[np.ndarray, "*batch T D"]:
    """Turn each pair of features by an angle that grows with the place.

    Parameters
    ----------
    x : ndarray of shape (..., T, D)
        Queries or keys; D is even.
    positions : ndarray of shape (T,)
        The place of each row; need not start at 0.
    base : float
        The slowest pair takes nearly 2π·base places for one turn.

    Returns
    -------
    ndarray of shape (..., T, D)
        Features 2i and 2i+1 turned by the angle position / base^(2i/D). Lengths do not
        change, and the dot product of two rows depends on their distance alone.

    Raises
    ------
    ValueError
        If D is odd, or there is not one position for each row.

    Notes
    -----
    Su et al. 2021 (RoFormer), section 3.2.2.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> rotary(x, np.array([0.0, np.pi / 2])).round(3) + 0.0  # a quarter turn
    array([[1., 0.],
           [0., 1.]])
    """
    x = as_float(x)
    if np.shape(positions) != x.shape[-2:-1]:
        raise ValueError(
            f"positions must hold one number for each of the {x.shape[-2]} rows; "
            f"got shape {np.shape(positions)}"
        )
    angles = np.asarray(positions)[:, None] * _frequencies(
        x.shape[-1], base
    )  # (T, D/2)
    cosine, sine = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]  # (..., T, D/2) each
    turned = np.stack([even * cosine - odd * sine, even * sine + odd * cosine], axis=-1)
    return turned.reshape(x.shape)  # (..., T, D)


def alibi_bias(num_heads: int, length: int) -> Float[np.ndarray, "H T T"]:
    """Make far places cost something: a penalty on scores that grows with the distance.

    Parameters
    ----------
    num_heads : int
        Number of heads H; each has its own slope.
    length : int
        Number of places T.

    Returns
    -------
    ndarray of shape (H, T, T)
        To be added to the scores: -slope·(i - j) for key j at or before query i, and 0
        above the diagonal, where a causal mask forbids looking anyway. Head h = 1 … H has
        the slope 2^(-8h/H).

    Raises
    ------
    ValueError
        If there is not at least one head.

    Notes
    -----
    Press et al. 2022, section 3.

    Examples
    --------
    >>> alibi_bias(num_heads=8, length=3)[0] + 0.0  # slope 1/2
    array([[ 0. ,  0. ,  0. ],
           [-0.5,  0. ,  0. ],
           [-1. , -0.5,  0. ]])
    """
    if num_heads < 1:
        raise ValueError(f"num_heads must be at least 1; got {num_heads}")
    slopes = 2.0 ** (-8.0 * np.arange(1, num_heads + 1) / num_heads)  # (H,)
    places = np.arange(length)
    distance = np.maximum(places[:, None] - places, 0)  # (T, T)
    return -slopes[:, None, None] * distance  # (H, T, T)


def is_permutation_equivariant(
    function: Callable[[np.ndarray], np.ndarray],
    x: Real[np.ndarray, "T C"],
    order: Int[np.ndarray, " T"],
) -> bool:
    """Tell whether a function treats its rows alike, wherever they stand.

    Parameters
    ----------
    function : callable
        Maps an array of shape (T, C) to one with T rows.
    x : ndarray of shape (T, C)
        An input to try it on.
    order : ndarray of int, of shape (T,)
        A permutation of 0 … T-1.

    Returns
    -------
    bool
        True if permuting the rows of `x` permutes the rows of the result, up to rounding.

    Raises
    ------
    ValueError
        If `order` is not a permutation of the rows.

    Examples
    --------
    >>> x, order = np.array([[1.0], [2.0], [3.0]]), np.array([2, 0, 1])
    >>> is_permutation_equivariant(np.square, x, order)
    True
    >>> is_permutation_equivariant(np.cumsum, x, order)
    False
    """
    if not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError(
            f"order must be a permutation of 0 to {len(x) - 1}; got {np.asarray(order)}"
        )
    before, after = as_float(function(x)[order]), as_float(function(x[order]))
    rounding = np.sqrt(np.finfo(after.dtype).eps) * np.abs(before).max(initial=0.0)
    return np.allclose(before, after, rtol=0.0, atol=rounding)


def _frequencies(width: int, base: float) -> Float[np.ndarray, " half"]:
    if width % 2:
        raise ValueError(f"the width must be even, two features a wave; got {width}")
    return base ** (-np.arange(0, width, 2) / width)  # (width / 2,)
