"""Fancy indexing, one-hot products, sorting; gradients set by hand; parameters without modules."""

import numpy as np
import torch
from torch import nn


def encode(text, characters):
    listed = np.array(list(characters))
    ids = np.zeros(len(text), dtype=np.int32)
    for place, character in enumerate(text):
        found = np.flatnonzero(listed == character)
        if not len(found):
            raise KeyError(f"no id for {character}")
        ids[place] = found[0]
    return ids


def decode(ids, characters):
    return "".join(np.array(list(characters), dtype=str)[np.asarray(ids, dtype=int)])


def next_character_windows(ids, starts, context_length):
    places = starts[:, None] + np.arange(context_length)
    return ids[places], ids[places + 1]


def next_character_loss(logits, targets):
    V = logits.shape[-1]
    one_hot = np.eye(V)[targets]
    log_sum = np.logaddexp.reduce(logits, axis=-1)
    return np.mean(log_sum - (one_hot * logits).sum(-1))


def sampling_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    p = np.zeros(len(logits))
    if temperature == 0:
        p[logits.argmax()] = 1
        return p
    scaled = logits / temperature
    if top_k is not None and top_k < len(logits):
        scaled = np.where(scaled >= np.sort(scaled)[-top_k], scaled, -np.inf)
    p = np.exp(scaled - scaled.max())
    p = p / p.sum()
    if top_p is not None:
        falling = np.sort(p)[::-1]
        count = np.searchsorted(np.cumsum(falling), top_p) + 1
        p = np.where(p >= falling[min(count, len(p)) - 1], p, 0)
    return p / p.sum()


def training_step(model, inputs, targets, optimizer):
    parameters = [
        parameter for group in optimizer.param_groups for parameter in group["params"]
    ]
    log_p = model(inputs).log_softmax(-1)
    loss = -log_p.gather(-1, targets[..., None]).mean()
    for parameter, grad in zip(parameters, torch.autograd.grad(loss, parameters)):
        parameter.grad = grad
    optimizer.step()
    return loss.detach()


class _Layer(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.heads = num_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.ModuleDict(
            {name: nn.Linear(width, width, bias=False) for name in ("query", "key")}
        )
        self.attention.value = nn.Linear(width, width, bias=False)
        self.attention.output = nn.Linear(width, width, bias=False)
        self.attention.query, self.attention.key = (
            self.attention["query"],
            self.attention["key"],
        )
        self.feed_forward = nn.ModuleList(
            [nn.Linear(width, 4 * width), nn.Linear(4 * width, width)]
        )

    def forward(self, x):
        T = x.shape[1]
        a = self.attention
        h = self.norm_1(x)
        parts = []
        for q, k, v in zip(
            a.query(h).chunk(self.heads, -1),
            a.key(h).chunk(self.heads, -1),
            a.value(h).chunk(self.heads, -1),
        ):
            scores = torch.einsum("bid,bjd->bij", q, k) / q.shape[-1] ** 0.5
            scores = scores + torch.full((T, T), -torch.inf).triu(1)
            parts.append(scores.softmax(-1) @ v)
        x = x + a.output(torch.cat(parts, -1))
        return x + self.feed_forward[1](
            self.feed_forward[0](self.norm_2(x)).clamp(min=0)
        )


class CharTransformer(nn.Module):
    def __init__(self, vocab_size, context_length, width, num_heads, num_layers):
        super().__init__()
        self.longest = context_length
        self.place = nn.Parameter(torch.zeros(1, context_length, width).squeeze(0))
        self.embed = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList(
            [_Layer(width, num_heads) for _ in range(num_layers)]
        )
        self.norm = nn.LayerNorm(width)
        self.unembed = nn.Linear(width, vocab_size, bias=False)

    def forward(self, ids):
        assert ids.shape[1] <= self.longest, "too long"
        x = self.embed(ids) + self.place[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.unembed(self.norm(x))
