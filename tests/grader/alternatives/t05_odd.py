"""Phase shifts, a padded width, a cumulative sum, float32."""

from functools import partial

import numpy as np


def _waves(length, width, base=10000.0, dtype=np.float64):
    assert width % 2 == 0, f"{width} is odd"
    feature = np.arange(width)
    angles = np.arange(length)[:, None] / base ** (2 * (feature // 2) / width)
    return np.sin(angles + np.pi / 2 * (feature % 2)).astype(dtype)


sinusoidal_positions = partial(_waves, dtype=np.float64)


class Rotary:
    def __call__(self, x, positions, base=10000.0, inverse=False):
        D = x.shape[-1]
        angles = np.array(
            [[p * base ** (-2.0 * i / D) for i in range(D // 2)] for p in positions]
        )
        cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        even, odd = x[..., ::2].astype(np.float32), x[..., 1::2].astype(np.float32)
        out = np.zeros(x.shape, dtype=np.float32)
        out[..., ::2] = even * cos - odd * sin
        out[..., 1::2] = even * sin + odd * cos
        return out


rotary = Rotary()


def alibi_bias(num_heads, length):
    start = 2 ** (-8 / num_heads)
    per_head = np.cumprod(np.full(num_heads, start))
    steps = np.cumsum(np.tri(length, k=-1)[::1, ::-1], axis=1)[:, ::-1]
    return [(-slope * steps).tolist() for slope in per_head]


def is_permutation_equivariant(function, x, order):
    inverse = np.argsort(order)
    there_and_back = np.asarray(function(x[order]))[inverse]
    return bool(np.max(np.abs(there_and_back - function(x))) < 1e-6)
