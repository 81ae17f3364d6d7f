"""Explorers of attention: who looks at whom."""

from collections.abc import Mapping, Sequence

import numpy as np

from minitransformer.notebook import plots
from minitransformer.notebook.explore.shell import (
    Explorer,
    Numbers,
    View,
    choice,
    slider,
    switch,
    whole,
)
from minitransformer.reference import (
    attention_scores,
    causal_mask,
    masked_softmax,
    padding_mask,
    sliding_window_mask,
    softmax,
    split_heads,
)

_TOKENS = ("the", "cat", "sat")
_VECTORS = ((1.0, 0.0), (0.0, 2.0), (1.0, 1.5))


def attention(
    tokens: Sequence[str] = _TOKENS,
    vectors: Sequence[Sequence[float]] | np.ndarray = _VECTORS,
    *,
    features: Sequence[str] | None = None,
    w_q: np.ndarray | None = None,
    w_k: np.ndarray | None = None,
) -> Explorer:
    """Edit the vectors of a few tokens, and the scale of their scores; the weights follow.

    Parameters
    ----------
    tokens : sequence of str
        The words.
    vectors : array of shape (T, C)
        A few features for each.
    features : sequence of str, optional
        What the features are called; without names they are numbered.
    w_q, w_k : ndarray of shape (C, D), optional
        What makes queries and keys; without them each vector is its own query and key.

    Returns
    -------
    Explorer
        To be the last line of a cell.
    """
    names = tuple(tokens)

    def view(
        vectors: Sequence[Sequence[float]], divide_by: str, temperature: float
    ) -> View:
        return attention_view(
            names,
            np.asarray(vectors),
            divide_by=divide_by,
            temperature=temperature,
            w_q=w_q,
            w_k=w_k,
        )

    return Explorer(
        view,
        {
            "vectors": Numbers(names, vectors, features=features),
            "divide_by": choice("Divide scores by", ["√D", "1", "D"]),
            "temperature": slider("Temperature", 1.0, 0.1, 5.0, 0.1),
        },
        "what makes a token look at another, and what makes it choose sharply?",
    )


def attention_weights(
    vectors: np.ndarray,
    *,
    divide_by: str = "√D",
    temperature: float = 1.0,
    w_q: np.ndarray | None = None,
    w_k: np.ndarray | None = None,
) -> np.ndarray:
    """Weights of self-attention.

    Parameters
    ----------
    vectors : ndarray of shape (T, C)
        One row for each token.
    divide_by : {"√D", "1", "D"}
        What the scores are divided by.
    temperature : float
        A further divisor; small ones sharpen.
    w_q, w_k : ndarray of shape (C, D), optional
        What makes queries and keys; without them each vector is its own query and key.

    Returns
    -------
    ndarray of shape (T, T)

    Examples
    --------
    >>> attention_weights(np.zeros((1, 2)))
    array([[1.]])
    """
    q = vectors if w_q is None else vectors @ w_q  # (T, D)
    k = vectors if w_k is None else vectors @ w_k  # (T, D)
    D = q.shape[-1]
    divisor = {"√D": np.sqrt(D), "1": 1.0, "D": float(D)}[divide_by]
    scores = q @ k.T  # (T, T)
    return softmax(scores / divisor / temperature)


def attention_view(
    tokens: Sequence[str],
    vectors: np.ndarray,
    *,
    divide_by: str,
    temperature: float,
    w_q: np.ndarray | None = None,
    w_k: np.ndarray | None = None,
) -> View:
    """Draw the weights, and say who looks hardest at whom."""
    weights = attention_weights(
        vectors, divide_by=divide_by, temperature=temperature, w_q=w_q, w_k=w_k
    )
    return View(
        figure=plots.heat_map(weights, rows=tokens, columns=tokens),
        alt=f"Weights of {len(tokens)} tokens: {_told(weights, tokens, tokens)}.",
        marker=f"{_largest(weights, tokens, tokens)} Each row adds up to 1.",
    )


def _told(weights: np.ndarray, queries: Sequence[str], keys: Sequence[str]) -> str:
    """Say where each row looks most."""
    return "; ".join(
        f"“{token}” gives most to “{keys[int(line.argmax())]}”, {line.max():.2f}"
        if line.any()
        else f"“{token}” looks nowhere"
        for token, line in zip(queries, weights, strict=True)
    )


def _largest(weights: np.ndarray, queries: Sequence[str], keys: Sequence[str]) -> str:
    row, column = divmod(int(weights.argmax()), len(keys))
    return f"The largest weight is {weights.max():.2f}: from “{queries[row]}” to “{keys[column]}”."


