"""Recursion over the batch, tensordot, block-diagonal tricks, lists."""

import numpy as np
import torch
from torch import nn


def split_heads(x, num_heads):
    D, rest = divmod(x.shape[-1], num_heads)
    if rest:
        raise Exception("does not divide")
    heads = np.zeros((*x.shape[:-2], num_heads, x.shape[-2], D))
    for c in range(x.shape[-1]):
        heads[..., c // D, :, c % D] = x[..., c]
    return heads


def merge_heads(x):
    H, T, D = x.shape[-3:]
    return (
        [merge_heads(one) for one in x]
        if x.ndim > 3
        else [[x[c // D, t, c % D] for c in range(H * D)] for t in range(T)]
    )


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, num_heads, mask=None, return_scores=False
):
    if x.ndim > 2:
        masks = [None] * len(x)
        if mask is not None:
            masks = np.broadcast_to(mask, (*x.shape[:-1], x.shape[-2]))
        both = [
            multi_head_attention(a, w_q, w_k, w_v, w_o, num_heads, m)
            for a, m in zip(x, masks)
        ]
        return np.array([o for o, _ in both]), np.array([w for _, w in both])
    T, H = len(x), num_heads
    q, k, v = (split_heads(np.tensordot(x, w, 1), H) for w in (w_q, w_k, w_v))
    seen = np.ones((T, T), bool) if mask is None else np.broadcast_to(mask, (T, T))
    weights, mixed = np.zeros((H, T, T)), np.zeros((H, T, q.shape[-1]))
    for h in range(H):
        for i in range(T):
            allowed = np.flatnonzero(seen[i])
            if len(allowed):
                scores = k[h, allowed] @ q[h, i] / q.shape[-1] ** 0.5
                weights[h, i, allowed] = np.exp(scores - np.logaddexp.reduce(scores))
                mixed[h, i] = weights[h, i] @ v[h]
    return [np.array(merge_heads(mixed)) @ w_o, weights]


class MultiHeadAttention(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        make = lambda: nn.Linear(width, width, bias=False)
        self.query, self.key, self.value, self.output = make(), make(), make(), make()
        self.H, self.D = num_heads, width // num_heads

    def forward(self, x, memory=None, mask=None):
        source = memory if memory is not None else x
        total = 0
        for h in range(self.H):
            rows = slice(h * self.D, (h + 1) * self.D)
            q = x @ self.query.weight[rows].T
            k = source @ self.key.weight[rows].T
            v = source @ self.value.weight[rows].T
            scores = (
                torch.bmm(q, k.transpose(1, 2)) / torch.tensor(float(self.D)).sqrt()
            )
            if mask is not None:
                scores = torch.where(mask, scores, torch.tensor(-1e30))
            weights = torch.softmax(scores, 2)
            if mask is not None:
                weights = weights * mask
            total = total + weights @ v @ self.output.weight[:, rows].T
        return total


def detects_scrambled_heads(split, merge):
    one = np.zeros((4, 6))
    found = []
    for t in range(4):
        for c in range(6):
            x = one.copy()
            x[t, c] = 1.0
            heads = np.asarray(split(x, 2))
            right = heads.shape == (2, 4, 3) and heads[c // 3, t, c % 3] == 1.0
            back = np.asarray(merge(heads))
            found.append(not (right and back.shape == x.shape and np.all(back == x)))
    return any(found)
