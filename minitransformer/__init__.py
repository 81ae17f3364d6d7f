"""Self-attention from the dot product to a small character-level transformer.

Six rooms and a door: `reference` (the formulas in NumPy), `text` (characters and
corpora), `model` (the same on torch), `notebook` (pictures, explorers, predictions),
`grader` (checks that name the mistake), `course` (a learner's folder), and `cli`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.grader.check import check

__all__ = ["check"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Hand out `check` when it is first asked for, so that importing stays light."""
    if name == "check":
        from minitransformer.grader.check import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
