"""Topic 06: several heads in NumPy and on torch, and how scrambled ones are detected."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    MASK_IGNORED,
    MASK_INVERTED,
    NAN_ON_EMPTY,
    NO_SCALE,
    SCALE_BY_WIDTH,
    as_it_is,
    dot,
    masked_weights,
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

TOPIC = "06_multi_head"
SPLIT = MERGE = "How do you cut a vector into heads?"
ALL_OF_IT = "What is multi-head attention, all together?"
SCRAMBLED = "In the wild: heads in the wrong order, and the test passed"


# ---------------------------------------------------------------- split_heads
def whole_heads(C: int, H: int) -> None:
    """Refuse heads that do not come out even."""
    if C % H:
        raise ValueError(f"the width must be a multiple of the heads; got {C} and {H}")


def split(x: np.ndarray, H: int) -> np.ndarray:
    """Give head h the features h·D … (h+1)·D−1 of every token."""
    return x.reshape(*x.shape[:-1], H, -1).swapaxes(-2, -3)


def split_by_reshape_only(x: np.ndarray, H: int) -> np.ndarray:
    """Reshape to the right shape, which mixes tokens."""
    *leading, T, C = x.shape
    return x.reshape(*leading, H, T, C // H)


def split_without_transpose(x: np.ndarray, H: int) -> np.ndarray:
    """Leave the heads behind the tokens."""
    return x.reshape(*x.shape[:-1], H, -1)


def split_by_turns(x: np.ndarray, H: int) -> np.ndarray:
    """Deal the features out to the heads in turn."""
    D = x.shape[-1] // H
    return np.moveaxis(x.reshape(*x.shape[:-1], D, H), -1, -3)


def split_heads(
    x: np.ndarray,
    num_heads: int,
    *,
    check: Callable = whole_heads,
    apart: Callable = split,
) -> np.ndarray:
    """Split the features of each token among the heads."""
    H = num_heads
    check(x.shape[-1], H)
    return apart(x[..., : x.shape[-1] // H * H], H)


def split_cases(draw: Draw) -> Iterator[Case]:
    """Draw activations; then widths that do not divide."""
    H, T, D = draw.sizes(2, 3, 4)
    yield case("plain", draw.normal(T, H * D), H)
    B, E, H, T, D = draw.sizes(2, 6, 3, 4, 5)
    yield case("leading axes", draw.normal(B, T, H * D), H)
    yield case("leading axes", draw.normal(B, E, T, H * D), H)
    yield case("one head", draw.normal(T, D), 1)
    yield case("width that does not divide", draw.normal(T, H * D + 1), H)


SPLIT_HEADS = Exercise(
    id="split_heads",
    topic=TOPIC,
    title="One width, several heads",
    points=1.0,
    minutes=10,
    difficulty=2,
    returns=Array("the heads", "... H T D"),
    draw_cases=split_cases,
    oracle=split_heads,
    mistakes=(
        Mistake(
            "reshape_only",
            {"apart": split_by_reshape_only},
            "The array is reshaped to (…, H, T, D) without a transpose, which mixes "
            "tokens.",
            "Does row t of head 0 hold numbers of token t only? Number the entries of x "
            "and look.",
            SPLIT,
        ),
        Mistake(
            "no_transpose",
            {"apart": split_without_transpose},
            "The heads stand behind the tokens: (…, T, H, D).",
            "Attention mixes along the axis before the last. Which axis is that in your "
            "result?",
            SPLIT,
        ),
        Mistake(
            "strided",
            {"apart": split_by_turns},
            "The features are dealt out to the heads in turn.",
            "Which features of a token does head 0 hold: the first D, or every H-th?",
            SPLIT,
        ),
        Mistake(
            "drops_rest",
            {"check": lambda C, H: None},
            "Features that do not come out even are dropped in silence.",
            "What happens to the last feature if the width is 7 and there are 2 heads?",
            SPLIT,
        ),
    ),
    place=SPLIT,
)


# ---------------------------------------------------------------- merge_heads
def merge(x: np.ndarray) -> np.ndarray:
    """Put the heads' features side by side, head 0 first."""
    x = x.swapaxes(-2, -3)
    return x.reshape(*x.shape[:-2], -1)


