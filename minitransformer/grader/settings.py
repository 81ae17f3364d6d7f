"""How a grading run is to be done. Loads nothing, so that it can be said at once."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run grades.

    Attributes
    ----------
    seed : int or None
        Draws the hidden cases and the order in which cases are met; None for the shown
        cases alone, as a learner's own check has them.
    timeout : float
        Seconds for one exercise, all its cases together.
    topics : tuple of str
        Numbers of the topics that are expected; empty: those that were handed in.
    policy_costs : bool
        Whether a library function handed in as the answer costs its points.
    """

    seed: int | None
    timeout: float = 10.0
    topics: tuple[str, ...] = ()
    policy_costs: bool = True
