"""Writing with trained parameters in NumPy: one pass per character, nothing computed twice.

`forward` follows the formulas; this engine follows the processor, and says the same.
Before the first character it moves work out of the loop, by identities that hold exactly:

- A gain before a matrix product scales the matrix's rows; a bias before it adds one row.
- Layer norm takes away the mean. If everything that is ever added to the stream has mean
  zero, so has the stream, and layer norm is RMS norm. The mean of what is added can be
  taken out of the parameters, once.
- Turning pairs of features by angles is one product of complex numbers.
- The scale of the scores can be the queries', and so their parameters'. The sum that the
  weights are divided by can wait until the values are mixed: D numbers, not one a place.

Inside the loop what is large is changed in place: a new array costs more than an addition.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Int

from minitransformer.reference.forward import (
    ACTIVATIONS,
    Arrays,
    Settings,
    check_model,
    forward,
    under,
)
from minitransformer.reference.sampling import (
    check_sampling,
    draw,
    sampling_probabilities,
)

EPS = 1e-5  # of layer norm and RMS norm, as in `reference.block`


def generate(
    arrays: Arrays,
    settings: Settings,
    start: Int[np.ndarray, "B T"],
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: np.random.Generator,
) -> Iterator[Int[np.ndarray, " B"]]:
    """Write more characters for each text, giving each as soon as it is drawn.

    Parameters
    ----------
    arrays, settings : mappings
        The model, as for `forward`; `settings` must have `context_length` too.
    start : ndarray of int, of shape (B, T)
        What each text begins with, at least one character; of more than the context
        holds, the last are read.
    length : int
        Characters to write.
    temperature, top_k, top_p
        As for `sampling_probabilities`.
    rng : numpy.random.Generator
        Where the characters are drawn from; at temperature 0 it is not touched.

    Yields
    ------
    ndarray of int, of shape (B,)
        The next character of each text.

    Raises
    ------
    ValueError
        If there is nothing to begin with, the length is negative, or the model or an
        option of sampling is refused.

    Notes
    -----
    Keys and values of what was read are kept (see `cached_attention`). Past the context, a
    model with a table of positions computes its last window anew for each character: every
    place has moved. Others go on, and the oldest keys and values fall out of the cache: the
    same as `forward` over the whole text with `sliding_window_mask`.
    """
    check_sampling(temperature, top_k, top_p)
    if length < 0:
        raise ValueError(f"length must not be negative; got {length}")
    if start.ndim != 2 or start.shape[1] < 1:
        raise ValueError(f"start must be (B, T) with T >= 1; got shape {start.shape}")
    if settings.get("context_length", 0) < 1:
        raise ValueError(
            "settings must give context_length, at least 1; "
            f"got {settings.get('context_length')}"
        )
    start = start[:, -settings["context_length"] :]
    check_model(start, arrays, settings)

    def characters() -> Iterator[np.ndarray]:
        read = _reader(arrays, settings, len(start))
        for ids in start.T[:-1]:
            read(ids)
        new = start[:, -1]  # (B,)
        for _ in range(length):
            new = _choose(read(new), temperature, top_k, top_p, rng)
            yield new

    return characters()


def _choose(
    logits: np.ndarray,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the next character of each text; (B, V) to (B,)."""
    if temperature == 0.0:
        return logits.argmax(axis=-1)
    if top_k is None and top_p is None:  # `draw` needs no sum of one
        logits -= np.maximum.reduce(logits, axis=-1, keepdims=True)
        return np.asarray(draw(np.exp(logits / temperature), rng))
    probabilities = sampling_probabilities(logits, temperature, top_k, top_p)
    return np.asarray(draw(probabilities, rng))