def merge_by_reshape_only(x: np.ndarray) -> np.ndarray:
    """Reshape to the right shape, which mixes tokens."""
    *leading, H, T, D = x.shape
    return x.reshape(*leading, T, H * D)


def merge_without_transpose(x: np.ndarray) -> np.ndarray:
    """Join (…, T, H, D) to (…, T, C)."""
    return x.reshape(*x.shape[:-2], -1)


def merge_by_turns(x: np.ndarray) -> np.ndarray:
    """Collect the features from the heads in turn."""
    x = np.moveaxis(x, -3, -1)
    return x.reshape(*x.shape[:-2], -1)


def merge_heads(x: np.ndarray, *, together: Callable = merge) -> np.ndarray:
    """Bring the heads of each token back together."""
    return together(x)


def merge_cases(draw: Draw) -> Iterator[Case]:
    """Draw heads."""
    H, T, D = draw.sizes(2, 3, 4)
    yield case("plain", draw.normal(H, T, D))
    B, E, H, T, D = draw.sizes(2, 6, 3, 4, 5)
    yield case("leading axes", draw.normal(B, H, T, D))
    yield case("leading axes", draw.normal(B, E, H, T, D))
    yield case("one head", draw.normal(1, T, D))


MERGE_HEADS = Exercise(
    id="merge_heads",
    topic=TOPIC,
    title="And back together",
    points=1.0,
    minutes=5,
    difficulty=2,
    returns=Array("the tokens", "... T C"),
    draw_cases=merge_cases,
    oracle=merge_heads,
    mistakes=(
        Mistake(
            "reshape_only",
            {"together": merge_by_reshape_only},
            "The array is reshaped without transposing back, which mixes tokens.",
            "Does merging what `split_heads` gave bring x back?",
            MERGE,
        ),
        Mistake(
            "strided",
            {"together": merge_by_turns},
            "The features are collected from the heads in turn.",
            "Which of your features come from head 0: the first D, or every H-th?",
            MERGE,
        ),
        Mistake(
            "mean",
            {"together": lambda x: x.mean(axis=-3)},
            "The heads are averaged.",
            "How many features does a token have before the split, and how many after "
            "your merge?",
            MERGE,
        ),
        Mistake(
            "sum",
            {"together": lambda x: x.sum(axis=-3)},
            "The heads are added up.",
            "How many features does a token have before the split, and how many after "
            "your merge?",
            MERGE,
        ),
        Mistake(
            "along_sequence",
            {"together": lambda x: x.reshape(*x.shape[:-3], -1, x.shape[-1])},
            "The heads are put one after the other along the sequence.",
            "How many tokens does your result have?",
            MERGE,
        ),
    ),
    built_on=("split_heads",),
    place=MERGE,
)


