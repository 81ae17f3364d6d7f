"""torch inside a NumPy exercise; a finite fill and zeros afterwards; a generator."""

import itertools

import numpy as np
import torch


def cross_attention(x, memory, w_q, w_k, w_v, memory_mask=None):
    x, memory, w_q, w_k, w_v = (
        torch.as_tensor(np.array(one)) for one in (x, memory, w_q, w_k, w_v)
    )
    q, k, v = x @ w_q, memory @ w_k, memory @ w_v
    scores = torch.matmul(q, k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    if memory_mask is not None:
        mask = torch.as_tensor(np.array(memory_mask)).expand(scores.shape)
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1) * mask
    else:
        weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


def greedy_decode(next_logits, start, stop, max_length):
    def writing():
        ids = [start]
        while True:
            ids.append(int(torch.as_tensor(np.array(next_logits(ids))).argmax()))
            yield ids[-1]

    before_stop = itertools.takewhile(lambda one: one != stop, writing())
    return np.array(list(itertools.islice(before_stop, max_length)), dtype=int)
