"""Characters to whole numbers and back."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int


def distinct_characters(text: str) -> str:
    """List the characters of a text, each once, in the order of their code points.

    Parameters
    ----------
    text : str
        Any text but the empty one.

    Returns
    -------
    str
        V characters; the place of each is its id.

    Raises
    ------
    ValueError
        If the text is empty.

    Examples
    --------
    >>> distinct_characters("to be")
    ' beot'
    """
    if not text:
        raise ValueError(
            "a vocabulary needs a text with at least 1 character; got none"
        )
    return "".join(sorted(set(text)))


def encode(text: str, characters: Sequence[str]) -> Int[np.ndarray, " T"]:
    """Turn a text into ids.

    Parameters
    ----------
    text : str
        T characters.
    characters : str, or sequence of single characters
        The vocabulary; the id of a character is its place here.

    Returns
    -------
    ndarray of int64, of shape (T,)
        One id for each character.

    Raises
    ------
    ValueError
        If a character is not in the vocabulary; the message names it.

    Examples
    --------
    >>> encode("abba", "ab")
    array([0, 1, 1, 0])
    """
    place = {character: id_ for id_, character in enumerate(characters)}
    try:
        return np.array([place[character] for character in text], dtype=np.int64)
    except KeyError as missing:
        (character,) = missing.args
        raise ValueError(
            f"every character must be one of the {len(place)} of the vocabulary; "
            f"got {character!r} at place {text.index(character)}"
        ) from None


def decode(ids: Iterable[int | np.integer], characters: Sequence[str]) -> str:
    """Turn ids back into the text.

    Parameters
    ----------
    ids : iterable of int
        Ids from 0 to V - 1.
    characters : str, or sequence of single characters
        The vocabulary; the id of a character is its place here.

    Returns
    -------
    str
        One character for each id.

    Raises
    ------
    ValueError
        If an id is not in the vocabulary; the message names it.

    Examples
    --------
    >>> decode([0, 1, 1, 0], "ab")
    'abba'
    """
    V = len(characters)
    text = []
    for id_ in ids:
        if not 0 <= id_ < V:
            raise ValueError(f"ids must lie between 0 and {V - 1}; got {id_}")
        text.append(characters[int(id_)])
    return "".join(text)
