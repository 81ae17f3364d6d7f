"""Other routes: a lambda, heapq, flattened losses, the causal order by a loop over prefixes."""

import heapq

import numpy as np
import torch
from torch import nn


def encode(text, characters, start=0):
    ids = []
    for character in text:
        try:
            ids.append(list(characters).index(character) + start)
        except ValueError as error:
            raise LookupError(f"unknown: {character}") from error
    return tuple(ids)


decode = lambda ids, characters: "".join(map(characters.__getitem__, ids))


def next_character_windows(ids, starts, context_length):
    ahead = ids[1:]
    cut = np.vectorize(
        lambda source, start: source[start : start + context_length],
        excluded=[0],
        signature="()->(t)",
    )
    return cut(ids, starts).astype(np.int16), cut(ahead, starts).astype(float)


def next_character_loss(logits, targets):
    rows = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    came = np.take_along_axis(rows, targets.reshape(-1, 1), axis=1)
    return (
        np.log(np.exp(rows - rows.max(1, keepdims=True)).sum(1)).mean()
        + (rows.max(1) - came[:, 0]).mean()
    )


def sampling_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0.0:
        return (np.arange(len(logits)) == np.argmax(logits)).astype(np.float32)
    chosen = range(len(logits))
    if top_k:
        chosen = heapq.nlargest(top_k, chosen, key=lambda i: logits[i])
    log_p = np.full(len(logits), -np.inf)
    chosen = np.array(sorted(chosen, key=lambda i: logits[i], reverse=True))
    log_p[chosen] = logits[chosen] / temperature
    log_p -= np.logaddexp.reduce(log_p)
    if top_p is not None:
        reached = np.cumsum(np.exp(log_p[chosen]))
        last = int(np.argmax(reached >= min(top_p, reached[-1])))
        log_p[chosen[last + 1 :]] = -np.inf
    return np.exp(log_p - np.logaddexp.reduce(log_p))


def training_step(model, inputs, targets, optimizer, clip=None):
    model.train()
    loss = nn.CrossEntropyLoss()(model(inputs).transpose(1, 2), targets)
    before = loss.clone()
    model.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return before


class _Part(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.Module()
        for name in ("output", "value", "query", "key"):
            self.attention.add_module(name, nn.Linear(width, width, bias=False))
        self.feed_forward = nn.Sequential()
        self.feed_forward.append(nn.Linear(width, 4 * width))
        self.feed_forward.append(nn.Linear(4 * width, width))
        self.num_heads = num_heads

    def _attend(self, h):
        split = lambda x: torch.stack(x.split(h.shape[-1] // self.num_heads, -1), 1)
        a = self.attention
        q, k, v = split(a.query(h)), split(a.key(h)), split(a.value(h))
        rows = []
        for t in range(h.shape[1]):
            scores = (k[:, :, : t + 1] * q[:, :, t : t + 1]).sum(-1) / q.shape[
                -1
            ] ** 0.5
            rows.append((scores.softmax(-1)[..., None] * v[:, :, : t + 1]).sum(2))
        return a.output(torch.stack(rows, 1).flatten(2))

    def forward(self, x):
        x = x + self._attend(self.norm_1(x))
        hidden = torch.maximum(self.feed_forward[0](self.norm_2(x)), torch.zeros(()))
        return x + self.feed_forward[1](hidden)


class CharTransformer(nn.Module):
    def __init__(self, vocab_size, context_length, width, num_heads, num_layers):
        super().__init__()
        self.parts = nn.ModuleList()
        for _ in range(num_layers):
            self.parts.append(_Part(width, num_heads))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, vocab_size, bias=False)
        self.write = nn.Embedding(vocab_size, width)
        self.where = nn.Embedding(context_length, width)

    def forward(self, ids):
        x = self.write(ids) + self.where.weight[: ids.shape[-1]]
        for part in self.parts:
            x = part(x)
        return self.read(self.norm(x))
