"""Parts and mistakes that several topics share. NumPy alone."""

from collections.abc import Callable

import numpy as np

from minitransformer.grader.drawing import Draw
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
    {"normalise": scores_themselves, "axis": -1, "shift": below_largest},
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


# ---------------------------------------------------------------- masks
# The parts of a masked softmax: `see(mask)`, `fill(scores, mask)`, `axis` or `along`,
# `shift`, `divide(powers, total)`, `empty(weights, mask, axis)`, `after(weights, mask)`.
def minus_infinity(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give forbidden places the score −inf."""
    return np.where(mask, scores, -np.inf)


def filled_with(value: float) -> Callable:
    """Give forbidden places a finite score."""
    return lambda scores, mask: np.where(mask, scores, value)


def added(value: float) -> Callable:
    """Add a finite number to forbidden scores."""
    return lambda scores, mask: scores + np.where(mask, 0.0, value)


def powers_times_mask(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give the scores whose powers are e^scores · mask, with inf · 0 where they overflow."""
    forbidden = np.where(np.isinf(np.exp(scores)), np.nan, -np.inf)
    return np.where(mask, scores, forbidden)


def times_minus_infinity(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Add (1 − mask) · −inf, which is NaN where the mask is 1."""
    return scores + (1.0 - mask) * -np.inf


def zeros_for_empty(weights: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    """Give zeros where nothing may be looked at."""
    anything = np.broadcast_to(mask, weights.shape).any(axis=axis, keepdims=True)
    return np.where(anything, weights, 0.0)


def as_they_come(weights: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    """Leave rows without anything as they are."""
    return weights


def no_longer(weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Do nothing about the mask after the softmax."""
    return weights


def zero_for_nothing(powers: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Give 0 where all powers are 0."""
    return powers / np.where(total == 0.0, 1.0, total)


def masked_weights(
    scores: np.ndarray,
    mask: np.ndarray,
    axis: int = -1,
    *,
    see: Callable = as_it_is,
    fill: Callable = minus_infinity,
    shift: Callable = below_largest,
    divide: Callable = np.divide,
    empty: Callable = zeros_for_empty,
    after: Callable = no_longer,
) -> np.ndarray:
    """Turn scores into weights that are zero wherever the mask is False."""
    mask = np.broadcast_to(see(mask), scores.shape)
    powers = np.exp(shift(fill(scores, mask), axis))
    weights = divide(powers, powers.sum(axis=axis, keepdims=True))
    return after(empty(weights, mask, axis), mask)


BEFORE_SOFTMAX = "Where does the mask go?"
FINITE_FILL = "Will a very negative number do?"
EMPTY_ROW = "What does a row see that may see nothing?"

MASK_IGNORED = Mistake(
    "mask_ignored",
    {
        "see": np.ones_like,
        "fill": minus_infinity,
        "empty": zeros_for_empty,
        "after": no_longer,
    },
    "The mask has no effect.",
    "Call it with a mask that forbids all but one place. How many weights are above 0?",
    BEFORE_SOFTMAX,
)
MASK_INVERTED = Mistake(
    "mask_inverted",
    {"see": np.logical_not},
    "The mask is read the wrong way round: True is blocked.",
    "In this course, what does True in a mask say: may look, or may not?",
    BEFORE_SOFTMAX,
)
NAN_ON_EMPTY = Mistake(
    "nan_on_empty",
    {"empty": as_they_come},
    "A row that may look at nothing becomes NaN.",
    "A whole row of −inf: what is the largest score, and what is −inf − (−inf)? What "
    "should such a row give?",
    EMPTY_ROW,
)
NAN_TIMES_INF = Mistake(
    "nan_times_inf",
    {"fill": times_minus_infinity, "empty": as_they_come},
    "(1 − mask) · −inf is added to the scores, and 0 · −inf is NaN.",
    "What is 0.0 * -np.inf? Which tool chooses between two arrays without multiplying?",
    BEFORE_SOFTMAX,
    also=({"fill": times_minus_infinity},),
)
MASK_AFTER_SOFTMAX = Mistake(
    "mask_after_softmax",
    {
        "fill": lambda scores, mask: scores,
        "empty": as_they_come,
        "after": lambda weights, mask: weights * mask,
    },
    "The mask is applied after the softmax, and what is left is not a whole any more.",
    "What does a row of your weights add up to, once some of them are set to 0?",
    BEFORE_SOFTMAX,
)
MASK_MULTIPLIED = Mistake(
    "mask_multiplied",
    {"fill": lambda scores, mask: scores * mask, "empty": as_they_come},
    "Forbidden scores become 0.",
    "What is e⁰? Which score would give a weight of 0?",
    BEFORE_SOFTMAX,
    also=({"fill": lambda scores, mask: scores * mask},),
)
MASK_ADDED = Mistake(
    "mask_added",
    {"fill": lambda scores, mask: scores + mask, "empty": as_they_come},
    "The Boolean mask itself is added to the scores.",
    "What number is True, and how much do allowed scores differ from forbidden ones then?",
    BEFORE_SOFTMAX,
    also=({"fill": lambda scores, mask: scores + mask},),
)
UNIFORM_ON_EMPTY = Mistake(
    "uniform_on_empty",
    {"fill": filled_with(-1e9), "empty": as_they_come},
    "A row that may look at nothing looks at everything.",
    "If the same number is taken from all scores of a row, however large, what does "
    "softmax make of them?",
    EMPTY_ROW,
    also=({"fill": added(-1e9), "empty": as_they_come},),
)
SMALL_FILL = Mistake(
    "small_fill",
    {"fill": filled_with(-100.0), "empty": as_they_come},
    "Forbidden places get a negative score that is not negative enough.",
    "Which place wins if all allowed scores of a row are −20,000?",
    FINITE_FILL,
    also=(
        {"fill": filled_with(-1e4), "empty": as_they_come},
        {"fill": filled_with(-1e3), "empty": as_they_come},
        {"fill": filled_with(-100.0)},
        {"fill": filled_with(-1e4)},
    ),
)
NO_SHIFT_MASKED = Mistake(
    "no_shift",
    {"shift": unshifted},
    NO_SHIFT.plain,
    NO_SHIFT.question,
    BEFORE_SOFTMAX,
    also=(
        {"shift": unshifted, "divide": zero_for_nothing},
        {"shift": unshifted, "fill": powers_times_mask, "divide": zero_for_nothing},
    ),
)
MASK_MISTAKES = (
    MASK_IGNORED,
    MASK_INVERTED,
    NAN_ON_EMPTY,
    NAN_TIMES_INF,
    MASK_AFTER_SOFTMAX,
    MASK_MULTIPLIED,
    MASK_ADDED,
    UNIFORM_ON_EMPTY,
    SMALL_FILL,
    NO_SHIFT_MASKED,
)


def some_mask(draw: Draw, *shape: int, empty_row: bool = False) -> np.ndarray:
    """Draw a mask with something allowed and something forbidden in every row.

    With `empty_row`, one row allows nothing and one everything.
    """
    mask = draw.rng.random(shape) < 0.6
    rows = mask.reshape(-1, shape[-1])
    for place, row in enumerate(rows):
        row[place % shape[-1]] = True
        row[(place + 1) % shape[-1]] = False
    if empty_row:
        rows[len(rows) // 2] = False
        rows[-1] = True
    return mask
