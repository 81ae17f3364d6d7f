"""E[x²] − E[x]², absolute values, partial, reduce, and dropout that is off."""

from functools import partial, reduce

import numpy as np
from torch import nn

from minitransformer.model import MultiHeadAttention


def _norm(power, x, gain, bias, eps=1e-5):
    x = np.asarray(x, dtype=np.float64)
    mean = np.expand_dims(np.average(x, axis=-1), -1)
    square = np.expand_dims(np.average(x * x, axis=-1), -1)
    variance = np.maximum(square - mean**2, 0.0)
    return bias + gain * ((x - mean) * (variance + eps) ** power)


layer_norm = partial(_norm, -0.5)


class FeedForward:
    def __call__(self, x, w_1, b_1, w_2, b_2):
        hidden = np.einsum("...c,cf->...f", x, w_1) + b_1
        return np.einsum("...f,fc->...c", (hidden + np.abs(hidden)) / 2, w_2) + b_2


feed_forward = FeedForward()


def pre_norm_block(x, attend, feed_forward, norm_1, norm_2, verbose=False):
    steps = [(attend, norm_1), (feed_forward, norm_2)]
    print("going through", len(steps), "steps")
    return reduce(lambda y, step: np.add(y, step[0](step[1](y))), steps, x)


class Block(nn.Module):
    def __init__(self, width, num_heads, hidden_width, dropout=0.1):
        super().__init__()
        self.norm_1 = nn.LayerNorm([width], eps=1e-5)
        self.norm_2 = nn.LayerNorm([width], eps=1e-5)
        self.attention = MultiHeadAttention(width, num_heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden_width),
            nn.ReLU(),
            nn.Linear(hidden_width, width),
            nn.Dropout(dropout),
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = x + self.drop(self.attention(self.norm_1(x), mask=mask))
        return x + self.feed_forward(self.norm_2(x))
