"""Loops and plain Python."""

import numpy as np


def dot_products(queries, keys):
    if queries.ndim > 2:
        return [dot_products(a, b) for a, b in zip(queries, keys)]
    return [[sum(x * y for x, y in zip(a, b)) for b in keys] for a in queries]


def cosine_similarity(queries, keys):
    if queries.ndim > 2:
        return np.stack([cosine_similarity(a, b) for a, b in zip(queries, keys)])
    result = np.zeros((len(queries), len(keys)))
    for i, a in enumerate(queries):
        for j, b in enumerate(keys):
            if a.any() and b.any():
                result[i, j] = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return result


def most_similar(query, keys, k):
    scores = [float(np.dot(query, key)) for key in keys]
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