def _reader(
    arrays: Arrays, settings: Settings, B: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function that reads one more character of each text, (B,) to (B, V)."""
    H, window = settings["num_heads"], settings["context_length"]
    positions, qk_norm = settings.get("positions"), settings.get("qk_norm", False)
    activation = ACTIVATIONS[settings.get("activation", "relu")]
    embedding, table, layers, (w_head, b_head) = _prepare(arrays, settings)
    C, dtype = embedding.shape[-1], embedding.dtype
    D = C // H
    caches = np.zeros((len(layers), B, 2, H, window, D), dtype)  # keys, then values
    before = np.zeros((len(layers), 2, B, C), dtype)  # what token shift mixes in
    places = np.zeros(window, int)  # which character stands where in the cache
    slopes = 2.0 ** (-8.0 * np.arange(1, H + 1)[:, None] / H)  # (H, 1), for ALiBi
    frequencies = 10000.0 ** (-np.arange(0, D, 2) / D)  # (D/2,), for rotary
    pair = np.result_type(dtype, np.complex64)  # two features as one complex number
    turns = np.empty((window, len(frequencies)), pair)  # of the places held next
    text: deque[np.ndarray] = deque(maxlen=window)  # the last characters
    count = itertools.count()

    def read(ids: np.ndarray) -> np.ndarray:
        text.append(ids)
        place = next(count)
        if table is not None and place >= window:
            last = np.stack(text, axis=1)  # (B, window)
            return forward(last, arrays, settings)[:, -1]
        slot, held = place % window, min(place + 1, window)
        places[slot] = place
        if slot == 0:
            turns[:] = np.exp(1j * np.outer(place + np.arange(window), frequencies))
        x = embedding[ids]  # (B, C)
        if table is not None:
            x += table[place]
        for parameters, cache, last in zip(layers, caches, before, strict=True):
            w_qkv, b_qkv, w_o, w_1, b_1, w_2, b_2, *shifts = parameters
            qkv = _mixed(_unit(x), shifts[:1], last[0], place) @ w_qkv
            qkv += b_qkv
            heads = qkv.reshape(B, 3, H, D)
            qk = heads[:, :2]  # (B, 2, H, D)
            if qk_norm:
                qk[:] = D**0.25 * _unit(qk)
            if positions == "rotary":
                pairs = qk.view(pair)  # (B, 2, H, D/2)
                pairs *= turns[slot]
            cache[:, :, :, slot] = heads[:, 1:]
            seen = cache[:, 0, :, :held] @ heads[:, 0, :, :, None]  # (B, H, held, 1)
            scores = seen[..., 0]  # (B, H, held)
            if positions == "alibi":
                scores -= slopes * (place - places[:held])
            if not qk_norm:  # with it no score exceeds √D, and no power overflows
                scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
            powers = np.exp(scores, out=scores)
            mixed = powers[:, :, None] @ cache[:, 1, :, :held]  # (B, H, 1, D)
            mixed /= np.add.reduce(powers, axis=-1, keepdims=True)[..., None]
            x += mixed.reshape(B, C) @ w_o
            hidden = _mixed(_unit(x), shifts[1:], last[1], place) @ w_1  # (B, F)
            hidden += b_1
            x += activation(hidden) @ w_2
            x += b_2
        return _unit(x) @ w_head + b_head  # (B, V)

    return read


def _unit(x: np.ndarray) -> np.ndarray:
    """Bring the last axis to length 1: a norm without the factor that makes it √C."""
    squares = np.vecdot(x, x)[..., None]
    return x / np.sqrt(squares + x.shape[-1] * EPS)


def _mixed(
    x: np.ndarray, shifts: list[np.ndarray], last: np.ndarray, place: int
) -> np.ndarray:
    """Mix in what stood one place before, where the model does, and remember `x`."""
    for share in shifts:
        mixed = x + share * (last - x) if place else x
        last[:] = x
        x = mixed
    return x


def _prepare(
    arrays: Arrays, settings: Settings
) -> tuple[
    np.ndarray,
    np.ndarray | None,
    list[tuple[np.ndarray, ...]],
    tuple[np.ndarray, np.ndarray],
]:
    """Give embedding, table, blocks and head, with gains, biases and means moved in."""
    H, C = settings["num_heads"], arrays["embedding"].shape[-1]
    centred = settings.get("norm", "layer") == "layer"

    def to_stream(x: np.ndarray) -> np.ndarray:
        """Take the mean out of what is added to the stream."""
        return x - x.mean(axis=-1, keepdims=True) if centred else x

    def after_norm(
        norm: str, w: np.ndarray, b: float | np.ndarray = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Move the norm's gain and bias into the affine map that follows it."""
        own = under(norm, arrays)
        gain = own.get("gain", np.ones(C, w.dtype))
        scaled = w * (math.sqrt(C) * gain[:, None])  # √C: see `_unit`
        if centred and "bias" in own:
            return scaled, own["bias"] @ w + b
        return scaled, np.zeros(w.shape[-1], w.dtype) + b

    layers = []
    for layer in range(settings["num_layers"]):
        block = under(f"blocks.{layer}", arrays)
        qkv = [block[f"attention.w_{letter}"] for letter in "qkv"]
        w_qkv, b_qkv = after_norm(
            f"blocks.{layer}.norm_1", np.concatenate(qkv, axis=-1)
        )
        # the norm of queries and keys is a layer norm as well, head by head
        fit = _centre_heads if settings.get("qk_norm", False) else _scale_queries
        w_qkv, b_qkv = fit(w_qkv, H), fit(b_qkv, H)
        w_1, b_1 = after_norm(
            f"blocks.{layer}.norm_2",
            block["feed_forward.w_1"],
            block.get("feed_forward.b_1", 0.0),
        )
        w_2 = block["feed_forward.w_2"]
        b_2 = block.get("feed_forward.b_2", np.zeros(C, w_2.dtype))
        w_o = to_stream(block["attention.w_o"])
        parameters = [w_qkv, b_qkv, w_o, w_1, b_1, to_stream(w_2), to_stream(b_2)]
        parameters += [block[name] for name in ("shift_1", "shift_2") if name in block]
        layers.append(tuple(np.ascontiguousarray(x) for x in parameters))
    table = to_stream(arrays["positions"]) if "positions" in arrays else None
    head = after_norm("norm", arrays["head"])
    return to_stream(arrays["embedding"]), table, layers, head


def _centre_heads(x: np.ndarray, num_heads: int) -> np.ndarray:
    """Take the mean out of each head's queries and keys, not out of its values."""
    heads = x.reshape(*x.shape[:-1], 3, num_heads, -1).copy()  # (..., 3, H, D)
    heads[..., :2, :, :] -= heads[..., :2, :, :].mean(axis=-1, keepdims=True)
    return heads.reshape(x.shape)


def _scale_queries(x: np.ndarray, num_heads: int) -> np.ndarray:
    """Divide the queries by √D, so that the scores need not be."""
    heads = x.reshape(*x.shape[:-1], 3, num_heads, -1).copy()  # (..., 3, H, D)
    heads[..., 0, :, :] /= math.sqrt(heads.shape[-1])
    return heads.reshape(x.shape)
