"""Complex numbers, exp of minus log, permutation matrices."""

import numpy as np


def sinusoidal_positions(length, width, base=10000.0):
    if width % 2:
        raise TypeError(width)
    speeds = np.exp(-np.log(base) * np.arange(0, width, 2) / width)
    waves = np.exp(1j * np.arange(length)[:, None] * speeds)
    return np.stack([waves.imag, waves.real], axis=2).reshape(length, width)


def rotary(x, positions, base=10000.0):
    D = x.shape[-1]
    pairs = x[..., 0::2] + 1j * x[..., 1::2]
    pairs = pairs * np.exp(1j * np.outer(positions, base ** (-np.arange(0, D, 2) / D)))
    out = np.empty(x.shape)
    out[..., 0::2], out[..., 1::2] = pairs.real, pairs.imag
    return out


def alibi_bias(num_heads, length):
    steps = np.tril(np.subtract.outer(np.arange(length), np.arange(length)))
    slopes = np.exp2(-8 / num_heads * np.arange(1, num_heads + 1))
    return np.einsum("h,ij->hij", -slopes, steps)


def is_permutation_equivariant(function, x, order):
    permutation = np.eye(len(x))[order]
    return np.allclose(function(permutation @ x), permutation @ function(x), atol=1e-6)
