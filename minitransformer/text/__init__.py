"""Characters to ids and back, windows, and loaders of real texts by hash."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.text.corpora import (
        Play,
        Speech,
        play,
        plays,
        shakespeare,
        speeches,
    )
    from minitransformer.text.pairs import (
        DatePair,
        date_pairs,
        edit_distance,
        error_rates,
        part_of,
        pronunciations,
    )
    from minitransformer.text.synthetic import copy_sequences
    from minitransformer.text.vocabulary import decode, distinct_characters, encode
    from minitransformer.text.windows import (
        next_character_windows,
        random_starts,
        split_text,
        validation_starts,
    )

_HOMES = {
    "corpora": (
        "Play",
        "Speech",
        "play",
        "plays",
        "shakespeare",
        "speeches",
    ),
    "pairs": (
        "DatePair",
        "date_pairs",
        "edit_distance",
        "error_rates",
        "part_of",
        "pronunciations",
    ),
    "synthetic": ("copy_sequences",),
    "vocabulary": (
        "decode",
        "distinct_characters",
        "encode",
    ),
    "windows": (
        "next_character_windows",
        "random_starts",
        "split_text",
        "validation_starts",
    ),
}

__all__ = [
    "DatePair",
    "Play",
    "Speech",
    "copy_sequences",
    "date_pairs",
    "decode",
    "distinct_characters",
    "edit_distance",
    "encode",
    "error_rates",
    "next_character_windows",
    "part_of",
    "play",
    "plays",
    "pronunciations",
    "random_starts",
    "shakespeare",
    "speeches",
    "split_text",
    "validation_starts",
]


def __getattr__(name: str) -> object:
    """Hand out a public name when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
