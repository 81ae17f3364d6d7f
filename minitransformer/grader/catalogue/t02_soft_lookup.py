"""Topic 02: softmax, the soft look-up, and how soft it is."""

from collections.abc import Callable, Iterator

import numpy as np

from minitransformer.grader.catalogue.shared import (
    NO_SHIFT,
    NO_SOFTMAX,
    as_it_is,
    below_largest,
    one_hot_of_largest,
    scores_themselves,
    unshifted,
)
from minitransformer.grader.catalogue.shared import softmax as weigh
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import (
    Array,
    Case,
    Exercise,
    Mistake,
    Property,
    case,
)

TOPIC = "02_soft_lookup"
SOFTER = "What would a softer dictionary say?"
SHARES = "Which function makes shares?"
THOUSAND = "What happens at a score of 1000?"
HOW_SOFT = "How soft is soft?"


# ---------------------------------------------------------------- softmax
def kept_axis(powers: np.ndarray, axis: int | None) -> np.ndarray:
    """Add up and keep the axis."""
    return powers.sum(axis=axis, keepdims=True)


def lost_axis(powers: np.ndarray, axis: int | None) -> np.ndarray:
    """Add up and lose the axis."""
    return powers.sum(axis=axis)


def whole_sum(powers: np.ndarray, axis: int | None) -> np.ndarray:
    """Add up everything."""
    return powers.sum()


def no_sum(powers: np.ndarray, axis: int | None) -> float:
    """Divide by 1."""
    return 1.0


def first_of_the_largest(
    shifted: np.ndarray, scores: np.ndarray, axis: int | None
) -> np.ndarray:
    """Give one of the largest along the axis everything, ties or not."""
    largest = shifted == 0.0
    counted = np.cumsum(largest, axis=axis).reshape(largest.shape)
    return (largest & (counted == 1)).astype(float)


def softmax(
    scores: np.ndarray,
    axis: int = -1,
    *,
    along: Callable = as_it_is,
    shift: Callable = below_largest,
    power: Callable = np.exp,
    total: Callable = kept_axis,
    finish: Callable = lambda weights, scores, axis: weights,
) -> np.ndarray:
    """Give e^scores / Σ e^scores along an axis."""
    axis = along(axis)
    powers = power(shift(scores, axis))
    return finish(powers / total(powers, axis), scores, axis)


def softmax_cases(draw: Draw) -> Iterator[Case]:
    """Draw scores, gentle ones first."""
    A, B, C = draw.sizes(2, 3, 4)
    yield case("plain", draw.normal(A, B))
    yield case("plain", draw.normal(C), about="one row")
    yield case("other axes", draw.normal(B, C), axis=0)
    yield case("other axes", draw.normal(A, B, C), axis=1)
    yield case("other axes", draw.normal(C, A, B), axis=0)
    yield case("leading axes", draw.normal(A, B, C))
    yield case("leading axes", draw.normal(A, B, C + 1, C))
    yield case("as many rows as columns", draw.normal(B, B, size=2.0))
    yield case("integers", draw.integers(-3, 4, A, C))
    places = np.array([[1.0], [-1.0], [0.0]])
    far = 1e4 * places + draw.normal(3, C)
    yield case("large scores", far, about="rows at ±10,000")
    yield case("large scores", far.T.copy(), axis=0, about="columns at ±10,000")
    blocked = draw.normal(A, C + 2)
    blocked[0, 1] = blocked[1, 2] = blocked[1, 3] = -np.inf
    yield case("minus infinity", blocked)
    yield case("float32", draw.normal(A, C, size=20.0, dtype=np.float32))


