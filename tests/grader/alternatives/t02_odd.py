"""Other routes: float32, long doubles, sorted copies, in place on a copy, read-only results."""

import numpy as np


def softmax(scores, axis=-1):
    print("softmax of", np.shape(scores))
    x = np.array(scores, dtype=np.float32)
    x -= np.sort(x, axis=axis).take([-1], axis=axis)
    np.exp(x, out=x)
    x /= x.sum(axis, keepdims=True)
    x.flags.writeable = False
    return x


def soft_lookup(query, keys, values, temperature=1.0):
    scores = np.array([np.longdouble(key @ query) / temperature for key in keys])
    shifted = scores - scores[np.argmax(scores)]
    weights = np.exp(shifted) / np.exp(shifted).sum()
    return np.average(values, axis=0, weights=weights.astype(float))


def entropy(weights):
    total = np.zeros(weights.shape[:-1])
    for k in range(weights.shape[-1]):
        w = weights[..., k]
        total -= w * np.log(w + 1e-300)
    return total if total.ndim else total.item()
