"""The axis moved to the front; one class for all; vectorize."""

import numpy as np


def softmax(scores, axis=-1):
    columns = np.moveaxis(np.asarray(scores, dtype=np.float64), axis, 0)
    powers = np.exp(columns - np.maximum.reduce(columns))
    return np.moveaxis(powers / np.add.reduce(powers), 0, axis)


class _Lookup:
    @staticmethod
    def ask(query, keys, values, temperature=1.0):
        weights = softmax(np.inner(keys, query) / temperature)
        return np.tensordot(weights, values, axes=1)


soft_lookup = _Lookup.ask


def entropy(weights):
    surprise = np.vectorize(lambda w: 0.0 if w == 0 else -w * np.log(w), otypes=[float])
    return surprise(weights).sum(axis=-1)
