"""A whole forward pass: from characters to scores, with trained parameters."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from minitransformer.reference.activations import gelu, relu, squared_relu
from minitransformer.reference.attention import attention_scores, masked_attention
from minitransformer.reference.block import (
    feed_forward,
    layer_norm,
    pre_norm_block,
    rms_norm,
)
from minitransformer.reference.heads import merge_heads, split_heads
from minitransformer.reference.masks import causal_mask
from minitransformer.reference.positions import alibi_bias, rotary
from minitransformer.reference.softmax import masked_softmax

Arrays = Mapping[str, np.ndarray]
Settings = Mapping[str, Any]
Parts = Mapping[str, Callable[..., Any]]

PARTS: Parts = MappingProxyType(
    {
        "alibi_bias": alibi_bias,
        "attention_scores": attention_scores,
        "causal_mask": causal_mask,
        "feed_forward": feed_forward,
        "layer_norm": layer_norm,
        "masked_attention": masked_attention,
        "masked_softmax": masked_softmax,
        "merge_heads": merge_heads,
        "pre_norm_block": pre_norm_block,
        "rotary": rotary,
        "split_heads": split_heads,
    }
)
ACTIVATIONS = MappingProxyType(
    {"relu": relu, "squared_relu": squared_relu, "gelu": gelu}
)
CHOICES = MappingProxyType(
    {
        "positions": ("learned", "sinusoidal", "rotary", "alibi", "none"),
        "norm": ("layer", "rms"),
        "activation": tuple(ACTIVATIONS),
    }
)


def forward(
    ids: Int[np.ndarray, "B T"],
    arrays: Arrays,
    settings: Settings,
    *,
    mask: Bool[np.ndarray, "..."] | None = None,
    parts: Parts = PARTS,
) -> Float[np.ndarray, "B T V"]:
    """Give the scores of each character of the vocabulary as the next one.

    Parameters
    ----------
    ids : ndarray of int, of shape (B, T)
        The characters read.
    arrays : mapping of str to ndarray
        The parameters, multiplying from the right: `embedding` (V, C); `positions`
        (context, C) where a table is added; for each layer `blocks.0.attention.w_q`,
        `w_k`, `w_v`, `w_o` (C, C) and `blocks.0.feed_forward.w_1` (C, F), `b_1`, `w_2`
        (F, C), `b_2`; `blocks.0.shift_1` and `shift_2` (C,) where places are mixed with
        those before them (see `token_shift`); `gain` and `bias` of `blocks.0.norm_1`,
        `blocks.0.norm_2` and `norm`; `head` (C, V). Biases and gains may be missing.
    settings : mapping of str to values
        What the arrays do not say: `num_heads`, `num_layers`, and, unless the model is
        the plain one, `positions` ("learned", "sinusoidal", "rotary", "alibi", "none"),
        `norm` ("layer", "rms"), `activation` ("relu", "squared_relu", "gelu"), `qk_norm`.
    mask : Boolean ndarray that broadcasts to (B, T, T), optional
        True where a place may look; causal if not given.
    parts : mapping of str to callable
        Functions to compute with in place of those of this package, by their names.

    Returns
    -------
    ndarray of shape (B, T, V)
        Logits; row t says what may follow after the first t + 1 characters.

    Raises
    ------
    ValueError
        If an array or a setting is missing or unknown, an id is outside the vocabulary,
        or there are more characters than the table of positions has rows.

    Notes
    -----
    A model of Vaswani et al. 2017 without its encoder, in pre-norm order. The torch model
    hands out `arrays` by `reference_arrays()`, and its settings are the fields of its
    configuration.
    """
    check_model(ids, arrays, settings)
    parts = {**PARTS, **parts}
    T = ids.shape[-1]
    x = arrays["embedding"][ids]  # (B, T, C)
    if "positions" in arrays:
        x = x + arrays["positions"][:T]
    if mask is None:
        mask = parts["causal_mask"](T)
    else:
        mask = np.broadcast_to(mask, (len(ids), T, T))[:, None]  # (B, 1, T, T)
    for layer in range(settings["num_layers"]):
        block = under(f"blocks.{layer}", arrays)
        shared: dict[str, Any] = {"settings": settings, "parts": parts}
        x = parts["pre_norm_block"](
            x,
            partial(_attend, arrays=under("attention", block), mask=mask, **shared),
            partial(_feed_forward, arrays=under("feed_forward", block), **shared),
            *(
                partial(
                    _norm,
                    arrays=under(f"norm_{number}", block),
                    shift=block.get(f"shift_{number}"),
                    **shared,
                )
                for number in (1, 2)
            ),
        )
    x = _norm(x, under("norm", arrays), settings, parts)
    return x @ arrays["head"]  # (B, T, V)


def _attend(
    x: np.ndarray, arrays: Arrays, mask: np.ndarray, settings: Settings, parts: Parts
) -> np.ndarray:
    """Let the heads of one layer look; (B, T, C) to (B, T, C)."""
    H, T = settings["num_heads"], x.shape[-2]
    q, k, v = (
        parts["split_heads"](x @ arrays[name], H) for name in ("w_q", "w_k", "w_v")
    )  # (B, H, T, D)
    if settings.get("qk_norm", False):
        q, k = (_standardise(part, parts) for part in (q, k))
    if settings.get("positions") == "rotary":
        q, k = (parts["rotary"](part, np.arange(T)) for part in (q, k))
    if settings.get("positions") == "alibi":
        bias = parts["alibi_bias"](H, T).astype(x.dtype)  # (H, T, T)
        scores = parts["attention_scores"](q, k) + bias
        found = parts["masked_softmax"](scores, mask) @ v  # (B, H, T, D)
    else:
        found, _ = parts["masked_attention"](q, k, v, mask)
    return parts["merge_heads"](found) @ arrays["w_o"]


def _feed_forward(
    x: np.ndarray, arrays: Arrays, settings: Settings, parts: Parts
) -> np.ndarray:
    """Apply the feed-forward of one layer; (B, T, C) to (B, T, C)."""
    w_1, w_2 = arrays["w_1"], arrays["w_2"]
    b_1 = arrays.get("b_1", np.zeros(w_1.shape[-1], w_1.dtype))
    b_2 = arrays.get("b_2", np.zeros(w_2.shape[-1], w_2.dtype))
    activation = settings.get("activation", "relu")
    if activation == "relu":
        return parts["feed_forward"](x, w_1, b_1, w_2, b_2)
    return ACTIVATIONS[activation](x @ w_1 + b_1) @ w_2 + b_2


def _norm(
    x: np.ndarray,
    arrays: Arrays,
    settings: Settings,
    parts: Parts,
    shift: np.ndarray | None = None,
) -> np.ndarray:
    """Apply one norm, then token shift; a missing gain is 1, a missing bias 0."""
    gain = arrays.get("gain", np.ones(x.shape[-1], x.dtype))
    if settings.get("norm", "layer") == "rms":
        normed = rms_norm(x, gain)
    else:
        bias = arrays.get("bias", np.zeros_like(gain))
        normed = parts["layer_norm"](x, gain, bias)
    return normed if shift is None else token_shift(normed, shift)


def token_shift(
    x: Float[np.ndarray, "*batch T C"], share: Float[np.ndarray, " C"]
) -> Float[np.ndarray, "*batch T C"]:
    """Mix each place with the one before it, each feature in a share of its own.

    The first stays as it is (Peng et al. 2023, "RWKV", section 3.1, has zeros there).

    Examples
    --------
    >>> token_shift(np.array([[2.0, 2.0], [4.0, 4.0]]), np.array([0.0, 0.5]))
    array([[2., 2.],
           [4., 3.]])
    """
    mixed = x.copy()
    mixed[..., 1:, :] += share * (x[..., :-1, :] - x[..., 1:, :])
    return mixed


def _standardise(x: np.ndarray, parts: Parts) -> np.ndarray:
    D = x.shape[-1]
    return parts["layer_norm"](x, np.ones(D, x.dtype), np.zeros(D, x.dtype))


def under(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    """Give the arrays whose names begin with a prefix and a dot, without these.

    Examples
    --------
    >>> under("norm", {"norm.gain": np.ones(1), "head": np.ones((1, 1))})
    {'gain': array([1.])}
    """
    return {
        name.removeprefix(f"{prefix}."): array
        for name, array in arrays.items()
        if name.startswith(f"{prefix}.")
    }


def check_model(
    ids: Int[np.ndarray, "B T"], arrays: Arrays, settings: Settings
) -> None:
    """Refuse arrays, settings and ids that do not make a model and its input.

    Raises
    ------
    ValueError
        If an array or a setting is missing or unknown, an id is outside the vocabulary,
        or there are more characters than the table of positions has rows.
    """
    for name in ("num_heads", "num_layers"):
        if settings.get(name, 0) < 1:
            raise ValueError(
                f"settings must give {name}, at least 1; got {settings.get(name)}"
            )
    for name, choices in CHOICES.items():
        if settings.get(name, choices[0]) not in choices:
            raise ValueError(f"{name} must be one of {choices}; got {settings[name]!r}")
    needed = ["embedding", "head"]
    if settings.get("positions", "learned") in ("learned", "sinusoidal"):
        needed.append("positions")
    for layer in range(settings["num_layers"]):
        needed += [f"blocks.{layer}.attention.w_{letter}" for letter in "qkvo"]
        needed += [f"blocks.{layer}.feed_forward.w_{number}" for number in (1, 2)]
    if missing := [name for name in needed if name not in arrays]:
        raise ValueError(f"arrays must hold {', '.join(needed)}; missing {missing[0]}")
    V, T = len(arrays["embedding"]), ids.shape[-1]
    if ids.size and not 0 <= ids.min() <= ids.max() < V:
        raise ValueError(
            f"ids must lie between 0 and {V - 1}; got {ids.min()} to {ids.max()}"
        )
    if "positions" in arrays and len(arrays["positions"]) < T:
        raise ValueError(
            f"at most {len(arrays['positions'])} characters fit into the table of "
            f"positions; got {T}"
        )
