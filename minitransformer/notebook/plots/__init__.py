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
    from minitransformer.notebook.plots.diagrams import (
        attention_flow,
        look_up,
        matrix_flow,
        projections,
    )
    from minitransformer.notebook.plots.heat import heat_map
    from minitransformer.notebook.plots.hulls import landings
    from minitransformer.notebook.plots.language import guesses
    from minitransformer.notebook.plots.palette import visible
    from minitransformer.notebook.plots.provenance import built_from
    from minitransformer.notebook.plots.regression import through_points
    from minitransformer.notebook.plots.sheet import Matrix
    from minitransformer.notebook.plots.structures import (
        alignment,
        block_flow,
        cache_steps,
        head_split,
        masks,
        stages,
    )

_HOMES = {
    "charts": ("bars", "curves", "growth", "scatter", "vectors"),
    "diagrams": ("attention_flow", "look_up", "matrix_flow", "projections"),
    "heat": ("heat_map",),
    "hulls": ("landings",),
    "language": ("guesses",),
    "palette": ("visible",),
    "provenance": ("built_from",),
    "regression": ("through_points",),
    "sheet": ("Matrix",),
    "structures": (
        "alignment",
        "block_flow",
        "cache_steps",
        "head_split",
        "masks",
        "stages",
    ),
}

__all__ = [
    "Matrix",
    "alignment",
    "attention_flow",
    "bars",
    "block_flow",
    "built_from",
    "cache_steps",
    "curves",
    "growth",
    "guesses",
    "head_split",
    "heat_map",
    "landings",
    "look_up",
    "masks",
    "matrix_flow",
    "projections",
    "scatter",
    "stages",
    "through_points",
    "vectors",
    "visible",
]


def __getattr__(name: str) -> object:
    """Hand out a picture's function when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
