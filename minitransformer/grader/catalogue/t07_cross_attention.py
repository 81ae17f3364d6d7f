"""Topic 07: attention from one sequence into another, and writing greedily."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    CAUSAL,
    MASK_AFTER_SOFTMAX,
    MASK_IGNORED,
    MASK_INVERTED,
    NAN_ON_EMPTY,
    NO_SCALE,
    NO_SHIFT_MASKED,
    as_it_is,
    as_they_come,
    below_largest,
    by_root_of_width,
    dot,
    masked_weights,
    minus_infinity,
    no_longer,
    some_mask,
    zeros_for_empty,
)
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import Array, Case, Exercise, Mistake, case

TOPIC = "07_cross_attention"
TWO_TEXTS = "How does one text look into another?"
GREEDY = "How does it know when to stop?"


# ---------------------------------------------------------------- cross_attention
def the_text(x: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Take what asks."""
    return x


def the_memory(x: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Take what is looked into."""
    return memory


def cross_attention(
    x: np.ndarray,
    memory: np.ndarray,
    w_q: np.ndarray,
    w_k: np.ndarray,
    w_v: np.ndarray,
    memory_mask: np.ndarray | None = None,
    *,
    asks: Callable = the_text,
    for_keys: Callable = the_memory,
    for_values: Callable = the_memory,
    scale: Callable = by_root_of_width,
    mask: Callable = as_it_is,
    see: Callable = as_it_is,
    fill: Callable = minus_infinity,
    shift: Callable = below_largest,
    divide: Callable = np.divide,
    empty: Callable = zeros_for_empty,
    after: Callable = no_longer,
) -> tuple[np.ndarray, np.ndarray]:
    """Give (output, weights) of queries from x, keys and values from the memory."""
    q = asks(x, memory) @ w_q
    k = for_keys(x, memory) @ w_k
    v = for_values(x, memory) @ w_v
    scores = mask(scale(dot(q, k), q, k))  # (..., Tq, Tk)
    everything = np.ones(scores.shape[-2:], dtype=bool)
    weights = masked_weights(
        scores,
        everything if memory_mask is None else memory_mask,
        see=as_it_is if memory_mask is None else see,
        fill=fill,
        shift=shift,
        divide=divide,
        empty=empty,
        after=after,
    )
    return weights @ v, weights


def cross_cases(draw: Draw) -> Iterator[Case]:
    """Draw two sequences, of two lengths and of one, with masks and without."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, Tq, C, size=size, dtype=dtype),
            draw.normal(*leading, Tk, C, size=size, dtype=dtype),
            draw.normal(C, D, dtype=dtype),
            draw.normal(C, D, dtype=dtype),
            draw.normal(C, Dv, dtype=dtype),
        )

    Tq, Tk, C, D, Dv = draw.sizes(2, 3, 4, 5, 6)
    yield case("plain", *arrays())
    B, H, Tq, Tk, C, D, Dv = draw.sizes(2, 3, 5, 4, 6, 7, 8)
    yield case("leading axes", *arrays(B))
    yield case("leading axes", *arrays(B, H))
    Tq, C, D, Dv = draw.sizes(4, 3, 5, 6)
    Tk = Tq
    yield case("texts of one length", *arrays())
    about = "one query may look at nothing"
    yield case("masks", *arrays(), memory_mask=some_mask(draw, Tq, Tk))
    masked = some_mask(draw, Tq, Tk, empty_row=True)
    yield case("empty rows", *arrays(), about=about, memory_mask=masked)
    Tq, Tk, C, D, Dv = draw.sizes(5, 4, 3, 6, 7)
    yield case("masks", *arrays(), memory_mask=some_mask(draw, Tq, Tk))
    yield case("masks", *arrays(B), memory_mask=some_mask(draw, B, 1, Tk))
    masked = some_mask(draw, B, Tq, Tk, empty_row=True)
    yield case("empty rows", *arrays(B), about=about, memory_mask=masked)
    yield case("large scores", *arrays(size=40.0), about="scores in the thousands")
    yield case("float32", *arrays(size=0.5, dtype=np.float32))


CROSS_ATTENTION = Exercise(
    id="cross_attention",
    topic=TOPIC,
    title="One text asks, the other answers",
    points=3.0,
    minutes=15,
    difficulty=3,
    returns=(Array("output", "... Tq Dv"), Array("weights", "... Tq Tk")),
    draw_cases=cross_cases,
    oracle=cross_attention,
    mistakes=(
        NO_SCALE.at(""),
        NO_SHIFT_MASKED.at(""),
        CAUSAL.at(""),
        Mistake(
            "swapped",
            {"asks": the_memory, "for_keys": the_text, "for_values": the_text},
            "The memory asks, and x answers.",
            "For whom is the output: how many rows should it have, as many as x or as "
            "many as the memory?",
            also=({"asks": the_memory, "for_keys": the_text},),
        ),
        Mistake(
            "values_from_queries",
            {"for_values": the_text},
            "The values come from x.",
            "What is fetched: something of the text that asks, or of the one that is "
            "looked into?",
        ),
        Mistake(
            "keys_from_queries",
            {"for_keys": the_text},
            "The keys come from x.",
            "Among whom does a query choose? Which of the two texts are they from?",
        ),
        Mistake(
            "memory_ignored",
            {"for_keys": the_text, "for_values": the_text},
            "x looks at itself; the memory has no effect.",
            "Change the memory. What changes in your output?",
        ),
        MASK_IGNORED.at("", also=({"see": np.ones_like},)),
        MASK_INVERTED.at(""),
        MASK_AFTER_SOFTMAX.at(""),
        NAN_ON_EMPTY.at("", parts={"empty": as_they_come}),
    ),
    built_on=("softmax", "attention", "masked_softmax", "masked_attention"),
    finished=(
        "torch.nn.functional.scaled_dot_product_attention",
        "torch.nn.MultiheadAttention",
    ),
    place=TWO_TEXTS,
)


