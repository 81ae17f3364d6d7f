"""Topic 11: bytes, windows, softmax in passing, linear and grouped attention, caches."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    NO_SCALE,
    NO_SHIFT,
    SCALE_BY_WIDTH,
    as_it_is,
    below_largest,
    by_root_of_width,
    dot,
    softmax,
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

TOPIC = "11_long_sequences"
HAMLET = "Could a model read Hamlet in one go?"
AT_ONCE = "Must all the scores exist at once?"
EVERYBODY = "Must everybody look at everybody?"
ONE_TABLE = "Can the whole past fit into one table?"
TO_WRITE = "What does it cost to *write*?"


# ---------------------------------------------------------------- attention_bytes
def attention_bytes(
    batch: int,
    heads: int,
    length: int,
    bytes_per_number: int = 4,
    *,
    texts: Callable = as_it_is,
    looks: Callable = as_it_is,
    pairs: Callable = lambda length: length * length,
    size: Callable = as_it_is,
) -> int:
    """Count the bytes of the weights."""
    return texts(batch) * looks(heads) * pairs(length) * size(bytes_per_number)


def bytes_cases(draw: Draw) -> Iterator[Case]:
    """Draw sizes, and numbers of two and of eight bytes."""
    B, H, T = draw.sizes(2, 3, 5)
    yield case("plain", B, H, T)
    yield case("long texts", 3, 12, int(draw.integers(30_000, 200_000)))
    yield case("other numbers", B, H, T, bytes_per_number=2)
    yield case("other numbers", H, B, 7 * T, bytes_per_number=8)


ATTENTION_BYTES = Exercise(
    id="attention_bytes",
    topic=TOPIC,
    title="Count the bytes",
    points=1.0,
    minutes=3,
    difficulty=1,
    returns=Array("the number of bytes", "", kind="ids"),
    draw_cases=bytes_cases,
    oracle=attention_bytes,
    mistakes=(
        Mistake(
            "linear",
            {"pairs": as_it_is},
            "The length counts once.",
            "How many weights has one query, and how many queries are there?",
        ),
        Mistake(
            "half",
            {"pairs": lambda length: length * (length + 1) // 2},
            "Only the lower triangle is counted.",
            "A causal mask sets half of the weights to zero. Does a zero take less room?",
        ),
        Mistake(
            "no_heads",
            {"looks": lambda heads: 1},
            "The number of heads is left out.",
            "Does every head have weights of its own?",
        ),
        Mistake(
            "no_batch",
            {"texts": lambda batch: 1},
            "The number of texts is left out.",
            "What is the first axis of the weights, (B, H, T, T)?",
        ),
        Mistake(
            "bytes_ignored",
            {"size": lambda bytes_per_number: 4},
            "Every number is taken to have 4 bytes.",
            "Half precision has 2 bytes a number. What changes in your result?",
        ),
    ),
    place=HAMLET,
)


# ---------------------------------------------------------------- sliding_window_mask
def not_later(i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Let a place see itself and what came before."""
    return j <= i


def within(i: np.ndarray, j: np.ndarray, window: int) -> np.ndarray:
    """Let a place see itself and the window − 1 before it."""
    return i - j < window


def sliding_window_mask(
    length: int,
    window: int,
    *,
    past: Callable = not_later,
    near: Callable = within,
    give: Callable = as_it_is,
) -> np.ndarray:
    """Give the causal band."""
    i, j = np.arange(length)[:, None], np.arange(length)[None, :]
    return give(past(i, j) & near(i, j, window))


def window_cases(draw: Draw) -> Iterator[Case]:
    """Give windows of 1, of 3, and longer than the text."""
    yield case("plain", 4, 2)
    (T,) = draw.sizes(7, smallest=7, largest=12)
    yield case("plain", T, 3)
    yield case("plain", T, 4)
    yield case("window of 1", T, 1)
    yield case("window as long as the text", T, T)
    yield case("window longer than the text", T, T + 3)
    yield case("length 1", 1, 2)


