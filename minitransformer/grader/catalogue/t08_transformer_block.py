"""Topic 08: layer norm, feed-forward, and the block around them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import erf
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    MASK_IGNORED,
    as_it_is,
    some_mask,
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

TOPIC = "08_transformer_block"
SIZE = "How do you put the size right?"
GRADIENT = "Where does the gradient get through?"
OTHER_HALF = "What does the other half of the block do?"
TOGETHER = "The block, all together"


# ---------------------------------------------------------------- layer_norm
def mean_removed(x: np.ndarray, axis: Any) -> np.ndarray:
    """Subtract the mean."""
    return x - x.mean(axis=axis, keepdims=True)


def biased(x: np.ndarray, axis: Any) -> np.ndarray:
    """Give the mean square distance from the mean."""
    return x.var(axis=axis, keepdims=True)


def eps_inside(variance: np.ndarray, eps: float) -> np.ndarray:
    """Add ε before the root is taken."""
    return np.sqrt(variance + eps)


def gain_then_bias(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Scale and shift each feature."""
    return x * gain + bias


def layer_norm(
    x: np.ndarray,
    gain: np.ndarray,
    bias: np.ndarray,
    eps: float = 1e-5,
    *,
    axis: Any = -1,
    centre: Callable = mean_removed,
    variance: Callable = biased,
    root: Callable = eps_inside,
    finish: Callable = gain_then_bias,
) -> np.ndarray:
    """Give mean 0 and variance 1, then gain and bias."""
    normed = centre(x, axis) / root(variance(x, axis), eps)
    return finish(normed, gain, bias)


def norm_cases(draw: Draw) -> Iterator[Case]:
    """Draw tokens, ordinary ones, quiet ones, constant ones, and a large ε."""

    def arrays(*leading: int, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, C, size=2.0, dtype=dtype) + dtype(0.7),
            (draw.normal(C, size=0.3, dtype=dtype) + dtype(1.4)),
            draw.normal(C, dtype=dtype),
        )

    T, C = draw.sizes(2, 4, smallest=3)
    yield case("plain", *arrays(T))
    T, C = draw.sizes(5, 3, smallest=3)
    yield case("plain", *arrays(T), eps=0.1)
    B, T, C = draw.sizes(2, 4, 6, smallest=3)
    yield case("leading axes", *arrays(B, T))
    yield case("leading axes", *arrays(B, 2, T))
    yield case("as many tokens as features", *arrays(C))
    x, gain, bias = arrays(T)
    yield case("small features", 0.003 * x, gain, bias, about="features near 0.003")
    x, gain, bias = arrays(T)
    x[1] = 3.0
    yield case("constant rows", x, gain, bias, about="one token with equal features")
    yield case("float32", *arrays(T, dtype=np.float32))


def mean_is_zero(case: Case, normed: np.ndarray) -> bool:
    """Take gain and bias away again, and look at the mean."""
    _, gain, bias = case.data
    plain = (normed - bias) / gain
    return bool(np.allclose(plain.mean(axis=-1), 0.0, atol=1e-4))


LAYER_NORM = Exercise(
    id="layer_norm",
    topic=TOPIC,
    title="Put the size right",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=Array("the normed tokens", "... C"),
    draw_cases=norm_cases,
    oracle=layer_norm,
    mistakes=(
        Mistake(
            "wrong_axis",
            {"axis": 0},
            "Mean and variance are taken over the first axis.",
            "Does a token's result change if another token of the batch does? Should "
            "it?",
            also=({"axis": -2},),
        ),
        Mistake(
            "over_sequence",
            {"axis": (-2, -1)},
            "Mean and variance are taken over all tokens of a text at once.",
            "Does a token's result change if its neighbour does? Should it?",
            also=({"axis": None},),
        ),
        Mistake(
            "unbiased",
            {"variance": lambda x, axis: x.var(axis=axis, ddof=1, keepdims=True)},
            "The variance is divided by C − 1.",
            "For [1, 3]: the squared distances from the mean are 1 and 1. What is their "
            "mean?",
        ),
        Mistake(
            "eps_outside",
            {"root": lambda variance, eps: np.sqrt(variance) + eps},
            "ε is added to the root, not under it.",
            "With ε = 0.1 and a variance of 1: is the divisor √1.1, or 1.1?",
        ),
        Mistake(
            "no_eps",
            {"root": lambda variance, eps: np.sqrt(variance)},
            "ε has no effect.",
            "What is the variance of a token whose features are all equal, and what do "
            "you divide by then?",
        ),
        Mistake(
            "no_root",
            {"root": lambda variance, eps: variance + eps},
            "The variance itself is the divisor, without a root.",
            "If all features become ten times as large, how much larger is the "
            "variance? Does your result stay the same?",
        ),
        Mistake(
            "no_gain_bias",
            {"finish": lambda x, gain, bias: x},
            "Gain and bias have no effect.",
            "What comes out changes when the gain does, or does it?",
        ),
        Mistake(
            "swapped",
            {"finish": lambda x, gain, bias: x * bias + gain},
            "Gain and bias have changed places.",
            "Which of the two multiplies, and which is added?",
        ),
        Mistake(
            "rms",
            {
                "centre": lambda x, axis: x,
                "variance": lambda x, axis: np.square(x).mean(axis=axis, keepdims=True),
            },
            "The mean is not subtracted; this is RMS norm.",
            "What is the mean of your result, before gain and bias?",
            also=({"centre": lambda x, axis: x},),
        ),
    ),
    properties=(Property("before gain and bias, each token has mean 0", mean_is_zero),),
    finished=("torch.nn.functional.layer_norm", "torch.nn.LayerNorm"),
    place=SIZE,
)


