"""Mistakes of topic 06 as a learner writes them, where torch runs the answer."""

import torch
from torch import nn


class _Right(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.num_heads, self.width = num_heads, width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def source(self, x, memory):
        return x if memory is None else memory

    def split(self, x):
        B, T, C = x.shape
        return x.view(B, T, self.num_heads, C // self.num_heads).transpose(1, 2)

    def scale(self, q):
        return q.shape[-1] ** 0.5

    def seen(self, mask):
        return mask

    dim = -1

    def empty(self, weights, mask):
        return (
            weights
            if mask is None
            else weights.masked_fill(~mask.any(-1, keepdim=True), 0.0)
        )

    def last(self, x):
        return self.output(x)

    def forward(self, x, memory=None, mask=None):
        other = self.source(x, memory)
        q, k, v = (
            self.split(self.query(x)),
            self.split(self.key(other)),
            self.split(self.value(other)),
        )
        scores = q @ k.transpose(-1, -2) / self.scale(q)
        mask = self.seen(mask)
        if mask is not None:
            mask = mask.unsqueeze(-3)
            # empty rows stay finite, so that gradients do
            hidden = ~mask & mask.any(-1, keepdim=True) if self.zero_empty else ~mask
            scores = scores.masked_fill(hidden, -torch.inf)
        weights = torch.softmax(scores, dim=self.dim)
        if self.zero_empty:
            weights = self.empty(weights, mask)
        mixed = weights @ v
        return self.last(mixed.transpose(1, 2).reshape(*x.shape))

    zero_empty = True


class NoScale(_Right):
    def scale(self, q):
        return 1.0


class ModelWidth(_Right):
    def scale(self, q):
        return self.width**0.5


class WrongAxis(_Right):
    dim = -2

    def forward(self, x, memory=None, mask=None):
        # the softmax over the queries, and columns without anybody set to zero
        other = self.source(x, memory)
        q, k, v = (
            self.split(self.query(x)),
            self.split(self.key(other)),
            self.split(self.value(other)),
        )
        scores = q @ k.transpose(-1, -2) / self.scale(q)
        if mask is not None:
            mask = mask.unsqueeze(-3)
            scores = scores.masked_fill(~mask & mask.any(-2, keepdim=True), -torch.inf)
        weights = torch.softmax(scores, dim=-2)
        if mask is not None:
            weights = weights * mask
        return self.last((weights @ v).transpose(1, 2).reshape(*x.shape))


class MaskIgnored(_Right):
    def seen(self, mask):
        return None


class MaskInverted(_Right):
    def seen(self, mask):
        return None if mask is None else ~mask


class NanOnEmpty(_Right):
    zero_empty = False


class ReshapeOnly(_Right):
    def split(self, x):
        B, T, C = x.shape
        return x.reshape(B, self.num_heads, T, C // self.num_heads)


class MergeByReshape(_Right):
    def forward(self, x, memory=None, mask=None):
        H, D = self.num_heads, self.width // self.num_heads
        other = self.source(x, memory)
        q, k, v = (
            self.split(part(y))
            for part, y in ((self.query, x), (self.key, other), (self.value, other))
        )
        scores = q @ k.transpose(-1, -2) / D**0.5
        if mask is not None:
            mask = mask.unsqueeze(-3)
            scores = scores.masked_fill(~mask & mask.any(-1, keepdim=True), -torch.inf)
        weights = self.empty(torch.softmax(scores, dim=-1), mask)
        return self.output((weights @ v).reshape(len(x), -1, H * D))


class NoOutput(_Right):
    def last(self, x):
        return x


class MemoryIgnored(_Right):
    def source(self, x, memory):
        return x


WRONG = {
    "MultiHeadAttention.no_scale": [NoScale],
    "MultiHeadAttention.scale_by_model_width": [ModelWidth],
    "MultiHeadAttention.wrong_axis": [WrongAxis],
    "MultiHeadAttention.mask_ignored": [MaskIgnored],
    "MultiHeadAttention.mask_inverted": [MaskInverted],
    "MultiHeadAttention.nan_on_empty": [NanOnEmpty],
    "MultiHeadAttention.reshape_only": [ReshapeOnly],
    "MultiHeadAttention.merge_reshape_only": [MergeByReshape],
    "MultiHeadAttention.no_output_projection": [NoOutput],
    "MultiHeadAttention.memory_ignored": [MemoryIgnored],
}
