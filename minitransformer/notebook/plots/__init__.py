"""Pictures: arrays in, a Figure out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.notebook.plots.charts import curves, growth, heat_map

_HOMES = {
    "charts": ("curves", "growth", "heat_map"),
}

__all__ = ["curves", "growth", "heat_map"]


def __getattr__(name: str) -> object:
    """Hand out a picture's function when it is first asked for."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
