"""From logits to the next character."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Real

from minitransformer.reference.inputs import as_float
from minitransformer.reference.softmax import softmax


def sampling_probabilities(
    logits: Real[np.ndarray, " V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[np.ndarray, " V"]:
    """Say how likely each character is to be drawn next.

    Parameters
    ----------
    logits : ndarray of shape (V,)
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
    ndarray of shape (V,)
        Probabilities; one in sum.

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
    order = np.argsort(-logits, kind="stable")  # (V,), most likely first
    if temperature == 0.0:
        return (np.arange(len(logits)) == order[0]).astype(logits.dtype)
    ranked = softmax((logits[order] - logits[order[0]]) / temperature)
    if top_k is not None:
        ranked[top_k:] = 0.0
    if top_p is not None:
        running = np.cumsum(ranked, dtype=np.float64)
        before = running - ranked  # what the better ones have together
        ranked[before >= top_p * running[-1]] = 0.0
    probabilities = np.empty_like(ranked)
    probabilities[order] = ranked / ranked.sum()
    return probabilities


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


def draw(probabilities: Real[np.ndarray, " V"], rng: np.random.Generator) -> int:
    """Draw one id.

    Parameters
    ----------
    probabilities : ndarray of shape (V,)
        How likely each id is.
    rng : numpy.random.Generator
        Where the randomness comes from; one number is taken.

    Returns
    -------
    int
        The id in whose stretch of the running sum a uniform number falls.

    Examples
    --------
    >>> draw(np.array([0.0, 1.0, 0.0]), np.random.default_rng(0))
    1
    """
    running = np.cumsum(probabilities)
    return int(np.searchsorted(running, rng.random() * running[-1], side="right"))


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
