"""Dictionaries, loops and the textbook forms."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def encode(text, characters):
    places = {character: place for place, character in enumerate(characters)}
    return [places[character] for character in text]


def decode(ids, characters):
    text = ""
    for id_ in ids:
        text += characters[int(id_)]
    return text


def next_character_windows(ids, starts, context_length):
    inputs, targets = [], []
    for start in starts:
        inputs.append(list(ids[start : start + context_length]))
        targets.append(list(ids[start + 1 : start + 1 + context_length]))
    return inputs, targets


def next_character_loss(logits, targets):
    total, count = 0.0, 0
    for rows, goals in zip(logits, targets):
        for row, goal in zip(rows, goals):
            largest = max(row)
            total += (
                largest + math.log(sum(math.exp(z - largest) for z in row)) - row[goal]
            )
            count += 1
    return total / count


def sampling_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    V = len(logits)
    order = sorted(range(V), key=lambda i: -logits[i])
    if temperature == 0:
        return [1.0 if i == order[0] else 0.0 for i in range(V)]
    powers = {i: math.exp((logits[i] - logits[order[0]]) / temperature) for i in order}
    kept = order if top_k is None else order[:top_k]
    if top_p is not None:
        whole, reached, few = sum(powers[i] for i in kept), 0.0, []
        for i in kept:
            if reached >= top_p:
                break
            few.append(i)
            reached += powers[i] / whole
        kept = few
    whole = sum(powers[i] for i in kept)
    return [powers[i] / whole if i in kept else 0.0 for i in range(V)]


def training_step(model, inputs, targets, optimizer):
    optimizer.zero_grad()
    logits = model(inputs)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
    loss.backward()
    optimizer.step()
    return loss.item()


class _Attention(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.output = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.query = nn.Linear(width, width, bias=False)

    def forward(self, x, mask):
        B, T, C = x.shape
        q, k, v = (
            part(x).view(B, T, self.num_heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.output(mixed.transpose(1, 2).reshape(B, T, C))


class _Block(nn.Module):
    def __init__(self, width, num_heads, hidden):
        super().__init__()
        second, first = nn.Linear(hidden, width), nn.Linear(width, hidden)
        self.feed_forward = nn.Sequential(first, nn.ReLU(), second)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width, num_heads)

    def forward(self, x, mask):
        x = x + self.attention(self.norm_1(x), mask)
        return x + self.feed_forward(self.norm_2(x))


class CharTransformer(nn.Module):
    def __init__(self, vocab_size, context_length, width, num_heads, num_layers):
        super().__init__()
        self.head = nn.Linear(width, vocab_size, bias=False)
        self.final = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            *[_Block(width, num_heads, 4 * width) for _ in range(num_layers)]
        )
        self.position_table = nn.Embedding(context_length, width)
        self.token_table = nn.Embedding(vocab_size, width)
        self.register_buffer(
            "mask", torch.ones(context_length, context_length).tril().bool()
        )

    def forward(self, ids):
        T = ids.size(1)
        x = self.token_table(ids) + self.position_table(torch.arange(T))
        for layer in self.layers:
            x = layer(x, self.mask[:T, :T])
        return self.head(self.final(x))
