"""Topic 03: scores, attention, self-attention, and the way back through them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    CAUSAL,
    MULTIPLY_BY_SCALE,
    NO_AXIS,
    NO_SCALE,
    NO_SHIFT,
    NO_SOFTMAX,
    REVERSED_AXES,
    SCALE_BY_LENGTH,
    SCALE_BY_WIDTH,
    TRANSPOSED_SCORES,
    WRONG_AXIS,
    as_it_is,
    below_largest,
    by_root_of_width,
    dot,
    keys_ask,
    softmax,
    undivided,
)
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import (
    Array,
    Case,
    Exercise,
    Mistake,
    Property,
    case,
)

TOPIC = "03_self_attention"
EVERYBODY_ASKS = "What if every token asks?"
THREE_VECTORS = "How does one token become three vectors?"
BACKWARD = "How does it learn where to look?"


# ---------------------------------------------------------------- attention_scores
def attention_scores(
    q: np.ndarray,
    k: np.ndarray,
    *,
    score: Callable = dot,
    scale: Callable = by_root_of_width,
) -> np.ndarray:
    """Give q·kᵀ/√D."""
    return scale(score(q, k), q, k)


def score_cases(draw: Draw) -> Iterator[Case]:
    """Draw queries and keys."""
    Tq, Tk, D = draw.sizes(2, 3, 4)
    yield case("plain", draw.normal(Tq, D), draw.normal(Tk, D))
    B, H, Tq, Tk, D = draw.sizes(2, 4, 5, 3, 6)
    yield case("leading axes", draw.normal(B, Tq, D), draw.normal(B, Tk, D))
    yield case("leading axes", draw.normal(B, H, Tq, D), draw.normal(B, H, Tk, D))
    Tq, Tk, D = draw.sizes(3, 5, 7)
    yield case(
        "large entries", draw.normal(Tq, D, size=1e3), draw.normal(Tk, D, size=1e3)
    )
    q, k = draw.normal(Tq, D), draw.normal(Tk, D)
    yield case("float32", q.astype(np.float32), k.astype(np.float32))


ATTENTION_SCORES = Exercise(
    id="attention_scores",
    topic=TOPIC,
    title="Who fits whom?",
    points=1.0,
    minutes=5,
    difficulty=1,
    returns=Array("the scores", "... Tq Tk"),
    draw_cases=score_cases,
    oracle=attention_scores,
    mistakes=(
        NO_SCALE,
        SCALE_BY_WIDTH,
        MULTIPLY_BY_SCALE,
        SCALE_BY_LENGTH,
        TRANSPOSED_SCORES,
        REVERSED_AXES,
    ),
    place=EVERYBODY_ASKS,
)


# ---------------------------------------------------------------- attention
def both(output: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return output and weights."""
    return output, weights


def the_values(k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Mix the values."""
    return v


def attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    score: Callable = dot,
    scale: Callable = by_root_of_width,
    mask: Callable = as_it_is,
    axis: int | None = -1,
    shift: Callable = below_largest,
    normalise: Callable = softmax,
    after: Callable = undivided,
    mixed: Callable = the_values,
    turn: Callable = as_it_is,
    give: Callable = both,
) -> Any:
    """Give (output, weights) of scaled dot-product attention."""
    scores = mask(scale(score(q, k), q, k))  # (..., Tq, Tk)
    weights = after(normalise(scores, axis, shift), q, k)
    return give(turn(weights) @ mixed(k, v), weights)


def attention_cases(draw: Draw) -> Iterator[Case]:
    """Draw queries, keys and values."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, Tq, D, size=size, dtype=dtype),
            draw.normal(*leading, Tk, D, size=size, dtype=dtype),
            draw.normal(*leading, Tk, Dv, dtype=dtype),
        )

    Tq, Tk, D, Dv = draw.sizes(2, 3, 4, 5)
    yield case("plain", *arrays())
    B, H, Tq, Tk, D, Dv = draw.sizes(2, 3, 5, 7, 4, 6)
    yield case("leading axes", *arrays(B))
    yield case("leading axes", *arrays(B, H))
    Tq, D, Dv = draw.sizes(3, 4, 5)
    Tk = Tq
    yield case("as many queries as keys", *arrays())
    yield case("large scores", *arrays(size=40.0), about="scores in the thousands")
    Tq, Tk, D, Dv = draw.sizes(3, 5, 4, 2)
    yield case("large scores", *arrays(size=40.0), about="scores in the thousands")
    yield case("float32", *arrays(dtype=np.float32))


