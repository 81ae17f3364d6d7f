"""Loops over tokens; Welford's update; another order of making the parts."""

import numpy as np
import torch
from torch import nn

from minitransformer.model import MultiHeadAttention


def layer_norm(x, gain, bias, eps=1e-5):
    if x.ndim > 1:
        return np.array([layer_norm(row, gain, bias, eps) for row in x])
    mean = spread = 0.0
    for count, value in enumerate(x, start=1):
        step = value - mean
        mean += step / count
        spread += step * (value - mean)
    deviation = (spread / len(x) + eps) ** 0.5
    return [
        (v - mean) / deviation * g + b for v, g, b in zip(x, gain, bias, strict=True)
    ]


def feed_forward(x, w_1, b_1, w_2, b_2):
    if x.ndim > 1:
        return np.stack([feed_forward(row, w_1, b_1, w_2, b_2) for row in x])
    hidden = [max(0.0, float(x @ w_1[:, f] + b_1[f])) for f in range(len(b_1))]
    return np.array(
        [float(np.dot(hidden, w_2[:, c]) + b_2[c]) for c in range(len(b_2))]
    )


def pre_norm_block(x, attend, feed_forward, norm_1, norm_2):
    for branch, norm in ((attend, norm_1), (feed_forward, norm_2)):
        x = x + branch(norm(x))
    return x


class Block(nn.Module):
    def __init__(self, width, num_heads, hidden_width):
        super().__init__()
        wide, narrow = nn.Linear(width, hidden_width), nn.Linear(hidden_width, width)
        self.feed_forward = nn.Sequential(wide, nn.ReLU(inplace=True), narrow)
        self.norm_2, self.norm_1 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, num_heads)

    def forward(self, x, mask=None):
        stream = x.clone()
        stream = torch.add(stream, self.attention(self.norm_1(x), mask=mask))
        return stream + self.feed_forward(self.norm_2(stream))
