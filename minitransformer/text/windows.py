"""Pieces of a long text: what a model reads, and what it should have guessed."""

import numpy as np
from jaxtyping import Int


def next_character_windows(
    ids: Int[np.ndarray, " n"], starts: Int[np.ndarray, " B"], context_length: int
) -> tuple[Int[np.ndarray, "B T"], Int[np.ndarray, "B T"]]:
    """Cut windows out of a text, together with what comes one character later.

    Parameters
    ----------
    ids : ndarray of int, of shape (n,)
        The whole text.
    starts : ndarray of int, of shape (B,)
        Where each window begins.
    context_length : int
        Characters in a window, T.

    Returns
    -------
    inputs : ndarray of int, of shape (B, T)
        Row b holds the T characters from `starts[b]` on.
    targets : ndarray of int, of shape (B, T)
        The same places, one character later.

    Raises
    ------
    ValueError
        If the context length is below 1, or a window or its last target lies outside the
        text.

    Examples
    --------
    >>> inputs, targets = next_character_windows(np.arange(9), np.array([0, 5]), 3)
    >>> inputs
    array([[0, 1, 2],
           [5, 6, 7]])
    >>> targets
    array([[1, 2, 3],
           [6, 7, 8]])
    """
    ids, starts = np.asarray(ids), np.asarray(starts)
    _check_fits(len(ids), context_length)
    last = len(ids) - context_length - 1  # the last target is one past the window
    if np.any((starts < 0) | (starts > last)):
        raise ValueError(
            f"starts must lie between 0 and {last}, so that {context_length} characters "
            f"and the one after them fit into a text of {len(ids)}; got {starts.tolist()}"
        )
    places = starts[:, None] + np.arange(context_length)  # (B, T)
    return ids[places], ids[places + 1]


def random_starts(
    length: int, context_length: int, batch_size: int, rng: np.random.Generator
) -> Int[np.ndarray, " B"]:
    """Draw where the windows of a batch begin, each place as likely as any other.

    Parameters
    ----------
    length : int
        Characters in the whole text.
    context_length : int
        Characters in a window.
    batch_size : int
        How many windows, B.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    ndarray of int, of shape (B,)
        Starts for `next_character_windows`.

    Raises
    ------
    ValueError
        If not even one window fits into the text.

    Examples
    --------
    >>> random_starts(9, 8, batch_size=2, rng=np.random.default_rng(0))  # just one fits
    array([0, 0])
    """
    _check_fits(length, context_length)
    return rng.integers(length - context_length, size=batch_size)


def validation_starts(length: int, context_length: int) -> Int[np.ndarray, " B"]:
    """Place windows end to end, so that each character is a target once.

    Parameters
    ----------
    length : int
        Characters in the held-out text.
    context_length : int
        Characters in a window.

    Returns
    -------
    ndarray of int, of shape (B,)
        Starts 0, T, 2T … of all whole windows.

    Raises
    ------
    ValueError
        If not even one window fits into the text.

    Examples
    --------
    >>> validation_starts(10, 3)  # the last target is character 9
    array([0, 3, 6])
    """
    _check_fits(length, context_length)
    return np.arange(0, length - context_length, context_length)


def split_text(text: str, held_out: float = 0.1) -> tuple[str, str]:
    """Put the end of a text aside, to measure on what was never trained on.

    Parameters
    ----------
    text : str
        The whole text.
    held_out : float
        The share to put aside, between 0 and 1.

    Returns
    -------
    train, validation : str
        The first nine tenths, rounded down, and the rest.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1, or one of the parts would be empty.

    Examples
    --------
    >>> split_text("to be or not to be")
    ('to be or not to ', 'be')
    """
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"held_out must lie between 0 and 1; got {held_out}")
    cut = int(len(text) * (1.0 - held_out))
    if cut in (0, len(text)):
        raise ValueError(
            f"the text must be long enough for two parts; got {len(text)} characters"
        )
    return text[:cut], text[cut:]


def _check_fits(length: int, context_length: int) -> None:
    if context_length < 1:
        raise ValueError(f"context_length must be at least 1; got {context_length}")
    if length <= context_length:
        raise ValueError(
            f"the text must be longer than the context of {context_length} characters; "
            f"got {length}"
        )
