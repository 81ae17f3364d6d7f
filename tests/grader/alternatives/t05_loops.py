"""Loops over places and pairs."""

import math

import numpy as np


def sinusoidal_positions(length, width, base=10000.0):
    if width % 2 != 0:
        raise AssertionError("odd width")
    table = [[0.0] * width for _ in range(length)]
    for t in range(length):
        for i in range(width // 2):
            angle = t / base ** (2 * i / width)
            table[t][2 * i], table[t][2 * i + 1] = math.sin(angle), math.cos(angle)
    return table


def rotary(x, positions, base=10000.0):
    D = x.shape[-1]
    result = np.zeros(x.shape)
    for t, position in enumerate(positions):
        for i in range(D // 2):
            angle = position / base ** (2 * i / D)
            turn = np.array(
                [
                    [math.cos(angle), -math.sin(angle)],
                    [math.sin(angle), math.cos(angle)],
                ]
            )
            pair = x[..., t, 2 * i : 2 * i + 2]
            result[..., t, 2 * i : 2 * i + 2] = pair @ turn.T
    return result


def alibi_bias(num_heads, length):
    bias = np.zeros((num_heads, length, length))
    for h in range(num_heads):
        slope = 2 ** (-8 * (h + 1) / num_heads)
        for i in range(length):
            for j in range(i):
                bias[h, i, j] = -slope * (i - j)
    return bias


def is_permutation_equivariant(function, x, order):
    before, after = function(x), function(np.array([x[i] for i in order]))
    for place, i in enumerate(order):
        if not np.allclose(after[place], before[i]):
            return False
    return True