def rows_sum_to_one(case: Case, output: np.ndarray, weights: np.ndarray) -> bool:
    """Look at the weights."""
    return bool(np.allclose(weights.sum(axis=-1), 1.0, atol=1e-4))


def not_negative(case: Case, output: np.ndarray, weights: np.ndarray) -> bool:
    """Look at the weights."""
    return bool((weights >= 0).all())


def between_the_values(case: Case, output: np.ndarray, weights: np.ndarray) -> bool:
    """Compare each output with the least and the largest value of its feature."""
    v = case.data[2]
    low, high = v.min(axis=-2, keepdims=True), v.max(axis=-2, keepdims=True)
    return bool(((output >= low - 1e-4) & (output <= high + 1e-4)).all())


WEIGHTS_SUM_TO_ONE = Property("each row of the weights adds up to 1", rows_sum_to_one)
WEIGHTS_NOT_NEGATIVE = Property("no weight is negative", not_negative)
BETWEEN_THE_VALUES = Property(
    "each output lies between the smallest and the largest value of its feature",
    between_the_values,
)

KEYS_AS_VALUES = Mistake(
    "keys_as_values",
    {"mixed": lambda k, v: k},
    "The keys are mixed, not the values.",
    "Keys say where to look. Which array holds what is fetched from there?",
    THREE_VECTORS,
)
SWAPPED = Mistake(
    "swapped",
    {"score": keys_ask},
    "The keys ask and the queries answer.",
    "Row i of the weights is how query i shares its look over the keys. Which array "
    "gives your rows?",
    EVERYBODY_ASKS,
)

ATTENTION = Exercise(
    id="attention",
    topic=TOPIC,
    title="A weighted mean for each query",
    points=3.0,
    minutes=15,
    difficulty=2,
    returns=(Array("output", "... Tq Dv"), Array("weights", "... Tq Tk")),
    draw_cases=attention_cases,
    oracle=attention,
    mistakes=(
        NO_SCALE,
        SCALE_BY_WIDTH,
        MULTIPLY_BY_SCALE,
        SCALE_BY_LENGTH,
        WRONG_AXIS,
        NO_AXIS,
        NO_SHIFT,
        NO_SOFTMAX,
        CAUSAL,
        KEYS_AS_VALUES,
        SWAPPED,
        REVERSED_AXES.at(
            EVERYBODY_ASKS,
            question="For one sentence it works. What is the shape of `k.T` for k of "
            "shape (2, 5, 4)? Which two axes should change places?",
        ),
        Mistake(
            "scale_after_softmax",
            {"scale": undivided, "after": by_root_of_width},
            "The weights are divided by √D after the softmax.",
            "What does each row of your weights add up to? What does softmax see of a "
            "division that comes after it?",
            "Why divide by the root of D?",
        ),
        Mistake(
            "transposed",
            {"turn": lambda weights: weights.swapaxes(-1, -2)},
            "The weights are transposed before they meet the values.",
            "Row i of the weights should mix the values for query i. What does column i "
            "hold?",
            EVERYBODY_ASKS,
        ),
        Mistake(
            "only_output",
            {"give": lambda output, weights: output},
            "The output comes back without the weights.",
            "What does the docstring say is returned, and in which order?",
            EVERYBODY_ASKS,
        ),
    ),
    properties=(WEIGHTS_NOT_NEGATIVE, WEIGHTS_SUM_TO_ONE, BETWEEN_THE_VALUES),
    built_on=("softmax", "attention_scores"),
    finished=(
        "torch.nn.functional.scaled_dot_product_attention",
        "torch.nn.functional.multi_head_attention_forward",
        "torch.nn.MultiheadAttention",
    ),
    place=EVERYBODY_ASKS,
)


