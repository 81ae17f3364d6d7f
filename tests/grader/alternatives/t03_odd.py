"""Broadcasting and summing, float32, non-contiguous results, decorated functions, extra defaults."""

import functools
import math

import numpy as np


def _noisy(function):
    @functools.wraps(function)
    def call(*arrays, **options):
        print("called", function.__name__)
        return function(*arrays, **options)

    return call


@_noisy
def attention_scores(q, k, scale=None):
    scale = scale or 1 / math.sqrt(q.shape[-1])
    return (q[..., :, None, :] * k[..., None, :, :]).sum(-1) * scale


class _Attention:
    def __call__(self, q, k, v, temperature=1.0):
        scores = attention_scores(q, k).swapaxes(-1, -2) / temperature  # (..., Tk, Tq)
        shares = np.exp(scores - scores.max(-2, keepdims=True))
        shares /= shares.sum(-2, keepdims=True)
        weights = shares.swapaxes(-1, -2)
        return (weights[..., None] * v[..., None, :, :]).sum(-2), weights


attention = _Attention()


def self_attention(x, w_q, w_k, w_v):
    fused = np.concatenate([w_q, w_k, w_v], axis=1)
    q, k, v = np.split(x @ fused, np.cumsum([w_q.shape[1], w_k.shape[1]]), axis=-1)
    return attention(q, k, v)


def softmax_backward(weights, grad_weights):
    pull = np.multiply(weights, grad_weights)
    return np.subtract(pull, weights * np.add.reduce(pull, axis=-1, keepdims=True))


def attention_backward(q, k, v, grad_output):
    q, k, v, g = (array.astype(np.float32) for array in (q, k, v, grad_output))
    output, w = attention(q, k, v)
    slopes = w * (g @ v.swapaxes(-1, -2) - (g * output).sum(-1, keepdims=True))
    slopes = slopes * np.float32(q.shape[-1] ** -0.5)
    return slopes @ k, slopes.swapaxes(-1, -2) @ q, w.swapaxes(-1, -2) @ g
