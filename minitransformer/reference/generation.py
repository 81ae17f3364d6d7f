"""Writing with trained parameters in NumPy: one pass per character, nothing computed twice.

`forward` follows the formulas; this engine follows the processor, and says the same.
Before the first character it moves work out of the loop, by identities that hold exactly:

- A gain before a matrix product scales the matrix's rows; a bias before it adds one row.
- Layer norm takes away the mean. If everything that is ever added to the stream has mean
  zero, so has the stream, and layer norm is RMS norm. The mean of what is added can be
  taken out of the parameters, once.
- Turning pairs of features by angles is one product of complex numbers.
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
    probabilities = sampling_probabilities(logits, temperature, top_k, top_p)
    return np.asarray(draw(probabilities, rng))


def _reader(
    arrays: Arrays, settings: Settings, B: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function that reads one more character of each text, (B,) to (B, V)."""
    H, window = settings["num_heads"], settings["context_length"]
    positions = settings.get("positions", "learned")
    activation = ACTIVATIONS[settings.get("activation", "relu")]
    embedding, table, layers, (w_head, b_head) = _prepare(arrays, settings)
    C, dtype = embedding.shape[-1], embedding.dtype
    D = C // H
    keys, values = np.zeros((2, len(layers), B, H, window, D), dtype)
    places = np.zeros(window, int)  # which character stands where in the cache
    slopes = 2.0 ** (-8.0 * np.arange(1, H + 1)[:, None] / H)  # (H, 1), for ALiBi
    frequencies = 10000.0 ** (-np.arange(0, D, 2) / D)  # (D/2,), for rotary
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
        turn = np.exp(1j * place * frequencies)  # (D/2,)
        x = embedding[ids]  # (B, C)
        if table is not None:
            x = x + table[place]
        for layer, (w_qkv, b_qkv, w_o, w_1, b_1, w_2, b_2) in enumerate(layers):
            qkv = (_rms(x) @ w_qkv + b_qkv).reshape(B, 3, H, D)
            qk, v = qkv[:, :2], qkv[:, 2]  # (B, 2, H, D), (B, H, D)
            if settings.get("qk_norm", False):
                qk = _rms(qk)
            if positions == "rotary":
                qk = _turn(qk, turn)
            q, k = qk[:, 0], qk[:, 1]  # (B, H, D) each
            keys[layer, :, :, slot], values[layer, :, :, slot] = k, v
            seen = keys[layer, :, :, :held] @ q[..., None]  # (B, H, held, 1)
            scores = seen[..., 0] / math.sqrt(D)
            if positions == "alibi":
                scores -= slopes * (place - places[:held])
            largest = np.maximum.reduce(scores, axis=-1, keepdims=True)
            powers = np.exp(scores - largest)
            weights = powers / np.add.reduce(powers, axis=-1, keepdims=True)
            found = weights[..., None, :] @ values[layer, :, :, :held]  # (B, H, 1, D)
            x = x + found.reshape(B, C) @ w_o
            x = x + activation(_rms(x) @ w_1 + b_1) @ w_2 + b_2
        return _rms(x) @ w_head + b_head  # (B, V)

    return read


def _rms(x: np.ndarray) -> np.ndarray:
    """Bring the mean square of the last axis to 1."""
    squares = np.vecdot(x, x)[..., None]
    return x / np.sqrt(squares / x.shape[-1] + EPS)


def _turn(x: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Read pairs of features as complex numbers, and turn them."""
    pairs = x.view(np.complex64 if x.dtype == np.float32 else np.complex128)
    return (pairs * turn.astype(pairs.dtype)).view(x.dtype)


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
        scaled = w * own.get("gain", np.ones(C, w.dtype))[:, None]
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
        if settings.get("qk_norm", False):  # a layer norm as well, head by head
            w_qkv, b_qkv = (_centre_heads(x, H) for x in (w_qkv, b_qkv))
        w_1, b_1 = after_norm(
            f"blocks.{layer}.norm_2",
            block["feed_forward.w_1"],
            block.get("feed_forward.b_1", 0.0),
        )
        w_2 = block["feed_forward.w_2"]
        b_2 = block.get("feed_forward.b_2", np.zeros(C, w_2.dtype))
        w_o = to_stream(block["attention.w_o"])
        layers.append((w_qkv, b_qkv, w_o, w_1, b_1, to_stream(w_2), to_stream(b_2)))
    table = to_stream(arrays["positions"]) if "positions" in arrays else None
    head = after_norm("norm", arrays["head"])
    return to_stream(arrays["embedding"]), table, layers, head


def _centre_heads(x: np.ndarray, num_heads: int) -> np.ndarray:
    """Take the mean out of each head's queries and keys, not out of its values."""
    heads = x.reshape(*x.shape[:-1], 3, num_heads, -1).copy()  # (..., 3, H, D)
    heads[..., :2, :, :] -= heads[..., :2, :, :].mean(axis=-1, keepdims=True)
    return heads.reshape(x.shape)
