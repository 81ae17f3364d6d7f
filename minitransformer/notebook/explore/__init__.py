"""Explorers: thin widget shells over plain functions."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.notebook.explore.attending import (
        attention,
        attention_maps,
        cross,
        heads,
        masks,
        windows,
    )
    from minitransformer.notebook.explore.inside import positions, residuals, sampling
    from minitransformer.notebook.explore.recurring import echo
    from minitransformer.notebook.explore.shell import (
        Explorer,
        Numbers,
        View,
        choice,
        slider,
        switch,
        whole,
    )
    from minitransformer.notebook.explore.similarities import similarity, soft_look_up

_HOMES = {
    "attending": ("attention", "attention_maps", "cross", "heads", "masks", "windows"),
    "inside": ("positions", "residuals", "sampling"),
    "recurring": ("echo",),
    "shell": ("Explorer", "Numbers", "View", "choice", "slider", "switch", "whole"),
    "similarities": ("similarity", "soft_look_up"),
}

__all__ = [
    "Explorer",
    "Numbers",
    "View",
    "attention",
    "attention_maps",
    "choice",
    "cross",
    "echo",
    "heads",
    "masks",
    "positions",
    "residuals",
    "sampling",
    "similarity",
    "slider",
    "soft_look_up",
    "switch",
    "whole",
    "windows",
]


def __getattr__(name: str) -> object:
    """Hand out an explorer when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