# ---------------------------------------------------------------- feed_forward
def relu(x: np.ndarray) -> np.ndarray:
    """Give max(0, x)."""
    return np.maximum(x, 0.0)


def gelu(x: np.ndarray) -> np.ndarray:
    """Give x · Φ(x)."""
    return x * 0.5 * (1.0 + np.vectorize(erf, otypes=[float])(x / np.sqrt(2.0)))


def gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    """Give the approximation of GELU by tanh."""
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def plus(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Add the bias."""
    return x + bias


def nothing_added(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Leave the bias out."""
    return x


def feed_forward(
    x: np.ndarray,
    w_1: np.ndarray,
    b_1: np.ndarray,
    w_2: np.ndarray,
    b_2: np.ndarray,
    *,
    inside: Callable = plus,
    bend: Callable = relu,
    outside: Callable = nothing_added,
    second: Callable = plus,
    end: Callable = as_it_is,
) -> np.ndarray:
    """Give ReLU between two affine maps."""
    hidden = outside(bend(inside(x @ w_1, b_1)), b_1)
    return end(second(hidden @ w_2, b_2))


def forward_cases(draw: Draw) -> Iterator[Case]:
    """Draw tokens and two affine maps."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, C, size=size, dtype=dtype),
            draw.normal(C, F, dtype=dtype),
            draw.normal(F, dtype=dtype),
            draw.normal(F, C, dtype=dtype),
            draw.normal(C, dtype=dtype),
        )

    T, C, F = draw.sizes(2, 3, 5)
    yield case("plain", *arrays(T))
    B, H, T, C, F = draw.sizes(2, 4, 5, 3, 7)
    yield case("leading axes", *arrays(C), about="a single token")
    yield case("leading axes", *arrays(B, T))
    yield case("leading axes", *arrays(B, H, T))
    yield case("large entries", *arrays(T, size=50.0))
    yield case("float32", *arrays(T, dtype=np.float32))


FEED_FORWARD = Exercise(
    id="feed_forward",
    topic=TOPIC,
    title="Widen, bend, narrow",
    points=1.0,
    minutes=5,
    difficulty=1,
    returns=Array("the tokens", "... C"),
    draw_cases=forward_cases,
    oracle=feed_forward,
    mistakes=(
        Mistake(
            "no_activation",
            {"bend": as_it_is},
            "There is nothing between the two maps.",
            "Can two affine maps, one behind the other, do more than one?",
        ),
        Mistake(
            "relu_on_output",
            {"end": relu},
            "ReLU stands at the end too.",
            "Can your result be negative? What is added to the stream of a block must "
            "be able to lower it.",
        ),
        Mistake(
            "gelu",
            {"bend": gelu},
            "GELU is used in place of ReLU.",
            "What does the exercise ask for between the two maps: is it 0 for every "
            "negative number?",
            also=({"bend": gelu_by_tanh},),
        ),
        Mistake(
            "bias_after_activation",
            {"inside": nothing_added, "outside": plus},
            "The first bias is added after ReLU.",
            "What can a bias do before the bend that it cannot do after it?",
        ),
        Mistake(
            "first_bias_forgotten",
            {"inside": nothing_added},
            "The first bias is left out.",
            "What should come out of the first map for a token of zeros?",
        ),
        Mistake(
            "second_bias_forgotten",
            {"second": nothing_added},
            "The second bias is left out.",
            "What should come out if the second matrix is all zeros?",
        ),
    ),
    place=OTHER_HALF,
)


# ---------------------------------------------------------------- pre_norm_block
def pre_norm(
    x: np.ndarray, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> np.ndarray:
    """Take two residual steps, each branch normed first."""
    x = x + attend(norm_1(x))
    return x + feed(norm_2(x))


def post_norm(
    x: Any, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Any:
    """Norm each sum."""
    x = norm_1(x + attend(x))
    return norm_2(x + feed(x))


def no_residual(
    x: Any, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Any:
    """Put the branches one behind the other."""
    return feed(norm_2(attend(norm_1(x))))


def residual_from_norm(
    x: Any, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Any:
    """Carry the normed tokens on."""
    x = norm_1(x)
    x = x + attend(x)
    x = norm_2(x)
    return x + feed(x)


def parallel(
    x: Any, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Any:
    """Let both branches read x."""
    return x + attend(norm_1(x)) + feed(norm_2(x))


def second_residual_from_x(
    x: Any, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Any:
    """Add x, not the first sum, in the second step."""
    first = x + attend(norm_1(x))
    return x + feed(norm_2(first))


def no_norms(
    x: Any, attend: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Any:
    """Leave both norms out."""
    x = x + attend(x)
    return x + feed(x)


def only_norm_1(norm_1: Callable, norm_2: Callable) -> Callable:
    """Use the first norm twice."""
    return norm_1


def only_given(norm_1: Callable, norm_2: Callable) -> Callable:
    """Use the second norm in the second step."""
    return norm_2


def pre_norm_block(
    x: np.ndarray,
    attend: Callable,
    feed_forward: Callable,
    norm_1: Callable,
    norm_2: Callable,
    *,
    steps: Callable = pre_norm,
    second: Callable = only_given,
) -> np.ndarray:
    """Take the two steps of a block."""
    x, outside = np.asarray(x), (attend, feed_forward, norm_1, second(norm_1, norm_2))
    return steps(x, *(plain(function) for function in outside))


def plain(function: Callable) -> Callable:
    """Let a function give arrays."""
    return lambda x: np.asarray(function(x))


def block_parts(draw: Draw, C: int) -> tuple[Callable, ...]:
    """Make four functions that are not linear and unlike each other."""
    w, u = draw.normal(C, C, size=0.6), draw.normal(C, C, size=0.6)
    gain, bias = draw.normal(C, size=0.3) + 1.3, draw.normal(C, size=0.5)

    def attend(y: np.ndarray) -> np.ndarray:
        y = np.asarray(y)
        return np.tanh(y @ w) + 0.5 * y.mean(axis=-2, keepdims=True)

    def feed(y: np.ndarray) -> np.ndarray:
        return np.maximum(np.asarray(y) @ u, 0.0) - 0.3

    def norm_1(y: np.ndarray) -> np.ndarray:
        y = mean_removed(np.asarray(y), -1)
        return gain * y / np.sqrt(np.square(y).mean(axis=-1, keepdims=True) + 1e-5)

    def norm_2(y: np.ndarray) -> np.ndarray:
        y = np.asarray(y)
        return y / np.sqrt(np.square(y).mean(axis=-1, keepdims=True) + 0.1) + bias

    return attend, feed, norm_1, norm_2


def step_cases(draw: Draw) -> Iterator[Case]:
    """Draw tokens, and functions to go through."""
    T, C = draw.sizes(2, 3)
    yield case("plain", draw.normal(T, C, size=2.0), *block_parts(draw, C))
    T, C = draw.sizes(4, 5)
    yield case("plain", draw.normal(T, C, size=2.0), *block_parts(draw, C))
    B, T, C = draw.sizes(2, 4, 3)
    yield case("leading axes", draw.normal(B, T, C), *block_parts(draw, C))
    yield case("large entries", draw.normal(T, C, size=50.0), *block_parts(draw, C))


STEPS = (
    Mistake(
        "post_norm",
        {"steps": post_norm},
        "The norm stands after the sum (as in 2017), not before the branch.",
        "Is there a path from the bottom to the top that passes through no norm?",
        GRADIENT,
    ),
    Mistake(
        "no_residual",
        {"steps": no_residual},
        "Nothing is added to x: the branches stand one behind the other.",
        "What should come out if both branches give zeros?",
        GRADIENT,
    ),
    Mistake(
        "parallel",
        {"steps": parallel},
        "The second branch reads x, not the result of the first step.",
        "Can the feed-forward work on what attention has just found?",
        TOGETHER,
    ),
    Mistake(
        "residual_from_norm",
        {"steps": residual_from_norm},
        "The normed tokens are carried on, not x.",
        "If both branches give zeros, should x come out, or the norm of x?",
        TOGETHER,
    ),
    Mistake(
        "second_residual_from_x",
        {"steps": second_residual_from_x},
        "The second step adds to x, and what attention found is lost.",
        "If the feed-forward gives zeros, does the result still hold what attention "
        "found?",
        TOGETHER,
    ),
    Mistake(
        "no_norms",
        {"steps": no_norms},
        "The norms are left out.",
        "How large is what each branch reads, after many blocks that each add "
        "something?",
        GRADIENT,
    ),
)

PRE_NORM_BLOCK = Exercise(
    id="pre_norm_block",
    topic=TOPIC,
    title="Two steps",
    points=2.0,
    minutes=8,
    difficulty=2,
    returns=Array("the tokens", "... T C"),
    draw_cases=step_cases,
    oracle=pre_norm_block,
    mistakes=(
        *STEPS,
        Mistake(
            "same_norm",
            {"second": only_norm_1},
            "norm_1 is used twice.",
            "What changes in your result when norm_2 does?",
            TOGETHER,
        ),
    ),
    place=TOGETHER,
)


# ---------------------------------------------------------------- Block
def block(
    width: int,
    num_heads: int,
    hidden_width: int,
    values: Mapping[str, np.ndarray],
    x: np.ndarray,
    grad_output: np.ndarray,
    mask: np.ndarray | None = None,
    **parts: Any,
) -> tuple[np.ndarray, ...]:
    """Give a block's output and gradients; a part may name one in `torch_parts`."""
    import torch

    from minitransformer.grader.catalogue import torch_parts

    for name, part in parts.items():
        if part in BENDS:
            parts[name] = getattr(torch_parts, part)
    seen = None if mask is None else torch.from_numpy(mask)
    names = ("norm_1.gain", "attention.query.weight", "feed_forward.0.weight")
    return torch_parts.with_gradients(
        lambda parameters, x: torch_parts.block(
            parameters, x, num_heads, seen, **parts
        ),
        values,
        grad_output,
        names,
        x,
    )


BENDS = ("feed_forward_without_bend", "feed_forward_with_gelu")


def block_cases(draw: Draw) -> Iterator[Case]:
    """Draw activations, parameters that are nowhere neutral, and masks."""

    def drawn(*shape: int, around: float = 0.0, size: float = 0.6) -> np.ndarray:
        return (around + draw.normal(*shape, size=size)).astype(np.float32)

    def arguments() -> tuple[Any, ...]:
        C = H * D
        values = {
            f"attention.{name}.weight": drawn(C, C)
            for name in ("query", "key", "value", "output")
        }
        for name in ("norm_1", "norm_2"):
            values[f"{name}.gain"] = drawn(C, around=1.0, size=0.3)
            values[f"{name}.bias"] = drawn(C)
        values["feed_forward.0.weight"] = drawn(F, C)
        values["feed_forward.0.bias"] = drawn(F)
        values["feed_forward.2.weight"] = drawn(C, F)
        values["feed_forward.2.bias"] = drawn(C)
        x = drawn(B, T, C, size=1.5)
        return C, H, F, values, x, drawn(B, T, C, size=1.0)

    B, H, T, D, F = draw.sizes(2, 3, 4, 5, 7)
    yield case("plain", *arguments())
    yield case("masks", *arguments(), mask=np.tri(T, dtype=bool))
    yield case("masks", *arguments(), mask=some_mask(draw, B, 1, T))
    yield case("masks", *arguments(), mask=some_mask(draw, B, T, T))


BLOCK = Exercise(
    id="Block",
    topic=TOPIC,
    title="The block as a torch module",
    points=3.0,
    minutes=15,
    difficulty=3,
    returns=(
        Array("output", "B T C"),
        Array("the gradient of x", "B T C"),
        Array("the gradient of norm_1's gain", "C"),
        Array("the gradient of the queries' parameters", "C C"),
        Array("the gradient of the first map of feed_forward", "F C"),
    ),
    draw_cases=block_cases,
    oracle=block,
    drive="torch_drives.block",
    mistakes=(
        *STEPS,
        Mistake(
            "same_norm",
            {"second": "norm_1"},
            "norm_1 is used twice.",
            "What is the gradient of norm_2's gain after a backward pass?",
            TOGETHER,
        ),
        Mistake(
            "no_activation",
            {"bend": "feed_forward_without_bend"},
            "There is no ReLU in the feed-forward.",
            "Can two affine maps, one behind the other, do more than one?",
            OTHER_HALF,
        ),
        Mistake(
            "gelu",
            {"bend": "feed_forward_with_gelu"},
            "GELU stands in the feed-forward in place of ReLU.",
            "Which bend does the exercise ask for between the two maps?",
            OTHER_HALF,
        ),
        replace(
            MASK_IGNORED,
            parts={"visible": lambda mask: None},
            place=TOGETHER,
            plain="The mask is not passed on to the attention.",
            also=(),
        ),
    ),
    built_on=("MultiHeadAttention",),
    finished=("torch.nn.TransformerEncoderLayer", "torch.nn.TransformerDecoderLayer"),
    place=TOGETHER,
    seconds=20.0,
)

EXERCISES = (LAYER_NORM, FEED_FORWARD, PRE_NORM_BLOCK, BLOCK)
