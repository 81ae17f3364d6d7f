"""Mistakes of topic 08 as a learner writes them, where torch runs the answer."""

from torch import nn

from minitransformer.model import MultiHeadAttention


class _Right(nn.Module):
    bend = nn.ReLU

    def __init__(self, width, num_heads, hidden_width):
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, num_heads)
        self.norm_2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden_width), self.bend(), nn.Linear(hidden_width, width)
        )

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.feed_forward(self.norm_2(x))


class PostNorm(_Right):
    def forward(self, x, mask=None):
        x = self.norm_1(x + self.attention(x, mask=mask))
        return self.norm_2(x + self.feed_forward(x))


class NoResidual(_Right):
    def forward(self, x, mask=None):
        x = self.attention(self.norm_1(x), mask=mask)
        return self.feed_forward(self.norm_2(x))


class Parallel(_Right):
    def forward(self, x, mask=None):
        found = self.attention(self.norm_1(x), mask=mask)
        return x + found + self.feed_forward(self.norm_2(x))


class ResidualFromNorm(_Right):
    def forward(self, x, mask=None):
        x = self.norm_1(x)
        x = x + self.attention(x, mask=mask)
        x = self.norm_2(x)
        return x + self.feed_forward(x)


class SecondResidualFromX(_Right):
    def forward(self, x, mask=None):
        found = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.feed_forward(self.norm_2(found))


class NoNorms(_Right):
    def forward(self, x, mask=None):
        x = x + self.attention(x, mask=mask)
        return x + self.feed_forward(x)


class SameNorm(_Right):
    def forward(self, x, mask=None):
        x = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.feed_forward(self.norm_1(x))


class NoActivation(_Right):
    bend = nn.Identity


class Gelu(_Right):
    bend = nn.GELU


class MaskIgnored(_Right):
    def forward(self, x, mask=None):
        return super().forward(x)


WRONG = {
    "Block.post_norm": [PostNorm],
    "Block.no_residual": [NoResidual],
    "Block.parallel": [Parallel],
    "Block.residual_from_norm": [ResidualFromNorm],
    "Block.second_residual_from_x": [SecondResidualFromX],
    "Block.no_norms": [NoNorms],
    "Block.same_norm": [SameNorm],
    "Block.no_activation": [NoActivation],
    "Block.gelu": [Gelu],
    "Block.mask_ignored": [MaskIgnored],
}