# ---------------------------------------------------------------- greedy_decode
def greedy_decode(
    next_logits: Callable,
    start: int,
    stop: int,
    max_length: int,
    *,
    shown: Callable = as_it_is,
    choose: Callable = np.argmax,
    ends: Callable = lambda chosen, stop: chosen == stop,
    last: Callable = lambda found, stop: found,
    longest: Callable = as_it_is,
    given: Callable = lambda start, found: found,
) -> list[int]:
    """Give the ids that follow `start`, always the likeliest."""
    found: list[int] = []
    while len(found) < longest(max_length):
        chosen = int(choose(np.asarray(next_logits(shown([start, *found])))))
        if ends(chosen, stop):
            return given(start, last(found, stop))
        found.append(chosen)
    return given(start, found)


def fixed_text(text: Sequence[int], size: int) -> Callable:
    """Make logits that want this text, whatever has been written."""

    def next_logits(ids: Sequence[int]) -> np.ndarray:
        place = min(len(ids) - 1, len(text) - 1)
        return np.cos(np.arange(size) - text[place]) + 3.0 * (
            np.arange(size) == text[place]
        )

    return next_logits


def counting_on(step: int, size: int) -> Callable:
    """Make logits whose choice depends on all that has been written."""

    def next_logits(ids: Sequence[int]) -> np.ndarray:
        wanted = (sum((i + 1) * int(one) for i, one in enumerate(ids)) + step) % size
        return -np.abs(np.arange(size) - wanted).astype(float)

    return next_logits


def greedy_cases(draw: Draw) -> Iterator[Case]:
    """Give texts that stop early, at once, at the limit, and never."""
    V = 7 if draw.shown else int(draw.integers(7, 20))
    body = [2, 4, 3] if draw.shown else [int(i) for i in draw.integers(2, V, 5)]
    yield case("plain", fixed_text([*body, 1], V), 0, 1, 10)
    yield case("plain", fixed_text([*body, 1, 5, 5], V), 5, 1, 12)
    for step in (1, 3) if draw.shown else draw.integers(1, V, 2):
        about = "every choice depends on all ids so far"
        yield case("context", counting_on(int(step), V), 2, V + 1, 6, about=about)
    yield case("stops at once", fixed_text([1, 2, 3], V), 0, 1, 5)
    yield case("never stops", fixed_text(body, V), 0, 1, 4)
    yield case("never stops", fixed_text(body, V), 0, 1, 1, about="room for one id")
    yield case(
        "stop comes just in time", fixed_text([*body, 1], V), 0, 1, len(body) + 1
    )


GREEDY_DECODE = Exercise(
    id="greedy_decode",
    topic=TOPIC,
    title="Always the likeliest",
    points=2.0,
    minutes=12,
    difficulty=2,
    returns=Array("the ids", "T", kind="ids"),
    draw_cases=greedy_cases,
    oracle=greedy_decode,
    mistakes=(
        Mistake(
            "keeps_stop",
            {"last": lambda found, stop: [*found, stop]},
            "The stop id is part of the result.",
            "Is the stop id something that was written, or the sign that writing is "
            "over?",
        ),
        Mistake(
            "ignores_stop",
            {
                "ends": lambda chosen, stop: False,
                "last": lambda found, stop: found,
            },
            "It goes on after the stop id.",
            "What does your loop do when the likeliest id is `stop`?",
        ),
        Mistake(
            "off_by_one",
            {"longest": lambda max_length: max_length - 1},
            "The start id is counted in `max_length`.",
            "With room for one id, and no stop: how many ids should come back?",
            also=({"longest": lambda max_length: max_length + 1},),
        ),
        Mistake(
            "last_id_only",
            {"shown": lambda ids: ids[-1:]},
            "`next_logits` sees the last id alone.",
            "What does the next letter of an answer depend on: the last letter, or all "
            "of them?",
            also=({"shown": lambda ids: ids[1:] if len(ids) > 1 else ids},),
        ),
        Mistake(
            "keeps_start",
            {"given": lambda start, found: [start, *found]},
            "The start id is part of the result.",
            "Which ids did the model choose, and which one did you give it?",
        ),
        Mistake(
            "least_likely",
            {"choose": np.argmin},
            "The smallest logit is chosen.",
            "Does a large logit mean likely or unlikely?",
        ),
    ),
    place=GREEDY,
)

EXERCISES: tuple[Any, ...] = (CROSS_ATTENTION, GREEDY_DECODE)
