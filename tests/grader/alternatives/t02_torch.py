"""Torch inside a NumPy exercise."""

import torch


def softmax(scores, axis=-1):
    x = torch.as_tensor(scores)
    if not x.is_floating_point():
        x = x.double()
    powers = torch.exp(x - x.amax(dim=axis, keepdim=True))
    return powers / powers.sum(dim=axis, keepdim=True)


def soft_lookup(query, keys, values, temperature=1.0):
    q, k, v = (torch.from_numpy(one.copy()) for one in (query, keys, values))
    weights = softmax(k @ q / temperature)
    return (weights[:, None] * v).sum(0)


def entropy(weights):
    w = torch.from_numpy(weights.copy())
    return -torch.xlogy(w, w).sum(-1)