SOFTMAX = Exercise(
    id="softmax",
    topic=TOPIC,
    title="From scores to shares",
    points=2.0,
    minutes=15,
    difficulty=2,
    returns=Array("the weights", "..."),
    draw_cases=softmax_cases,
    oracle=softmax,
    mistakes=(
        NO_SHIFT.at(THOUSAND),
        Mistake(
            "shift_global",
            {"shift": lambda scores, axis: scores - scores.max()},
            "The largest score of the whole array is subtracted, not that of each row.",
            "Two rows, one around 0 and one around 10,000: what is left of the first "
            "row's powers?",
            THOUSAND,
        ),
        Mistake(
            "axis_ignored",
            {"along": lambda axis: -1},
            "It always works along the last axis.",
            "With axis=0, what should each column of the result add up to?",
            SHARES,
        ),
        Mistake(
            "wrong_axis",
            {"along": lambda axis: 0},
            "It always works along axis 0.",
            "Add up one row of your result for a matrix. What should it be by default?",
            SHARES,
        ),
        Mistake(
            "no_axis",
            {"along": lambda axis: None},
            "It works on the whole array at once.",
            "What do all your weights together add up to, and what should each row?",
            SHARES,
            also=(
                {"total": whole_sum},
                {"total": whole_sum, "shift": unshifted},
            ),
        ),
        Mistake(
            "no_keepdims",
            {"total": lost_axis},
            "The sum has lost its axis, so it cannot be divided by row for row.",
            "What shape has a sum over the last axis, and how does it line up with the "
            "powers when you divide? What does `keepdims=True` change?",
            SHARES,
            also=(
                {
                    "total": lost_axis,
                    "shift": lambda scores, axis: scores - scores.max(axis=axis),
                },
            ),
        ),
        Mistake(
            "no_division",
            {"total": lambda powers, axis: 1.0},
            "The powers are not divided by their sum.",
            "What do your weights add up to?",
            SHARES,
        ),
        Mistake(
            "no_exp",
            {"power": as_it_is, "shift": unshifted},
            "The scores are divided by their sum without taking powers first.",
            "What share does a negative score get? What happens if the scores add up "
            "to 0?",
            SHARES,
        ),
        Mistake(
            "log_softmax",
            {
                "finish": lambda weights, scores, axis: np.log(weights),
            },
            "The logarithm of the weights is returned.",
            "Can a share be negative? What is the last step of your function?",
            SHARES,
            also=(
                {
                    "total": lambda powers, axis: 1.0,
                    "power": lambda shifted: shifted,
                    "finish": lambda shifted, scores, axis: shifted,
                    "shift": lambda scores, axis: (
                        below_largest(scores, axis)
                        - np.log(
                            np.exp(below_largest(scores, axis)).sum(
                                axis=axis, keepdims=True
                            )
                        )
                    ),
                },
            ),
        ),
        Mistake(
            "argmax",
            {
                "power": lambda shifted: (shifted == 0).astype(float),
                "shift": below_largest,
            },
            "The largest score gets everything.",
            "Two scores of 1.0 and 0.9 are nearly alike. How alike are their weights?",
            SHARES,
            also=(
                {"power": as_it_is, "total": no_sum, "finish": first_of_the_largest},
            ),
        ),
        Mistake(
            "keeps_int",
            {"finish": lambda weights, scores, axis: weights.astype(scores.dtype)},
            "The weights are put into an array of the scores' own type, which for "
            "integers cuts them to 0.",
            "What is the dtype of your result for integer scores?",
            SHARES,
        ),
    ),
    properties=(
        Property("no weight is negative", lambda case, w: bool((w >= 0).all())),
        Property(
            "the weights add up to 1 along the axis",
            lambda case, w: bool(
                np.allclose(w.sum(axis=case.options.get("axis", -1)), 1.0, atol=1e-4)
            ),
        ),
    ),
    finished=("scipy.special.softmax", "torch.softmax", "torch.nn.functional.softmax"),
    place=SHARES,
)


