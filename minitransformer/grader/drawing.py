"""Sizes and random arrays for the cases of exercises."""

import numpy as np


class Draw:
    """Sizes and random arrays for cases: fixed ones to show, others for each seed.

    Parameters
    ----------
    seed : int or None
        None for the cases that learners see: sizes as written, entries of one decimal.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.shown = seed is None
        self.rng = np.random.default_rng(2017 if seed is None else [seed, 1706])

    def sizes(self, *shown: int, smallest: int = 2, largest: int = 9) -> list[int]:
        """Give the sizes as written, or as many others, no two of them equal."""
        if self.shown:
            return list(shown)
        choice = self.rng.choice(
            np.arange(smallest, largest + 1), size=len(shown), replace=False
        )
        return [int(size) for size in choice]

    def normal(
        self, *shape: int, size: float = 1.0, dtype: type = np.float64
    ) -> np.ndarray:
        """Draw normal entries, `size` times as large as standard ones."""
        drawn = self.rng.normal(size=shape)
        if self.shown:
            drawn = np.round(drawn, 1) + 0.0
        return (size * drawn).astype(dtype)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Draw integers from `low` to `high` - 1."""
        return self.rng.integers(low, high, size=shape)
