"""Plain Python: loops, recursion, math."""

import math

import numpy as np


def softmax(scores, axis=-1):
    scores = np.asarray(scores, dtype=float)
    if scores.ndim > 1:
        moved = np.moveaxis(scores, axis, -1)
        rows = np.array([softmax(row) for row in moved])
        return np.moveaxis(rows, -1, axis)
    largest = max(scores)
    powers = [math.exp(score - largest) for score in scores]
    return [power / sum(powers) for power in powers]


def soft_lookup(query, keys, values, temperature=1.0):
    scores = [sum(a * b for a, b in zip(query, key)) / temperature for key in keys]
    weights = softmax(np.array(scores))
    return [
        sum(w * value[d] for w, value in zip(weights, values))
        for d in range(len(values[0]))
    ]


def entropy(weights):
    weights = np.asarray(weights)
    if weights.ndim > 1:
        return np.array([entropy(row) for row in weights])
    return -sum(w * math.log(w) for w in weights if w > 0)