# ---------------------------------------------------------------- soft_lookup
def dot_with_each(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Give the query's dot product with each key."""
    return keys @ query  # (Tk,)


def minus_distance(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Give minus the distance to each key."""
    return -np.linalg.norm(keys - query, axis=-1)


def soft_lookup(
    query: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    temperature: float = 1.0,
    *,
    score: Callable = dot_with_each,
    scale: Callable = lambda scores, keys: scores,
    heat: Callable = np.divide,
    shift: Callable = below_largest,
    normalise: Callable = weigh,
    cool: Callable = lambda weights, temperature: weights,
    mixed: Callable = lambda keys, values: values,
) -> np.ndarray:
    """Give the mean of the values, weighed by softmax(scores / temperature)."""
    scores = heat(scale(score(query, keys), keys), temperature)
    weights = cool(normalise(scores, -1, shift), temperature)  # (Tk,)
    return weights @ mixed(keys, values)


def lookup_cases(draw: Draw) -> Iterator[Case]:
    """Draw a query, keys and values."""

    def arrays(size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(D, size=size, dtype=dtype),
            draw.normal(Tk, D, size=size, dtype=dtype),
            draw.normal(Tk, Dv, dtype=dtype),
        )

    Tk, D, Dv = draw.sizes(3, 4, 2)
    yield case("plain", *arrays())
    Tk, D, Dv = draw.sizes(5, 3, 4)
    yield case("plain", *arrays())
    yield case("temperatures", *arrays(), temperature=2.5)
    yield case("temperatures", *arrays(), temperature=0.4)
    yield case("large scores", *arrays(size=30.0), about="scores in the thousands")
    yield case("large scores", *arrays(size=8.0), temperature=0.02)
    yield case("float32", *arrays(dtype=np.float32))


SOFT_LOOKUP = Exercise(
    id="soft_lookup",
    topic=TOPIC,
    title="Ask a dictionary softly",
    points=2.0,
    minutes=15,
    difficulty=2,
    returns=Array("the answer", "Dv"),
    draw_cases=lookup_cases,
    oracle=soft_lookup,
    mistakes=(
        NO_SHIFT.at(THOUSAND),
        Mistake(
            "keys_as_values",
            {"mixed": lambda keys, values: keys},
            "The keys are mixed, not the values.",
            "You look a word up by its key. What do you want to read then?",
            SOFTER,
        ),
        NO_SOFTMAX.at(
            SHARES, parts={"normalise": scores_themselves, "shift": below_largest}
        ),
        Mistake(
            "argmax",
            {
                "normalise": one_hot_of_largest,
                "scale": lambda scores, keys: scores,
                "heat": np.divide,
                "shift": below_largest,
            },
            "Only the best key's value comes back.",
            "What should come back when two keys fit equally well?",
            SOFTER,
        ),
        Mistake(
            "by_distance",
            {"score": minus_distance, "shift": below_largest},
            "Keys are scored by their distance, not by their dot product.",
            "Make one key twice as long. Should its score not double?",
            SOFTER,
            also=(
                {"score": lambda q, k: -((k - q) ** 2).sum(axis=-1)},
                {"score": minus_distance, "shift": unshifted},
                {"score": lambda q, k: np.linalg.norm(k - q, axis=-1)},
            ),
        ),
        Mistake(
            "scaled",
            {"scale": lambda scores, keys: scores / np.sqrt(keys.shape[-1])},
            "The scores are divided by √D, which is not asked for here.",
            "Which of your divisions does the exercise ask for?",
            HOW_SOFT,
        ),
        Mistake(
            "temperature_multiplies",
            {"heat": np.multiply},
            "The scores are multiplied by the temperature.",
            "A high temperature melts differences. Do larger scores make the weights "
            "more alike, or less?",
            HOW_SOFT,
        ),
        Mistake(
            "temperature_ignored",
            {"heat": lambda scores, temperature: scores},
            "The temperature has no effect: it is not used, or only on the finished "
            "weights.",
            "Call it with temperature 0.01 and with 100. Which of the two should give "
            "nearly the plain mean of the values?",
            HOW_SOFT,
        ),
        Mistake(
            "temperature_after_softmax",
            {
                "heat": lambda scores, temperature: scores,
                "cool": lambda weights, temperature: weights / temperature,
            },
            "The weights are divided by the temperature, not the scores.",
            "What do your weights add up to at temperature 2?",
            HOW_SOFT,
        ),
    ),
    properties=(
        Property(
            "the answer lies between the smallest and the largest value",
            lambda case, answer: bool(
                (answer >= case.data[2].min(axis=0) - 1e-4).all()
                and (answer <= case.data[2].max(axis=0) + 1e-4).all()
            ),
        ),
    ),
    built_on=("softmax",),
    place=SOFTER,
)


# ---------------------------------------------------------------- entropy
def zero_where_zero(weights: np.ndarray, log: Callable) -> np.ndarray:
    """Give w · log w, and 0 for w = 0."""
    return np.where(weights > 0, weights * log(np.where(weights > 0, weights, 1.0)), 0)


def as_written(weights: np.ndarray, log: Callable) -> np.ndarray:
    """Give w · log w, which is NaN for w = 0."""
    return weights * log(weights)


def entropy(
    weights: np.ndarray,
    *,
    term: Callable = zero_where_zero,
    log: Callable = np.log,
    sign: float = -1.0,
    axis: int = -1,
) -> np.ndarray:
    """Give −Σ w · ln w along the last axis."""
    return sign * term(weights, log).sum(axis=axis)


def entropy_cases(draw: Draw) -> Iterator[Case]:
    """Draw weights as softmax gives them."""

    def weights(*shape: int, size: float = 1.0) -> np.ndarray:
        return weigh(draw.normal(*shape, size=size))

    A, B, C = draw.sizes(2, 3, 4)
    yield case("plain", np.array([0.5, 0.25, 0.25]))
    yield case("plain", weights(A, B))
    yield case("leading axes", weights(A, B, C))
    yield case("leading axes", weights(A, C, B + 2, B))
    yield case("zero weights", np.array([[0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.25, 0.25]]))
    yield case("float32", weights(B, C).astype(np.float32))


ENTROPY = Exercise(
    id="entropy",
    topic=TOPIC,
    title="How undecided is a look?",
    points=1.0,
    minutes=10,
    difficulty=2,
    returns=Array("the entropy", "..."),
    draw_cases=entropy_cases,
    oracle=entropy,
    mistakes=(
        Mistake(
            "bits",
            {"log": np.log2},
            "The logarithm has base 2, so the result is in bits.",
            "Which base belongs to nats? (Yours are 1.4427 times too large.)",
        ),
        Mistake(
            "nan_on_zero",
            {"term": as_written},
            "A weight of 0 gives 0 · log 0, which is NaN in floating point.",
            "How much surprise does something add that never happens? What does "
            "np.log(0.0) give, and 0 times that?",
        ),
        Mistake(
            "sign",
            {"sign": 1.0},
            "The minus sign is missing.",
            "Is the logarithm of a share positive or negative? And can one be less than "
            "not undecided at all?",
        ),
        Mistake(
            "wrong_axis",
            {"axis": 0},
            "It adds up over axis 0.",
            "Each row is one look. How many numbers do you want for 2 rows of 3?",
        ),
    ),
    properties=(
        Property(
            "the entropy is not negative",
            lambda case, result: bool((result >= -1e-6).all()),
        ),
        Property(
            "the entropy is at most the logarithm of the number of weights",
            lambda case, result: bool(
                (result <= np.log(case.data[0].shape[-1]) + 1e-4).all()
            ),
        ),
    ),
    finished=("scipy.stats.entropy",),
    place=HOW_SOFT,
)

EXERCISES = (SOFTMAX, SOFT_LOOKUP, ENTROPY)
