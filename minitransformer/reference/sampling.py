"""From logits to the next character."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Real

from minitransformer.reference.inputs import as_float
from minitransformer.reference.softmax import softmax


def sampling_probabilities(
    logits: Real[np.ndarray, "*batch V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[np.ndarray, "*batch V"]:
    """Say how likely each character is to be drawn next.

    Parameters
    ----------
    logits : ndarray of shape (..., V)
        Scores for each character, before softmax.
    temperature : float
        The logits are divided by it: below 1 the likely gets likelier, above 1 all come
        closer together. At 0 only the best character is left.
    top_k : int, optional
        Keep only the k most likely characters.
    top_p : float, optional
        Of these, keep only the most likely ones that together reach this probability; the
        one that crosses it stays.

    Returns
    -------
    ndarray of shape (..., V)
        Probabilities; each row sums to one.

    Raises
    ------
    ValueError
        If the temperature is negative, `top_k` below 1, or `top_p` outside (0, 1].

    Notes
    -----
    Top-k: Fan et al. 2018, section 5.4. Top-p, also called nucleus sampling: Holtzman et
    al. 2020, section 3.1. Of equally likely characters the lower id comes first.

    Examples
    --------
    >>> logits = np.log([1.0, 2.0, 5.0, 2.0])
    >>> sampling_probabilities(logits).round(3)
    array([0.1, 0.2, 0.5, 0.2])
    >>> sampling_probabilities(logits, top_p=0.6).round(3)  # 5 : 2
    array([0.   , 0.286, 0.714, 0.   ])
    """
    check_sampling(temperature, top_k, top_p)
    logits = as_float(logits)
    if temperature == 0.0:
        best = logits.argmax(axis=-1, keepdims=True)  # (..., 1)
        return (np.arange(logits.shape[-1]) == best).astype(logits.dtype)
    probabilities = softmax((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    if top_k is None and top_p is None:
        return probabilities
    order = np.argsort(-probabilities, axis=-1, kind="stable")  # most likely first
    falling = np.take_along_axis(probabilities, order, axis=-1)  # (..., V)
    if top_k is not None:
        falling[..., top_k:] = 0.0
    if top_p is not None:
        running = falling.cumsum(axis=-1, dtype=np.float64)
        before = running - falling  # what the better ones have together
        falling[before >= top_p * running[..., -1:]] = 0.0
    np.put_along_axis(probabilities, order, falling, axis=-1)
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse settings from which nothing can be drawn.

    Raises
    ------
    ValueError
        If the temperature is negative, `top_k` below 1, or `top_p` outside (0, 1].
    """
    if not 0.0 <= temperature < np.inf:
        raise ValueError(
            f"temperature must be 0 or more, and finite; got {temperature}"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1; got {top_k}")
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p must be above 0 and at most 1; got {top_p}")


def draw(
    probabilities: Real[np.ndarray, "*batch V"], rng: np.random.Generator
) -> Int[np.ndarray | np.generic, "*batch"]:
    """Draw one id from each row.

    Parameters
    ----------
    probabilities : ndarray of shape (..., V)
        How likely each id is; a row in the same proportions that does not sum to one
        gives the same draw.
    rng : numpy.random.Generator
        Where the randomness comes from; one number is taken for each row.

    Returns
    -------
    ndarray of int, of shape (...), or a number for a single row
        The ids in whose stretch of the running sum a uniform number falls.

    Examples
    --------
    >>> draw(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.random.default_rng(0))
    array([1, 2])
    """
    running = np.cumsum(probabilities, axis=-1, dtype=np.float64)  # (..., V)
    uniform = rng.random(running.shape[:-1])[..., None] * running[..., -1:]  # (..., 1)
    return (running <= uniform).sum(axis=-1)


def greedy_decode(
    next_logits: Callable[[list[int]], np.ndarray],
    start: int,
    stop: int,
    max_length: int,
) -> list[int]:
    """Write a sequence by always taking the best next id.

    Parameters
    ----------
    next_logits : callable
        Gets the list of ids so far, `start` included, and gives the (V,) scores of the
        next one.
    start, stop : int
        The ids that open and close a sequence.
    max_length : int
        The most ids to write.

    Returns
    -------
    list of int
        The ids after `start`, without `stop`.

    Raises
    ------
    ValueError
        If `max_length` is negative.

    Examples
    --------
    >>> counts_on = lambda ids: np.eye(5)[ids[-1] + 1]
    >>> greedy_decode(counts_on, start=0, stop=4, max_length=10)
    [1, 2, 3]
    """
    if max_length < 0:
        raise ValueError(f"max_length must not be negative; got {max_length}")
    ids = [start]
    while len(ids) <= max_length:
        best = int(np.argmax(next_logits(list(ids))))
        if best == stop:
            break
        ids.append(best)
    return ids[1:]