def masks(
    tokens: Sequence[str] = ("to", "be", "or", "not", "<pad>"),
    real: int = 4,
    seed: int = 0,
) -> Explorer:
    """Switch a causal and a padding mask on and off; the weights follow.

    Parameters
    ----------
    tokens : sequence of str
        The tokens, padding at the end.
    real : int
        How many of them are real at the start.
    seed : int
        Where the scores come from.

    Returns
    -------
    Explorer
    """
    T = len(tokens)
    scores = np.random.default_rng(seed).normal(size=(T, T))

    def view(real: int, *, causal: bool) -> View:
        return masks_view(tokens, scores, causal=causal, real=real)

    return Explorer(
        view,
        {
            "causal": switch("No looking ahead (causal mask)", on=True),
            "real": whole("Real tokens, the rest is padding", real, 0, T),
        },
        "what happens to a row's weights when keys are taken away, and when none is left?",
    )


def masks_view(
    tokens: Sequence[str], scores: np.ndarray, *, causal: bool, real: int
) -> View:
    """Draw masked weights, and count the rows that have nowhere to look."""
    T = len(tokens)
    mask = np.broadcast_to(padding_mask(np.array([real]), T)[0], (T, T))
    if causal:
        mask = mask & causal_mask(T)
    weights = masked_softmax(scores, mask)
    empty = int((~mask.any(axis=1)).sum())
    return View(
        figure=plots.heat_map(weights, rows=tokens, columns=tokens, mask=mask),
        alt=f"Weights under the masks; hatched cells are forbidden: {_told(weights, tokens, tokens)}.",
        marker=f"{int(mask.sum())} of {mask.size} cells are allowed; "
        f"{empty} of {T} rows may look nowhere and get zeros.",
    )


def heads(
    tokens: Sequence[str] = ("the", "cat", "sat", "down"), seed: int = 0
) -> Explorer:
    """Cut the same features into one, two or four heads, and see each head's weights.

    Parameters
    ----------
    tokens : sequence of str
        The words.
    seed : int
        Where their vectors of eight features come from.

    Returns
    -------
    Explorer
    """
    x = 1.4 * np.random.default_rng(seed).normal(size=(len(tokens), 8))

    def view(num_heads: int) -> View:
        return heads_view(tokens, x, num_heads=num_heads)

    return Explorer(
        view,
        {"num_heads": choice("Heads", {"1": 1, "2": 2, "4": 4}, start=2)},
        "the numbers stay the same; what changes when they are cut into heads?",
    )


def heads_view(tokens: Sequence[str], x: np.ndarray, *, num_heads: int) -> View:
    """Draw the weights of each head over the same vectors."""
    parts = split_heads(x, num_heads)  # (H, T, D)
    weights = softmax(attention_scores(parts, parts))  # (H, T, T)
    names = [f"head {head}" for head in range(num_heads)]
    told = " ".join(
        f"In {name} {_told(one, tokens, tokens)}."
        for name, one in zip(names, weights, strict=True)
    )
    D = x.shape[-1] // num_heads
    return View(
        figure=plots.heat_map(
            dict(zip(names, weights, strict=True)), rows=tokens, columns=tokens
        ),
        alt=told,
        marker=f"{num_heads} × {D} features: {num_heads} choices a token can make at once; "
        f"{weights.size} weights.",
    )


def cross(
    weights: np.ndarray, *, queries: Sequence[str], keys: Sequence[str]
) -> Explorer:
    """Pick a token of the output, and see where in the other sequence it looked.

    Parameters
    ----------
    weights : ndarray of shape (Tq, Tk)
        Weights of cross-attention.
    queries, keys : sequence of str
        The tokens of the output and of the sequence that is read.

    Returns
    -------
    Explorer
    """

    def view(place: int) -> View:
        return cross_view(weights, queries=queries, keys=keys, place=place)

    return Explorer(
        view,
        {"place": whole("Output token, counted from 0", 0, 0, len(queries) - 1)},
        "where does each output token take its content from?",
    )


def cross_view(
    weights: np.ndarray, *, queries: Sequence[str], keys: Sequence[str], place: int
) -> View:
    """Draw the lines of one output token alone."""
    one = np.zeros_like(weights)
    one[place] = weights[place]
    best = int(weights[place].argmax())
    told = (
        f"“{queries[place]}” gives {weights[place, best]:.2f} of its weight to “{keys[best]}” "
        f"at place {best}"
    )
    return View(
        figure=plots.alignment(one, queries=queries, keys=keys, faintest=0.01),
        alt=f"Lines from one output token up to the sequence it reads: {told}.",
        marker=f"{told}.",
    )


