"""Topic 04: causal and padding masks, masked attention, and how leaks are detected."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    MASK_MISTAKES,
    NO_SCALE,
    SCALE_BY_WIDTH,
    WRONG_AXIS,
    as_it_is,
    by_root_of_width,
    dot,
    masked_weights,
    softmax,
    some_mask,
)
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import (
    Array,
    Case,
    Exercise,
    Mistake,
    Property,
    Truth,
    case,
)

TOPIC = "04_masks"
COIN = "How can a coin be predicted?"
MASK_GOES = "Where does the mask go?"
BLANKS = "Whose blanks are they?"
LEAK = "How do you catch a leak without reading the code?"


# ---------------------------------------------------------------- causal_mask
def back_and_itself(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """See earlier places and the place itself."""
    return key <= query


def causal_mask(
    length: int,
    *,
    sees: Callable = back_and_itself,
    finish: Callable = as_it_is,
) -> np.ndarray:
    """Give the lower triangle with its diagonal."""
    places = np.arange(length)
    return finish(sees(places[:, None], places))


CAUSAL_MASK = Exercise(
    id="causal_mask",
    topic=TOPIC,
    title="Nobody sees the future",
    points=1.0,
    minutes=5,
    difficulty=1,
    returns=Array("the mask", "T T", kind="mask"),
    draw_cases=lambda draw: iter(
        case("plain" if length > 1 else "length 1", length)
        for length in (*draw.sizes(4, 3, 7), 1)
    ),
    oracle=causal_mask,
    mistakes=(
        Mistake(
            "strict",
            {"sees": lambda query, key: key < query},
            "A place cannot see itself.",
            "What may the first place look at, if neither the future nor itself?",
            COIN,
        ),
        Mistake(
            "off_by_one",
            {"sees": lambda query, key: key <= query + 1},
            "Each place sees the next one too.",
            "The model has to guess the next place. What does it see of it?",
            COIN,
        ),
        Mistake(
            "transposed",
            {"sees": lambda query, key: key >= query},
            "The triangle lies on the other side: each place sees the future only.",
            "Rows are queries. May the first row look at the last column?",
            COIN,
        ),
        Mistake(
            "inverted",
            {"finish": np.logical_not},
            "The mask is the wrong way round: True where a place may not look.",
            "In this course, what does True in a mask say: may look, or may not?",
            COIN,
        ),
        Mistake(
            "additive",
            {"finish": lambda mask: np.where(mask, 0.0, -np.inf)},
            "0 and −inf come back, to be added to scores, not True and False.",
            "What is bool(0.0)? Would a reader of a Boolean mask take it for allowed?",
            COIN,
        ),
    ),
    place=COIN,
)


# ---------------------------------------------------------------- padding_mask
def with_query_axis(mask: np.ndarray) -> np.ndarray:
    """Add an axis for the queries, (B, T) → (B, 1, T)."""
    return mask[:, None, :]


def padding_mask(
    lengths: np.ndarray,
    length: int,
    *,
    real: Callable = lambda place, end: place < end,
    ends: Callable = as_it_is,
    shaped: Callable = with_query_axis,
    finish: Callable = as_it_is,
) -> np.ndarray:
    """Give True where a real token stands."""
    end = np.asarray(ends(lengths))[:, None]
    return finish(shaped(real(np.arange(length), end)))


def padding_cases(draw: Draw) -> Iterator[Case]:
    """Give sequences of different lengths, full and empty ones among them."""
    yield case("plain", np.array([2, 4, 1]), 5)
    B, more = draw.sizes(4, 3)
    yield case("plain", draw.rng.permutation(B + more - 1)[:B] + 1, B + more)
    yield case("full length", np.array([3, 6]), 6, about="one sequence fills it")
    yield case("no tokens", np.array([2, 0, 3]), 4, about="one sequence is empty")


PADDING_MASK = Exercise(
    id="padding_mask",
    topic=TOPIC,
    title="Only real tokens",
    points=1.0,
    minutes=10,
    difficulty=2,
    returns=Array("the mask", "B 1 T", kind="mask"),
    draw_cases=padding_cases,
    oracle=padding_mask,
    mistakes=(
        Mistake(
            "off_by_one",
            {"real": lambda place, end: place <= end},
            "One blank of each sequence counts as real.",
            "Which places has a sequence of length 2, if the first place is 0?",
            BLANKS,
        ),
        Mistake(
            "inverted",
            {"finish": np.logical_not},
            "The mask is the wrong way round: True at the blanks.",
            "In this course, what does True in a mask say: may look, or may not?",
            BLANKS,
        ),
        Mistake(
            "query_side",
            {"shaped": lambda mask: mask[:, :, None]},
            "The blanks are forbidden as queries, (B, T, 1), not as keys.",
            "Scores are (B, Tq, Tk). Along which of the two should a blank be hidden, "
            "so that nobody looks at it?",
            BLANKS,
        ),
        Mistake(
            "no_query_axis",
            {"shaped": as_it_is},
            "The axis for the queries is missing: (B, T).",
            "Scores are (B, Tq, Tk). With which of their axes does your B line up when "
            "NumPy broadcasts from the end?",
            BLANKS,
        ),
        Mistake(
            "longest",
            {"ends": lambda lengths: np.full_like(lengths, np.max(lengths))},
            "Every sequence gets the length of the longest.",
            "How many True does the row of the shortest sequence have?",
            BLANKS,
        ),
    ),
    place=BLANKS,
)


# ---------------------------------------------------------------- masked_softmax
def masked_softmax(
    scores: np.ndarray,
    mask: np.ndarray,
    axis: int = -1,
    *,
    along: Callable = as_it_is,
    **parts: Any,
) -> np.ndarray:
    """Give weights that are zero wherever the mask is False."""
    return masked_weights(scores, mask, along(axis), **parts)


def masked_softmax_cases(draw: Draw) -> Iterator[Case]:
    """Draw scores and masks; then empty rows, and scores that are far below 0."""
    A, B, C = draw.sizes(2, 3, 4)
    yield case("plain", draw.normal(A, C), some_mask(draw, A, C))
    yield case("plain", draw.normal(B, C), some_mask(draw, B, C))
    shared_by_rows = some_mask(draw, 1, C)[0]
    yield case(
        "plain", draw.normal(B, C), shared_by_rows, about="one mask for all rows"
    )
    A, B, C, D = draw.sizes(2, 3, 5, 4)
    yield case("leading axes", draw.normal(A, B, C), some_mask(draw, A, B, C))
    yield case("leading axes", draw.normal(A, B, C), some_mask(draw, A, 1, C))
    yield case("leading axes", draw.normal(A, D, B, C), some_mask(draw, A, 1, B, C))
    yield case("other axes", draw.normal(C, B), some_mask(draw, B, C).T.copy(), axis=0)
    turned = some_mask(draw, A, C, B).swapaxes(-1, -2).copy()
    yield case("other axes", draw.normal(A, B, C), turned, axis=1)
    for shape in ((B, C), (A, B, C)):
        mask = some_mask(draw, *shape, empty_row=True)
        about = "one row may look at nothing"
        yield case("empty rows", draw.normal(*shape), mask, about=about)
    places = np.array([1.0, -1.0, 0.0])[:, None]
    scores = 1e4 * places + draw.normal(3, C)
    yield case("large scores", scores, some_mask(draw, 3, C), about="rows at ±10,000")
    low = "all scores are very negative"
    yield case(
        "large scores", draw.normal(B, C) - 1e3, some_mask(draw, B, C), about=low
    )
    yield case(
        "large scores", draw.normal(B, C) - 2e4, some_mask(draw, B, C), about=low
    )
    single = draw.normal(B, C, size=5.0, dtype=np.float32)
    yield case("float32", single, some_mask(draw, B, C))


def zero_where_forbidden(case: Case, weights: np.ndarray) -> bool:
    """Look at forbidden places."""
    mask = np.broadcast_to(case.data[1], weights.shape)
    return bool((weights[~mask] == 0).all())


def whole_or_nothing(case: Case, weights: np.ndarray) -> bool:
    """Add the weights up."""
    axis = case.options.get("axis", -1)
    mask = np.broadcast_to(case.data[1], weights.shape).any(axis=axis)
    return bool(np.allclose(weights.sum(axis=axis), mask, atol=1e-4))


MASKED_SOFTMAX = Exercise(
    id="masked_softmax",
    topic=TOPIC,
    title="Shares of what may be seen",
    points=3.0,
    minutes=20,
    difficulty=3,
    returns=Array("the weights", "..."),
    draw_cases=masked_softmax_cases,
    oracle=masked_softmax,
    mistakes=(
        *MASK_MISTAKES,
        Mistake(
            "axis_ignored",
            {"along": lambda axis: -1},
            "It always works along the last axis.",
            "With axis=0, what should each column of the result add up to?",
            MASK_GOES,
        ),
    ),
    properties=(
        Property("forbidden places have weight 0", zero_where_forbidden),
        Property(
            "the weights add up to 1, and to 0 where nothing may be seen",
            whole_or_nothing,
        ),
    ),
    built_on=("softmax",),
    place=MASK_GOES,
)


# ---------------------------------------------------------------- masked_attention
def masked_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray,
    *,
    scale: Callable = by_root_of_width,
    axis: int = -1,
    turned: Callable = as_it_is,
    **parts: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Give (output, weights) of attention that looks only where it may."""
    scores = scale(dot(q, k), q, k)
    weights = masked_weights(scores, turned(mask), axis, **parts)
    return weights @ v, weights