# ---------------------------------------------------------------- multi_head_attention
def by_root_of_head(scores: np.ndarray, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Divide by √D."""
    return scores / np.sqrt(q.shape[-1])


def with_head_axis(mask: np.ndarray) -> np.ndarray:
    """Add an axis for the heads, (…, T, T) → (…, 1, T, T)."""
    return np.expand_dims(mask, -3)


def attend_in_heads(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    x: np.ndarray,
    mask: np.ndarray | None,
    scale: Callable,
    **parts: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Attend in every head; without a mask everything may be seen."""
    scores = scale(dot(q, k), q, x)  # (..., H, T, T)
    seen = np.ones((1, 1), bool) if mask is None else mask
    if mask is None:
        parts.pop("see", None)
    weights = masked_weights(scores, seen, **parts)
    return weights @ v, weights


def multi_head_attention(
    x: np.ndarray,
    w_q: np.ndarray,
    w_k: np.ndarray,
    w_v: np.ndarray,
    w_o: np.ndarray,
    num_heads: int,
    mask: np.ndarray | None = None,
    *,
    project: Callable = np.matmul,
    for_keys: Callable = lambda w_q, w_k: w_k,
    heads: Callable = as_it_is,
    apart: Callable = split,
    together: Callable = merge,
    scale: Callable = by_root_of_head,
    shared: Callable = with_head_axis,
    last: Callable = np.matmul,
    **parts: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Give (output, weights) of several heads."""
    H = heads(num_heads)
    q, k, v = (
        apart(project(x, w), H) for w in (w_q, for_keys(w_q, w_k), w_v)
    )  # (..., H, T, D)
    mask = None if mask is None else shared(mask)
    mixed, weights = attend_in_heads(q, k, v, x, mask, scale, **parts)
    return last(together(mixed), w_o), weights


def multi_head_cases(draw: Draw) -> Iterator[Case]:
    """Draw tokens, parameters and masks."""

    def arrays(*leading: int, dtype: type = np.float64) -> tuple[Any, ...]:
        C = H * D
        parameters = [draw.normal(C, C, size=C**-0.5, dtype=dtype) for _ in range(4)]
        return (draw.normal(*leading, T, C, size=1.5, dtype=dtype), *parameters, H)

    H, T, D = draw.sizes(2, 3, 4)
    yield case("plain", *arrays())
    B, E, H, T, D = draw.sizes(2, 5, 3, 4, 6)
    yield case("plain", *arrays())
    yield case("leading axes", *arrays(B))
    yield case("leading axes", *arrays(B, E))
    yield case("masks", *arrays(), mask=some_mask(draw, T, T))
    yield case("masks", *arrays(B), mask=np.tri(T, dtype=bool))
    yield case("masks", *arrays(B), mask=some_mask(draw, B, T, T))
    yield case("masks", *arrays(B), mask=some_mask(draw, B, 1, T))
    about = "one token may look at nothing"
    for leading in ((), (B,)):
        mask = some_mask(draw, *leading, T, T, empty_row=True)
        yield case("empty rows", *arrays(*leading), mask=mask, about=about)
    yield case("float32", *arrays(dtype=np.float32))


MULTI_HEAD_ATTENTION = Exercise(
    id="multi_head_attention",
    topic=TOPIC,
    title="Several looks at once",
    points=3.0,
    minutes=25,
    difficulty=3,
    returns=(Array("output", "... T C"), Array("weights", "... H T T")),
    draw_cases=multi_head_cases,
    oracle=multi_head_attention,
    mistakes=(
        NO_SCALE.at(ALL_OF_IT, parts={"scale": lambda scores, q, x: scores}),
        SCALE_BY_WIDTH.at(
            ALL_OF_IT, parts={"scale": lambda scores, q, x: scores / q.shape[-1]}
        ),
        Mistake(
            "scale_by_model_width",
            {"scale": lambda scores, q, x: scores / np.sqrt(x.shape[-1])},
            "The scores are divided by √C, the width of the model, not by √D, that of a "
            "head.",
            "How many products does one dot product inside a head add up?",
            ALL_OF_IT,
        ),
        Mistake(
            "same_projection",
            {"for_keys": lambda w_q, w_k: w_q},
            "w_q makes the keys too.",
            "What changes in your result when w_k changes?",
            ALL_OF_IT,
        ),
        Mistake(
            "parameters_transposed",
            {"project": lambda x, w: x @ w.T},
            "The parameters are transposed: x @ w.T.",
            "On which side do parameters stand in this course's NumPy code? (torch "
            "stores them the other way round.)",
            ALL_OF_IT,
            also=(
                {
                    "project": lambda x, w: x @ w.T,
                    "last": lambda x, w: x @ w.T,
                },
            ),
        ),
        MASK_IGNORED.at(ALL_OF_IT),
        MASK_INVERTED.at(ALL_OF_IT),
        NAN_ON_EMPTY.at(ALL_OF_IT),
        Mistake(
            "mask_without_head_axis",
            {"shared": as_it_is},
            "The mask has no axis for the heads, so its batch meets them.",
            "Scores are (B, H, T, T), the mask is (B, T, T). Which of its axes lines up "
            "with H when NumPy broadcasts from the end?",
            ALL_OF_IT,
        ),
        Mistake(
            "reshape_only",
            {"apart": split_by_reshape_only},
            "The heads are split by a reshape without a transpose, which mixes tokens.",
            "Does row t of head 0 hold numbers of token t only?",
            SPLIT,
        ),
        Mistake(
            "strided",
            {"apart": split_by_turns},
            "The features are dealt out to the heads in turn.",
            "Which features of a token does head 0 hold: the first D, or every H-th?",
            SPLIT,
            also=({"apart": split_by_turns, "together": merge_by_turns},),
        ),
        Mistake(
            "merge_reshape_only",
            {"together": merge_by_reshape_only},
            "The heads are merged by a reshape without a transpose, which mixes tokens.",
            "Does row t of the merged array hold numbers of token t only?",
            MERGE,
        ),
        Mistake(
            "no_output_projection",
            {"last": lambda x, w: x},
            "w_o has no effect: the heads come back as they were joined.",
            "How does what one head found reach the features of another?",
            ALL_OF_IT,
        ),
        Mistake(
            "one_head",
            {"heads": lambda num_heads: 1},
            "The number of heads has no effect: everything goes through one.",
            "How many sets of weights do you get for 3 heads?",
            ALL_OF_IT,
            also=(
                {
                    "heads": lambda num_heads: 1,
                    "apart": lambda x, H: x,
                    "together": as_it_is,
                    "shared": as_it_is,
                },
            ),
        ),
        Mistake(
            "across_heads",
            {"apart": split_without_transpose, "together": merge_without_transpose},
            "The heads attend to each other, inside each token.",
            "Attention mixes along the axis before the last. What stands there in your "
            "q: tokens, or heads?",
            SPLIT,
        ),
    ),
    properties=(
        Property(
            "each row of the weights adds up to 1, or to 0 if it may look at nothing",
            lambda case, output, weights: bool(
                np.isclose(np.round(weights.sum(axis=-1)), weights.sum(axis=-1)).all()
            ),
        ),
    ),
    built_on=(
        "softmax",
        "attention",
        "masked_softmax",
        "masked_attention",
        "split_heads",
        "merge_heads",
    ),
    finished=("torch.nn.MultiheadAttention",),
    place=ALL_OF_IT,
)


# ---------------------------------------------------------------- MultiHeadAttention
def multi_head_module(
    width: int,
    num_heads: int,
    values: Mapping[str, np.ndarray],
    x: np.ndarray,
    grad_output: np.ndarray,
    memory: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    **parts: Any,
) -> tuple[np.ndarray, ...]:
    """Give output and gradients; a part may be the name of one in `torch_parts`."""
    import torch

    from minitransformer.grader.catalogue import torch_parts

    for name, part in parts.items():
        if isinstance(part, str):
            parts[name] = getattr(torch_parts, part)
    other = None if memory is None else torch.from_numpy(memory)
    seen = None if mask is None else torch.from_numpy(mask)
    return torch_parts.with_gradients(
        lambda parameters, x: torch_parts.attend(
            parameters, x, num_heads, other, seen, **parts
        ),
        values,
        grad_output,
        tuple(values),
        x,
    )


def module_cases(draw: Draw) -> Iterator[Case]:
    """Draw activations, memories and masks."""

    def arguments(Tq: int) -> tuple[Any, ...]:
        C = H * D
        values = {
            f"{name}.weight": draw.normal(C, C, size=1.5 * C**-0.5, dtype=np.float32)
            for name in ("query", "key", "value", "output")
        }
        x = draw.normal(B, Tq, C, dtype=np.float32)
        return C, H, values, x, draw.normal(B, Tq, C, dtype=np.float32)

    B, H, T, D, Tk = draw.sizes(2, 3, 4, 5, 6)
    yield case("plain", *arguments(T))
    yield case("masks", *arguments(T), mask=np.tri(T, dtype=bool))
    yield case("masks", *arguments(T), mask=some_mask(draw, B, T, T))
    yield case("masks", *arguments(T), mask=some_mask(draw, B, 1, T))
    memory = draw.normal(B, Tk, H * D, dtype=np.float32)
    yield case("memory", *arguments(T), memory=memory)
    yield case("memory", *arguments(T), memory=memory, mask=some_mask(draw, B, T, Tk))
    mask = some_mask(draw, B, T, T, empty_row=True)
    about = "one token may look at nothing"
    yield case("empty rows", *arguments(T), mask=mask, about=about)


MULTI_HEAD_MODULE = Exercise(
    id="MultiHeadAttention",
    topic=TOPIC,
    title="The same as a torch module",
    points=3.0,
    minutes=25,
    difficulty=4,
    returns=(
        Array("output", "B Tq C"),
        Array("the gradient of x", "B T C"),
        *(
            Array(f"the gradient of {name}", "C C")
            for name in ("query", "key", "value", "output")
        ),
    ),
    draw_cases=module_cases,
    oracle=multi_head_module,
    drive="torch_drives.multi_head",
    mistakes=(
        Mistake(
            "no_scale",
            {"scale": lambda scores, head_width, width: scores},
            NO_SCALE.plain,
            NO_SCALE.question,
            ALL_OF_IT,
        ),
        Mistake(
            "scale_by_model_width",
            {"scale": lambda scores, head_width, width: scores / width**0.5},
            "The scores are divided by √C, the width of the model, not by √D, that of a "
            "head.",
            "How many products does one dot product inside a head add up?",
            ALL_OF_IT,
        ),
        Mistake(
            "wrong_axis",
            {"dim": -2},
            "The softmax runs over the queries.",
            "Which dim of (B, H, Tq, Tk) holds the keys that one query chooses between?",
            ALL_OF_IT,
        ),
        Mistake(
            "mask_ignored",
            {"visible": lambda mask: None},
            MASK_IGNORED.plain,
            MASK_IGNORED.question,
            ALL_OF_IT,
        ),
        Mistake(
            "mask_inverted",
            {"visible": lambda mask: None if mask is None else ~mask},
            MASK_INVERTED.plain,
            "In this course True says: may look. Which torch classes mean the opposite?",
            ALL_OF_IT,
        ),
        Mistake(
            "nan_on_empty",
            {"normalise": "softmax_with_nan_rows"},
            NAN_ON_EMPTY.plain,
            NAN_ON_EMPTY.question,
            ALL_OF_IT,
        ),
        Mistake(
            "reshape_only",
            {"split": "reshape_only"},
            "The heads are split by a view without a transpose, which mixes tokens.",
            "Does row t of head 0 hold numbers of token t only?",
            SPLIT,
        ),
        Mistake(
            "merge_reshape_only",
            {"merge": "merge_by_reshape"},
            "The heads are merged by a reshape without transposing back, which mixes "
            "tokens.",
            "In which order do heads, tokens and features lie in memory after the "
            "attention, and in which order does a row of the result need them?",
            MERGE,
        ),
        Mistake(
            "no_output_projection",
            {"project": lambda joined, w: joined},
            "`output` has no effect: the heads come back as they were joined.",
            "What is the gradient of `output.weight` after a backward pass?",
            ALL_OF_IT,
        ),
        Mistake(
            "memory_ignored",
            {"source": lambda x, memory: x},
            "Keys and values come from x even when a memory is given.",
            "What changes in your output when the memory changes?",
            ALL_OF_IT,
        ),
    ),
    finished=("torch.nn.MultiheadAttention",),
    place=ALL_OF_IT,
    seconds=20.0,
)


# ---------------------------------------------------------------- detects_scrambled_heads
def loops_split(x: np.ndarray, H: int) -> np.ndarray:
    """Slice head by head."""
    D = x.shape[-1] // H
    return np.stack([x[..., h * D : (h + 1) * D] for h in range(H)], axis=-3)


def loops_merge(x: np.ndarray) -> np.ndarray:
    """Concatenate head by head."""
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-1)


RIGHT_PAIRS = {
    "reshape and transpose": (split, merge),
    "slices in a loop": (loops_split, loops_merge),
    "slices, and a transpose back": (loops_split, merge),
}
WRONG_PAIRS = {
    "a split by reshape only": (split_by_reshape_only, merge),
    "a merge by reshape only": (split, merge_by_reshape_only),
    "two reshapes that undo each other": (split_by_reshape_only, merge_by_reshape_only),
    "features dealt out and collected in turn": (split_by_turns, merge_by_turns),
    "features dealt out in turn": (split_by_turns, merge),
    "heads in reverse order, and back": (
        lambda x, H: split(x, H)[..., ::-1, :, :],
        lambda x: merge(x[..., ::-1, :, :]),
    ),
    "heads behind the tokens": (split_without_transpose, merge_without_transpose),
    "features of each head in reverse, and back": (
        lambda x, H: split(x, H)[..., ::-1],
        lambda x: merge(x[..., ::-1]),
    ),
    "a merge that averages and repeats": (
        split,
        lambda x: np.tile(x.mean(axis=-3), x.shape[-3]),
    ),
}


def right_content(heads: np.ndarray, x: np.ndarray, H: int) -> bool:
    """Compare each head with the features that belong to it."""
    right = loops_split(x, H)
    return heads.shape == right.shape and bool(np.allclose(heads, right))


def right_shape(heads: np.ndarray, x: np.ndarray, H: int) -> bool:
    """Compare shapes only."""
    return heads.shape == loops_split(x, H).shape


def same_content(merged: np.ndarray, x: np.ndarray) -> bool:
    """Compare what came back with x."""
    return merged.shape == x.shape and bool(np.allclose(merged, x))


def is_scrambled(
    split: Callable,
    merge: Callable,
    *,
    heads_right: Callable = right_content,
    back_right: Callable = same_content,
    verdict: Callable = as_it_is,
) -> bool:
    """Split numbered entries, look at each head, and merge."""
    H, T, D = 3, 4, 5
    x = np.arange(T * H * D, dtype=np.float64).reshape(T, H * D)
    heads = np.asarray(split(x, H))
    merged = np.asarray(merge(heads))
    return verdict(not (heads_right(heads, x, H) and back_right(merged, x)))


def array_like(split: Callable, merge: Callable) -> tuple[Callable, Callable]:
    """Let a pair take anything array-like."""
    return (
        lambda x, num_heads: split(np.asarray(x), int(num_heads)),
        lambda heads: merge(np.asarray(heads)),
    )


def scrambled_cases(draw: Draw) -> Iterator[Case]:
    """Show right and wrong pairs."""
    for name, pair in RIGHT_PAIRS.items():
        yield case("right implementations", *array_like(*pair), about=name)
    for name, pair in WRONG_PAIRS.items():
        yield case("scrambled implementations", *array_like(*pair), about=name)


ANY_CONTENT = {"heads_right": right_content, "back_right": same_content}

DETECTS_SCRAMBLED_HEADS = Exercise(
    id="detects_scrambled_heads",
    topic=TOPIC,
    title="Whose features are these?",
    points=3.0,
    minutes=20,
    difficulty=4,
    returns=Truth(),
    draw_cases=scrambled_cases,
    oracle=is_scrambled,
    bank=True,
    mistakes=(
        Mistake(
            "always_false",
            {"verdict": lambda found: False, **ANY_CONTENT},
            "It never finds anything.",
            "What does it say about a merge that averages the heads?",
            SCRAMBLED,
        ),
        Mistake(
            "always_true",
            {"verdict": lambda found: True, **ANY_CONTENT},
            "It accuses everything.",
            "What does it say about a split and a merge of your own that are right?",
            SCRAMBLED,
        ),
        Mistake(
            "inverted",
            {"verdict": lambda found: not found},
            "True and False are exchanged.",
            "Should it say True where heads are scrambled, or where they are in order?",
            SCRAMBLED,
        ),
        Mistake(
            "round_trip_only",
            {"heads_right": lambda heads, x, H: True},
            "It looks only at whether merging brings x back.",
            "Two mistakes can undo each other. What is inside the heads meanwhile?",
            SCRAMBLED,
        ),
        Mistake(
            "shape_only",
            {
                "heads_right": right_shape,
                "back_right": lambda merged, x: merged.shape == x.shape,
            },
            "It compares shapes only.",
            "A reshape gives any shape you like. Which entries are in it?",
            SCRAMBLED,
            also=(
                {
                    "heads_right": right_shape,
                    "back_right": lambda merged, x: True,
                },
            ),
        ),
        Mistake(
            "split_only",
            {"back_right": lambda merged, x: True},
            "It looks at the heads only, never at the merge.",
            "What does it say about a right split and a merge that mixes tokens?",
            SCRAMBLED,
        ),
    ),
    place=SCRAMBLED,
)

EXERCISES = (
    SPLIT_HEADS,
    MERGE_HEADS,
    MULTI_HEAD_ATTENTION,
    MULTI_HEAD_MODULE,
    DETECTS_SCRAMBLED_HEADS,
)