# ---------------------------------------------------------------- self_attention
def from_the_right(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Multiply parameters from the right."""
    return x @ w


def by_root_of_head_width(
    scores: np.ndarray, q: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Divide by √D."""
    return scores / np.sqrt(q.shape[-1])


def self_attention(
    x: np.ndarray,
    w_q: np.ndarray,
    w_k: np.ndarray,
    w_v: np.ndarray,
    *,
    project: Callable = from_the_right,
    for_keys: Callable = lambda w_q, w_k: w_k,
    for_values: Callable = lambda w_k, w_v: w_v,
    score: Callable = dot,
    scale: Callable = by_root_of_head_width,
    axis: int = -1,
    shift: Callable = below_largest,
) -> tuple[np.ndarray, np.ndarray]:
    """Give (output, weights) of a sequence that looks at itself."""
    q = project(x, w_q)
    k = project(x, for_keys(w_q, w_k))
    v = project(x, for_values(w_k, w_v))
    weights = softmax(scale(score(q, k), q, x), axis, shift)  # (..., T, T)
    return weights @ v, weights


def self_attention_cases(draw: Draw) -> Iterator[Case]:
    """Draw tokens and parameters."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, T, C, size=size, dtype=dtype),
            draw.normal(C, D, dtype=dtype),
            draw.normal(C, D, dtype=dtype),
            draw.normal(C, Dv, dtype=dtype),
        )

    T, C, D, Dv = draw.sizes(2, 3, 4, 5)
    yield case("plain", *arrays())
    B, H, T, C, D, Dv = draw.sizes(2, 3, 5, 7, 4, 6)
    yield case("leading axes", *arrays(B))
    yield case("leading axes", *arrays(B, H))
    T, C = draw.sizes(2, 4)
    D = Dv = C
    yield case("square parameters", *arrays())
    yield case("large scores", *arrays(size=40.0), about="scores in the thousands")
    T, C, D, Dv = draw.sizes(3, 5, 4, 2)
    yield case("large scores", *arrays(size=40.0), about="scores in the thousands")
    yield case("float32", *arrays(size=0.5, dtype=np.float32))


SELF_ATTENTION = Exercise(
    id="self_attention",
    topic=TOPIC,
    title="Three questions to the same token",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=(Array("output", "... T Dv"), Array("weights", "... T T")),
    draw_cases=self_attention_cases,
    oracle=self_attention,
    mistakes=(
        NO_SCALE,
        SCALE_BY_WIDTH,
        Mistake(
            "scale_by_model_width",
            {"scale": lambda scores, q, x: scores / np.sqrt(x.shape[-1])},
            "The scores are divided by √C, the width of x, not by √D, that of q and k.",
            "How many products does one dot product of a query and a key add up?",
            "Why divide by the root of D?",
        ),
        WRONG_AXIS,
        NO_SHIFT,
        SWAPPED,
        Mistake(
            "same_projection",
            {"for_keys": lambda w_q, w_k: w_q},
            "w_q makes the keys too.",
            "Is your score of token 1 for token 2 the same as that of token 2 for token "
            "1? Must it be?",
            THREE_VECTORS,
        ),
        Mistake(
            "keys_as_values",
            {"for_values": lambda w_k, w_v: w_k},
            "w_k makes the values too.",
            "What comes out changes when w_v changes, or does it? Which parameter says "
            "what a token hands over?",
            THREE_VECTORS,
        ),
        Mistake(
            "parameters_transposed",
            {"project": lambda x, w: x @ w.T},
            "The parameters are transposed: x @ w.T.",
            "Write the shapes under each other, (T, C) and (C, D). Which product gives "
            "(T, D)? (torch stores its parameters the other way round.)",
            THREE_VECTORS,
        ),
    ),
    properties=(WEIGHTS_NOT_NEGATIVE, WEIGHTS_SUM_TO_ONE),
    built_on=("softmax", "attention_scores", "attention"),
    finished=ATTENTION.finished,
    place=THREE_VECTORS,
)


# ---------------------------------------------------------------- softmax_backward
def mean_under_weights(
    weights: np.ndarray, grad_weights: np.ndarray, axis: int
) -> np.ndarray:
    """Give the average gradient, each counted by its weight."""
    return (weights * grad_weights).sum(axis=axis, keepdims=True)


def softmax_backward(
    weights: np.ndarray,
    grad_weights: np.ndarray,
    *,
    mean: Callable = mean_under_weights,
    axis: int = -1,
    counted: Callable = np.multiply,
) -> np.ndarray:
    """Give w · (g − Σ w·g)."""
    return counted(weights, grad_weights - mean(weights, grad_weights, axis))


def backward_cases(draw: Draw) -> Iterator[Case]:
    """Draw weights as softmax gives them, and gradients."""

    def arrays(*shape: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        weights = softmax(draw.normal(*shape, size=size))
        if draw.shown and len(shape) == 2 and size == 1.0:
            weights = np.round(weights, 1)
            weights[..., -1] = 1.0 - weights[..., :-1].sum(axis=-1)
        return weights.astype(dtype), draw.normal(*shape, dtype=dtype)

    Tq, Tk = draw.sizes(2, 3)
    yield case("plain", *arrays(Tq, Tk))
    B, H, Tq, Tk = draw.sizes(2, 5, 3, 4)
    yield case("leading axes", *arrays(Tk), about="a single row")
    yield case("leading axes", *arrays(B, Tq, Tk))
    yield case("leading axes", *arrays(B, H, Tq, Tk))
    yield case("peaked weights", *arrays(Tq, Tk, size=30.0))
    yield case("float32", *arrays(Tq, Tk, dtype=np.float32))


SOFTMAX_BACKWARD = Exercise(
    id="softmax_backward",
    topic=TOPIC,
    title="Back through the softmax",
    points=2.0,
    minutes=15,
    difficulty=3,
    returns=Array("the gradient of the scores", "... Tq Tk"),
    draw_cases=backward_cases,
    oracle=softmax_backward,
    mistakes=(
        Mistake(
            "elementwise",
            {"mean": lambda weights, grad, axis: weights * grad},
            "Each score is taken to move its own weight only: g·w·(1−w).",
            "If one score rises, what happens to the other weights of its row? What "
            "must each row of your result add up to?",
        ),
        Mistake(
            "no_sum",
            {"mean": lambda weights, grad, axis: 0.0},
            "Nothing is subtracted: g·w.",
            "Raising all scores of a row together changes no weight. So what must each "
            "row of your result add up to?",
        ),
        Mistake(
            "sum_of_gradients",
            {"mean": lambda weights, grad, axis: grad.sum(axis=axis, keepdims=True)},
            "The plain sum of the gradients is subtracted, not their mean under the "
            "weights.",
            "Take a row of equal gradients. How much can a shift of the scores change "
            "the loss then, and what does your formula say?",
        ),
        Mistake(
            "wrong_axis",
            {"axis": -2},
            "The sum runs over the queries.",
            "A row shares out one whole, and its weights pull at each other. Do the "
            "weights of two different queries?",
        ),
        Mistake(
            "no_weights",
            {"counted": lambda weights, difference: difference},
            "The difference from the mean is not multiplied by the weight.",
            "How much can a score with a weight of nearly 0 change? What does your "
            "result say there?",
        ),
    ),
    properties=(
        Property(
            "each row of the result adds up to 0, because raising all scores of a row "
            "together changes nothing",
            lambda case, result: bool(np.allclose(result.sum(axis=-1), 0.0, atol=1e-4)),
        ),
    ),
    place=BACKWARD,
)


# ---------------------------------------------------------------- attention_backward
def attention_backward(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    grad_output: np.ndarray,
    *,
    scale: Callable = by_root_of_width,
    shift: Callable = below_largest,
    scale_back: Callable = by_root_of_width,
    softmax_back: Callable = softmax_backward,
    for_values: Callable = lambda weights: weights.swapaxes(-1, -2),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the gradients of queries, keys and values."""
    weights = softmax(scale(dot(q, k), q, k), -1, shift)
    grad_weights = dot(grad_output, v)  # (..., Tq, Tk)
    grad_scores = scale_back(softmax_back(weights, grad_weights), q, k)
    return (
        grad_scores @ k,
        grad_scores.swapaxes(-1, -2) @ q,
        for_values(weights) @ grad_output,
    )


def attention_backward_cases(draw: Draw) -> Iterator[Case]:
    """Take the cases of attention, with a gradient of each output."""
    for one in attention_cases(draw):
        q, _, v = one.data
        shape = (*q.shape[:-1], v.shape[-1])
        yield replace(one, data=(*one.data, draw.normal(*shape, dtype=q.dtype.type)))


def keys_add_up_to_zero(
    case: Case, grad_q: np.ndarray, grad_k: np.ndarray, grad_v: np.ndarray
) -> bool:
    """Add the same vector to all keys: no weight changes."""
    return bool(np.allclose(grad_k.sum(axis=-2), 0.0, atol=1e-3))


def values_pass_all_on(
    case: Case, grad_q: np.ndarray, grad_k: np.ndarray, grad_v: np.ndarray
) -> bool:
    """Add the same vector to all values: every output changes by it."""
    whole = case.data[3].sum(axis=-2)
    return bool(np.allclose(grad_v.sum(axis=-2), whole, atol=1e-3))


ATTENTION_BACKWARD = Exercise(
    id="attention_backward",
    topic=TOPIC,
    title="Back through attention",
    points=3.0,
    minutes=25,
    difficulty=4,
    returns=(
        Array("grad_q", "... Tq D"),
        Array("grad_k", "... Tk D"),
        Array("grad_v", "... Tk Dv"),
    ),
    draw_cases=attention_backward_cases,
    oracle=attention_backward,
    mistakes=(
        Mistake(
            "no_scale",
            {"scale": undivided, "scale_back": undivided},
            "1/√D is missing, on the way forward and on the way back.",
            "Compare your weights with those of `attention`. What is done to the scores "
            "before the softmax?",
            "Why divide by the root of D?",
        ),
        Mistake(
            "scale_missing_backward",
            {"scale_back": undivided},
            "1/√D is missing in grad_q and grad_k.",
            "grad_v is right, the other two are too large by one common factor. What "
            "does a division by a constant do to all slopes before it?",
        ),
        Mistake(
            "no_softmax_backward",
            {"softmax_back": lambda weights, grad_weights: grad_weights},
            "The gradient of the weights is used as the gradient of the scores.",
            "Between the scores and the weights stands a function. How do you walk back "
            "through it?",
        ),
        Mistake(
            "elementwise_softmax",
            {"softmax_back": lambda w, g: g * w * (1.0 - w)},
            "The way back through the softmax uses the diagonal of its Jacobian only.",
            "If one score of a row rises, what happens to the *other* weights of that "
            "row?",
        ),
        Mistake(
            "values_not_transposed",
            {"for_values": as_it_is},
            "grad_v is made of the rows of the weights, not of their columns.",
            "Which queries looked at value j, and so send their gradient to it? Do "
            "their weights stand in a row or in a column?",
        ),
        NO_SHIFT,
    ),
    properties=(
        Property(
            "the gradients of the values add up to those of the outputs, because the "
            "weights of a row add up to 1",
            values_pass_all_on,
        ),
        Property(
            "the gradients of the keys add up to 0, because adding the same vector to "
            "all keys changes no weight",
            keys_add_up_to_zero,
        ),
    ),
    built_on=("softmax", "attention_scores", "attention", "softmax_backward"),
    place=BACKWARD,
)

EXERCISES = (
    ATTENTION_SCORES,
    ATTENTION,
    SELF_ATTENTION,
    SOFTMAX_BACKWARD,
    ATTENTION_BACKWARD,
)