def masked_attention_cases(draw: Draw) -> Iterator[Case]:
    """Draw queries, keys, values and masks of all shapes that broadcast."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, Tq, D, size=size, dtype=dtype),
            draw.normal(*leading, Tk, D, size=size, dtype=dtype),
            draw.normal(*leading, Tk, Dv, dtype=dtype),
        )

    Tq, Tk, D, Dv = draw.sizes(2, 3, 4, 5)
    yield case("plain", *arrays(), some_mask(draw, Tq, Tk))
    B, H, Tq, Tk, D, Dv = draw.sizes(2, 4, 5, 3, 6, 7)
    yield case("leading axes", *arrays(B), some_mask(draw, B, Tq, Tk))
    yield case("leading axes", *arrays(B), some_mask(draw, B, 1, Tk))
    yield case("leading axes", *arrays(B, H), some_mask(draw, B, 1, Tq, Tk))
    Tk = Tq
    yield case("as many queries as keys", *arrays(), np.tri(Tq, dtype=bool))
    yield case("as many queries as keys", *arrays(B), some_mask(draw, B, Tq, Tk))
    Tq, Tk, D, Dv = draw.sizes(4, 5, 3, 2)
    for Tk in (Tk, Tq):  # noqa: B020 - the second time as many as there are queries
        mask = some_mask(draw, Tq, Tk, empty_row=True)
        yield case("empty rows", *arrays(), mask, about="one query may look at nothing")
        yield case("large scores", *arrays(size=40.0), some_mask(draw, Tq, Tk))
        q, k, v = arrays()
        q[:, 0], k[:, 0] = 200.0, -200.0
        about = "all scores are very negative"
        yield case("large scores", q, k, v, some_mask(draw, Tq, Tk), about=about)
    single = arrays(dtype=np.float32)
    yield case("float32", *single, some_mask(draw, Tq, Tk))


MASKED_ATTENTION = Exercise(
    id="masked_attention",
    topic=TOPIC,
    title="Attention that looks where it may",
    points=2.0,
    minutes=15,
    difficulty=2,
    returns=(Array("output", "... Tq Dv"), Array("weights", "... Tq Tk")),
    draw_cases=masked_attention_cases,
    oracle=masked_attention,
    mistakes=(
        *MASK_MISTAKES,
        NO_SCALE.at(MASK_GOES),
        SCALE_BY_WIDTH.at(MASK_GOES),
        WRONG_AXIS.at(MASK_GOES),
        Mistake(
            "mask_transposed",
            {"turned": lambda mask: mask.swapaxes(-1, -2)},
            "Keys and queries of the mask are exchanged.",
            "Row i of the mask says what query i may look at. Which row says it in "
            "yours?",
            MASK_GOES,
        ),
    ),
    properties=(
        Property(
            "forbidden places have weight 0",
            lambda case, output, weights: bool(
                (weights[~np.broadcast_to(case.data[3], weights.shape)] == 0).all()
            ),
        ),
        Property(
            "each row of the weights adds up to 1, or to 0 if it may look at nothing",
            lambda case, output, weights: bool(
                np.allclose(
                    weights.sum(axis=-1),
                    np.broadcast_to(case.data[3], weights.shape).any(axis=-1),
                    atol=1e-4,
                )
            ),
        ),
    ),
    built_on=("softmax", "attention_scores", "attention", "masked_softmax"),
    finished=("torch.nn.functional.scaled_dot_product_attention",),
    place=MASK_GOES,
)


# ---------------------------------------------------------------- detects_future_leak
def rows_from(function: Callable) -> Callable:
    """Make an implementation out of `function(t, x)`, which gives row t of the result.

    Rows are computed one by one, so that nothing but what a row really uses can reach
    it, not even NaN.
    """

    def attend(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, dtype=np.float64)
        return np.stack([function(t, x) for t in range(len(x))])

    return attend


def weighed(query: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Attend from one row to some others."""
    return softmax(seen @ query / np.sqrt(len(query))) @ seen


