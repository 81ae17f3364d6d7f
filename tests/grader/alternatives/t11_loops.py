"""Plain loops over places; lists as results; one key at a time."""

import math

import numpy as np


def attention_bytes(batch, heads, length, bytes_per_number=4):
    total = 0
    for _ in range(batch):
        total += heads * length**2
    return total * bytes_per_number


def sliding_window_mask(length, window):
    return [
        [max(0, i - window + 1) <= j <= i for j in range(length)] for i in range(length)
    ]


def online_softmax_attention(q, k, v, block):
    if q.ndim > 2:
        rows = zip(q, k, v, strict=True)
        return np.array([online_softmax_attention(*one, block) for one in rows])
    rows = []
    for query in q:
        largest, total, mixed = -math.inf, 0.0, np.zeros(v.shape[-1])
        for start in range(0, len(k), block):
            scores = k[start : start + block] @ query / math.sqrt(len(query))
            new = max(largest, float(scores.max()))
            old = math.exp(largest - new)
            powers = np.exp(scores - new)
            total = total * old + powers.sum()
            mixed = mixed * old + powers @ v[start : start + block]
            largest = new
        rows.append(mixed / total)
    return rows


def linear_attention(q, k, v):
    def phi(row):
        return [a + 1 if a > 0 else math.exp(a) for a in row]

    table, total, rows = np.zeros((k.shape[1], v.shape[1])), np.zeros(k.shape[1]), []
    for query, key, value in zip(q, k, v, strict=True):
        key, query = np.array(phi(key)), np.array(phi(query))
        table = table + np.outer(key, value)
        total = total + key
        rows.append((query @ table) / (query @ total))
    return rows


def grouped_query_attention(q, k, v):
    B, Hq, T, D = q.shape
    share, rest = divmod(Hq, k.shape[1])
    if rest:
        raise ValueError(f"{k.shape[1]} key heads for {Hq} query heads")
    output, weights = (
        np.zeros((B, Hq, T, v.shape[-1])),
        np.zeros((B, Hq, T, k.shape[2])),
    )
    for b in range(B):
        for h in range(Hq):
            scores = q[b, h] @ k[b, h // share].T / D**0.5
            powers = np.exp(scores - scores.max(axis=1)[:, None])
            weights[b, h] = powers / powers.sum(axis=1)[:, None]
            output[b, h] = weights[b, h] @ v[b, h // share]
    return output, weights


def cached_attention(q, k, v, past):
    if q.ndim > 2:
        parts = [
            cached_attention(
                q[i], k[i], v[i], None if past is None else (past[0][i], past[1][i])
            )
            for i in range(len(q))
        ]
        return np.array([o for o, _ in parts]), (
            np.array([c[0] for _, c in parts]),
            np.array([c[1] for _, c in parts]),
        )
    keys = [] if past is None else list(past[0])
    values = [] if past is None else list(past[1])
    rows = []
    for query, key, value in zip(q, k, v, strict=True):
        keys.append(key)
        values.append(value)
        scores = np.array(keys) @ query / len(query) ** 0.5
        powers = np.exp(scores - scores.max())
        rows.append(powers / powers.sum() @ np.array(values))
    return rows, [keys, values]


def detects_stale_cache(step):
    rng = np.random.default_rng(5)
    q, k, v = rng.normal(size=(3, 6, 4))
    whole, _ = step(q, k, v, None)
    for first in range(1, 6):
        for second in range(first, 6):
            past, rows = None, []
            for a, b in ((0, first), (first, second), (second, 6)):
                if a < b:
                    piece, past = step(q[a:b], k[a:b], v[a:b], past)
                    rows.extend(piece)
            if not np.allclose(rows, whole):
                return True
    return False
