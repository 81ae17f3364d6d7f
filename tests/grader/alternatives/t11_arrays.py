"""Comparisons, cumulative sums, log-sum-exp from block to block, an axis for groups."""

import numpy as np


def attention_bytes(batch, heads, length, bytes_per_number=4):
    return int(
        np.prod([batch, heads, length, length, bytes_per_number], dtype=np.int64)
    )


def sliding_window_mask(length, window):
    back = np.subtract.outer(np.arange(length), np.arange(length))
    return ((back >= 0) & (back < window)).astype(int)


def online_softmax_attention(q, k, v, block):
    log_total, output = None, 0.0
    for at in range(0, k.shape[-2], block):
        part = np.s_[..., at : at + block, :]
        scores = np.einsum("...qd,...kd->...qk", q, k[part]) / np.sqrt(q.shape[-1])
        top = scores.max(axis=-1, keepdims=True)
        here = top + np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))
        mixed = np.exp(scores - here) @ v[part]
        together = here if log_total is None else np.logaddexp(log_total, here)
        old = 0.0 if log_total is None else np.exp(log_total - together)
        output = output * old + mixed * np.exp(here - together)
        log_total = together
    return output


def linear_attention(q, k, v):
    def phi(x):
        return np.maximum(x, 0.0) + np.exp(np.minimum(x, 0.0))

    pairs = np.cumsum(phi(k)[:, :, None] * v[:, None, :], axis=0)
    norm = (phi(q) * np.cumsum(phi(k), axis=0)).sum(axis=1)
    return np.einsum("td,tde->te", phi(q), pairs) / norm[:, None]


def grouped_query_attention(q, k, v):
    B, Hq, T, D = q.shape
    Hkv = k.shape[1]
    grouped = q.reshape(B, Hkv, Hq // Hkv, T, D)
    scores = grouped @ k[:, :, None].swapaxes(-1, -2) * D**-0.5
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    output = weights @ v[:, :, None]
    return output.reshape(B, Hq, T, -1), weights.reshape(B, Hq, T, -1)


def cached_attention(q, k, v, past):
    if past is None:
        past = (k[..., :0, :], v[..., :0, :])
    k, v = (np.concatenate(pair, axis=-2) for pair in zip(past, (k, v), strict=True))
    seen, new = k.shape[-2], q.shape[-2]
    later = np.arange(seen) > np.arange(seen - new, seen)[:, None]
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(k.shape[-1])
    scores[..., later] = -np.inf
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return (powers @ v) / powers.sum(-1, keepdims=True), (k, v)


def detects_stale_cache(step):
    draw = np.random.default_rng(17)
    x = draw.normal(size=(3, 9, 6))

    def run(sizes):
        past, rows, at = None, [], 0
        for size in sizes:
            y, past = step(*x[:, at : at + size], past)
            rows.append(y)
            at += size
        return np.concatenate(rows, axis=-2)

    whole = run([9])
    return not all(np.allclose(run(s), whole) for s in ([1] * 9, [4, 5], [2, 3, 4]))
