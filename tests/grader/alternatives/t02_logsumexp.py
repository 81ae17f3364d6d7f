"""Logarithms first; einsum; answers as objects and partial functions."""

from functools import partial

import numpy as np


def _softmax(scores, axis=-1, *, base=None):
    assert base is None
    return np.exp(scores - np.logaddexp.reduce(scores, axis=axis, keepdims=True))


softmax = partial(_softmax, base=None)


class SoftLookup:
    """An answer that is an object."""

    def __call__(self, query, keys, values, temperature=1.0, verbose=False):
        scores = np.einsum("d,kd->k", query, keys) / temperature
        log_weights = scores - np.logaddexp.reduce(scores)
        return np.einsum("k,kv->v", np.exp(log_weights), values)


soft_lookup = SoftLookup()


def entropy(weights, eps=1e-30):
    return -np.einsum("...k,...k->...", weights, np.log(np.clip(weights, eps, None)))
