"""Parts and mistakes that several topics share. NumPy alone."""

from collections.abc import Callable

import numpy as np

from minitransformer.grader.exercise import Mistake


# ---------------------------------------------------------------- scores
def dot(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Give every query's dot product with every key."""
    return q @ k.swapaxes(-1, -2)  # (..., Tq, Tk)


def keys_ask(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Exchange queries and keys."""
    return dot(k, q)


def all_axes_turned(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Turn all axes of the keys round, not the last two."""
    return q @ k.T


# ---------------------------------------------------------------- scales
def by_root_of_width(scores: np.ndarray, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Divide by √D."""
    return scores / np.sqrt(q.shape[-1])


def undivided(scores: np.ndarray, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Divide by nothing."""
    return scores


def by_width(scores: np.ndarray, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Divide by D."""
    return scores / q.shape[-1]


def times_root_of_width(scores: np.ndarray, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Multiply by √D."""
    return scores * np.sqrt(q.shape[-1])


def by_root_of_length(scores: np.ndarray, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Divide by √Tk."""
    return scores / np.sqrt(k.shape[-2])


# ---------------------------------------------------------------- weights
def below_largest(scores: np.ndarray, axis: int | None) -> np.ndarray:
    """Subtract the largest score along an axis."""
    return scores - scores.max(axis=axis, keepdims=True)


def unshifted(scores: np.ndarray, axis: int | None) -> np.ndarray:
    """Subtract nothing."""
    return scores


def softmax(
    scores: np.ndarray, axis: int | None = -1, shift: Callable = below_largest
) -> np.ndarray:
    """Turn scores into weights."""
    powers = np.exp(shift(scores, axis))
    return powers / powers.sum(axis=axis, keepdims=True)


def scores_themselves(
    scores: np.ndarray, axis: int | None = -1, shift: Callable = below_largest
) -> np.ndarray:
    """Take the scores for weights."""
    return scores


def one_hot_of_largest(
    scores: np.ndarray, axis: int | None = -1, shift: Callable = below_largest
) -> np.ndarray:
    """Give the largest score everything."""
    return (scores == scores.max(axis=axis, keepdims=True)).astype(float)


def only_the_past(scores: np.ndarray) -> np.ndarray:
    """Hide later keys from earlier queries."""
    return np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)


def as_it_is(x: np.ndarray) -> np.ndarray:
    """Change nothing."""
    return x


# ---------------------------------------------------------------- mistakes of attention
# An oracle that uses them has parts `score(q, k)`, `scale(scores, q, k)`, `axis` and
# `shift` of its softmax, `normalise(scores, axis, shift)`, `mask(scores)`.
WHY_ROOT = "Why divide by the root of D?"

NO_SCALE = Mistake(
    "no_scale",
    {"scale": undivided},
    "The scores are not divided by √D.",
    "If q and k have entries of variance 1, how large is q·k typically for D = 4, and "
    "how large for D = 400?",
    WHY_ROOT,
)
SCALE_BY_WIDTH = Mistake(
    "scale_by_width",
    {"scale": by_width},
    "The scores are divided by D, not by its root.",
    "Which of the two, D or √D, is the standard deviation of q·k?",
    WHY_ROOT,
)
MULTIPLY_BY_SCALE = Mistake(
    "multiply_by_scale",
    {"scale": times_root_of_width},
    "The scores are multiplied by √D.",
    "Dot products grow with the width. Should the scale make them grow still more?",
    WHY_ROOT,
)
SCALE_BY_LENGTH = Mistake(
    "scale_by_length",
    {"scale": by_root_of_length},
    "The scores are divided by the root of the number of keys.",
    "Over which axis does a dot product add up: over the keys, or over the features?",
    WHY_ROOT,
)
WRONG_AXIS = Mistake(
    "wrong_axis",
    {"axis": -2},
    "The softmax runs over the queries.",
    "Add up one row of your weights, then one column. Whose look is one whole?",
    "What if every token asks?",
)
NO_AXIS = Mistake(
    "no_axis",
    {"axis": None},
    "The softmax runs over the whole array at once.",
    "What do all your weights together add up to, and what should each row?",
    "What if every token asks?",
)
NO_SHIFT = Mistake(
    "no_shift",
    {"shift": unshifted},
    "e^score is taken without subtracting the largest score of the row first.",
    "What is np.exp(800.0)? What do the weights of a row lose if the same number is "
    "taken away from all its scores?",
    "What if every token asks?",
)
NO_SOFTMAX = Mistake(
    "no_softmax",
    {"normalise": scores_themselves},
    "The scores themselves are used as weights.",
    "Can a share be negative? What has to happen to scores before they can be shares "
    "of one whole?",
    "What if every token asks?",
)
CAUSAL = Mistake(
    "causal",
    {"mask": only_the_past},
    "Later keys are hidden from earlier queries, as in a text that is written.",
    "Is there anything in this exercise that says a query may look at earlier places "
    "only?",
    "Does each token really score every other token?",
)
TRANSPOSED_SCORES = Mistake(
    "transposed",
    {"score": keys_ask},
    "Keys times queries: a row belongs to a key.",
    "Row i should hold everything that query i thinks of the keys. How many rows do you "
    "have, and how many queries?",
    "What if every token asks?",
)
REVERSED_AXES = Mistake(
    "reversed_axes",
    {"score": all_axes_turned},
    "`.T` turns all axes of k round, those of the batch too.",
    "What is the shape of `k.T` for k of shape (2, 5, 4)? Which two axes should change "
    "places?",
    "What if every token asks?",
)
