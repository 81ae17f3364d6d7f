"""Torch inside NumPy exercises, the library's attention for checking only."""

import numpy as np
import torch


def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


def padding_mask(lengths, length):
    return torch.arange(length)[None, None] < torch.as_tensor(lengths)[:, None, None]


def masked_softmax(scores, mask, axis=-1):
    s = torch.from_numpy(scores.copy())
    m = torch.from_numpy(np.array(np.broadcast_to(mask, scores.shape)))
    weights = s.masked_fill(~m, -torch.inf).softmax(dim=axis)
    return torch.nan_to_num(weights, nan=0.0)


def masked_attention(q, k, v, mask):
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    weights = masked_softmax(scores, mask).numpy()
    return torch.from_numpy(weights) @ torch.from_numpy(v.copy()), weights


def detects_future_leak(attend):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(8, 3, generator=generator, dtype=torch.float64).numpy()
    before = attend(x)
    leaks = []
    for t in range(len(x) - 1):
        after = x.copy()
        after[t + 1 :] += 100 * (1 + np.arange(3))
        leaks.append(np.abs(attend(after)[: t + 1] - before[: t + 1]).max() > 1e-6)
    return int(any(leaks))