def attention_maps(
    maps: Mapping[str, np.ndarray], *, tokens: Mapping[str, Sequence[str]] | None = None
) -> Explorer:
    """Pick a text, a layer and a head of a trained model, and see its weights.

    Parameters
    ----------
    maps : mapping of str to ndarray of shape (L, H, T, T)
        Weights for each text; all with the same L and H.
    tokens : mapping of str to sequence of str, optional
        The tokens of each text; its characters where this is missing.

    Returns
    -------
    Explorer
    """
    arrays = {text: np.asarray(array) for text, array in maps.items()}
    L, H = next(iter(arrays.values())).shape[:2]

    def view(text: str, layer: int, head: int) -> View:
        return attention_maps_view(
            arrays[text], (tokens or {}).get(text, list(text)), layer=layer, head=head
        )

    return Explorer(
        view,
        {
            "text": choice("Text", list(arrays)),
            "layer": whole("Layer", 1, 1, L),
            "head": whole("Head", 1, 1, H),
        },
        "which heads look at the character before, and which at something else?",
    )


def attention_maps_view(
    maps: np.ndarray, tokens: Sequence[str], *, layer: int, head: int
) -> View:
    """Draw one head's weights, and say how far back it looks."""
    weights = maps[layer - 1, head - 1]  # (T, T)
    T = len(weights)
    back = np.arange(T)[:, None] - np.arange(T)[None, :]
    before = float(np.diagonal(weights, offset=-1).mean()) if T > 1 else 0.0
    told = (
        f"{before:.2f} of the weight on the character just before, on average; "
        f"the mean distance is {float((weights * back).sum(axis=1).mean()):.1f} characters"
    )
    return View(
        figure=plots.heat_map(weights, rows=tokens, columns=tokens),
        alt=f"Weights of head {head} in layer {layer}: {told}.",
        marker=f"Layer {layer}, head {head}: {told}.",
    )


def windows(length: int = 10, window: int = 3, layers: int = 1) -> Explorer:
    """Change the width of a sliding window and the number of layers; the reach follows.

    Parameters
    ----------
    length : int
        How many places there are.
    window : int
        How many places a query sees at the start, its own included.
    layers : int
        How many layers there are at the start.

    Returns
    -------
    Explorer
    """

    def view(window: int, layers: int) -> View:
        return windows_view(length, window=window, layers=layers)

    return Explorer(
        view,
        {
            "window": whole("Window, places", window, 1, length),
            "layers": whole("Layers", layers, 1, 8),
        },
        "how many layers does it take until the last place hears from the first?",
    )


def windows_reach(length: int, *, window: int, layers: int) -> np.ndarray:
    """Count in how many steps each place hears from each earlier one; 0 where it does not.

    Parameters
    ----------
    length : int
        How many places.
    window : int
        How many places a query sees, its own included.
    layers : int
        How many layers.

    Returns
    -------
    ndarray of int of shape (T, T)
        The first layer after which the row depends on the column.

    Examples
    --------
    >>> windows_reach(3, window=2, layers=2)
    array([[1, 0, 0],
           [1, 1, 0],
           [2, 1, 1]])
    """
    one = sliding_window_mask(length, window).astype(int)
    reached, first = np.eye(length, dtype=int), np.zeros((length, length), dtype=int)
    for layer in range(1, layers + 1):
        reached = np.minimum(reached @ one, 1)
        first = np.where((first == 0) & (reached > 0), layer, first)
    return first


def windows_view(length: int, *, window: int, layers: int) -> View:
    """Draw the first layer at which each place hears from each other."""
    first = windows_reach(length, window=window, layers=layers)
    heard = int((first[-1] > 0).sum())
    scores = int(sliding_window_mask(length, window).sum())
    told = (
        f"after {layers} {'layer' if layers == 1 else 'layers'} the last place hears from "
        f"{heard} of {length}; each layer computes {scores} scores instead of "
        f"{length * (length + 1) // 2}"
    )
    return View(
        figure=plots.heat_map(
            first.astype(float),
            mask=first > 0,
            kind="key",
            digits=0,
            x="place that is heard",
            y="place that hears",
            label="first layer",
            limits=(0, 8),
        ),
        alt=f"Cells numbered by the layer after which a place hears from an earlier one: {told}.",
        marker=told[0].upper() + told[1:] + ".",
    )
