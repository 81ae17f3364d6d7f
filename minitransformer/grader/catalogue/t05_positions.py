"""Topic 05: sinusoidal, rotary and distance-based positions, and equivariance."""

from collections.abc import Callable, Iterator

import numpy as np

from minitransformer.grader.catalogue.shared import as_it_is, softmax
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

TOPIC = "05_positions"
WHO_BIT = "Who bit whom?"
THIRD = 'What number says "third"?'
DISTANCE = "Can the score itself know the distance?"
PUNISH = "What if we just punish distance?"


def share_of_width(i: np.ndarray, width: int) -> np.ndarray:
    """Give the exponent 2i/C of pair i."""
    return 2.0 * i / width


# ---------------------------------------------------------------- sinusoidal_positions
def even_width(width: int) -> None:
    """Refuse an odd width."""
    if width % 2:
        raise ValueError(f"width must be even; got {width}")


def interleaved(sine: np.ndarray, cosine: np.ndarray, width: int) -> np.ndarray:
    """Put sine and cosine of each pair beside each other; an odd width ends on a sine."""
    table = np.zeros((len(sine), width))
    table[:, 0::2] = sine
    table[:, 1::2] = cosine[:, : width // 2]
    return table


def only_whole_pairs(sine: np.ndarray, cosine: np.ndarray, width: int) -> np.ndarray:
    """Leave an odd width's last feature out."""
    pairs = width // 2
    return interleaved(sine[:, :pairs], cosine[:, :pairs], 2 * pairs)


def cosine_first(sine: np.ndarray, cosine: np.ndarray, width: int) -> np.ndarray:
    """Exchange the two."""
    return interleaved(cosine, sine, width)


def in_halves(sine: np.ndarray, cosine: np.ndarray, width: int) -> np.ndarray:
    """Put all sines first, then all cosines."""
    return np.concatenate([sine, cosine[:, : width // 2]], axis=1)


def sinusoidal_positions(
    length: int,
    width: int,
    base: float = 10000.0,
    *,
    check: Callable = even_width,
    start: int = 0,
    exponent: Callable = share_of_width,
    base_of: Callable = as_it_is,
    angle: Callable = np.divide,
    arrange: Callable = interleaved,
) -> np.ndarray:
    """Give sin and cos of t / base^(2i/C)."""
    check(width)
    i = np.arange((width + 1) // 2)
    places = np.arange(start, start + length)[:, None]
    angles = angle(places, base_of(base) ** exponent(i, width))  # (T, C/2)
    return arrange(np.sin(angles), np.cos(angles), width)


def sinusoidal_cases(draw: Draw) -> Iterator[Case]:
    """Ask for several sizes and bases, then for an odd width."""
    yield case("plain", 3, 4)
    T, C = draw.sizes(5, 6)
    yield case("plain", T, 2 * C)
    T, C = draw.sizes(7, 3)
    yield case("another base", T, 2 * C, base=100.0)
    yield case("another base", C, 2 * T, base=5.0)
    yield case("width 2", T, 2)
    yield case("odd width", 4, 5)
    yield case("odd width", T, 2 * C + 1)


SINUSOIDAL_POSITIONS = Exercise(
    id="sinusoidal_positions",
    topic=TOPIC,
    title="Waves that count",
    points=2.0,
    minutes=15,
    difficulty=2,
    returns=Array("the table", "T C"),
    draw_cases=sinusoidal_cases,
    oracle=sinusoidal_positions,
    mistakes=(
        Mistake(
            "swapped",
            {"arrange": cosine_first},
            "The cosines stand in the even places.",
            "What is the first row of your table? And what is sin 0?",
            THIRD,
        ),
        Mistake(
            "halves",
            {"arrange": in_halves},
            "All sines come first, then all cosines.",
            "Which two features turn at the same speed in your table, and where does "
            "the exercise want them?",
            THIRD,
        ),
        Mistake(
            "exponent_halved",
            {"exponent": lambda i, width: i / width},
            "The exponent is i/C, where 2i/C is asked for.",
            "How slow is your slowest wave? Its exponent should come close to 1.",
            THIRD,
        ),
        Mistake(
            "exponent_doubled",
            {"exponent": lambda i, width: 4.0 * i / width},
            "The exponent is doubled: 4i/C, where 2i/C is asked for.",
            "Does your i count pairs, or features? How large does your exponent get?",
            THIRD,
        ),
        Mistake(
            "multiplied",
            {"angle": np.multiply},
            "The position is multiplied by base^(2i/C), not divided by it.",
            "Do your waves become slower from feature to feature, or faster?",
            THIRD,
        ),
        Mistake(
            "base_ignored",
            {"base_of": lambda base: 10000.0},
            "10000 is written into the formula.",
            "What changes in your table if base is 100?",
            THIRD,
        ),
        Mistake(
            "starts_at_one",
            {"start": 1},
            "The first position is 1.",
            "What is the first row of your table? It should be 0, 1, 0, 1, …",
            THIRD,
        ),
        Mistake(
            "odd_width_allowed",
            {"check": lambda width: None},
            "An odd width is answered with a table.",
            "Sine and cosine come in pairs. What becomes of the last pair of an odd "
            "width?",
            THIRD,
            also=({"check": lambda width: None, "arrange": only_whole_pairs},),
        ),
    ),
    properties=(
        Property(
            "sin² + cos² of each pair is 1",
            lambda case, table: bool(
                np.allclose(table[:, 0::2] ** 2 + table[:, 1::2] ** 2, 1.0, atol=1e-4)
            ),
        ),
    ),
    place=THIRD,
)


# ---------------------------------------------------------------- rotary
def neighbours(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take features 2i and 2i+1 for a pair."""
    return x[..., 0::2], x[..., 1::2]


def side_by_side(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """Put pairs back beside each other."""
    return np.stack([even, odd], axis=-1).reshape(*even.shape[:-1], -1)


def two_halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take features i and i + D/2 for a pair."""
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def one_after_the_other(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Put the halves back."""
    return np.concatenate([first, second], axis=-1)


def turned(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: np.ndarray) -> tuple:
    """Turn each pair by its angle."""
    return a * c - b * s, a * s + b * c


def turned_with_new_even(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, s: np.ndarray
) -> tuple:
    """Use the new even half for the odd one."""
    even = a * c - b * s
    return even, even * s + b * c


def rotary(
    x: np.ndarray,
    positions: np.ndarray,
    base: float = 10000.0,
    *,
    apart: Callable = neighbours,
    together: Callable = side_by_side,
    turn: Callable = turned,
    exponent: Callable = share_of_width,
    base_of: Callable = as_it_is,
    place: Callable = as_it_is,
) -> np.ndarray:
    """Turn each pair of features by position / base^(2i/D)."""
    D = x.shape[-1]
    speeds = base_of(base) ** -exponent(np.arange(D // 2), D)
    angles = np.asarray(place(positions))[:, None] * speeds  # (T, D/2)
    a, b = apart(x)
    return together(*turn(a, b, np.cos(angles), np.sin(angles)))


def rotary_cases(draw: Draw) -> Iterator[Case]:
    """Draw vectors, and positions that neither start at 0 nor follow each other."""

    def places(T: int) -> np.ndarray:
        return 2 + np.sort(draw.rng.permutation(3 * T)[:T])

    yield case("plain", draw.normal(2, 4), np.array([1, 3]))
    T, half = draw.sizes(5, 3)
    yield case("plain", draw.normal(T, 2 * half), places(T))
    yield case("positions from 0", draw.normal(T, 2 * half), np.arange(T))
    B, H, T, half = draw.sizes(2, 3, 5, 4)
    yield case("leading axes", draw.normal(B, T, 2 * half), places(T))
    yield case("leading axes", draw.normal(B, H, T, 2 * half), places(T))
    yield case("another base", draw.normal(T, 2 * half), places(T), base=50.0)
    single = draw.normal(T, 2 * half, dtype=np.float32)
    yield case("float32", single, places(T))


ROTARY = Exercise(
    id="rotary",
    topic=TOPIC,
    title="Turned by their place",
    points=3.0,
    minutes=20,
    difficulty=3,
    returns=Array("the turned vectors", "... T D"),
    draw_cases=rotary_cases,
    oracle=rotary,
    mistakes=(
        Mistake(
            "halves",
            {"apart": two_halves, "together": one_after_the_other},
            "Features i and i + D/2 make a pair, not 2i and 2i + 1.",
            "Both ways are in use, and they do not mix. Which pairs does this exercise "
            "ask for?",
            DISTANCE,
        ),
        Mistake(
            "backwards",
            {"turn": lambda a, b, c, s: (a * c + b * s, b * c - a * s)},
            "The pairs turn the other way.",
            "Turn (1, 0) by a quarter, counterclockwise: where does it land, and where "
            "does yours?",
            DISTANCE,
        ),
        Mistake(
            "reflection",
            {"turn": lambda a, b, c, s: (a * c - b * s, -a * s - b * c)},
            "The sign of a whole feature is wrong: the pairs are mirrored, not turned.",
            "At position 0 nothing turns. Does your function leave x as it is there?",
            DISTANCE,
            also=(
                {"turn": lambda a, b, c, s: (a * c + b * s, a * s - b * c)},
                {"turn": lambda a, b, c, s: (a * c - b * s, a * s - b * c)},
                {"turn": lambda a, b, c, s: (a * c + b * s, a * s + b * c)},
            ),
        ),
        Mistake(
            "in_place",
            {"turn": turned_with_new_even},
            "The odd half is made from the even half that has already been turned.",
            "What does the second of your two lines find where the first has just "
            "written?",
            DISTANCE,
        ),
        Mistake(
            "one_frequency",
            {"exponent": lambda i, width: 0.0 * i},
            "All pairs turn at the same speed.",
            "Which pair should be the slowest, and how slow?",
            DISTANCE,
        ),
        Mistake(
            "exponent_halved",
            {"exponent": lambda i, width: i / width},
            "The exponent is i/D, where 2i/D is asked for.",
            "Does your i count pairs, or features? How slow is your slowest pair?",
            DISTANCE,
        ),
        Mistake(
            "positions_ignored",
            {"place": lambda positions: np.arange(len(positions))},
            "Places are counted 0, 1, 2, …, whatever `positions` says.",
            "What changes in your result if all positions become larger by 5?",
            DISTANCE,
        ),
        Mistake(
            "base_ignored",
            {"base_of": lambda base: 10000.0},
            "10000 is written into the formula.",
            "What changes in your result if base is 50?",
            DISTANCE,
        ),
    ),
    properties=(
        Property(
            "turning does not change the length of a pair",
            lambda case, result: bool(
                np.allclose(
                    (result.reshape(*result.shape[:-1], -1, 2) ** 2).sum(axis=-1),
                    (case.data[0].reshape(*result.shape[:-1], -1, 2) ** 2).sum(axis=-1),
                    atol=1e-3,
                )
            ),
        ),
    ),
    place=DISTANCE,
)


# ---------------------------------------------------------------- alibi_bias
def steps_back(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Count the steps from a query back to a key."""
    return query - key


def steps_ahead(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Count the steps from a query ahead to a key."""
    return key - query


def only_positive(distance: np.ndarray) -> np.ndarray:
    """Give 0 for the other side."""
    return np.maximum(distance, 0)


def alibi_bias(
    num_heads: int,
    length: int,
    *,
    first_head: int = 1,
    slope: Callable = lambda h, H: 2.0 ** (-8.0 * h / H),
    distance: Callable = steps_back,
    clip: Callable = only_positive,
    sign: float = -1.0,
) -> np.ndarray:
    """Give −2^(−8h/H) · (i − j) for earlier keys, 0 for later ones."""
    H = num_heads
    slopes = slope(np.arange(first_head, first_head + H), H)[:, None, None]
    places = np.arange(length)
    return sign * slopes * clip(distance(places[:, None], places))  # (H, T, T)


ALIBI_BIAS = Exercise(
    id="alibi_bias",
    topic=TOPIC,
    title="The far costs more",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=Array("the bias", "H T T"),
    draw_cases=lambda draw: iter(
        case(group, H, T)
        for group, (H, T) in (
            ("plain", (2, 3)),
            ("plain", draw.sizes(4, 5)),
            ("heads that are no power of 2", (3, draw.sizes(7)[0] + 1)),
            ("heads that are no power of 2", (6, draw.sizes(4)[0])),
            ("eight heads", (8, 6)),
            ("one head", (1, 4)),
        )
    ),
    oracle=alibi_bias,
    mistakes=(
        Mistake(
            "positive",
            {"sign": 1.0},
            "The minus sign is missing: the far is favoured.",
            "The bias is added to scores. Should a distant key gain by it, or lose?",
            PUNISH,
        ),
        Mistake(
            "slopes_from_zero",
            {"first_head": 0},
            "The heads are counted from 0, so the first slope is 1.",
            "For two heads the slopes are 1/16 and 1/256. Which are yours?",
            PUNISH,
        ),
        Mistake(
            "one_slope",
            {"slope": lambda h, H: np.full(len(h), 2.0 ** (-8.0 / H))},
            "All heads have the same slope.",
            "What would the heads differ in, if not in how fast they forget?",
            PUNISH,
            also=(
                {"slope": lambda h, H: np.full(len(h), 2.0**-8.0)},
                {"slope": lambda h, H: np.ones(len(h))},
                {"slope": lambda h, H: np.full(len(h), 0.5)},
            ),
        ),
        Mistake(
            "transposed",
            {"distance": steps_ahead},
            "The bias lies on the future, and the past costs nothing.",
            "Rows are queries. Which entries of the last row should be below 0?",
            PUNISH,
        ),
        Mistake(
            "unclipped",
            {"clip": as_it_is},
            "Above the diagonal the bias is positive.",
            "What is i − j for a later key, and what does the exercise want there?",
            PUNISH,
            also=({"clip": np.abs},),
        ),
    ),
    properties=(
        Property("no bias is positive", lambda case, bias: bool((bias <= 0).all())),
    ),
    place=PUNISH,
)


# ---------------------------------------------------------------- is_permutation_equivariant
def attend_to_all(x: np.ndarray) -> np.ndarray:
    """Attend without positions."""
    return softmax(x @ x.T / np.sqrt(x.shape[-1])) @ x


def attend_backwards(x: np.ndarray) -> np.ndarray:
    """Attend to what came before."""
    scores = np.where(np.tri(len(x), dtype=bool), x @ x.T, -np.inf)
    return softmax(scores) @ x


EQUIVARIANT = {
    "attention without positions": attend_to_all,
    "each row for itself": lambda x: np.tanh(x + 0.3),
    "attention and a residual, twice": lambda x: (
        attend_to_all(x + attend_to_all(x)) + x
    ),
    "rows less their mean": lambda x: x - x.mean(axis=0),
    "the sum of all rows, in every row": lambda x: np.ones((len(x), 1)) * x.sum(axis=0),
    "two features of three": lambda x: x[:, :2] * 2.0,
}
NOT_EQUIVARIANT = {
    "attention with positions added": lambda x: attend_to_all(
        x + 0.5 * np.arange(len(x))[:, None]
    ),
    "causal attention": attend_backwards,
    "a running sum": lambda x: np.cumsum(x, axis=0),
    "rows weighed by their place": lambda x: x * np.arange(1, len(x) + 1)[:, None],
    "the first row marked": lambda x: x + (np.arange(len(x)) == 0)[:, None],
    "rows sorted by their first feature": lambda x: x[np.argsort(x[:, 0])],
    "each row and the one before it": lambda x: x + np.roll(x, 1, axis=0),
}


def takes_arrays(function: Callable) -> Callable:
    """Let an implementation take anything array-like."""
    return lambda x: function(np.asarray(x, dtype=np.float64))


def is_permutation_equivariant(
    function: Callable,
    x: np.ndarray,
    order: np.ndarray,
    *,
    compared: Callable = lambda result, order: result[order],
    verdict: Callable = as_it_is,
) -> bool:
    """Tell whether permuting the rows of x permutes the rows of the result."""
    order = np.asarray(order)
    permuted, plain = np.asarray(function(x[order])), np.asarray(function(x))
    return verdict(bool(np.allclose(permuted, compared(plain, order))))


def equivariance_cases(draw: Draw) -> Iterator[Case]:
    """Show functions of both kinds, with orders that are not their own inverse."""
    kinds = (
        ("equivariant functions", EQUIVARIANT),
        ("functions that know the order", NOT_EQUIVARIANT),
    )
    for group, functions in kinds:
        for name, function in functions.items():
            T, C = draw.sizes(5, 3, smallest=4)
            order = np.roll(draw.rng.permutation(T), 1)
            while (order[order] == np.arange(T)).all() or (order[0] == 0):
                order = draw.rng.permutation(T)
            x = draw.normal(T, C) + 0.01 * np.arange(T)[:, None]
            yield case(group, takes_arrays(function), x, order, about=name)


IS_PERMUTATION_EQUIVARIANT = Exercise(
    id="is_permutation_equivariant",
    topic=TOPIC,
    title="Does it know who came first?",
    points=2.0,
    minutes=15,
    difficulty=3,
    returns=Truth(),
    draw_cases=equivariance_cases,
    oracle=is_permutation_equivariant,
    bank=False,
    mistakes=(
        Mistake(
            "always_true",
            {"verdict": lambda same: True, "compared": lambda result, order: result},
            "It says True of everything.",
            "What does it say about a function that adds the place to each row?",
            WHO_BIT,
        ),
        Mistake(
            "always_false",
            {"verdict": lambda same: False, "compared": lambda result, order: result},
            "It says False of everything.",
            "What does it say about a function that treats each row for itself?",
            WHO_BIT,
            also=(
                {"compared": lambda result, order: np.roll(result[order], 1, 0) + 1.0},
            ),
        ),
        Mistake(
            "inverted",
            {"verdict": lambda same: not same},
            "True and False are exchanged.",
            "Attention without positions permutes with its rows. What do you say of it?",
            WHO_BIT,
        ),
        Mistake(
            "invariance",
            {"compared": lambda result, order: result},
            "It asks whether the result stays the same, not whether it is permuted along.",
            "If the rows of x change places, should each result stay where it was, or go "
            "with its row?",
            WHO_BIT,
        ),
        Mistake(
            "inverse_order",
            {"compared": lambda result, order: result[np.argsort(order)]},
            "The result is put into the inverse order.",
            "Row 0 of x[order] is row order[0] of x. Which row of the result belongs to "
            "it?",
            WHO_BIT,
        ),
    ),
    place=WHO_BIT,
)

EXERCISES = (SINUSOIDAL_POSITIONS, ROTARY, ALIBI_BIAS, IS_PERMUTATION_EQUIVARIANT)
