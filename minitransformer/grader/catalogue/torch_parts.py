"""Attention, block and character model on torch, made of parts; loads torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Parameters = Mapping[str, Tensor]


# ---------------------------------------------------------------- walking back
def with_gradients(
    forward: Callable[..., Tensor],
    values: Mapping[str, np.ndarray],
    grad_output: np.ndarray,
    names: Sequence[str],
    x: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """Run `forward(parameters, x)`; give the output and the gradients asked for."""
    parameters = {
        name: torch.from_numpy(value).requires_grad_() for name, value in values.items()
    }
    source = None if x is None else torch.from_numpy(x).requires_grad_()
    output = forward(parameters, source)
    sources = [parameters[name] for name in names]
    if source is not None:
        sources.insert(0, source)
    if tuple(output.shape) != grad_output.shape:
        return (output.detach().numpy(), *(np.zeros(1) for _ in sources))
    found = torch.autograd.grad(
        output, sources, torch.from_numpy(grad_output), allow_unused=True
    )
    return (
        output.detach().numpy(),
        *(
            (torch.zeros_like(one) if grad is None else grad).numpy()
            for one, grad in zip(sources, found, strict=True)
        ),
    )


# ---------------------------------------------------------------- attention
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give head h the features h·D … (h+1)·D−1 of every token."""
    return x.unflatten(-1, (num_heads, -1)).transpose(-2, -3)


def reshape_only(x: Tensor, num_heads: int) -> Tensor:
    """Reshape without a transpose, which mixes tokens."""
    *leading, T, C = x.shape
    return x.reshape(*leading, num_heads, T, C // num_heads)


def merge_heads(x: Tensor) -> Tensor:
    """Bring the heads back, side by side."""
    return x.transpose(-2, -3).flatten(-2)


def merge_by_reshape(x: Tensor) -> Tensor:
    """Reshape without transposing back, which mixes tokens."""
    *leading, H, T, D = x.shape
    return x.reshape(*leading, T, H * D)


def softmax_with_empty_rows(scores: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """Give weights that are zero where the mask forbids, rows without anything too."""
    if mask is None:
        return scores.softmax(dim)
    mask = mask.expand(scores.shape)
    anything = mask.any(dim, keepdim=True)
    filled = scores.masked_fill(~mask & anything, -torch.inf)
    return filled.softmax(dim).where(anything & mask, torch.zeros(()))


def softmax_with_nan_rows(scores: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """Give NaN for rows without anything."""
    filled = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return filled.softmax(dim)


def by_root_of_head_width(scores: Tensor, head_width: int, width: int) -> Tensor:
    """Divide by √D."""
    return scores / head_width**0.5


def attend(
    parameters: Parameters,
    x: Tensor,
    num_heads: int,
    memory: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    source: Callable[..., Tensor] = lambda x, memory: x if memory is None else memory,
    split: Callable[..., Tensor] = split_heads,
    merge: Callable[..., Tensor] = merge_heads,
    scale: Callable[..., Tensor] = by_root_of_head_width,
    visible: Callable[..., Any] = lambda mask: mask,
    dim: int = -1,
    normalise: Callable[..., Tensor] = softmax_with_empty_rows,
    project: Callable[..., Tensor] = lambda joined, w: joined @ w.T,
) -> Tensor:
    """Give multi-head attention's output."""
    other = source(x, memory)
    q = split(x @ parameters["query.weight"].T, num_heads)  # (..., H, Tq, D)
    k = split(other @ parameters["key.weight"].T, num_heads)
    v = split(other @ parameters["value.weight"].T, num_heads)
    scores = scale(q @ k.transpose(-1, -2), q.shape[-1], x.shape[-1])
    shown = visible(mask)
    shared = None if shown is None else shown.unsqueeze(-3)
    weights = normalise(scores, shared, dim)  # (..., H, Tq, Tk)
    return project(merge(weights @ v), parameters["output.weight"])


# ---------------------------------------------------------------- the block
def layer_norm(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """Norm along the last axis."""
    return torch.nn.functional.layer_norm(
        x, x.shape[-1:], parameters[f"{name}.gain"], parameters[f"{name}.bias"]
    )


def feed_forward(parameters: Parameters, x: Tensor) -> Tensor:
    """Give ReLU between two affine maps."""
    hidden = x @ parameters["0.weight"].T + parameters["0.bias"]
    return hidden.relu() @ parameters["2.weight"].T + parameters["2.bias"]


def feed_forward_without_bend(parameters: Parameters, x: Tensor) -> Tensor:
    """Give two affine maps, one behind the other."""
    hidden = x @ parameters["0.weight"].T + parameters["0.bias"]
    return hidden @ parameters["2.weight"].T + parameters["2.bias"]


def feed_forward_with_gelu(parameters: Parameters, x: Tensor) -> Tensor:
    """Give GELU between two affine maps."""
    hidden = x @ parameters["0.weight"].T + parameters["0.bias"]
    hidden = torch.nn.functional.gelu(hidden)
    return hidden @ parameters["2.weight"].T + parameters["2.bias"]


def below(parameters: Parameters, prefix: str) -> dict[str, Tensor]:
    """Give the parameters whose names start with a prefix, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in parameters.items()
        if name.startswith(prefix)
    }


def pre_norm(
    x: Tensor, attention: Callable, feed: Callable, norm_1: Callable, norm_2: Callable
) -> Tensor:
    """Take two residual steps, each branch normed first."""
    x = x + attention(norm_1(x))
    return x + feed(norm_2(x))


def block(
    parameters: Parameters,
    x: Tensor,
    num_heads: int,
    mask: Tensor | None = None,
    *,
    steps: Callable[..., Tensor] = pre_norm,
    second: str = "norm_2",
    visible: Callable[..., Any] = lambda mask: mask,
    bend: Callable[..., Tensor] = feed_forward,
) -> Tensor:
    """Give a block's output."""
    inner = below(parameters, "attention.")
    outer = below(parameters, "feed_forward.")
    return steps(
        x,
        lambda x: attend(inner, x, num_heads, mask=visible(mask)),
        lambda x: bend(outer, x),
        lambda x: layer_norm(parameters, "norm_1", x),
        lambda x: layer_norm(parameters, second, x),
    )


# ---------------------------------------------------------------- the model
def causal(length: int) -> Tensor:
    """Show each place itself and what came before."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def character_model(
    parameters: Parameters,
    ids: Tensor,
    num_heads: int,
    num_layers: int,
    *,
    mask: Callable[..., Any] = causal,
    place: Callable[..., Tensor] = lambda x, table: x + table[: x.shape[-2]],
    last: Callable[..., Tensor] = layer_norm,
) -> Tensor:
    """Give the logits of a character model."""
    x = place(parameters["characters"][ids], parameters["positions"])  # (B, T, C)
    for layer in range(num_layers):
        inner = below(parameters, f"blocks.{layer}.")
        x = block(inner, x, num_heads, mask(ids.shape[-1]))
    return last(parameters, "norm", x) @ parameters["head.weight"].T
