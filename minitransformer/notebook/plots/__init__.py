"""Pictures: arrays in, a Figure out."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.notebook.plots.charts import (
        bars,
        curves,
        growth,
        scatter,
        vectors,
    )
    from minitransformer.notebook.plots.heat import heat_map

_HOMES = {
    "charts": ("bars", "curves", "growth", "scatter", "vectors"),
    "heat": ("heat_map",),
}

__all__ = ["bars", "curves", "growth", "heat_map", "scatter", "vectors"]


def __getattr__(name: str) -> object:
    """Hand out a picture's function when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
