"""An added array of 0 and -inf, concatenated projections; recursion; extra defaults."""

import numpy as np


def cross_attention(x, memory, w_q, w_k, w_v, memory_mask=None, *, scale=None):
    D = w_q.shape[1]
    both = memory @ np.concatenate([w_k, w_v], axis=1)
    k, v = both[..., :D], both[..., D:]
    scores = (x @ w_q / D**0.25) @ np.moveaxis(k / D**0.25, -1, -2)
    empty = np.zeros((*scores.shape[:-1], 1), dtype=bool)
    if memory_mask is not None:
        scores = scores + np.where(memory_mask, 0.0, -np.inf)
        empty = ~np.broadcast_to(memory_mask, scores.shape).any(-1, keepdims=True)
    scores = np.where(empty, 0.0, scores)
    weights = np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))
    weights = np.where(empty, 0.0, weights)
    weights.flags.writeable = False
    return (np.matmul(weights, v), weights)


def greedy_decode(next_logits, start, stop, max_length, ids=()):
    if len(ids) == max_length:
        return list(ids)
    best = np.argsort(next_logits([start, *ids]))[-1]
    if best == stop:
        return list(ids)
    return greedy_decode(next_logits, start, stop, max_length, (*ids, best))
