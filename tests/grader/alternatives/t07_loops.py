"""Loops over queries, each looking at what it may; a for loop that returns early."""

import numpy as np


def cross_attention(x, memory, w_q, w_k, w_v, memory_mask=None):
    Tq, Tk = x.shape[-2], memory.shape[-2]
    mask = np.broadcast_to(
        True if memory_mask is None else memory_mask, (*x.shape[:-2], Tq, Tk)
    )
    if x.ndim > 2:
        rows = [
            cross_attention(*one[:2], w_q, w_k, w_v, one[2])
            for one in zip(x, memory, mask, strict=True)
        ]
        return [np.array(part) for part in zip(*rows, strict=True)]
    keys, values = memory @ w_k, memory @ w_v
    output, weights = np.zeros((Tq, values.shape[1])), np.zeros((Tq, Tk))
    for i, token in enumerate(x):
        seen = np.flatnonzero(mask[i])
        if len(seen) == 0:
            continue
        scores = keys[seen] @ (token @ w_q) / np.sqrt(keys.shape[1])
        weights[i, seen] = np.exp(scores - np.logaddexp.reduce(scores))
        output[i] = weights[i] @ values
    return output, weights


def greedy_decode(next_logits, start, stop, max_length):
    found = []
    for _ in range(max_length):
        logits = list(next_logits([start] + found))
        best = logits.index(max(logits))
        if best == stop:
            return found
        found.append(best)
    return found