def up_to(t: int, x: np.ndarray) -> np.ndarray:
    """Attend to what came before, and to the row itself."""
    return weighed(x[t], x[: t + 1])


RIGHT_ATTENTIONS = {
    "causal attention": up_to,
    "the mean of all rows so far": lambda t, x: x[: t + 1].mean(axis=0),
    "each row for itself": lambda t, x: np.tanh(2.0 * x[t] + 0.5),
    "the row before": lambda t, x: x[t - 1] if t else np.zeros_like(x[0]),
}
LEAKY_ATTENTIONS = {
    "attention without a mask": lambda t, x: weighed(x[t], x),
    "a leak of one place": lambda t, x: weighed(x[t], x[: t + 2]),
    "a leak from the last place only": lambda t, x: up_to(t, x) + 0.3 * x[-1],
    "a leak into the first row only": lambda t, x: (
        up_to(t, x) + (t == 0) * x.sum(axis=0)
    ),
    "a leak into the last row but one only": lambda t, x: (
        up_to(t, x) + (0.5 * x[-1] if t == len(x) - 2 else 0.0)
    ),
    "attention that looks forward only": lambda t, x: weighed(x[t], x[t:]),
    "a mean taken over all rows": lambda t, x: x[t] - x.mean(axis=0),
    "a leak of one feature": lambda t, x: up_to(t, x) + 0.2 * x[-1, 0],
}


