"""Loops, prefixes, lists and numbers for truth."""

import numpy as np


def causal_mask(length):
    return [[1 if j <= i else 0 for j in range(length)] for i in range(length)]


def padding_mask(lengths, length):
    mask = np.zeros((len(lengths), 1, length))
    for b, end in enumerate(lengths):
        mask[b, 0, :end] = 1
    return mask


def masked_softmax(scores, mask, axis=-1):
    mask = np.broadcast_to(mask, scores.shape)
    moved, seen = np.moveaxis(scores, axis, -1), np.moveaxis(mask, axis, -1)
    result = np.zeros(moved.shape)
    for place in np.ndindex(moved.shape[:-1]):
        allowed = moved[place][seen[place]]
        if allowed.size:
            result[place][seen[place]] = np.exp(allowed - np.logaddexp.reduce(allowed))
    return np.moveaxis(result, -1, axis)


def masked_attention(q, k, v, mask):
    if q.ndim > 2:
        mask = np.broadcast_to(mask, (*q.shape[:-1], k.shape[-2]))
        both = [masked_attention(*one) for one in zip(q, k, v, mask)]
        return np.stack([o for o, _ in both]), np.stack([w for _, w in both])
    weights = masked_softmax(
        np.array([[a @ b / len(a) ** 0.5 for b in k] for a in q]), mask
    )
    return [sum(w * value for w, value in zip(row, v)) for row in weights], weights


def detects_future_leak(attend):
    x = np.arange(24.0).reshape(6, 4) % 7 - 2
    whole = attend(x)
    return any(
        not np.allclose(attend(x[:t]), whole[:t], atol=1e-6) for t in range(1, 6)
    )
