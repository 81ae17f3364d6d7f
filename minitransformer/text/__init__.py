"""Characters to ids and back, windows, and loaders of real texts by hash."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.text.vocabulary import decode, distinct_characters, encode
    from minitransformer.text.windows import (
        next_character_windows,
        random_starts,
        split_text,
        validation_starts,
    )

_HOMES = {
    "vocabulary": ("decode", "distinct_characters", "encode"),
    "windows": (
        "next_character_windows",
        "random_starts",
        "split_text",
        "validation_starts",
    ),
}

__all__ = [
    "decode",
    "distinct_characters",
    "encode",
    "next_character_windows",
    "random_starts",
    "split_text",
    "validation_starts",
]


def __getattr__(name: str) -> object:
    """Hand out a public name when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