SLIDING_WINDOW_MASK = Exercise(
    id="sliding_window_mask",
    topic=TOPIC,
    title="A window that slides",
    points=1.0,
    minutes=5,
    difficulty=2,
    returns=Array("the mask", "T T", kind="mask"),
    draw_cases=window_cases,
    oracle=sliding_window_mask,
    mistakes=(
        Mistake(
            "strict",
            {"past": lambda i, j: j < i},
            "A place cannot see itself.",
            "What is left of a window of 1?",
            also=({"past": lambda i, j: j < i, "near": lambda i, j, w: i - j <= w},),
        ),
        Mistake(
            "off_by_one",
            {"near": lambda i, j, window: i - j <= window},
            "A place sees `window` places besides itself.",
            "How many places does a row far from the edge allow, and how many should it?",
            also=({"near": lambda i, j, window: i - j < window - 1},),
        ),
        Mistake(
            "two_sided",
            {
                "past": lambda i, j: np.ones_like(i - j, dtype=bool),
                "near": lambda i, j, window: np.abs(i - j) < window,
            },
            "Places on both sides are seen.",
            "May place 2 see place 3 in a text that is being written?",
        ),
        Mistake(
            "block_local",
            {"near": lambda i, j, window: i // window == j // window},
            "The text is cut into blocks, and nobody sees beyond the border.",
            "What does the first place of the second block see of its neighbour?",
        ),
        Mistake(
            "window_ignored",
            {"near": lambda i, j, window: np.ones_like(i - j, dtype=bool)},
            "The window has no effect.",
            "How many places does the last row allow in a long text?",
        ),
        Mistake(
            "inverted",
            {"give": np.logical_not},
            "True stands where a place may not look.",
            "In this course, what does True in a mask say: may look, or may not?",
        ),
    ),
    built_on=("causal_mask",),
    place=EVERYBODY,
)


# ---------------------------------------------------------------- online softmax
def highest(largest: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Give the largest score so far."""
    return np.maximum(largest, scores.max(axis=-1, keepdims=True))


def shrunk(largest: np.ndarray, raised: np.ndarray) -> np.ndarray:
    """Give e^(old − new)."""
    return np.exp(largest - raised)


def all_blocks(length: int, block: int) -> range:
    """Give the first place of every block."""
    return range(0, length, block)


def block_by_block(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    block: int,
    *,
    scale: Callable,
    blocks: Callable,
    raise_to: Callable,
    correct: Callable,
    for_total: Callable,
    for_output: Callable,
) -> np.ndarray:
    """Carry the largest score, the sum of powers and the output from block to block."""
    lead = (*q.shape[:-1], 1)
    largest, total = np.full(lead, -np.inf), np.zeros(lead)
    output = np.zeros((*q.shape[:-1], v.shape[-1]))
    for start in blocks(k.shape[-2], block):
        keys = k[..., start : start + block, :]
        scores = scale(dot(q, keys), q, k)  # (..., Tq, block)
        raised = raise_to(largest, scores)
        correction = correct(largest, raised)
        powers = np.exp(scores - raised)
        total = total * for_total(correction) + powers.sum(axis=-1, keepdims=True)
        output = output * for_output(correction)
        output = output + powers @ v[..., start : start + block, :]
        largest = raised
    return output / total


def everything_at_once(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    block: int,
    *,
    scale: Callable,
    **_: Callable,
) -> np.ndarray:
    """Hold all scores."""
    return softmax(scale(dot(q, k), q, k)) @ v


def average_of_blocks(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    block: int,
    *,
    scale: Callable,
    blocks: Callable,
    **_: Callable,
) -> np.ndarray:
    """Finish every block by itself, and average."""
    outputs = [
        softmax(scale(dot(q, k[..., at : at + block, :]), q, k))
        @ v[..., at : at + block, :]
        for at in blocks(k.shape[-2], block)
    ]
    return np.mean(outputs, axis=0)


def one(correction: np.ndarray) -> float:
    """Correct nothing, except that what was summed over nothing stays nothing."""
    return 1.0


def online_softmax_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    block: int,
    *,
    way: Callable = block_by_block,
    scale: Callable = by_root_of_width,
    blocks: Callable = all_blocks,
    raise_to: Callable = highest,
    correct: Callable = shrunk,
    for_total: Callable = as_it_is,
    for_output: Callable = as_it_is,
) -> np.ndarray:
    """Give attention's output from a few keys at a time."""
    return way(
        q,
        k,
        v,
        block,
        scale=scale,
        blocks=blocks,
        raise_to=raise_to,
        correct=correct,
        for_total=for_total,
        for_output=for_output,
    )


def online_cases(draw: Draw) -> Iterator[Case]:
    """Draw blocks that divide and that do not, maxima that rise and fall, memory."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, Tq, D, size=size, dtype=dtype),
            draw.normal(*leading, Tk, D, size=size, dtype=dtype),
            draw.normal(*leading, Tk, Dv, dtype=dtype),
        )

    def sloping(rises: float) -> tuple:
        q, k, v = arrays()
        q[..., 0], k[..., 0] = 2.0, rises * np.arange(Tk)
        return q, k, v

    Tq, Tk, D, Dv = 2, 6, 3, 4
    yield case("plain", *arrays(), 2)
    Tq, Tk, D, Dv = (*draw.sizes(3, 7, 4, 5, smallest=3)[:1], 9, 4, 5)
    yield case("plain", *arrays(), 3)
    yield case("blocks that do not divide", *arrays(), 4)
    yield case("a block longer than all keys", *arrays(), 12)
    yield case("blocks of one key", *arrays(), 1)
    yield case("a maximum that rises", *sloping(1.0), 2)
    yield case("a maximum that falls", *sloping(-1.0), 2)
    yield case(
        "a maximum that falls", *sloping(-300.0), 2, about="scores down to -2400"
    )
    B, H = 2, 3
    yield case("leading axes", *arrays(B), 4)
    yield case("leading axes", *arrays(B, H), 4)
    yield case("large scores", *arrays(size=40.0), 2, about="scores in the thousands")
    yield case("float32", *arrays(dtype=np.float32), 4)
    Tq, Tk, D, Dv = 96, 3000, 4, 4
    yield case(
        "memory",
        *arrays(),
        50,
        about="96 queries, 3000 keys, 50 at a time",
        peak_limit=1_200_000,
    )


# what has no effect where a mistake goes another way altogether
NOTHING_CARRIED: dict[str, Any] = {
    "raise_to": highest,
    "correct": shrunk,
    "for_total": as_it_is,
    "for_output": as_it_is,
}

ONLINE_SOFTMAX_ATTENTION = Exercise(
    id="online_softmax_attention",
    topic=TOPIC,
    title="Softmax in passing",
    points=4.0,
    minutes=30,
    difficulty=5,
    returns=Array("output", "... Tq Dv"),
    draw_cases=online_cases,
    oracle=online_softmax_attention,
    mistakes=(
        NO_SCALE.at(AT_ONCE),
        SCALE_BY_WIDTH.at(AT_ONCE),
        Mistake(
            "no_shift",
            {
                "raise_to": lambda largest, scores: np.zeros_like(scores[..., :1]),
                "correct": lambda largest, raised: 1.0,
            },
            NO_SHIFT.plain,
            NO_SHIFT.question,
        ),
        Mistake(
            "block_maximum",
            {"raise_to": lambda largest, scores: scores.max(axis=-1, keepdims=True)},
            "The largest score of the block is subtracted, not the largest so far.",
            "If a later block is far smaller than an earlier one, how large is "
            "e^(old − new)?",
        ),
        Mistake(
            "denominator_not_rescaled",
            {"for_total": one},
            "The sum of powers is not corrected when a larger score turns up.",
            "All powers summed so far were divided by e^(old largest). What must happen "
            "to their sum when the largest score rises?",
        ),
        Mistake(
            "accumulator_not_rescaled",
            {"for_output": one},
            "The sum of values is not corrected when a larger score turns up.",
            "The values summed so far carry powers that were divided by e^(old "
            "largest). And now?",
        ),
        Mistake(
            "inverse_correction",
            {
                "correct": lambda largest, raised: np.where(
                    np.isneginf(largest), 0.0, np.exp(raised - largest)
                )
            },
            "The correction is e^(new − old), upside down.",
            "When a larger score turns up, do the earlier powers become smaller or "
            "larger beside it?",
            also=({"correct": lambda largest, raised: np.exp(raised - largest)},),
        ),
        Mistake(
            "block_average",
            {"way": average_of_blocks, **NOTHING_CARRIED},
            "Each block is finished by itself, and the blocks are averaged.",
            "Should a block with poor matches count as much as one with good matches?",
        ),
        Mistake(
            "drops_last_block",
            {"blocks": lambda length, block: range(0, length - block + 1, block)},
            "Only full blocks are read.",
            "With 9 keys and blocks of 4, which key has nobody looked at?",
        ),
        Mistake(
            "holds_everything",
            {"way": everything_at_once, "blocks": all_blocks, **NOTHING_CARRIED},
            "All scores are held at once.",
            "The numbers are right. How many scores are in memory at the moment when "
            "there are most?",
        ),
    ),
    properties=(
        Property(
            "each output lies between the smallest and the largest value of its feature",
            lambda case, output: bool(
                (
                    (output >= case.data[2].min(axis=-2, keepdims=True) - 1e-4)
                    & (output <= case.data[2].max(axis=-2, keepdims=True) + 1e-4)
                ).all()
            ),
        ),
    ),
    finished=("torch.nn.functional.scaled_dot_product_attention",),
    place=AT_ONCE,
)


# ---------------------------------------------------------------- linear_attention
def elu_plus_one(x: np.ndarray) -> np.ndarray:
    """Give x + 1 above zero and e^x below."""
    return np.where(x > 0, x + 1.0, np.exp(np.minimum(x, 0.0)))


def so_far(parts: np.ndarray) -> np.ndarray:
    """Add up along the text, the place itself included."""
    return np.cumsum(parts, axis=0)


def before(parts: np.ndarray) -> np.ndarray:
    """Add up along the text, without the place itself."""
    return np.cumsum(parts, axis=0) - parts


def with_one_table(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, gather: Callable, share: Callable
) -> np.ndarray:
    """Add up keys times values, ask, and divide."""
    tables = gather(k[:, :, None] * v[:, None, :])  # (T, D, Dv)
    totals = gather(k)  # (T, D)
    found = np.einsum("td,tdv->tv", q, tables)
    return share(found, np.einsum("td,td->t", q, totals)[:, None])


def with_all_pairs(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, gather: Callable, share: Callable
) -> np.ndarray:
    """Hold a score for every pair of places."""
    scores = np.tril(q @ k.T)
    return share(scores @ v, scores.sum(axis=-1, keepdims=True))


def linear_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    feature: Callable = elu_plus_one,
    way: Callable = with_one_table,
    gather: Callable = so_far,
    share: Callable = np.divide,
) -> np.ndarray:
    """Give φ(q)·Σφ(k)v / φ(q)·Σφ(k), causal."""
    return way(feature(q), feature(k), v, gather, share)


def linear_cases(draw: Draw) -> Iterator[Case]:
    """Draw sequences, gentle, negative, large and long."""

    def arrays(T: int, D: int, Dv: int, **how: Any) -> tuple:
        return (
            draw.normal(T, D, **how),
            draw.normal(T, D, **how),
            draw.normal(T, Dv),
        )

    yield case("plain", *arrays(*draw.sizes(3, 2, 4)))
    T, D, Dv = draw.sizes(7, 3, 5)
    yield case("plain", *arrays(T, D, Dv))
    q, k, v = arrays(T, D, Dv)
    yield case("negative entries", -np.abs(q) - 0.1, -np.abs(k) - 0.1, v)
    yield case("large entries", *arrays(T, D, Dv, size=4.0))
    q, k, v = arrays(T, D, Dv)
    single = np.float32
    yield case("float32", q.astype(single), k.astype(single), v.astype(single))
    yield case(
        "memory",
        *arrays(500, 3, 4),
        about="500 places",
        peak_limit=1_000_000,  # one array of all pairs takes twice that
    )


LINEAR_ATTENTION = Exercise(
    id="linear_attention",
    topic=TOPIC,
    title="One table for the whole past",
    points=3.0,
    minutes=20,
    difficulty=4,
    returns=Array("output", "T Dv"),
    draw_cases=linear_cases,
    oracle=linear_attention,
    mistakes=(
        Mistake(
            "no_normaliser",
            {"share": lambda found, total: found},
            "The sum is not divided.",
            "What comes out if all values are 1, at the first place and at the tenth?",
        ),
        Mistake(
            "not_causal",
            {
                "gather": lambda parts: np.broadcast_to(
                    parts.sum(axis=0, keepdims=True), parts.shape
                )
            },
            "The sums run over the whole text.",
            "What should the first row know about the second?",
        ),
        Mistake(
            "no_feature_map",
            {"feature": as_it_is},
            "q and k are used as they are.",
            "Can a share be negative? What keeps φ(q)·φ(k) above zero?",
        ),
        Mistake(
            "relu",
            {"feature": lambda x: np.maximum(x, 0.0)},
            "ReLU is used in place of elu(x) + 1.",
            "What is the denominator for a query whose entries are all negative?",
        ),
        Mistake(
            "elu_alone",
            {"feature": lambda x: elu_plus_one(x) - 1.0},
            "elu(x) is used without adding 1.",
            "How small can elu(x) become? And elu(x) + 1?",
        ),
        Mistake(
            "state_before_update",
            {"gather": before},
            "The answer is read before the new key is added.",
            "What does the first place see, if not itself?",
        ),
        Mistake(
            "all_pairs",
            {"way": with_all_pairs, "gather": so_far},
            "A score is held for every pair of places.",
            "The numbers are right. How many of them are in memory for a text of 500, "
            "and how many would the table of sums take?",
        ),
    ),
    place=ONE_TABLE,
)


# ---------------------------------------------------------------- grouped queries
def in_groups(x: np.ndarray, share: int) -> np.ndarray:
    """Repeat each head for its group: 0 0 1 1."""
    return np.repeat(x, share, axis=1)


def refuse_groups(q: np.ndarray, k: np.ndarray) -> None:
    """Raise an error if the heads do not divide."""
    if q.shape[1] % k.shape[1]:
        raise ValueError(f"Hkv must divide Hq; got {k.shape[1]} and {q.shape[1]}")


def grouped_query_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    fit: Callable = refuse_groups,
    spread: Callable = in_groups,
    scale: Callable = by_root_of_width,
    axis: int = -1,
    shift: Callable = below_largest,
    mixed: Callable = lambda k, v: v,
) -> Any:
    """Give (output, weights) of heads that share keys and values."""
    fit(q, k)
    share = max(q.shape[1] // k.shape[1], 1)
    k, v = spread(k, share)[:, : q.shape[1]], spread(v, share)[:, : q.shape[1]]
    if k.shape[1] != q.shape[1]:
        return None  # heads without a partner: nothing that could be returned
    weights = softmax(scale(dot(q, k), q, k), axis, shift)
    return weights @ mixed(k, v), weights


def grouped_cases(draw: Draw) -> Iterator[Case]:
    """Draw groups of two and three, one shared head, one each, and ones that do not fit."""

    def arrays(queries: int, keys: int, **how: Any) -> tuple:
        shape = (B, keys, T, D)
        return (
            draw.normal(B, queries, T, D, **how),
            draw.normal(*shape, **how),
            draw.normal(*shape),
        )

    B, T, D = 2, 3, 5
    yield case("plain", *arrays(4, 2))
    T, D = draw.sizes(5, 7, smallest=4)
    yield case("plain", *arrays(6, 2))
    yield case("plain", *arrays(6, 3))
    yield case("one key head for all", *arrays(4, 1))
    yield case("a key head for each", *arrays(3, 3))
    yield case("large scores", *arrays(4, 2, size=40.0))
    q, k, v = arrays(4, 2)
    single = np.float32
    yield case("float32", q.astype(single), k.astype(single), v.astype(single))
    yield case("errors", *arrays(5, 2), about="2 does not divide 5")


GROUPED_QUERY_ATTENTION = Exercise(
    id="grouped_query_attention",
    topic=TOPIC,
    title="Shared keys",
    points=2.0,
    minutes=12,
    difficulty=3,
    returns=(Array("output", "B Hq T D"), Array("weights", "B Hq T T")),
    draw_cases=grouped_cases,
    oracle=grouped_query_attention,
    mistakes=(
        NO_SCALE.at(TO_WRITE),
        NO_SHIFT.at(TO_WRITE),
        Mistake(
            "wrong_axis",
            {"axis": -2},
            "The softmax runs over the queries.",
            "Add up one row of your weights, then one column. Whose look is one whole?",
        ),
        Mistake(
            "keys_as_values",
            {"mixed": lambda k, v: k},
            "The keys are mixed, not the values.",
            "Keys say where to look. Which array holds what is fetched from there?",
        ),
        Mistake(
            "interleaved",
            {"spread": lambda x, share: np.tile(x, (1, share, 1, 1))},
            "Head h reads key head h mod Hkv.",
            "With four query heads and two key heads, who reads head 0: the first two "
            "query heads, or every second one?",
        ),
        Mistake(
            "first_head_only",
            {"spread": lambda x, share: np.repeat(x[:, :1], 64, axis=1)},
            "All query heads read the first key head.",
            "What changes in your result if the last key head does?",
        ),
        Mistake(
            "misfit_allowed",
            {
                "fit": lambda q, k: None,
            },
            "Heads that cannot be shared out evenly get an answer.",
            "Five query heads and two key heads: who reads what?",
        ),
    ),
    built_on=("softmax", "attention"),
    finished=("torch.nn.functional.scaled_dot_product_attention",),
    place=TO_WRITE,
)


# ---------------------------------------------------------------- cached_attention
Cache = tuple[np.ndarray, np.ndarray]


def appended(past: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Put the new behind the old."""
    return np.concatenate([past, new], axis=-2)


def only_new(past: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Forget the old."""
    return new


def staircase(new: int, seen: int) -> np.ndarray:
    """Let new place i see the past, and the new ones up to itself."""
    return np.tri(new, seen, seen - new, dtype=bool)


def whole(k: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Keep all that was seen."""
    return k


def cached_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    past: Cache | None,
    *,
    append: Callable = appended,
    visible: Callable = staircase,
    scale: Callable = by_root_of_width,
    shift: Callable = below_largest,
    cache: Callable = whole,
) -> tuple[np.ndarray, Cache]:
    """Give the new tokens' output, and the grown keys and values."""
    all_k = k if past is None else append(past[0], k)
    all_v = v if past is None else append(past[1], v)
    scores = scale(dot(q, all_k), q, all_k)  # (..., t, seen)
    mask = visible(q.shape[-2], all_k.shape[-2])
    weights = softmax(np.where(mask, scores, -np.inf), -1, shift)
    return weights @ all_v, (cache(all_k, k), cache(all_v, v))


def only_the_past_seen(new: int, seen: int) -> np.ndarray:
    """Let new tokens see what was there before them, and nothing where nothing was."""
    if new == seen:
        return np.tri(new, seen, dtype=bool)  # no past: fall back on themselves
    return np.broadcast_to(np.arange(seen) < seen - new, (new, seen))


def cache_cases(draw: Draw) -> Iterator[Case]:
    """Draw pieces of one token and of several, with and without a past."""

    def arrays(*leading: int, new: int, old: int = 0, **how: Any) -> tuple:
        q, k, v = (draw.normal(*leading, new, D, **kind) for kind in (how, how, {}))
        if not old:
            return q, k, v, None
        past = (draw.normal(*leading, old, D, **how), draw.normal(*leading, old, D))
        return q, k, v, past

    D = 2
    yield case("one new token", *arrays(new=1, old=2))
    (D,) = draw.sizes(5)
    yield case("no past", *arrays(new=3))
    yield case("no past", *arrays(new=1), about="the very first token")
    yield case("one new token", *arrays(new=1, old=6))
    yield case("several new tokens", *arrays(new=3, old=4))
    yield case("several new tokens", *arrays(new=4, old=2))
    yield case("leading axes", *arrays(2, new=3, old=4))
    yield case("leading axes", *arrays(2, 3, new=2, old=4))
    yield case("large scores", *arrays(new=3, old=4, size=40.0))


CACHED_ATTENTION = Exercise(
    id="cached_attention",
    topic=TOPIC,
    title="Remember the past",
    points=3.0,
    minutes=20,
    difficulty=4,
    returns=(
        Array("output", "... t D"),
        (Array("the cached keys", "... T D"), Array("the cached values", "... T D")),
    ),
    draw_cases=cache_cases,
    oracle=cached_attention,
    mistakes=(
        NO_SCALE.at(TO_WRITE),
        NO_SHIFT.at(TO_WRITE),
        Mistake(
            "overwrites",
            {"append": only_new},
            "The past is dropped.",
            "What does the second token see of the first?",
        ),
        Mistake(
            "cache_not_grown",
            {"cache": lambda seen, new: new},
            "Only the new keys and values are handed on.",
            "Two calls go well. What does the third one get as its past?",
        ),
        Mistake(
            "before_append",
            {"visible": only_the_past_seen},
            "The new tokens look at the past only, not at themselves.",
            "In causal attention, may a token look at itself?",
        ),
        Mistake(
            "not_causal",
            {"visible": lambda new, seen: np.ones((new, seen), dtype=bool)},
            "New tokens see each other's future.",
            "Three tokens come at once. May the first of them look at the third?",
        ),
        Mistake(
            "mask_from_start",
            {"visible": lambda new, seen: np.tri(new, seen, dtype=bool)},
            "The triangle starts at the beginning of the text, and hides the past.",
            "With five tokens in the cache, how many places may the first new token "
            "see?",
        ),
    ),
    built_on=("softmax", "masked_softmax"),
    place=TO_WRITE,
)


# ---------------------------------------------------------------- detects_stale_cache
def last_few(seen: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Keep three places only."""
    return seen[..., -3:, :]


def turned(x: np.ndarray, start: int) -> np.ndarray:
    """Turn each row by an angle that grows with its place."""
    angles = 0.7 * (start + np.arange(x.shape[-2]))[:, None]
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.concatenate(
        [
            even * np.cos(angles) - odd * np.sin(angles),
            even * np.sin(angles) + odd * np.cos(angles),
        ],
        axis=-1,
    )


def with_places(start_of: Callable) -> Callable:
    """Make a cached attention with rotary positions that start where `start_of` says."""

    def step(
        q: np.ndarray, k: np.ndarray, v: np.ndarray, past: Cache | None
    ) -> tuple[np.ndarray, Cache]:
        q, k, v = (np.asarray(x, dtype=np.float64) for x in (q, k, v))
        if q.shape[-1] % 2:  # a feature without a partner stays as it is
            return cached_attention(q, k, v, past)
        start = start_of(0 if past is None else np.shape(past[0])[-2])
        return cached_attention(turned(q, start), turned(k, start), v, past)

    return step


def made_with(**parts: Callable) -> Callable:
    """Make an implementation from the oracle and other parts."""

    def step(
        q: np.ndarray, k: np.ndarray, v: np.ndarray, past: Cache | None
    ) -> tuple[np.ndarray, Cache]:
        q, k, v = (np.asarray(x, dtype=np.float64) for x in (q, k, v))
        if past is not None:
            past = (np.asarray(past[0]), np.asarray(past[1]))
        return cached_attention(q, k, v, past, **parts)

    return step


RIGHT_STEPS = {
    "attention with a cache": made_with(),
    "the same without a scale": made_with(scale=lambda scores, q, k: scores),
    "a window of three, in pieces and at once": made_with(
        visible=lambda new, seen: (
            np.tri(new, seen, seen - new, dtype=bool)
            & ~np.tri(new, seen, seen - new - 3, dtype=bool)
        )
    ),
    "rotary positions that go on": with_places(as_it_is),
    "the mean of all values so far": made_with(
        scale=lambda scores, q, k: np.zeros_like(scores)
    ),
}
WRONG_STEPS = {
    "a past that is dropped": made_with(append=only_new),
    "a cache that does not grow": made_with(cache=lambda seen, new: new),
    "a cache that keeps three places": made_with(cache=last_few),
    "new tokens that see each other's future": made_with(
        visible=lambda new, seen: np.ones((new, seen), dtype=bool)
    ),
    "a triangle that starts at the beginning": made_with(
        visible=lambda new, seen: np.tri(new, seen, dtype=bool)
    ),
    "new tokens that do not see themselves": made_with(visible=only_the_past_seen),
    "every piece at place 0": with_places(lambda start: 0),
    "places that are one too late": with_places(lambda start: start + (start > 0)),
    "values that are not kept": made_with(
        append=lambda past, new: np.concatenate([0.0 * past, new], axis=-2)
    ),
}


def one_at_a_time_and_in_pieces(length: int) -> list[list[int]]:
    """Cut a text in several ways."""
    return [[1] * length, [3, length - 3], [2, 1, length - 3], [1, length - 2, 1]]


def unlike(together: np.ndarray, at_once: np.ndarray) -> bool:
    """Compare the outputs."""
    return together.shape != at_once.shape or not np.allclose(
        together, at_once, equal_nan=True
    )


LOOKED_AT = {"cuts": one_at_a_time_and_in_pieces, "differ": unlike}


def is_stale(
    step: Callable,
    *,
    cuts: Callable = one_at_a_time_and_in_pieces,
    differ: Callable = unlike,
    verdict: Callable = as_it_is,
) -> bool:
    """Feed the same tokens at once and in pieces, and compare."""
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 7, 4))
    at_once = np.asarray(step(q, k, v, None)[0])
    found = False
    for sizes in cuts(7):
        found = found or differ(fed(step, q, k, v, sizes), at_once)
    return verdict(found)


def fed(
    step: Callable, q: np.ndarray, k: np.ndarray, v: np.ndarray, sizes: Sequence[int]
) -> np.ndarray:
    """Give the outputs of all pieces, one behind the other."""
    past, outputs, start = None, [], 0
    for size in sizes:
        piece = slice(start, start + size)
        output, past = step(q[piece], k[piece], v[piece], past)
        outputs.append(np.asarray(output))
        start += size
    return np.concatenate(outputs)


def stale_cases(draw: Draw) -> Iterator[Case]:
    """Show right and wrong implementations."""
    for name, step in RIGHT_STEPS.items():
        yield case("right implementations", step, about=name)
    for name, step in WRONG_STEPS.items():
        yield case("wrong implementations", step, about=name)


DETECTS_STALE_CACHE = Exercise(
    id="detects_stale_cache",
    topic=TOPIC,
    title="Catch the stale cache",
    points=3.0,
    minutes=20,
    difficulty=4,
    returns=Truth(),
    draw_cases=stale_cases,
    oracle=is_stale,
    bank=True,
    mistakes=(
        Mistake(
            "always_false",
            {"verdict": lambda found: False, **LOOKED_AT},
            "It never finds anything.",
            "What does it say about a step that drops the past?",
        ),
        Mistake(
            "always_true",
            {"verdict": lambda found: True, **LOOKED_AT},
            "It accuses everything.",
            "What does it say about a step that does just what was promised?",
        ),
        Mistake(
            "inverted",
            {"verdict": lambda found: not found},
            "True and False are exchanged.",
            "Should it say True where something is wrong, or where all is well?",
        ),
        Mistake(
            "two_pieces",
            {"cuts": lambda length: [[length - 1, 1]]},
            "The text is cut into two pieces only.",
            "A step that hands on only its own keys: in which call does it show?",
            also=(
                {"cuts": lambda length: [[3, length - 3]]},
                {"cuts": lambda length: [[1, length - 1]]},
                {"cuts": lambda length: [[length // 2, length - length // 2]]},
            ),
        ),
        Mistake(
            "last_only",
            {
                "differ": lambda together, at_once: bool(
                    not np.allclose(together[-1], at_once[-1], equal_nan=True)
                )
            },
            "Only the last row is compared.",
            "Within a piece, which rows can see a future that they should not?",
        ),
    ),
    place=TO_WRITE,
    seconds=15.0,
)

EXERCISES = (
    ATTENTION_BYTES,
    SLIDING_WINDOW_MASK,
    ONLINE_SOFTMAX_ATTENTION,
    LINEAR_ATTENTION,
    GROUPED_QUERY_ATTENTION,
    CACHED_ATTENTION,
    DETECTS_STALE_CACHE,
)
