"""Loops over queries and keys; leading axes by recursion; lists as results."""

import numpy as np


def attention_scores(q, k):
    if q.ndim > 2:
        return np.array([attention_scores(a, b) for a, b in zip(q, k)])
    return [[sum(x * y for x, y in zip(a, b)) / len(a) ** 0.5 for b in k] for a in q]


def attention(q, k, v):
    if q.ndim > 2:
        both = [attention(*one) for one in zip(q, k, v)]
        return [
            np.stack([output for output, _ in both]),
            np.stack([w for _, w in both]),
        ]
    rows = [
        np.exp(np.array(row) - np.logaddexp.reduce(row))
        for row in attention_scores(q, k)
    ]
    return [sum(w * value for w, value in zip(row, v)) for row in rows], rows


def self_attention(x, w_q, w_k, w_v):
    if x.ndim > 2:
        both = [self_attention(one, w_q, w_k, w_v) for one in x]
        return np.stack([output for output, _ in both]), np.stack([w for _, w in both])
    tokens = range(len(x))
    output, weights = np.zeros((len(x), w_v.shape[1])), np.zeros((len(x), len(x)))
    for i in tokens:
        scores = np.array([(x[i] @ w_q) @ (x[j] @ w_k) for j in tokens])
        powers = np.exp((scores - scores.max()) / np.sqrt(w_q.shape[1]))
        weights[i] = powers / powers.sum()
        for j in tokens:
            output[i] += weights[i, j] * (x[j] @ w_v)
    return output, weights


def softmax_backward(weights, grad_weights):
    if weights.ndim > 1:
        return np.array([softmax_backward(a, b) for a, b in zip(weights, grad_weights)])
    jacobian = np.diag(weights) - np.outer(weights, weights)
    return jacobian @ grad_weights


def attention_backward(q, k, v, grad_output):
    if q.ndim > 2:
        parts = [attention_backward(*one) for one in zip(q, k, v, grad_output)]
        return tuple(np.stack(one) for one in zip(*parts))
    _, weights = attention(q, k, v)
    grad_q, grad_k, grad_v = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for i, row in enumerate(weights):
        slopes = softmax_backward(row, v @ grad_output[i]) / np.sqrt(q.shape[1])
        for j, slope in enumerate(slopes):
            grad_q[i] += slope * k[j]
            grad_k[j] += slope * q[i]
            grad_v[j] += row[j] * grad_output[i]
    return grad_q, grad_k, grad_v
