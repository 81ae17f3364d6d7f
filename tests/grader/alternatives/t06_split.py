"""Slices, stacks and loops over heads."""

import numpy as np
import torch
from torch import nn


def split_heads(x, num_heads):
    return np.stack(np.split(x, num_heads, axis=-1), axis=-3)


def merge_heads(x):
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-1)


def multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    D = w_q.shape[1] // num_heads
    outputs, weights = [], []
    for h in range(num_heads):
        part = slice(h * D, (h + 1) * D)
        q, k, v = x @ w_q[:, part], x @ w_k[:, part], x @ w_v[:, part]
        scores = q @ k.swapaxes(-1, -2) / np.sqrt(D)
        if mask is not None:
            scores = np.where(mask, scores, np.finfo(scores.dtype).min)
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        w = powers / powers.sum(-1, keepdims=True)
        if mask is not None:
            w = w * np.asarray(mask).any(-1, keepdims=True)
        outputs.append(w @ v @ w_o[part])
        weights.append(w)
    return sum(outputs), np.stack(weights, axis=-3)


class MultiHeadAttention(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x, memory=None, mask=None):
        other = x if memory is None else memory
        heads = []
        for q, k, v in zip(
            self.query(x).chunk(self.num_heads, -1),
            self.key(other).chunk(self.num_heads, -1),
            self.value(other).chunk(self.num_heads, -1),
        ):
            scores = q @ k.mT / q.shape[-1] ** 0.5
            if mask is None:
                heads.append(scores.softmax(-1) @ v)
            else:
                powers = (scores - scores.amax(-1, keepdim=True).detach()).exp() * mask
                heads.append(powers / powers.sum(-1, keepdim=True).clamp(min=1e-30) @ v)
        return self.output(torch.cat(heads, -1))


def detects_scrambled_heads(split, merge):
    x = np.random.default_rng(0).normal(size=(5, 12))
    heads = split(x, 3)
    if np.shape(heads) != (3, 5, 4):
        return True
    for h in range(3):
        if not np.array_equal(heads[h], x[:, 4 * h : 4 * h + 4]):
            return True
    back = merge(heads)
    return not (np.shape(back) == x.shape and np.array_equal(back, x))
