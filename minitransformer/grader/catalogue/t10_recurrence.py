"""Topic 10: a state that is carried on, and how far information has to travel."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import as_it_is
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import (
    Array,
    Case,
    Exercise,
    Mistake,
    Property,
    case,
)

TOPIC = "10_recurrence"
BY_HAND = "How do you read with one state?"
PATHS = "How far does a memory have to travel?"


# ---------------------------------------------------------------- recurrent_states
def plus(states: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Add the bias."""
    return states + bias


def nothing_added(states: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Leave the bias out."""
    return states


def recurrent_states(
    x: np.ndarray,
    w_x: np.ndarray,
    w_h: np.ndarray,
    b: np.ndarray,
    *,
    read: Callable = np.matmul,
    carry: Callable = np.matmul,
    inside: Callable = plus,
    bend: Callable = np.tanh,
    outside: Callable = nothing_added,
    keep: Callable = lambda old, new: new,
) -> np.ndarray:
    """Give tanh(x·w_x + h·w_h + b), from left to right."""
    state = np.zeros((*x.shape[:-2], w_h.shape[-1]))
    states = []
    for t in range(x.shape[-2]):
        total = inside(read(x[..., t, :], w_x) + carry(state, w_h), b)
        new = outside(bend(total), b)
        states.append(keep(state, new))
        state = new
    return np.stack(states, axis=-2)


def state_cases(draw: Draw) -> Iterator[Case]:
    """Draw sequences and parameters: few places, many, leading axes, large sums."""

    def arrays(*leading: int, size: float = 1.0, dtype: type = np.float64) -> tuple:
        return (
            draw.normal(*leading, T, C, size=size, dtype=dtype),
            draw.normal(C, S, size=0.7, dtype=dtype),
            draw.normal(S, S, size=0.7, dtype=dtype),
            draw.normal(S, size=0.5, dtype=dtype),
        )

    T, C, S = draw.sizes(3, 2, 4)
    yield case("plain", *arrays())
    B, H, T, C, S = draw.sizes(2, 3, 5, 4, 6)
    yield case("leading axes", *arrays(B))
    yield case("leading axes", *arrays(B, H))
    T, C = draw.sizes(6, 3)
    S = C
    yield case("as many states as features", *arrays())
    yield case("large sums", *arrays(size=30.0), about="tanh close to 1 and -1")
    yield case("float32", *arrays(dtype=np.float32))


def within_one(case: Case, states: np.ndarray) -> bool:
    """Look at the largest state."""
    return bool((np.abs(states) <= 1.0 + 1e-6).all())


RECURRENT_STATES = Exercise(
    id="recurrent_states",
    topic=TOPIC,
    title="One state, carried on",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=Array("the states", "... T S"),
    draw_cases=state_cases,
    oracle=recurrent_states,
    mistakes=(
        Mistake(
            "no_tanh",
            {"bend": as_it_is},
            "The sum is carried on without tanh.",
            "What keeps a state from growing from step to step?",
        ),
        Mistake(
            "no_carry",
            {"carry": lambda state, w_h: np.zeros_like(state)},
            "Every step starts from a state of zeros.",
            "Change the first input only. Does your last state notice?",
        ),
        Mistake(
            "parameters_transposed",
            {"carry": lambda state, w_h: state @ w_h.T},
            "The old state is multiplied by w_h transposed.",
            "In this course parameters multiply from the right, x @ w. Does your line "
            "for the old state do the same?",
        ),
        Mistake(
            "bias_after_activation",
            {"inside": nothing_added, "outside": plus},
            "The bias is added after tanh.",
            "Which numbers can tanh give, and which can your states reach? What stands "
            "inside the bracket of the formula?",
        ),
        Mistake(
            "bias_forgotten",
            {"inside": nothing_added},
            "The bias is left out.",
            "What should the first state be if x is all zeros?",
        ),
        Mistake(
            "state_before_update",
            {"keep": lambda old, new: old},
            "Each row holds the state before its own input was read.",
            "What is your first row? What should it know about the first input?",
        ),
    ),
    properties=(Property("no state is larger than 1 in size", within_one),),
    finished=("torch.nn.RNN", "torch.nn.RNNCell"),
    place=BY_HAND,
)


# ---------------------------------------------------------------- path_length
def steps_of_windows(distance: int, window: int) -> int:
    """Divide by what a window reaches, and round up."""
    return -(-distance // (window - 1))


def refuse(**facts: Any) -> int:
    """Raise an error with what came."""
    raise ValueError(
        f"a kind of path that is known, and a window of 2 or more; got {facts}"
    )


def path_length(
    kind: str,
    distance: int,
    window: int | None = None,
    *,
    attention: Callable = lambda distance: 1,
    windows: Callable = steps_of_windows,
    recurrent: Callable = as_it_is,
    here: Callable = lambda steps: 0,
    narrow: Callable = refuse,
    unknown: Callable = refuse,
) -> int:
    """Count the steps between two places."""
    if kind == "recurrent":
        steps = recurrent(distance)
    elif kind == "attention":
        steps = attention(distance)
    elif kind == "window" and window is not None:
        if window < 2:
            return narrow(window=window)
        steps = windows(distance, window)
    else:
        return unknown(kind=kind)
    return steps if distance else here(steps)


def path_cases(draw: Draw) -> Iterator[Case]:
    """Give near and far places for every kind, then what cannot be answered."""
    far = 12 if draw.shown else int(draw.integers(20, 200))
    yield case("recurrent", "recurrent", 5)
    yield case("recurrent", "recurrent", far)
    yield case("attention", "attention", 5)
    yield case("attention", "attention", far)
    yield case("window", "window", 7, window=4)
    yield case("window", "window", 9, window=4)
    yield case("window", "window", 1, window=2)
    yield case("window", "window", far, window=3)
    yield case("window", "window", 3, window=40)
    yield case("distance 0", "recurrent", 0)
    yield case("distance 0", "attention", 0)
    yield case("distance 0", "window", 0, window=5)
    yield case("errors", "window", 5, about="a window of 1", window=1)
    yield case("errors", "telepathy", 5, about="an unknown kind")


PATH_LENGTH = Exercise(
    id="path_length",
    topic=TOPIC,
    title="How far does it travel?",
    points=1.0,
    minutes=8,
    difficulty=2,
    returns=Array("the number of steps", "", kind="ids"),
    draw_cases=path_cases,
    oracle=path_length,
    mistakes=(
        Mistake(
            "attention_distance",
            {"attention": as_it_is},
            "With attention, the steps grow with the distance.",
            "How many layers does a token need to look at one a thousand places back?",
        ),
        Mistake(
            "attention_zero",
            {"here": as_it_is},
            "A place needs a step to reach itself.",
            "How far is a place from itself?",
        ),
        Mistake(
            "window_floor",
            {"windows": lambda distance, window: distance // (window - 1)},
            "The steps through windows are rounded down.",
            "Three places a step, and seven places to go: where are you after two steps?",
            also=(
                {"windows": lambda distance, window: max(1, distance // (window - 1))},
            ),
        ),
        Mistake(
            "window_counts_itself",
            {"windows": lambda distance, window: -(-distance // window)},
            "A window of w is taken to reach w places back.",
            "A window counts the place itself. How many places back is the last one it "
            "sees?",
        ),
        Mistake(
            "narrow_window",
            {"narrow": lambda window: 0},
            "A window of 1 gets an answer.",
            "A place that sees itself only: how many steps does it take to hear of "
            "another one?",
            also=(
                {"narrow": lambda window: 1},
                {"narrow": lambda window: None},
            ),
        ),
        Mistake(
            "unknown_kind",
            {"unknown": lambda kind: None},
            "An unknown kind of path gets an answer.",
            "What comes back for a kind that does not exist? What does the exercise ask "
            "for?",
            also=({"unknown": lambda kind: 0}, {"unknown": lambda kind: 1}),
        ),
    ),
    place=PATHS,
)

EXERCISES = (RECURRENT_STATES, PATH_LENGTH)
