"""A fill of the dtype's own minimum; powers times the mask; comparisons of arange."""

import numpy as np


def causal_mask(length, dtype=bool):
    i = np.arange(length)
    return np.greater_equal(i[:, None], i[None, :]).astype(dtype)


def padding_mask(lengths, length):
    return np.array([[[place < end for place in range(length)]] for end in lengths])


def masked_softmax(scores, mask, axis=-1):
    mask = np.broadcast_to(mask, scores.shape)
    filled = np.where(mask, scores, np.finfo(scores.dtype).min)
    powers = np.exp(filled - filled.max(axis=axis, keepdims=True))
    weights = powers / powers.sum(axis=axis, keepdims=True)
    return weights * mask.any(axis=axis, keepdims=True)


class MaskedAttention:
    def __call__(self, q, k, v, mask, scale=None):
        scores = np.einsum("...qd,...kd->...qk", q, k) * (scale or q.shape[-1] ** -0.5)
        mask = np.broadcast_to(mask, scores.shape)
        largest = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-1e300)
        powers = np.exp(np.minimum(scores - largest, 0)) * mask
        weights = powers / np.maximum(powers.sum(-1, keepdims=True), 1e-300)
        return [np.einsum("...qk,...kv->...qv", weights, v), weights]


masked_attention = MaskedAttention()


def detects_future_leak(attend):
    x = np.ones((5, 3)) * np.arange(1, 6)[:, None] / 3
    base = np.asarray(attend(x))
    for t in range(5):
        other = x.copy()
        other[t] = np.nan
        if np.isnan(attend(other)[:t]).any():
            return np.True_
    return np.bool_(False) & (base.size > 0)
