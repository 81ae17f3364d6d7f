"""Explorers: thin widget shells over plain functions."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.notebook.explore.attending import attention
    from minitransformer.notebook.explore.shell import Explorer, View

_HOMES = {
    "attending": ("attention",),
    "shell": ("Explorer", "View"),
}

__all__ = ["Explorer", "View", "attention"]


def __getattr__(name: str) -> object:
    """Hand out an explorer when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
