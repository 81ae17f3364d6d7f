"""How each formula is called: arguments for any leading axes, sizes and type of number.

What holds for all formulas alike (inputs stay as they are, types are kept, leading axes
are free) is tested over this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from hypothesis import strategies as st

from minitransformer import reference


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """No two need be equal."""

    Tq: int
    Tk: int
    D: int
    Dv: int
    H: int


sizes = st.builds(
    Sizes,
    Tq=st.integers(1, 6),
    Tk=st.integers(1, 6),
    D=st.integers(1, 4).map(lambda half: 2 * half),  # rotary and sinusoids want pairs
    Dv=st.integers(1, 6),
    H=st.integers(1, 3),
)

Draw = Callable[..., np.ndarray]


def qkv(draw: Draw, s: Sizes) -> list[np.ndarray]:
    return [draw(s.Tq, s.D), draw(s.Tk, s.D), draw(s.Tk, s.Dv)]


def same_length(draw: Draw, s: Sizes) -> list[np.ndarray]:
    return [draw(s.Tk, s.D), draw(s.Tk, s.D), draw(s.Tk, s.Dv)]


def mask(s: Sizes) -> np.ndarray:
    allowed = np.add.outer(np.arange(s.Tq), np.arange(s.Tk)) % 3 > 0
    allowed[0] = False  # one row that may look nowhere
    return allowed


# Parameters have no leading axes: `once` draws those, `draw` what a batch is made of.
ARGUMENTS: dict[str, Callable[[Draw, Draw, Sizes], tuple[list, dict]]] = {
    "attention": lambda draw, once, s: (qkv(draw, s), {}),
    "attention_backward": lambda draw, once, s: (
        [*qkv(draw, s), draw(s.Tq, s.Dv)],
        {},
    ),
    "attention_scores": lambda draw, once, s: (qkv(draw, s)[:2], {}),
    "cached_attention": lambda draw, once, s: ([*same_length(draw, s), None], {}),
    "cosine_similarity": lambda draw, once, s: (qkv(draw, s)[:2], {}),
    "cross_attention": lambda draw, once, s: (
        [draw(s.Tq, 5), draw(s.Tk, 3), once(5, s.D), once(3, s.D), once(3, s.Dv)],
        {"memory_mask": mask(s)},
    ),
    "dot_products": lambda draw, once, s: (qkv(draw, s)[:2], {}),
    "entropy": lambda draw, once, s: ([abs(draw(s.Tq, s.Tk))], {}),
    "feed_forward": lambda draw, once, s: (
        [draw(s.Tq, s.D), once(s.D, 5), once(5), once(5, s.Dv), once(s.Dv)],
        {},
    ),
    "gelu": lambda draw, once, s: ([draw(s.Tq, s.D)], {}),
    "layer_norm": lambda draw, once, s: ([draw(s.Tq, s.D), once(s.D), once(s.D)], {}),
    "linear_attention": lambda draw, once, s: (same_length(draw, s), {}),
    "masked_attention": lambda draw, once, s: ([*qkv(draw, s), mask(s)], {}),
    "masked_softmax": lambda draw, once, s: ([draw(s.Tq, s.Tk), mask(s)], {}),
    "multi_head_attention": lambda draw, once, s: (
        [draw(s.Tk, 2 * s.H), *(once(2 * s.H, 2 * s.H) for _ in range(4)), s.H],
        {"mask": np.tri(s.Tk, dtype=bool)},
    ),
    "online_softmax_attention": lambda draw, once, s: ([*qkv(draw, s), 2], {}),
    "pre_norm_block": lambda draw, once, s: (
        [draw(s.Tq, s.D), np.sin, np.cos, np.tanh, np.abs],
        {},
    ),
    "recurrent_states": lambda draw, once, s: (
        [draw(s.Tk, s.D), once(s.D, 3), once(3, 3), once(3)],
        {},
    ),
    "relu": lambda draw, once, s: ([draw(s.Tq, s.D)], {}),
    "rms_norm": lambda draw, once, s: ([draw(s.Tq, s.D), once(s.D)], {}),
    "rotary": lambda draw, once, s: ([draw(s.Tk, s.D), np.arange(s.Tk) * 3], {}),
    "sampling_probabilities": lambda draw, once, s: (
        [draw(s.Tk + 1)],
        {"temperature": 0.7, "top_k": 4, "top_p": 0.9},
    ),
    "self_attention": lambda draw, once, s: (
        [draw(s.Tk, 5), once(5, s.D), once(5, s.D), once(5, s.Dv)],
        {},
    ),
    "sliding_window_attention": lambda draw, once, s: (
        [*same_length(draw, s), 2],
        {"block": 3},
    ),
    "softmax": lambda draw, once, s: ([draw(s.Tq, s.Tk)], {}),
    "softmax_backward": lambda draw, once, s: (
        [draw(s.Tq, s.Tk), draw(s.Tq, s.Tk)],
        {},
    ),
    "squared_relu": lambda draw, once, s: ([draw(s.Tq, s.D)], {}),
    "tiled_attention": lambda draw, once, s: (
        same_length(draw, s),
        {"causal": True, "query_tile": 2, "key_tile": 3},
    ),
}
WITH_HEADS = {  # those that need the axis of heads
    "grouped_query_attention": lambda draw, once, s: (
        [draw(2 * s.H, s.Tq, s.D), draw(s.H, s.Tk, s.D), draw(s.H, s.Tk, s.Dv)],
        {},
    ),
    "merge_heads": lambda draw, once, s: ([draw(s.H, s.Tq, s.D)], {}),
}
ARGUMENTS |= WITH_HEADS
KEEPS_INTEGERS = {"merge_heads"}  # moves numbers, computes nothing


def arguments(
    name: str,
    s: Sizes,
    *,
    leading: tuple[int, ...] = (),
    dtype: type = np.float64,
    seed: int = 0,
) -> tuple[list, dict]:
    """Make arguments for a formula, the same for the same seed."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int, leading: tuple[int, ...]) -> np.ndarray:
        return (3 * rng.normal(size=leading + shape)).astype(dtype)

    return ARGUMENTS[name](partial(draw, leading=leading), partial(draw, leading=()), s)


def outputs(name: str, positional: list, keywords: dict) -> list[np.ndarray]:
    """Call a formula and give its arrays as a flat list."""
    result = getattr(reference, name)(*positional, **keywords)
    if name == "cached_attention":
        return [result[0], *result[1]]
    return list(result) if isinstance(result, tuple) else [result]
