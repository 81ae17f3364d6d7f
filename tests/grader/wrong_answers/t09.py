"""Mistakes of topic 09 as a learner writes them, where torch runs the answer."""

import torch
import torch.nn.functional as F
from torch import nn

from minitransformer.model import Block


def _loss(model, inputs, targets):
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def no_zero_grad(model, inputs, targets, optimizer):
    loss = _loss(model, inputs, targets)
    loss.backward()
    optimizer.step()
    return loss.item()


def no_step(model, inputs, targets, optimizer):
    loss = _loss(model, inputs, targets)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def no_backward(model, inputs, targets, optimizer):
    loss = _loss(model, inputs, targets)
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def zero_after_backward(model, inputs, targets, optimizer):
    loss = _loss(model, inputs, targets)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def loss_after_step(model, inputs, targets, optimizer):
    loss = _loss(model, inputs, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return _loss(model, inputs, targets).item()


class _Right(nn.Module):
    def __init__(self, vocab_size, context_length, width, num_heads, num_layers):
        super().__init__()
        self.characters = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(context_length, width)
        self.blocks = nn.ModuleList(
            Block(width, num_heads, 4 * width) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size, bias=False)

    def mask(self, T):
        return torch.ones(T, T, dtype=torch.bool).tril()

    def place(self, x):
        if x.shape[1] > self.positions.num_embeddings:
            raise ValueError("too long")
        return x + self.positions.weight[: x.shape[1]]

    def last(self, x):
        return self.norm(x)

    def forward(self, ids):
        x = self.place(self.characters(ids))
        for block in self.blocks:
            x = block(x, self.mask(ids.shape[1]))
        return self.head(self.last(x))


class NotCausal(_Right):
    def mask(self, T):
        return None


class NoPositions(_Right):
    def place(self, x):
        if x.shape[1] > self.positions.num_embeddings:
            raise ValueError("too long")
        return x


class NoFinalNorm(_Right):
    def last(self, x):
        return x


WRONG = {
    "training_step.no_zero_grad": [no_zero_grad],
    "training_step.no_step": [no_step],
    "training_step.no_backward": [no_backward],
    "training_step.zero_after_backward": [zero_after_backward],
    "training_step.loss_after_step": [loss_after_step],
    "CharTransformer.not_causal": [NotCausal],
    "CharTransformer.no_positions": [NoPositions],
    "CharTransformer.no_final_norm": [NoFinalNorm],
}
