"""Topic 12: what a head does, and what is lost without it."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from minitransformer.grader.catalogue.shared import only_the_past, softmax
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import Array, Case, Exercise, Mistake, case

TOPIC = "12_inside_the_model"
NOISE = "What is there to learn in noise?"
REALLY = "Is that really what they do?"


# ---------------------------------------------------------------- induction_score
def all_earlier(ids: np.ndarray, t: int) -> list[int]:
    """Give every earlier place with the same character."""
    return [s for s in range(t) if ids[s] == ids[t]]


def after_them(weights: np.ndarray, t: int, places: Sequence[int]) -> float:
    """Add up the weights right after the earlier places."""
    return sum(weights[t, s + 1] for s in places)


def mean_of_found(found: Sequence[float], length: int) -> float:
    """Average over the places that have an earlier twin."""
    return sum(found) / len(found) if found else 0.0


def induction_score(
    weights: np.ndarray,
    ids: np.ndarray,
    *,
    earlier: Callable = all_earlier,
    look: Callable = after_them,
    average: Callable = mean_of_found,
) -> float:
    """Give the mean weight on what followed the same character."""
    found = []
    for t in range(len(ids)):
        places = earlier(ids, t)
        if places:
            found.append(look(weights, t, places))
    return average(found, len(ids))


def induction_cases(draw: Draw) -> Iterator[Case]:
    """Draw causal weights and texts in which characters come again."""

    def weights(T: int, dtype: type = np.float64) -> np.ndarray:
        drawn = softmax(only_the_past(draw.normal(T, T, size=1.5)))
        return (np.round(drawn, 2) if draw.shown else drawn).astype(dtype)

    yield case("plain", weights(4), np.array([0, 1, 0, 1]))
    yield case("plain", weights(9), np.array([2, 0, 1, 2, 2, 0, 3, 1, 2]))
    (T,) = draw.sizes(11, smallest=10, largest=16)
    yield case("plain", weights(T), draw.integers(0, 3, T))
    yield case("float32", weights(T, np.float32), draw.integers(0, 3, T))
    order = np.arange(6)
    draw.rng.shuffle(order)
    yield case("no character twice", weights(6), order)


INDUCTION_SCORE = Exercise(
    id="induction_score",
    topic=TOPIC,
    title="Does it look after the earlier one?",
    points=2.0,
    minutes=15,
    difficulty=3,
    returns=Array("the score", ""),
    draw_cases=induction_cases,
    oracle=induction_score,
    mistakes=(
        Mistake(
            "same_place",
            {"look": lambda weights, t, places: sum(weights[t, s] for s in places)},
            "The weights on the earlier places themselves are added up.",
            "At the second q you want to know what followed the first one. Which place "
            "holds that?",
        ),
        Mistake(
            "previous_token",
            {
                "look": lambda weights, t, places: weights[t, t - 1],
                "earlier": all_earlier,
            },
            "The weight on the place right before is taken.",
            "Would a head that always looks one place back get a high score from you? "
            "Does it have anything to do with earlier twins?",
            also=(
                {
                    "earlier": lambda ids, t: [t - 1] if t else [],
                    "look": lambda weights, t, places: weights[t, t - 1],
                },
                {
                    "earlier": lambda ids, t: [t],
                    "look": lambda weights, t, places: weights[t, t - 1] if t else 0.0,
                },
            ),
        ),
        Mistake(
            "mean_over_all",
            {"average": lambda found, length: sum(found) / length},
            "The sum is divided by the number of all places.",
            "A perfect head looks in the right place wherever there is one. Which score "
            "do you give it if half of the characters are new?",
        ),
        Mistake(
            "last_only",
            {"earlier": lambda ids, t: all_earlier(ids, t)[-1:]},
            "Only the latest earlier place counts.",
            "If a character came three times before, after how many places may the head "
            "look?",
        ),
        Mistake(
            "first_only",
            {"earlier": lambda ids, t: all_earlier(ids, t)[:1]},
            "Only the first earlier place counts.",
            "If a character came three times before, after how many places may the head "
            "look?",
        ),
        Mistake(
            "nan_when_none",
            {
                "average": lambda found, length: (
                    sum(found) / len(found) if found else np.nan
                )
            },
            "The mean of nothing is taken, which is NaN.",
            "What is the mean of an empty list, and what does the exercise ask for when "
            "no character comes twice?",
        ),
    ),
    place=NOISE,
)


# ---------------------------------------------------------------- importance of heads
def head_importance(
    loss_without: Callable,
    num_heads: int,
    *,
    rise: Callable = lambda without, full: without - full,
    heads: Callable = range,
) -> np.ndarray:
    """Give the rise of the loss without each head."""
    full = loss_without(None)
    return np.array([rise(loss_without(head), full) for head in heads(num_heads)])


def losses(full: float, without: np.ndarray) -> Callable:
    """Make the function that an answer is given."""

    def loss_without(head: int | None) -> float:
        if head is None:
            return full
        if not 0 <= head < len(without):
            raise ValueError(f"heads are 0 to {len(without) - 1}; got {head}")
        return float(without[head])

    return loss_without


def importance_cases(draw: Draw) -> Iterator[Case]:
    """Draw losses: heads that help, one that harms, and models with more heads."""
    (H,) = draw.sizes(3)
    full = float(np.round(1.5 + draw.rng.random(), 1 if draw.shown else 6))
    yield case("plain", losses(full, full + np.abs(draw.normal(H)) + 0.1), H)
    H, more = draw.sizes(4, 7)
    H, more = min(H, more), max(H, more)
    yield case("plain", losses(full, full + draw.normal(H)), H, about="one may harm")
    yield case(
        "some of the heads",
        losses(full, full + draw.normal(more)),
        H,
        about="a model that has more heads than asked for",
    )


HEAD_IMPORTANCE = Exercise(
    id="head_importance",
    topic=TOPIC,
    title="What is lost without it?",
    points=1.0,
    minutes=5,
    difficulty=1,
    returns=Array("the importances", "H"),
    draw_cases=importance_cases,
    oracle=head_importance,
    mistakes=(
        Mistake(
            "sign",
            {"rise": lambda without, full: full - without},
            "The loss without the head is subtracted from the full loss.",
            "A head whose removal makes the loss larger is important. Is your number "
            "for it positive?",
        ),
        Mistake(
            "no_baseline",
            {"rise": lambda without, full: without},
            "The loss without the head is given, not its rise.",
            "What should come out for a head that does nothing at all?",
        ),
        Mistake(
            "off_by_one",
            {"heads": lambda num_heads: range(1, num_heads + 1)},
            "The heads are counted from 1.",
            "The first head has the number 0. Which number has the last one?",
        ),
        Mistake(
            "ratio",
            {"rise": lambda without, full: without / full},
            "The two losses are divided.",
            "The exercise asks by how much the loss rises, in nats. Which operation "
            "gives a difference?",
        ),
    ),
    place=REALLY,
)

EXERCISES = (INDUCTION_SCORE, HEAD_IMPORTANCE)
