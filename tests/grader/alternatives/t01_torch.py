"""Torch inside NumPy exercises."""

import torch


def dot_products(queries, keys):
    return torch.from_numpy(queries.copy()) @ torch.from_numpy(keys.copy()).mT


def cosine_similarity(queries, keys):
    q, k = torch.from_numpy(queries.copy()), torch.from_numpy(keys.copy())
    q = torch.nn.functional.normalize(q, dim=-1)
    return q.matmul(torch.nn.functional.normalize(k, dim=-1).transpose(-2, -1))


def most_similar(query, keys, k):
    scores = torch.from_numpy(keys.copy()) @ torch.from_numpy(query.copy())
    return torch.sort(scores, descending=True, stable=True).indices[:k]
