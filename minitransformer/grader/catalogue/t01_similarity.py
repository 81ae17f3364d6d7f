"""Topic 01: dot products, cosine similarity, and the most similar keys."""

from collections.abc import Callable, Iterator

import numpy as np

from minitransformer.grader.catalogue.shared import (
    REVERSED_AXES,
    as_it_is,
    by_root_of_width,
    dot,
    keys_ask,
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

TOPIC = "01_similarity"
AT_ONCE = "All against all, at once"
LONGER = "Is longer the same as more alike?"
HOW_BIG = "How big does a dot product get?"
COMPANY = "Which letters keep similar company?"


def lengths(x: np.ndarray) -> np.ndarray:
    """Give the length of each row."""
    return np.sqrt((x * x).sum(axis=-1, keepdims=True))


def distances(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Give the distance of every query to every key."""
    between = queries[..., :, None, :] - keys[..., None, :, :]
    return np.sqrt((between * between).sum(axis=-1))


# ---------------------------------------------------------------- dot_products
def dot_products(
    queries: np.ndarray,
    keys: np.ndarray,
    *,
    score: Callable = dot,
    scale: Callable = undivided,
    unit: Callable = as_it_is,
) -> np.ndarray:
    """Give every query's dot product with every key."""
    return scale(score(unit(queries), unit(keys)), queries, keys)


def dot_cases(draw: Draw) -> Iterator[Case]:
    """Draw queries and keys; also with sizes that let a missing transpose pass."""
    Tq, Tk, D = draw.sizes(2, 3, 4)
    yield case("plain", draw.normal(Tq, D), draw.normal(Tk, D))
    B, H, Tq, Tk, D = draw.sizes(2, 4, 5, 3, 6)
    yield case("leading axes", draw.normal(B, Tq, D), draw.normal(B, Tk, D))
    yield case("leading axes", draw.normal(B, H, Tq, D), draw.normal(B, H, Tk, D))
    same = "as many queries as keys"
    yield case(same, draw.normal(Tq, D), draw.normal(Tq, D))
    yield case("as many keys as features", draw.normal(Tq, D), draw.normal(D, D))
    yield case("large entries", draw.normal(Tq, D, size=1e3), draw.normal(Tk, D))
    q, k = draw.normal(Tk, D), draw.normal(Tq, D)
    yield case("float32", q.astype(np.float32), k.astype(np.float32))


DOT_PRODUCTS = Exercise(
    id="dot_products",
    topic=TOPIC,
    title="All against all",
    points=1.0,
    minutes=5,
    difficulty=1,
    returns=Array("the dot products", "... Tq Tk"),
    draw_cases=dot_cases,
    oracle=dot_products,
    mistakes=(
        Mistake(
            "elementwise",
            {"score": np.multiply},
            "Entries are multiplied one by one, and not added up.",
            "One dot product is a single number. How many numbers do you get for one "
            "query and one key?",
            AT_ONCE,
        ),
        Mistake(
            "no_transpose",
            {"score": np.matmul},
            "The keys are not turned round: rows of the queries meet columns of the "
            "keys.",
            "Which numbers of the keys does the first row of your product use: one key, "
            "or one feature of all keys?",
            AT_ONCE,
        ),
        Mistake(
            "transposed",
            {"score": keys_ask},
            "Keys times queries: a row belongs to a key.",
            "Row i should hold everything about query i. How many rows do you have, and "
            "how many queries?",
            AT_ONCE,
        ),
        REVERSED_AXES.at(AT_ONCE),
        Mistake(
            "cosine",
            {"unit": lambda x: x / lengths(x)},
            "The vectors are divided by their lengths, which gives the cosine.",
            "If one key becomes twice as long, should its dot product not double?",
            LONGER,
        ),
        Mistake(
            "scaled",
            {"scale": by_root_of_width},
            "The dot products are divided by √D, which is not asked for here.",
            "All your numbers are too small by one common factor. Which one?",
            HOW_BIG,
        ),
        Mistake(
            "by_distance",
            {"score": distances},
            "Distances are given in place of dot products.",
            "Two equal vectors: is your number for them 0? What is their dot product?",
            AT_ONCE,
            also=(
                {"score": lambda q, k: -distances(q, k)},
                {"score": lambda q, k: distances(q, k) ** 2},
                {"score": lambda q, k: -(distances(q, k) ** 2)},
            ),
        ),
    ),
    place=AT_ONCE,
)


# ---------------------------------------------------------------- cosine_similarity
def one_for_zero(size: np.ndarray) -> np.ndarray:
    """Divide a zero vector by 1."""
    return np.where(size == 0.0, 1.0, size)


def cosine_similarity(
    queries: np.ndarray,
    keys: np.ndarray,
    *,
    size: Callable = lengths,
    guard: Callable = one_for_zero,
    for_queries: Callable = as_it_is,
    for_keys: Callable = as_it_is,
) -> np.ndarray:
    """Give the cosine of the angle between every query and every key."""
    below = for_queries(guard(size(queries))), for_keys(guard(size(keys)))
    return dot(queries / below[0], keys / below[1])


def cosine_cases(draw: Draw) -> Iterator[Case]:
    """Draw vectors of quite different lengths, and zero vectors."""

    def rows(*shape: int, dtype: type = np.float64) -> np.ndarray:
        x = draw.normal(*shape)
        x[..., 0] += np.where(x[..., 0] < 0, -0.5, 0.5)  # not too short
        stretch = 1.0 + 2.0 * np.arange(shape[-2])[:, None]
        return (x * stretch).astype(dtype)

    Tq, Tk, D = draw.sizes(2, 3, 4)
    yield case("plain", rows(Tq, D), rows(Tk, D))
    B, H, Tq, Tk, D = draw.sizes(2, 4, 5, 3, 6)
    yield case("leading axes", rows(B, Tq, D), rows(B, Tk, D))
    yield case("leading axes", rows(B, H, Tq, D), rows(B, H, Tk, D))
    queries, keys = rows(Tq, D), rows(Tk, D)
    keys[1] = 0.0
    yield case("zero vectors", queries, keys, about="one key is all zeros")
    queries[-1] = 0.0
    yield case("zero vectors", queries, keys, about="a query and a key are all zeros")
    single = {"dtype": np.float32}
    yield case("float32", rows(Tq, D, **single), rows(Tk, D, **single))


COSINE_SIMILARITY = Exercise(
    id="cosine_similarity",
    topic=TOPIC,
    title="Direction without length",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=Array("the similarities", "... Tq Tk"),
    draw_cases=cosine_cases,
    oracle=cosine_similarity,
    mistakes=(
        Mistake(
            "no_normalisation",
            {
                "size": lambda x: np.ones((*x.shape[:-1], 1)),
                "guard": as_it_is,
                "for_queries": as_it_is,
                "for_keys": as_it_is,
            },
            "These are plain dot products.",
            "Make one key twice as long. Should its cosine change?",
            LONGER,
        ),
        Mistake(
            "one_side",
            {"for_queries": np.ones_like},
            "Only one of the two sides is divided by its lengths.",
            "What is your similarity of a vector with itself, if it has length 3?",
            LONGER,
            also=({"for_keys": np.ones_like},),
        ),
        Mistake(
            "global_norm",
            {"size": np.linalg.norm, "guard": as_it_is},
            "All vectors are divided by one length, that of the whole array.",
            "How many lengths do 3 keys have? What does `axis=-1` change in the norm?",
            LONGER,
        ),
        Mistake(
            "squared_length",
            {"size": lambda x: (x * x).sum(axis=-1, keepdims=True)},
            "The root is missing: vectors are divided by the squares of their lengths.",
            "What is your similarity of a vector with itself, if it has length 2?",
            LONGER,
        ),
        Mistake(
            "nan_on_zero",
            {"guard": as_it_is},
            "A zero vector is divided by its length 0, which gives NaN.",
            "Which direction does a vector of zeros have? What does the exercise say "
            "its similarity is?",
            LONGER,
        ),
    ),
    properties=(
        Property(
            "every similarity lies between -1 and 1",
            lambda case, result: bool((np.abs(result) <= 1.0 + 1e-4).all()),
        ),
    ),
    built_on=("dot_products",),
    finished=(
        "torch.nn.functional.cosine_similarity",
        "sklearn.metrics.pairwise.cosine_similarity",
    ),
    place=LONGER,
)


# ---------------------------------------------------------------- most_similar
def with_each(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Give the dot product with each key."""
    return keys @ query  # (Tk,)


def cosines(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Give the dot product with each key's direction."""
    return (keys / lengths(keys)) @ query


def nearness(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Give minus the distance to each key."""
    return -distances(query[None], keys)[0]


def in_the_order_of_places(case: Case, places: np.ndarray) -> bool:
    """Look at neighbours in the result that have the same dot product."""
    query, keys, _ = case.data
    scores = (keys @ query)[places.astype(int)]
    tied = np.isclose(scores[1:], scores[:-1])
    return bool((places[1:] > places[:-1])[tied].all())


def falling(scores: np.ndarray) -> np.ndarray:
    """Order from the largest down, equal ones by their place."""
    return np.argsort(-scores, kind="stable")


def falling_unstable(scores: np.ndarray) -> np.ndarray:
    """Order from the largest down, equal ones as the machine's sort leaves them."""
    return np.argsort(-scores)


def most_similar(
    query: np.ndarray,
    keys: np.ndarray,
    k: int,
    *,
    score: Callable = with_each,
    order: Callable = falling,
    give: Callable = lambda order, scores: order,
) -> np.ndarray:
    """Give the places of the k keys with the largest dot products."""
    scores = score(query, keys)
    return give(order(scores), scores)[:k]


def similar_cases(draw: Draw) -> Iterator[Case]:
    """Draw keys in no order, of different lengths; then some that are equal."""

    def arrays(dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
        while True:  # no ties, and three measures that disagree
            query, keys = draw.normal(D), draw.normal(Tk, D)
            keys *= 1.0 + draw.rng.integers(0, 4, (Tk, 1))
            scores = keys @ query
            measures = (
                scores,
                scores / lengths(keys)[:, 0],
                -distances(query[None], keys)[0],
            )
            orders = {tuple(falling(measure)[:2]) for measure in measures}
            if len(orders) == 3 and np.diff(np.sort(scores)).min() > 0.05:
                return query.astype(dtype), keys.astype(dtype)

    Tk, D = draw.sizes(5, 3)
    Tk = max(Tk, 4)
    yield case("plain", *arrays(), 2)
    Tk, D = 7, draw.sizes(4)[0]
    yield case("plain", *arrays(), 3)
    yield case("plain", *arrays(), 1, about="only the best")
    yield case("all keys", *arrays(), Tk)
    query, keys = (np.round(3.0 * one) for one in arrays())  # whole: sums are exact
    keys[4], keys[6] = keys[1], keys[1]
    yield case("equal keys", query, keys, Tk, about="keys 1, 4 and 6 are equal")
    yield case("float32", *arrays(dtype=np.float32), 4)


MOST_SIMILAR = Exercise(
    id="most_similar",
    topic=TOPIC,
    title="Who is nearest?",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=Array("the places", "k", kind="ids"),
    draw_cases=similar_cases,
    oracle=most_similar,
    mistakes=(
        Mistake(
            "ascending",
            {"order": lambda scores: np.argsort(scores, kind="stable")},
            "The keys come with the smallest dot product first.",
            "In which direction does `argsort` sort?",
            COMPANY,
            also=({"order": np.argsort},),
        ),
        Mistake(
            "ties_to_higher",
            {"order": lambda scores: np.argsort(scores, kind="stable")[::-1]},
            "Equal keys come with the higher place first.",
            "If a rising order is read from its end, what happens to equal entries?",
            COMPANY,
            also=({"order": lambda scores: np.argsort(scores)[::-1]},),
        ),
        Mistake(
            "cosine",
            {"score": cosines},
            "The keys are ranked by their cosine.",
            "Two keys of the same direction, one twice as long: which has the larger "
            "dot product?",
            LONGER,
            also=({"score": cosines, "order": falling_unstable},),
        ),
        Mistake(
            "by_distance",
            {"score": nearness},
            "The keys are ranked by their distance.",
            "Can a key be far away and have a large dot product all the same?",
            LONGER,
            also=({"score": nearness, "order": falling_unstable},),
        ),
        Mistake(
            "returns_scores",
            {"give": lambda order, scores: scores[order]},
            "The dot products come back, not the places of the keys.",
            "What would the caller need, to look the keys up?",
            COMPANY,
        ),
    ),
    properties=(
        Property(
            "equal keys come in the order of their places (a sort keeps it only if it is "
            "stable)",
            in_the_order_of_places,
        ),
    ),
    built_on=("dot_products",),
    place=COMPANY,
)

EXERCISES = (DOT_PRODUCTS, COSINE_SIMILARITY, MOST_SIMILAR)
