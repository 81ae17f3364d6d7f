"""One einsum for all heads; fused projections."""

import numpy as np
import torch
from torch import nn


def split_heads(x, num_heads):
    return np.einsum(
        "...thd->...htd", x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)
    )


def merge_heads(x):
    H, T, D = x.shape[-3:]
    return np.einsum("...htd->...thd", x).reshape(*x.shape[:-3], T, H * D)


def multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    C, H = w_q.shape[0], num_heads
    fused = np.stack([w_q, w_k, w_v]).reshape(3, C, H, -1)
    q, k, v = np.einsum("...tc,nchd->n...htd", x, fused)
    scores = np.einsum("...id,...jd->...ij", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        added = np.where(mask, 0.0, -np.inf)[..., None, :, :]
        scores = scores + added
    with np.errstate(invalid="ignore"):
        weights = np.nan_to_num(np.exp(scores - scores.max(-1, keepdims=True)))
    total = weights.sum(-1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    output = np.einsum("...hij,...hjd,hdc->...ic", weights, v, w_o.reshape(H, -1, C))
    return output, weights


class MultiHeadAttention(nn.Module):
    def __init__(self, width, num_heads, dropout=0.5):
        super().__init__()
        self.output, self.value, self.key, self.query = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.drop = nn.Dropout(dropout)
        self.num_heads = num_heads

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q = self.query(x).unflatten(-1, (self.num_heads, -1))
        k = self.key(memory).unflatten(-1, (self.num_heads, -1))
        v = self.value(memory).unflatten(-1, (self.num_heads, -1))
        scores = torch.einsum("bihd,bjhd->bhij", q, k) / q.shape[-1] ** 0.5
        if mask is not None:
            while mask.ndim < 3:
                mask = mask[None]
            mask = mask[:, None]
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        return self.output(
            torch.einsum("bhij,bjhd->bihd", self.drop(weights), v).flatten(-2)
        )


def detects_scrambled_heads(split, merge, sizes=(2, 7, 3)):
    H, T, D = sizes
    number = np.arange(T * H * D).reshape(T, H * D)
    wanted = np.fromfunction(lambda h, t, d: t * H * D + h * D + d, (H, T, D))
    heads = np.asarray(split(number, H))
    good = heads.shape == wanted.shape and (heads == wanted).all()
    return not (
        good
        and np.shape(merge(wanted)) == (T, H * D)
        and (merge(wanted) == number).all()
    )
