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
    attention_scores,
    entropy,
    layer_norm,
    rotary,
    sampling_probabilities,
    sinusoidal_positions,
)

_LENGTH, _FEATURES = 48, 16
_ELSEWHERE = 24  # the place that every other is compared with


def positions(place: int = 8) -> Explorer:
    """Move a query along a sequence of equal tokens; its scores move along, or change.

    Parameters
    ----------
    place : int
        The query's place at the start.

    Returns
    -------
    Explorer
    """
    return Explorer(
        positions_view,
        {
            "scheme": choice("Positions", ["rotary", "sinusoidal", "none"]),
            "place": whole("Place of the query", place, 1, _LENGTH - 1),
        },
        "does the curve only move along with the query, or does it also change its shape?",
    )


def scores_by_place(scheme: str, place: int) -> np.ndarray:
    """Scores of one query against every place of a sequence of equal tokens.

    Parameters
    ----------
    scheme : {"rotary", "sinusoidal", "none"}
        What tells the places apart: keys and queries turned, vectors added, or nothing.
    place : int
        The place of the query.

    Returns
    -------
    ndarray of shape (T,)
    """
    token = 1.5 * np.random.default_rng(1).normal(size=_FEATURES)
    x = np.tile(token, (_LENGTH, 1))  # (T, D), its own query and key
    if scheme == "sinusoidal":
        x = x + sinusoidal_positions(_LENGTH, _FEATURES)
    elif scheme == "rotary":
        x = rotary(x, np.arange(_LENGTH))
    return attention_scores(x, x)[place]  # (T,)


def positions_view(*, scheme: str, place: int) -> View:
    """Draw the scores of one query, and compare them with those of a query elsewhere."""
    here, elsewhere = (
        scores_by_place(scheme, place),
        scores_by_place(scheme, _ELSEWHERE),
    )
    told = (
        f"the key one place back scores {here[place - 1] + 0.0:.2f} for the query at place "
        f"{place}, and {elsewhere[_ELSEWHERE - 1] + 0.0:.2f} for the query at place {_ELSEWHERE}"
    )
    return View(
        figure=plots.curves(
            np.arange(_LENGTH),
            {"": here},
            x="place of the key",
            y="score",
            places={"query": place},
            limits=(-1.0, 9.0),
        ),
        alt=f"Scores of one query against {_LENGTH} equal keys, positions {scheme}: {told}.",
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
