"""Torch, with the library's fused attention inside the heads."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def split_heads(x, num_heads):
    return torch.from_numpy(x.copy()).unflatten(-1, (num_heads, -1)).transpose(-3, -2)


def merge_heads(x):
    return torch.from_numpy(x.copy()).transpose(-3, -2).flatten(-2)


def multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    x, w_q, w_k, w_v, w_o = (
        torch.from_numpy(one.copy()) for one in (x, w_q, w_k, w_v, w_o)
    )
    q, k, v = (
        (x @ w).unflatten(-1, (num_heads, -1)).transpose(-3, -2)
        for w in (w_q, w_k, w_v)
    )
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(
            ~torch.from_numpy(mask.copy()).unsqueeze(-3), -torch.inf
        )
    weights = scores.softmax(-1).nan_to_num(0.0)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_o, weights


class MultiHeadAttention(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        assert width % num_heads == 0
        self.num_heads = num_heads
        for name in ("value", "output", "key", "query"):
            self.add_module(name, nn.Linear(width, width, bias=False))

    def heads(self, x):
        return x.view(*x.shape[:-1], self.num_heads, -1).transpose(1, 2)

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            memory = x
        q, k, v = (
            self.heads(self.query(x)),
            self.heads(self.key(memory)),
            self.heads(self.value(memory)),
        )
        if mask is not None:
            mask = mask.unsqueeze(-3)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.output(mixed.transpose(1, 2).flatten(2))


def detects_scrambled_heads(split, merge):
    x = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0)).numpy()
    wanted = np.stack([x[..., h * 2 : h * 2 + 2] for h in range(4)], -3)
    try:
        np.testing.assert_allclose(split(x, 4), wanted)
        np.testing.assert_allclose(merge(wanted), x)
    except AssertionError:
        return True
    return False
