"""Torch throughout, also where NumPy is asked for; a closure for the step; own layer norm."""

import torch
from torch import nn


def encode(text, characters):
    characters = list(characters)
    for character in text:
        if character not in characters:
            raise ValueError(character)
    return torch.tensor(
        [characters.index(character) for character in text], dtype=torch.long
    )


def decode(ids, characters):
    return "".join(characters[i] for i in torch.as_tensor(ids).tolist())


def next_character_windows(ids, starts, context_length):
    pieces = torch.from_numpy(ids).unfold(0, context_length + 1, 1)[
        torch.from_numpy(starts)
    ]
    return pieces[:, :-1], pieces[:, 1:]


def next_character_loss(logits, targets):
    log_p = torch.from_numpy(logits).log_softmax(dim=2)
    return -log_p.flatten(0, 1)[
        torch.arange(targets.size), torch.from_numpy(targets).flatten()
    ].mean()


def sampling_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    z = torch.from_numpy(logits.copy()).double()
    if temperature == 0:
        return torch.nn.functional.one_hot(z.argmax(), len(z)).double()
    z = z / temperature
    if top_k is not None:
        best = z.topk(min(top_k, len(z))).indices
        blocked = torch.ones(len(z), dtype=torch.bool)
        blocked[best] = False
        z = z.masked_fill(blocked, -torch.inf)
    p = z.softmax(0)
    if top_p is not None:
        falling, order = p.sort(descending=True)
        gone = falling.cumsum(0) - falling >= top_p
        p = p.masked_fill(torch.zeros_like(gone).scatter(0, order, gone), 0)
    return p / p.sum()


def training_step(model, inputs, targets, optimizer):
    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = torch.nn.functional.cross_entropy(model(inputs).mT, targets)
        loss.backward()
        return loss

    return float(optimizer.step(closure))


class _Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return centred / spread * self.gain + self.bias


class _Attention(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.num_heads = num_heads
        for name in ("query", "key", "value", "output"):
            setattr(self, name, nn.Linear(width, width, bias=False))

    def forward(self, x):
        q, k, v = (
            part(x).unflatten(-1, (self.num_heads, -1))
            for part in (self.query, self.key, self.value)
        )
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.shape[-1] ** -0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        weights = scores.masked_fill(future, -1e9).softmax(-1)
        return self.output(torch.einsum("bhij,bjhd->bihd", weights, v).flatten(-2))


class _FeedForward(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.out = nn.Linear(hidden, width)
        self.into = nn.Linear(width, hidden)

    def forward(self, x):
        return self.out(torch.relu(self.into(x)))


class _Block(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.norm_2, self.norm_1 = _Norm(width), _Norm(width)
        self.feed_forward = _FeedForward(width, 4 * width)
        self.attention = _Attention(width, num_heads)

    def forward(self, x):
        x = x + self.attention(self.norm_1(x))
        return x + self.feed_forward(self.norm_2(x))


class CharTransformer(nn.Module):
    def __init__(
        self, vocab_size, context_length, width, num_heads, num_layers, dropout=0.1
    ):
        super().__init__()
        self.context_length = context_length
        self.tables = nn.ModuleDict(
            {
                "place": nn.Embedding(context_length, width),
                "what": nn.Embedding(vocab_size, width),
            }
        )
        self.drop = nn.Dropout(dropout)
        self.stack = nn.Sequential(
            *(_Block(width, num_heads) for _ in range(num_layers))
        )
        self.last = nn.Sequential(
            _Norm(width), nn.Linear(width, vocab_size, bias=False)
        )

    def forward(self, ids):
        if ids.shape[1] > self.context_length:
            raise ValueError("too long")
        places = torch.arange(ids.shape[1]).expand_as(ids)
        x = self.drop(self.tables["what"](ids) + self.tables["place"](places))
        return self.last(self.stack(x))