def this_row(t: int, T: int) -> int:
    """Change row t."""
    return t


def rows_before(t: int, T: int) -> slice:
    """Look at the rows before t."""
    return slice(0, t)


WHATEVER_IS_LOOKED_AT = {"change": this_row, "look": rows_before, "places": range}


def is_leaky(
    attend: Callable,
    *,
    change: Callable = this_row,
    look: Callable = rows_before,
    places: Callable = range,
    verdict: Callable = as_it_is,
) -> bool:
    """Change one row after the other; look whether an earlier row of the result moves."""
    x = np.random.default_rng(0).normal(size=(6, 4))
    before = np.asarray(attend(x))
    found = False
    for t in places(len(x)):
        changed = x.copy()
        changed[change(t, len(x))] += 1.0
        after = np.asarray(attend(changed))
        rows = look(t, len(x))
        found = found or not np.allclose(before[rows], after[rows])
    return verdict(found)


def leak_cases(draw: Draw) -> Iterator[Case]:
    """Show right and leaky implementations."""
    for name, function in RIGHT_ATTENTIONS.items():
        yield case("right implementations", rows_from(function), about=name)
    for name, function in LEAKY_ATTENTIONS.items():
        yield case("leaky implementations", rows_from(function), about=name)


DETECTS_FUTURE_LEAK = Exercise(
    id="detects_future_leak",
    topic=TOPIC,
    title="Catch the one who peeks",
    points=3.0,
    minutes=20,
    difficulty=4,
    returns=Truth(),
    draw_cases=leak_cases,
    oracle=is_leaky,
    bank=True,
    mistakes=(
        Mistake(
            "always_false",
            {"verdict": lambda found: False, **WHATEVER_IS_LOOKED_AT},
            "It never finds anything.",
            "What does it say about attention without any mask?",
            LEAK,
        ),
        Mistake(
            "always_true",
            {"verdict": lambda found: True, **WHATEVER_IS_LOOKED_AT},
            "It accuses everything.",
            "What does it say about a function that treats each row for itself?",
            LEAK,
        ),
        Mistake(
            "inverted",
            {"verdict": lambda found: not found},
            "True and False are exchanged.",
            "Should it say True where there is a leak, or where there is none?",
            LEAK,
        ),
        Mistake(
            "own_row",
            {"look": lambda t, T: slice(0, t + 1)},
            "It changes a row and looks at the same row of the result.",
            "May the result of row t depend on row t itself?",
            LEAK,
            also=({"look": lambda t, T: slice(t, t + 1)},),
        ),
        Mistake(
            "one_place",
            {
                "change": lambda t, T: -1,
                "look": lambda t, T: slice(0, 1),
                "places": lambda T: range(1),
            },
            "It changes the last row and looks at the first only.",
            "Would it notice a row that sees no further than the next one?",
            LEAK,
        ),
        Mistake(
            "earlier_change",
            {"look": lambda t, T: slice(t + 1, T)},
            "It changes an earlier row and looks at later ones.",
            "May row 5 of the result depend on row 2?",
            LEAK,
            also=(
                {
                    "change": lambda t, T: 0,
                    "look": lambda t, T: slice(1, T),
                    "places": lambda T: range(1),
                },
                {
                    "change": lambda t, T: 0,
                    "look": lambda t, T: slice(T - 1, T),
                    "places": lambda T: range(1),
                },
            ),
        ),
    ),
    place=LEAK,
)

EXERCISES = (
    CAUSAL_MASK,
    PADDING_MASK,
    MASKED_SOFTMAX,
    MASKED_ATTENTION,
    DETECTS_FUTURE_LEAK,
)
