"""Explorers of positions, of depth, and of the last step: sampling."""

from collections.abc import Sequence

import numpy as np

from minitransformer.notebook import plots
from minitransformer.notebook.explore.shell import (
    Explorer,
    View,
    choice,
    slider,
    switch,
    whole,
)
from minitransformer.reference import (
    entropy,
    layer_norm,
    rotary,
    sampling_probabilities,
    sinusoidal_positions,
)

_LENGTH, _FEATURES = 64, 32


def positions(place: int = 20) -> Explorer:
    """Move one place along a sequence, and see how alike it is to every other.

    Parameters
    ----------
    place : int
        The place at the start.

    Returns
    -------
    Explorer
    """
    return Explorer(
        positions_view,
        {
            "scheme": choice("Scheme", ["sinusoidal", "rotary", "none"]),
            "place": whole("Place", place, 0, _LENGTH - 1),
        },
        "does the curve change its shape when the place moves, or only its place?",
    )


def likeness(
    scheme: str, place: int, length: int = _LENGTH, width: int = _FEATURES
) -> np.ndarray:
    """Score of one place against each, when every token is the same.

    Parameters
    ----------
    scheme : {"sinusoidal", "rotary", "none"}
        What tells the places apart.
    place : int
        The place of the query.
    length, width : int
        How many places, and how many features.

    Returns
    -------
    ndarray of shape (T,)
        Divided by the score of a place with itself.
    """
    same = np.ones((length, width))
    if scheme == "sinusoidal":
        encoded = sinusoidal_positions(length, width)
    elif scheme == "rotary":
        encoded = rotary(same, np.arange(length))
    else:
        encoded = same
    scores = encoded @ encoded[place]  # (T,)
    return scores / scores[place]


def positions_view(*, scheme: str, place: int) -> View:
    """Draw the score of one place against all, for tokens that are all the same."""
    scores = likeness(scheme, place)
    near = (
        scores[min(place + 1, _LENGTH - 1)]
        if place < _LENGTH - 1
        else scores[place - 1]
    )
    far = scores[place - 16] if place >= 16 else scores[place + 16]
    told = f"one place away the score is {near:.2f}, sixteen away {far:.2f}"
    return View(
        figure=plots.curves(
            np.arange(_LENGTH),
            {"": scores},
            x="place of the key",
            y="score, as a share of the largest",
            places={"query": place},
            limits=(-0.4, 1.1),
        ),
        alt=f"Scores of the query at place {place} against all places, scheme {scheme}: {told}.",
        marker=f"{told[0].upper()}{told[1:]}.",
    )


def residuals() -> Explorer:
    """Stack random layers with and without residuals and norms; see what is left.

    Returns
    -------
    Explorer
    """
    return Explorer(
        residuals_view,
        {
            "residual": switch("Add the input back (residual)", on=False),
            "norm": switch("Normalise before each layer", on=False),
            "gain": slider("Size of the parameters", 0.7, 0.2, 2.0, 0.1),
        },
        "which of the two switches keeps the signal alive through 24 layers?",
    )


def sizes_through_depth(
    *, residual: bool, norm: bool, gain: float, depth: int = 24, width: int = 64
) -> np.ndarray:
    """Measure the size of random activations after each of many random layers.

    Parameters
    ----------
    residual : bool
        Whether each layer adds to its input instead of replacing it.
    norm : bool
        Whether each layer sees its input normalised.
    gain : float
        Size of the parameters; 1 keeps the variance of a linear layer.
    depth, width : int
        How many layers and features.

    Returns
    -------
    ndarray of shape (depth + 1,)
        Root of the mean square, before the first layer and after each.
    """
    draw = np.random.default_rng(0)
    x = draw.normal(size=(16, width))
    sizes = [np.sqrt(np.mean(x**2))]
    for _ in range(depth):
        w = gain * draw.normal(size=(width, width)) / np.sqrt(width)
        seen = layer_norm(x, np.ones(width), np.zeros(width)) if norm else x
        branch = np.tanh(seen @ w)
        x = x + branch if residual else branch
        sizes.append(np.sqrt(np.mean(x**2)))
    return np.array(sizes)


def residuals_view(*, residual: bool, norm: bool, gain: float) -> View:
    """Draw the size of the activations through depth."""
    sizes = sizes_through_depth(residual=residual, norm=norm, gain=gain)
    told = f"after {len(sizes) - 1} layers the activations have {sizes[-1] / sizes[0]:.3g} of their size"
    return View(
        figure=plots.curves(
            np.arange(len(sizes)),
            {"": sizes},
            x="layer",
            y="size of the activations",
            log_y=True,
            limits=(1e-8, 1e2),
            lines={"at the start": float(sizes[0])},
        ),
        alt=f"Size against depth, residual {'on' if residual else 'off'}, norm "
        f"{'on' if norm else 'off'}: {told}.",
        marker=f"{told[0].upper()}{told[1:]}.",
    )


def sampling(
    logits: np.ndarray, *, characters: Sequence[str], most: int = 12
) -> Explorer:
    """Change temperature, top-k and top-p over one distribution of next characters.

    Parameters
    ----------
    logits : ndarray of shape (V,)
        Scores of the next character.
    characters : sequence of str
        The vocabulary.
    most : int
        How many bars are drawn.

    Returns
    -------
    Explorer
    """
    V = len(characters)

    def view(temperature: float, top_k: int, top_p: float) -> View:
        return sampling_view(
            logits,
            characters,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            most=most,
        )

    return Explorer(
        view,
        {
            "temperature": slider("Temperature", 1.0, 0.0, 3.0, 0.1),
            "top_k": whole("Top-k, characters kept", V, 1, V),
            "top_p": slider("Top-p, probability kept", 1.0, 0.05, 1.0, 0.05),
        },
        "which control changes the order of the characters, and which only cuts the tail?",
    )


def sampling_view(
    logits: np.ndarray,
    characters: Sequence[str],
    *,
    temperature: float,
    top_k: int,
    top_p: float,
    most: int,
) -> View:
    """Draw the likeliest next characters, and say how many are left to choose from."""
    chances = sampling_probabilities(
        logits, temperature=temperature, top_k=top_k, top_p=top_p
    )
    order = np.argsort(-logits, kind="stable")[:most]
    left = int((chances > 0).sum())
    best = order[0]
    told = (
        f"{left} of {len(characters)} characters can be drawn; the likeliest, "
        f"“{characters[best]}”, has probability {chances[best]:.2f}"
    )
    return View(
        figure=plots.bars(
            {plots.visible(str(characters[place])): chances[place] for place in order},
            x="next character, by falling score",
            y="probability",
            limits=(0.0, 1.08),
        ),
        alt=f"Probabilities of the {len(order)} likeliest next characters: {told}.",
        marker=f"{told[0].upper()}{told[1:]}; entropy {float(entropy(chances)):.2f} nats.",
    )
