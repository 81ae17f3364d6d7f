"""Everything by einsum; boolean assignment to a copy; a while loop."""

import numpy as np


def cross_attention(x, memory, w_q, w_k, w_v, memory_mask=None):
    q = np.einsum("...qc,cd->...qd", x, w_q) / w_q.shape[1] ** 0.5
    scores = np.einsum("...qd,...kc,cd->...qk", q, memory, w_k)
    if memory_mask is not None:
        hidden = np.broadcast_to(~memory_mask, scores.shape)
        scores = scores.copy()
        scores[hidden] = -np.inf
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = powers.sum(axis=-1, keepdims=True)
    weights = np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)
    return np.einsum("...qk,...kc,cv->...qv", weights, memory, w_v), weights


def greedy_decode(next_logits, start, stop, max_length):
    ids = [start]
    while len(ids) <= max_length:
        best = int(np.argmax(next_logits(list(ids))))
        if best == stop:
            break
        ids.append(best)
    return ids[1:]
