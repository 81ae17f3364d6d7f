"""What a page of the course uses: pictures, tables, explorers, predictions, live curves."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.notebook import explore, plots
    from minitransformer.notebook.display import show, table
    from minitransformer.notebook.live import watch, watch_all
    from minitransformer.notebook.predictions import predict, reveal

_HOMES = {
    "show": "display",
    "table": "display",
    "watch": "live",
    "watch_all": "live",
    "predict": "predictions",
    "reveal": "predictions",
}

__all__ = [
    "explore",
    "plots",
    "predict",
    "reveal",
    "show",
    "table",
    "watch",
    "watch_all",
]


def __getattr__(name: str) -> object:
    """Hand out a public name when it is first asked for, so that importing stays light."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in {"explore", "plots"}:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
