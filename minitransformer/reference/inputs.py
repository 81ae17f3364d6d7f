"""Floating-point arrays, and clear words when two arrays do not fit together."""

import numpy as np
from jaxtyping import Float, Real


def as_float(array: Real[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Give whole numbers as float64; leave floats as they are.

    Parameters
    ----------
    array : ndarray of numbers, of any shape

    Returns
    -------
    ndarray of the same shape
        The array itself if it is one of floats, else a copy in float64.

    Raises
    ------
    TypeError
        If the array holds anything but real numbers.

    Examples
    --------
    >>> as_float(np.array([1, 2]))
    array([1., 2.])
    """
    array = np.asarray(array)
    if array.dtype.kind == "f":
        return array
    if array.dtype.kind not in "iu":
        raise TypeError(f"arrays must hold real numbers; got dtype {array.dtype}")
    return array.astype(np.float64)


def check_same_width(**arrays: np.ndarray) -> None:
    """Refuse arrays whose last axes, the features, differ.

    Raises
    ------
    ValueError
        If the widths differ.
    """
    if len({array.shape[-1] for array in arrays.values()}) > 1:
        raise ValueError(
            f"{_names(arrays)} must have the same width (axis -1); got {_shapes(arrays)}"
        )


def check_same_length(**arrays: np.ndarray) -> None:
    """Refuse arrays whose axes -2, the places of the sequence, differ.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if len({array.shape[-2] for array in arrays.values()}) > 1:
        raise ValueError(
            f"{_names(arrays)} must have the same length (axis -2); got {_shapes(arrays)}"
        )


def check_multiplies(x: np.ndarray, **parameters: np.ndarray) -> None:
    """Refuse parameters that `x` cannot be multiplied by, as in `x @ w`.

    Raises
    ------
    ValueError
        If a parameter has not one row for each feature of `x`.
    """
    for name, parameter in parameters.items():
        if parameter.ndim != 2 or parameter.shape[0] != x.shape[-1]:
            raise ValueError(
                f"{name} must have one row for each of the {x.shape[-1]} features that it "
                f"multiplies; got shape {parameter.shape}"
            )


def broadcast_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Spread a mask over the shape of the scores that it belongs to.

    Parameters
    ----------
    mask : Boolean ndarray
        True where a query may look.
    shape : tuple of int
        The shape of the scores.

    Returns
    -------
    Boolean ndarray of that shape, read-only

    Raises
    ------
    TypeError
        If the mask is not Boolean; 0 and minus infinity to be added are no mask here.
    ValueError
        If the mask does not broadcast to `shape`.

    Examples
    --------
    >>> broadcast_mask(np.array([True, False]), (2, 2))
    array([[ True, False],
           [ True, False]])
    """
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(
            f"mask must be Boolean, True where a query may look; got dtype {mask.dtype}"
        )
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(
            f"mask must broadcast to the scores' shape {shape}; got {mask.shape}"
        ) from None


def _names(arrays: dict[str, np.ndarray]) -> str:
    *most, last = arrays
    return f"{', '.join(most)} and {last}"


def _shapes(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{name} of shape {array.shape}" for name, array in arrays.items())
