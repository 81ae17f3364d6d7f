"""Topic 09: characters, windows, loss, sampling, a training step, and the model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minitransformer.grader.catalogue.shared import (
    NO_SHIFT,
    below_largest,
    softmax,
    unshifted,
)
from minitransformer.grader.drawing import Draw
from minitransformer.grader.exercise import (
    Array,
    Case,
    Exercise,
    Mistake,
    Property,
    Text,
    case,
)

TOPIC = "09_character_model"
ALPHABET = WINDOWS = "How does a text become numbers?"
LOSS = "How surprised is a guesser?"
SAMPLING = "Which character to write?"
STEP = "Does it learn?"
MODEL = "What is inside the model?"


# ---------------------------------------------------------------- encode
def name_the_unknown(character: str, places: Mapping[str, int]) -> list[int]:
    """Raise an error that names the character."""
    raise ValueError(f"{character!r} is not one of the {len(places)} characters")


def complain(character: str, places: Mapping[str, int]) -> list[int]:
    """Raise an error that does not say which."""
    raise ValueError("unknown character")


def encode(
    text: str,
    characters: Sequence[str],
    *,
    order: Callable = list,
    start: int = 0,
    unknown: Callable = name_the_unknown,
) -> list[int]:
    """Give each character its place."""
    places = {one: place for place, one in enumerate(order(characters), start)}
    ids: list[int] = []
    for one in text:
        ids += [places[one]] if one in places else unknown(one, places)
    return ids


def encode_cases(draw: Draw) -> Iterator[Case]:
    """Give texts over characters that are not sorted, then texts with strangers."""
    yield case("plain", "the", "eht")
    letters = list("tqhe bwoxz,nk\nE")
    if not draw.shown:
        draw.rng.shuffle(letters)
    alphabet = "".join(letters)
    text = "".join(letters[i] for i in draw.integers(0, len(letters), 12))
    yield case("plain", text, alphabet)
    yield case("plain", text[::-1], letters, about="characters as a list")
    yield case("plain", "", alphabet, about="an empty text")
    strangers = "#§" if draw.shown else "%@"
    for stranger in strangers:
        yield case(
            "unknown characters", text[:3] + stranger + "t", alphabet, must_say=stranger
        )


ENCODE = Exercise(
    id="encode",
    topic=TOPIC,
    title="Characters to numbers",
    points=1.0,
    minutes=10,
    difficulty=1,
    returns=Array("the ids", "T", kind="ids"),
    draw_cases=encode_cases,
    oracle=encode,
    mistakes=(
        Mistake(
            "starts_at_one",
            {"start": 1},
            "The ids count from 1.",
            "An id is a place in `characters`. Which place has the first one in Python?",
            ALPHABET,
        ),
        Mistake(
            "sorted_order",
            {"order": sorted},
            "The characters are sorted before they are numbered.",
            "Which id has the first character of `characters`, if they do not come in "
            "alphabetical order?",
            ALPHABET,
        ),
        Mistake(
            "drops_unknown",
            {"unknown": lambda character, places: []},
            "Characters that are not in the list are left out.",
            "How long is your result for a text with an unknown character in it, and "
            "what does the exercise ask for there?",
            ALPHABET,
        ),
        Mistake(
            "unknown_to_zero",
            {"unknown": lambda character, places: [0]},
            "Characters that are not in the list get the id 0.",
            "Which character has the id 0? What would the model learn about it?",
            ALPHABET,
        ),
        Mistake(
            "unknown_unnamed",
            {"unknown": complain},
            "The error does not say which character it is.",
            "Somebody reads your message with a million characters of text at hand. "
            "What do they need to know?",
            ALPHABET,
        ),
    ),
    place=ALPHABET,
)


# ---------------------------------------------------------------- decode
def decode(
    ids: Sequence[int],
    characters: Sequence[str],
    *,
    order: Callable = list,
    find: Callable = lambda listed, id_: listed[id_],
    join: Callable = "".join,
) -> Any:
    """Give the text of these ids."""
    listed = order(characters)
    return join([find(listed, id_) for id_ in ids])


def counted_from_one(listed: Sequence[str], id_: int) -> str:
    """Refuse 0, and give place id − 1."""
    return dict(enumerate(listed, 1))[int(id_)]


def decode_cases(draw: Draw) -> Iterator[Case]:
    """Give ids over characters that are not sorted."""
    letters = list("tqhe bwoxz,nk\nE")
    if not draw.shown:
        draw.rng.shuffle(letters)
    alphabet = "".join(letters)
    V = len(letters)
    yield case("plain", [2, 1, 0], "eht")
    yield case("plain", [2, 1, 2], "eht")
    yield case("plain", draw.integers(0, V, 12), alphabet, about="ids as an array")
    yield case("plain", draw.integers(0, V, 9).tolist(), letters)
    yield case("nothing", [], alphabet, about="no ids")


DECODE = Exercise(
    id="decode",
    topic=TOPIC,
    title="Numbers to characters",
    points=1.0,
    minutes=5,
    difficulty=1,
    returns=Text(),
    draw_cases=decode_cases,
    oracle=decode,
    mistakes=(
        Mistake(
            "starts_at_one",
            {"find": lambda listed, id_: listed[id_ - 1]},
            "The ids are taken to count from 1.",
            "Which character has the id 0?",
            ALPHABET,
            also=({"find": counted_from_one},),
        ),
        Mistake(
            "sorted_order",
            {"order": sorted},
            "The characters are sorted before they are numbered.",
            "Does decoding what `encode` gave bring the text back?",
            ALPHABET,
        ),
        Mistake(
            "not_joined",
            {"join": list},
            "A list of characters comes back, not a text.",
            "What is the difference between ['a', 'b'] and 'ab'? Which method of a "
            "string puts pieces together?",
            ALPHABET,
        ),
    ),
    place=ALPHABET,
)


# ---------------------------------------------------------------- next_character_windows
def one_later(pieces: np.ndarray) -> np.ndarray:
    """Give the window that begins one place later."""
    return pieces[:, 1:]


def next_character_windows(
    ids: np.ndarray,
    starts: np.ndarray,
    context_length: int,
    *,
    begin: Callable = lambda starts, T: starts,
    target: Callable = one_later,
    give: Callable = lambda inputs, targets: (inputs, targets),
) -> tuple[np.ndarray, np.ndarray]:
    """Give windows, and the same windows one place later."""
    T = context_length
    pieces = np.stack([ids[start : start + T + 1] for start in begin(starts, T)])
    return give(pieces[:, :-1], target(pieces))


def window_cases(draw: Draw) -> Iterator[Case]:
    """Give long texts and starts in no order, the last possible one among them."""
    if draw.shown:
        yield case("plain", np.arange(10, 21), np.array([0, 4]), 3)
    B, T = draw.sizes(3, 5)
    n = 4 * B * T
    ids = draw.integers(0, 50, n)
    starts = 1 + draw.rng.permutation(n - T - 2)[:B]
    yield case("plain", ids, starts, T)
    starts[-1] = n - T - 1
    yield case("the last window", ids, starts, T)
    yield case("windows of one", ids, np.array([7, 3, 12]), 1)


NEXT_CHARACTER_WINDOWS = Exercise(
    id="next_character_windows",
    topic=TOPIC,
    title="Questions and answers from one text",
    points=2.0,
    minutes=10,
    difficulty=2,
    returns=(Array("inputs", "B T", kind="ids"), Array("targets", "B T", kind="ids")),
    draw_cases=window_cases,
    oracle=next_character_windows,
    mistakes=(
        Mistake(
            "no_shift",
            {"target": lambda pieces: pieces[:, :-1]},
            "The targets are the inputs.",
            "What is the easiest way for a model to get these targets right, and what "
            "has it learned then?",
            WINDOWS,
        ),
        Mistake(
            "swapped",
            {"give": lambda inputs, targets: (targets, inputs)},
            "The inputs come one place later than the targets.",
            "Which of your two arrays lies in the future of the other? Which should?",
            WINDOWS,
        ),
        Mistake(
            "starts_ignored",
            {"begin": lambda starts, T: np.arange(len(starts)) * T},
            "The windows are cut one after the other from the beginning.",
            "What happens in your function if `starts` changes?",
            WINDOWS,
            also=({"begin": lambda starts, T: np.zeros_like(starts)},),
        ),
        Mistake(
            "rolled",
            {"target": lambda pieces: np.roll(pieces[:, :-1], -1, axis=1)},
            "The targets are the inputs rolled round by one place.",
            "Which character follows the last one of a window in the text? And which "
            "one did you give?",
            WINDOWS,
        ),
    ),
    properties=(
        Property(
            "each target but the last of a row is the next input",
            lambda case, inputs, targets: bool(
                (inputs[:, 1:] == targets[:, :-1]).all()
            ),
        ),
    ),
    place=WINDOWS,
)


# ---------------------------------------------------------------- next_character_loss
def log_softmax(logits: np.ndarray, axis: int, shift: Callable) -> np.ndarray:
    """Give the logarithm of softmax without ever leaving the logarithms."""
    shifted = shift(logits, axis)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def logarithm_of_softmax(logits: np.ndarray, axis: int, shift: Callable) -> np.ndarray:
    """Take powers first and their logarithm afterwards."""
    return np.log(softmax(logits, axis, shift))


def next_character_loss(
    logits: np.ndarray,
    targets: np.ndarray,
    *,
    before: Callable = lambda logits: logits,
    axis: int = -1,
    shift: Callable = below_largest,
    logarithm: Callable = log_softmax,
    align: Callable = lambda log_p, targets: (log_p, targets),
    mean: Callable = np.mean,
    unit: float = 1.0,
    sign: float = -1.0,
) -> float:
    """Give the mean of −ln p of what came."""
    log_p = logarithm(before(logits), axis, shift)  # (B, T, V)
    log_p, targets = align(log_p, targets)
    came = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]  # (B, T)
    return sign * mean(came) / unit


def loss_cases(draw: Draw) -> Iterator[Case]:
    """Draw logits and targets."""

    def arrays(size: float = 1.0, dtype: type = np.float64) -> tuple:
        return draw.normal(B, T, V, size=size, dtype=dtype), draw.integers(0, V, B, T)

    B, T, V = draw.sizes(2, 3, 4)
    yield case("plain", *arrays())
    B, T, V = draw.sizes(3, 5, 7)
    yield case("plain", *arrays(size=2.0))
    yield case("large logits", *arrays(size=1e3), about="logits of ±1,000")
    logits, targets = arrays()
    yield case("large logits", logits - 1e3, targets, about="all logits near −1,000")
    yield case("large logits", logits + 1e3, targets, about="all logits near 1,000")
    yield case("float32", *arrays(size=5.0, dtype=np.float32))


NEXT_CHARACTER_LOSS = Exercise(
    id="next_character_loss",
    topic=TOPIC,
    title="How surprised?",
    points=2.0,
    minutes=15,
    difficulty=3,
    returns=Array("the loss", ""),
    draw_cases=loss_cases,
    oracle=next_character_loss,
    mistakes=(
        NO_SHIFT.at(
            LOSS,
            question="What is np.exp(1000.0), and the logarithm of that? What does the "
            "loss lose if the same number is taken away from all logits of a place?",
            also=({"shift": unshifted, "logarithm": logarithm_of_softmax},),
        ),
        Mistake(
            "log_of_softmax",
            {"logarithm": logarithm_of_softmax, "shift": below_largest},
            "The logarithm is taken of finished weights, which may have become 0.",
            "What is the weight of a character 1,000 below the best, and its logarithm? "
            "Can you write ln of a quotient as a difference before taking powers?",
            LOSS,
        ),
        Mistake(
            "bits",
            {"unit": np.log(2.0)},
            "The logarithm has base 2, so the loss is in bits.",
            "Which base belongs to nats? (Yours is 1.4427 times too large.)",
            LOSS,
        ),
        Mistake(
            "shifted_again",
            {"align": lambda log_p, targets: (log_p[:, :-1], targets[:, 1:])},
            "The targets are shifted once more.",
            "The targets already lie one place later than the inputs. Which character "
            "does your loss ask the model for?",
            LOSS,
            also=(
                {"align": lambda log_p, targets: (log_p, np.roll(targets, -1, axis=1))},
            ),
        ),
        Mistake(
            "sum",
            {"mean": np.sum},
            "The surprises are added up, not averaged.",
            "How does your loss change if the same batch is given twice over?",
            LOSS,
        ),
        Mistake(
            "mean_over_batch",
            {"mean": lambda came: came.sum(axis=-1).mean()},
            "It averages over the batch, but adds up over the places.",
            "How does your loss change if the windows become twice as long?",
            LOSS,
        ),
        Mistake(
            "sign",
            {"sign": 1.0},
            "The minus sign is missing.",
            "Is the logarithm of a probability positive or negative? And a surprise?",
            LOSS,
        ),
        Mistake(
            "double_softmax",
            {"before": softmax, "shift": below_largest, "logarithm": log_softmax},
            "A softmax is taken of what has already been through one.",
            "How small can your loss get for a model that is right and quite sure?",
            LOSS,
        ),
        Mistake(
            "wrong_axis",
            {"axis": -2},
            "The softmax runs over the places, not over the characters.",
            "Between what does the model choose at one place? What adds up to 1 there?",
            LOSS,
        ),
    ),
    properties=(
        Property("a surprise is not negative", lambda case, loss: bool(loss >= -1e-6)),
    ),
    finished=("torch.nn.functional.cross_entropy", "torch.nn.CrossEntropyLoss"),
    place=LOSS,
)


# ---------------------------------------------------------------- sampling_probabilities
def only_the_best(logits: np.ndarray) -> np.ndarray:
    """Give the arg-max everything."""
    return np.eye(len(logits))[np.argmax(logits)]


def keep_k(logits: np.ndarray, k: int) -> np.ndarray:
    """Give the k largest, the others minus infinity."""
    return np.where(ranks(logits) < k, logits, -np.inf)


def ranks(logits: np.ndarray) -> np.ndarray:
    """Give each entry its place in falling order."""
    return np.argsort(np.argsort(-logits, kind="stable"))


def before_in_falling_order(p: np.ndarray) -> np.ndarray:
    """Give what all larger entries add up to."""
    order = np.argsort(-p, kind="stable")
    before = np.empty_like(p)
    before[order] = np.cumsum(p[order]) - p[order]
    return before


def before_in_order_of_ids(p: np.ndarray) -> np.ndarray:
    """Give what all earlier entries add up to."""
    return np.cumsum(p) - p


def still_below(before: np.ndarray, p: np.ndarray, top_p: float) -> np.ndarray:
    """Keep what is below `top_p` before it comes, the crossing one with it."""
    return before < top_p


def made_whole(p: np.ndarray) -> np.ndarray:
    """Divide by the sum."""
    return p / p.sum()


def filtered(
    scores: np.ndarray,
    top_k: int | None,
    top_p: float | None,
    *,
    shift: Callable,
    drop: Callable,
    before: Callable,
    keep: Callable,
    whole: Callable,
) -> np.ndarray:
    """Take top_k, then top_p of what is left."""
    p = softmax(scores if top_k is None else drop(scores, top_k), -1, shift)
    if top_p is None:
        return p
    return whole(np.where(keep(before(p), p, top_p), p, 0.0))


def top_p_first(
    scores: np.ndarray,
    top_k: int | None,
    top_p: float | None,
    *,
    shift: Callable,
    drop: Callable,
    before: Callable,
    keep: Callable,
    whole: Callable,
) -> np.ndarray:
    """Take top_p of everything, then top_k."""
    p = softmax(scores, -1, shift)
    kept = p if top_p is None else np.where(keep(before(p), p, top_p), p, 0.0)
    if top_k is None:
        return whole(kept)
    return whole(np.where(np.isneginf(drop(scores, top_k)), 0.0, kept))


def never_made_whole(
    scores: np.ndarray,
    top_k: int | None,
    top_p: float | None,
    *,
    shift: Callable,
    drop: Callable,
    before: Callable,
    keep: Callable,
    whole: Callable,
) -> np.ndarray:
    """Set what is filtered out to 0, and leave the rest as it is."""
    p = softmax(scores, -1, shift)
    if top_k is not None:
        p = np.where(np.isneginf(drop(scores, top_k)), 0.0, p)
    return p if top_p is None else np.where(keep(before(p), p, top_p), p, 0.0)


def sampling_probabilities(
    logits: np.ndarray,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    *,
    cold: Callable = only_the_best,
    heat: Callable = np.divide,
    shift: Callable = below_largest,
    select: Callable = filtered,
    drop: Callable = keep_k,
    before: Callable = before_in_falling_order,
    keep: Callable = still_below,
    whole: Callable = made_whole,
    finish: Callable = lambda p, top_k, top_p: p,
) -> np.ndarray:
    """Give the probabilities to draw the next character from."""
    if temperature == 0 and cold is not None:
        return finish(cold(logits), top_k, top_p)
    p = select(
        heat(logits, temperature),
        top_k,
        top_p,
        shift=shift,
        drop=drop,
        before=before,
        keep=keep,
        whole=whole,
    )
    return finish(p, top_k, top_p)


def division_by_zero(logits: np.ndarray) -> np.ndarray:
    """Divide by 0 as Python does."""
    raise ZeroDivisionError("float division by zero")


def all_nan(logits: np.ndarray) -> np.ndarray:
    """Divide by 0 as NumPy does: inf − inf."""
    return np.full(len(logits), np.nan)


def sampling_cases(draw: Draw) -> Iterator[Case]:
    """Draw logits without ties, in no order."""

    def logits(V: int, size: float = 1.0, dtype: type = np.float64) -> np.ndarray:
        grid = np.linspace(-1.6, 1.6, V) + 0.1
        if not draw.shown:
            grid = grid + draw.rng.uniform(-0.1, 0.1, V)
        return (size * draw.rng.permutation(np.round(grid, 2))).astype(dtype)

    yield case("plain", logits(5))
    yield case("temperature", logits(6), temperature=2.0)
    yield case("temperature", logits(5), temperature=0.5)
    yield case("temperature 0", logits(6), temperature=0.0)
    yield case("temperature 0", logits(5), temperature=0, top_k=2, top_p=0.5)
    yield case("top_k", logits(6), top_k=3)
    yield case("top_k", logits(7), temperature=0.7, top_k=1)
    yield case("top_k", logits(5), top_k=5)
    yield case("top_k", logits(5), top_k=8, about="top_k above V")
    yield case("top_p", logits(6), top_p=0.6)
    yield case("top_p", logits(7), temperature=1.5, top_p=0.85)
    yield case(
        "top_p", logits(6), top_p=0.05, about="a top_p that one character passes"
    )
    yield case("both filters", logits(8), top_k=4, top_p=0.7)
    yield case("both filters", logits(9), temperature=2.0, top_k=5, top_p=0.55)
    yield case("large logits", logits(6, size=1e3), about="logits of ±1,600")
    yield case("large logits", logits(5) + 1e3, temperature=0.9, top_k=3)
    yield case("large logits", logits(5) - 1e3, top_p=0.7)
    yield case("float32", logits(6, size=3.0, dtype=np.float32), top_k=4)


SAMPLING_PROBABILITIES = Exercise(
    id="sampling_probabilities",
    topic=TOPIC,
    title="Daring or careful?",
    points=3.0,
    minutes=25,
    difficulty=4,
    returns=Array("the probabilities", "V"),
    draw_cases=sampling_cases,
    oracle=sampling_probabilities,
    mistakes=(
        NO_SHIFT.at(SAMPLING),
        Mistake(
            "temperature_multiplies",
            {"heat": np.multiply},
            "The logits are multiplied by the temperature.",
            "A high temperature makes the model daring. Do larger logits?",
            SAMPLING,
        ),
        Mistake(
            "temperature_ignored",
            {"heat": lambda logits, temperature: logits},
            "The temperature has no effect: it is not used, or only on the finished "
            "probabilities.",
            "Call it with temperature 0.1 and with 10. Which of the two should be "
            "nearly even?",
            SAMPLING,
        ),
        Mistake(
            "nan_at_zero",
            {"cold": all_nan},
            "At temperature 0 it divides by 0.",
            "What should be left at temperature 0, and can you give that without a "
            "division?",
            SAMPLING,
            also=({"cold": division_by_zero},),
        ),
        Mistake(
            "top_k_off_by_one",
            {"drop": lambda logits, k: keep_k(logits, k + 1)},
            "One character too many passes top_k.",
            "With top_k=1, how many probabilities are above 0?",
            SAMPLING,
        ),
        Mistake(
            "top_k_zero_logit",
            {"drop": lambda logits, k: np.where(ranks(logits) < k, logits, 0.0)},
            "The logits of dropped characters are set to 0.",
            "What is e⁰? Which logit would give a probability of 0?",
            SAMPLING,
        ),
        Mistake(
            "not_renormalised",
            {"select": never_made_whole},
            "After a filter the rest is not divided by its sum.",
            "What do your probabilities add up to after top_k=3?",
            SAMPLING,
            also=({"whole": lambda p: p},),
        ),
        Mistake(
            "top_p_drops_crossing",
            {"keep": lambda before, p, top_p: before + p <= top_p},
            "The character that crosses top_p is left out.",
            "What is left if the most likely character alone has more than top_p?",
            SAMPLING,
        ),
        Mistake(
            "top_p_unsorted",
            {"before": before_in_order_of_ids},
            "Probabilities are added up in the order of the ids, not from the most "
            "likely down.",
            "Which character does top_p look at first: the one with id 0, or the most "
            "likely one?",
            SAMPLING,
        ),
        Mistake(
            "top_p_before_top_k",
            {"select": top_p_first},
            "top_p is taken before top_k.",
            "Of which characters should those that reach top_p be counted: of all, or "
            "of the top_k that are left?",
            SAMPLING,
        ),
        Mistake(
            "sorted_order",
            {
                "finish": lambda p, k, top_p: (
                    p if k is top_p is None else np.sort(p)[::-1]
                )
            },
            "The probabilities come back by rank, so nobody knows whose they are.",
            "Which entry of your result belongs to the character with id 2?",
            SAMPLING,
            also=(
                {"finish": lambda p, k, top_p: np.sort(p)[::-1]},
                {
                    "finish": lambda p, k, top_p: (
                        p if top_p is None else np.sort(p)[::-1]
                    )
                },
            ),
        ),
    ),
    properties=(
        Property("no probability is negative", lambda case, p: bool((p >= 0).all())),
        Property(
            "the probabilities add up to 1",
            lambda case, p: bool(np.isclose(p.sum(), 1.0, atol=1e-4)),
        ),
    ),
    built_on=("softmax",),
    place=SAMPLING,
)


# ---------------------------------------------------------------- training_step
def gradient_of_table(
    scores: np.ndarray, inputs: np.ndarray, targets: np.ndarray
) -> tuple[float, np.ndarray]:
    """Give the loss of a table of scores, and its gradient."""
    rows = scores[inputs]  # (B, T, V)
    weights = softmax(rows)
    loss = next_character_loss(rows, targets)
    slope = (weights - np.eye(len(scores))[targets]) / targets.size
    gradient = np.zeros_like(scores)
    np.add.at(gradient, inputs, slope)
    return float(loss), gradient


def training_step(
    scores: np.ndarray,
    inputs: np.ndarray,
    targets: np.ndarray,
    rate: float,
    momentum: float,
    *,
    forget: Callable = np.zeros_like,
    state: int = 3,
    loss_at: Callable = lambda before, after: before,
) -> tuple[list[float], np.ndarray, np.ndarray, list[int]]:
    """Take a step on each batch, as gradient descent with momentum does."""
    speed = gradient = np.zeros_like(scores)
    losses, after, used = [], [], []
    for batch, goals in zip(inputs, targets, strict=True):
        before, new = gradient_of_table(scores, batch, goals)
        gradient = forget(gradient) + new
        if state == 3:
            speed = momentum * speed + gradient
            scores = scores - rate * speed
        losses.append(loss_at(before, gradient_of_table(scores, batch, goals)[0]))
        after.append(scores)
        used.append(gradient if state == 3 else np.zeros_like(gradient))
    return losses, np.stack(after), np.stack(used), [state] * len(inputs)


def step_cases(draw: Draw) -> Iterator[Case]:
    """Draw a table of scores and three batches."""
    for momentum in (0.0, 0.9):
        V, B, T = draw.sizes(4, 2, 3)
        yield case(
            "plain" if momentum == 0 else "momentum",
            draw.normal(V, V, dtype=np.float32),
            draw.integers(0, V, 3, B, T),
            draw.integers(0, V, 3, B, T),
            2.0,
            momentum,
            about=f"three batches, momentum {momentum:g}",
        )


TRAINING_STEP = Exercise(
    id="training_step",
    topic=TOPIC,
    title="One step downhill",
    points=2.0,
    minutes=15,
    difficulty=3,
    returns=(
        Array("losses", "step"),
        Array("parameters after each step", "step V V"),
        Array("gradients used in each step", "step V V"),
        Array(
            "what each step had (0 no step, 1 no gradients, 2 cleared, 3 all)", "step"
        ),
    ),
    draw_cases=step_cases,
    oracle=training_step,
    drive="torch_drives.training_step",
    mistakes=(
        Mistake(
            "no_zero_grad",
            {"forget": lambda old: old},
            "Gradients of earlier batches are still there when new ones are added.",
            "The first step is right, the second is not. What is in `.grad` when the "
            "second `backward()` begins?",
            STEP,
        ),
        Mistake(
            "no_step",
            {"state": 0},
            "The optimizer is never asked to step.",
            "Do the parameters differ after your step from before?",
            STEP,
        ),
        Mistake(
            "no_backward",
            {"state": 1},
            "No gradients flow before the optimizer steps.",
            "What does the optimizer find in `.grad`, and who puts it there?",
            STEP,
        ),
        Mistake(
            "zero_after_backward",
            {"state": 2},
            "The gradients are cleared after they were computed and before the step.",
            "Read your lines in order: what is in `.grad` at the moment of the step?",
            STEP,
        ),
        Mistake(
            "loss_after_step",
            {"loss_at": lambda before, after: after},
            "The loss is computed anew after the step.",
            "Which loss belongs to the gradients that you used?",
            STEP,
        ),
    ),
    place=STEP,
    seconds=20.0,
)


# ---------------------------------------------------------------- CharTransformer
def char_transformer(
    vocab_size: int,
    context_length: int,
    width: int,
    num_heads: int,
    num_layers: int,
    values: Mapping[str, np.ndarray],
    ids: np.ndarray,
    grad_output: np.ndarray,
    **parts: Any,
) -> tuple[np.ndarray, ...]:
    """Give logits and gradients of a character model with these parameters."""
    import torch

    from minitransformer.grader.catalogue.torch_parts import (
        character_model,
        with_gradients,
    )

    if ids.shape[-1] > context_length:
        raise ValueError(f"at most {context_length} characters; got {ids.shape[-1]}")
    return with_gradients(
        lambda parameters, _: character_model(
            parameters, torch.from_numpy(ids), num_heads, num_layers, **parts
        ),
        values,
        grad_output,
        ("characters", "positions", "head.weight"),
    )


def model_values(
    draw: Draw, V: int, longest: int, C: int, layers: int
) -> dict[str, np.ndarray]:
    """Draw parameters that are nowhere neutral."""

    def drawn(*shape: int, size: float = 0.5, around: float = 0.0) -> np.ndarray:
        return (around + draw.normal(*shape, size=size)).astype(np.float32)

    values = {"characters": drawn(V, C), "positions": drawn(longest, C)}
    for layer in range(layers):
        for name in ("norm_1", "norm_2"):
            values[f"blocks.{layer}.{name}.gain"] = drawn(C, around=1.0, size=0.3)
            values[f"blocks.{layer}.{name}.bias"] = drawn(C)
        for name in ("query", "key", "value", "output"):
            values[f"blocks.{layer}.attention.{name}.weight"] = drawn(C, C)
        values[f"blocks.{layer}.feed_forward.0.weight"] = drawn(4 * C, C)
        values[f"blocks.{layer}.feed_forward.0.bias"] = drawn(4 * C)
        values[f"blocks.{layer}.feed_forward.2.weight"] = drawn(C, 4 * C)
        values[f"blocks.{layer}.feed_forward.2.bias"] = drawn(C)
    values["norm.gain"] = drawn(C, around=1.0, size=0.3)
    values["norm.bias"] = drawn(C)
    return values | {"head.weight": drawn(V, C)}


def model_cases(draw: Draw) -> Iterator[Case]:
    """Draw ids for models of one and two layers, up to the longest text and beyond."""
    for group, layers, heads, head_width, more in (
        ("plain", 1, 2, 3, -2),
        ("plain", 2, 3, 2, -1),
        ("the longest text", 2, 2, 4, 0),
        ("too long a text", 1, 2, 3, 2),
    ):
        B, longest, V = draw.sizes(2, 5, 11, smallest=4, largest=12)
        C = heads * head_width
        T = longest + more
        yield case(
            group,
            V,
            longest,
            C,
            heads,
            layers,
            model_values(draw, V, longest, C, layers),
            draw.integers(0, V, B, T),
            draw.normal(B, T, V, dtype=np.float32),
            about=f"{layers} layers, {heads} heads, {T} characters of at most {longest}",
        )


CHAR_TRANSFORMER = Exercise(
    id="CharTransformer",
    topic=TOPIC,
    title="The whole machine",
    points=4.0,
    minutes=40,
    difficulty=4,
    returns=(
        Array("logits", "B T V"),
        Array("the gradient of the characters' table", "V C"),
        Array("the gradient of the positions' table", "T C"),
        Array("the gradient of the head", "V C"),
    ),
    draw_cases=model_cases,
    oracle=char_transformer,
    drive="torch_drives.char_transformer",
    mistakes=(
        Mistake(
            "not_causal",
            {"mask": lambda length: None},
            "There is no causal mask: later characters change earlier logits.",
            "What does the model see of the character it has to guess?",
            MODEL,
        ),
        Mistake(
            "no_positions",
            {"place": lambda x, table: x},
            "No positions are added.",
            "What changes in the logits after the last character if the ones before it "
            "change places?",
            MODEL,
        ),
        Mistake(
            "no_final_norm",
            {"last": lambda parameters, name, x: x},
            "The norm after the last block is missing.",
            "How large are the activations after many blocks that each add something? "
            "What stands between them and the head?",
            MODEL,
        ),
    ),
    built_on=("Block", "MultiHeadAttention"),
    place=MODEL,
    seconds=20.0,
)

EXERCISES = (
    ENCODE,
    DECODE,
    NEXT_CHARACTER_WINDOWS,
    NEXT_CHARACTER_LOSS,
    SAMPLING_PROBABILITIES,
    TRAINING_STEP,
    CHAR_TRANSFORMER,
)
