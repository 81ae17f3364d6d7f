"""torch inside NumPy exercises; a norm and a feed-forward of one's own."""

import numpy as np
import torch
from torch import nn

from minitransformer.model import MultiHeadAttention


def layer_norm(x, gain, bias, eps=1e-5):
    x = torch.as_tensor(np.array(x))
    spread, mean = torch.var_mean(x, dim=-1, unbiased=False, keepdim=True)
    normed = (x - mean) * torch.rsqrt(spread + eps)
    return normed * torch.as_tensor(np.array(gain)) + torch.as_tensor(np.array(bias))


def feed_forward(x, w_1, b_1, w_2, b_2):
    x, w_1, b_1, w_2, b_2 = (
        torch.as_tensor(np.array(one)) for one in (x, w_1, b_1, w_2, b_2)
    )
    return (torch.relu(x @ w_1 + b_1) @ w_2 + b_2).numpy()


def pre_norm_block(x, attend, feed_forward, norm_1, norm_2):
    def residual(branch, norm):
        return lambda y: y + branch(norm(y))

    return residual(feed_forward, norm_2)(residual(attend, norm_1)(x))


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain, self.bias = (
            nn.Parameter(torch.ones(width)),
            nn.Parameter(torch.zeros(width)),
        )

    def forward(self, x):
        x = x - x.mean(-1, keepdim=True)
        return (
            self.gain * x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
            + self.bias
        )


class FeedForward(nn.Module):
    def __init__(self, width, hidden_width):
        super().__init__()
        self.up = nn.Linear(width, hidden_width)
        self.down = nn.Linear(hidden_width, width)

    def forward(self, x):
        return self.down(self.up(x).clamp(min=0))


class Block(nn.Module):
    def __init__(self, width, num_heads, hidden_width):
        super().__init__()
        self.norm_1, self.norm_2 = Norm(width), Norm(width)
        self.attention = MultiHeadAttention(width, num_heads)
        self.feed_forward = FeedForward(width, hidden_width)

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm_1(x), None, mask)
        x = x + self.feed_forward(self.norm_2(x))
        return x
