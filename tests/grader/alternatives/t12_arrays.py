"""One mask of pairs, one product; a NumPy scalar as result."""

import numpy as np


def induction_score(weights, ids):
    ids = np.asarray(ids)
    twins = np.tril(ids[:, None] == ids[None, :], k=-1)  # (T, T): s came before t
    after = np.zeros(twins.shape)
    after[:, 1:] = twins[:, :-1]
    have = twins.any(axis=1)
    if not have.any():
        return np.float64(0.0)
    return (weights * after).sum(axis=1)[have].mean()


def head_importance(loss_without, num_heads):
    full = loss_without(None)
    return np.fromiter((loss_without(h) for h in range(num_heads)), float) - full
