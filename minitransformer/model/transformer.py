"""The block and the character-level transformer.

A part can be replaced by one's own: a block is made by a function of
`(width, num_heads, hidden_width)`, an attention by one of `(width, num_heads)`, a norm
by one of `(width)`, a feed-forward by one of `(width, hidden_width)`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from minitransformer.model.attention import (
    AttentionTrace,
    LayerCache,
    MultiHeadAttention,
    alibi_bias,
    causal_mask,
    rotary,
    sinusoidal_positions,
)
from minitransformer.model.config import ModelConfig, need

# ------------------------------------------------------------------------- the block


class SquaredReLU(nn.Module):
    """max(0, x)²: bends harder than ReLU (So et al. 2021, "Primer", section 4.1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Square what is positive."""
        return functional.relu(x).square()


ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "squared_relu": SquaredReLU,
    "gelu": nn.GELU,
}


def make_feed_forward(
    width: int, hidden_width: int, *, activation: str = "relu", bias: bool = True
) -> nn.Sequential:
    """Make two linear maps with a bend between them, the same for every place."""
    return nn.Sequential(
        nn.Linear(width, hidden_width, bias=bias),
        ACTIVATIONS[activation](),
        nn.Linear(hidden_width, width, bias=bias),
    )


class TokenShift(nn.Module):
    """Mix each place with the one before it, each feature in a learned share.

    The first place has none before it and stays as it is.

    Notes
    -----
    Peng et al. (2023), "RWKV: Reinventing RNNs for the transformer era", section 3.1.
    """

    def __init__(self, width: int, share: float) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.full((width,), share))

    def forward(
        self, x: Float[Tensor, "B T C"], before: Float[Tensor, "B 1 C"] | None = None
    ) -> Float[Tensor, "B T C"]:
        """Mix; `before` is what stood before the first place, if anything did."""
        if before is None:
            before = x[:, :1]
        return torch.lerp(x, torch.cat((before, x[:, :-1]), dim=1), self.share)


@dataclass(frozen=True, kw_only=True)
class BlockTrace:
    """What happens inside one block, step by step; all of shape (B, T, C) but two."""

    x: Tensor  # what came in
    normed_1: Tensor  # and shifted, where the block does
    attention: AttentionTrace
    after_attention: Tensor  # x + what attention found
    normed_2: Tensor
    hidden: Tensor  # (B, T, F), after the bend
    output: Tensor  # after_attention + what the feed-forward made of it


class Block(nn.Module):
    """Attention, then a feed-forward, each normed before and added after.

    Parameters
    ----------
    width, num_heads, hidden_width : int
        C, H and F.
    attention : function of (width, num_heads)
        Makes the attention.
    norm : function of (width)
        Makes each of the two norms.
    feed_forward : function of (width, hidden_width)
        Makes the feed-forward.
    dropout : float
        The share of each sublayer's output dropped while training.
    token_shift : bool
        Whether each sublayer reads a place mixed with the one before it.

    Notes
    -----
    The norms stand before the sublayers (Xiong et al. 2020), so that a path of
    additions alone leads from the first block to the last.
    """

    attention: MultiHeadAttention
    feed_forward: nn.Sequential

    def __init__(
        self,
        width: int,
        num_heads: int,
        hidden_width: int,
        *,
        attention: Callable[[int, int], nn.Module] = MultiHeadAttention,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
        feed_forward: Callable[[int, int], nn.Module] = make_feed_forward,
        dropout: float = 0.0,
        token_shift: bool = False,
    ) -> None:
        super().__init__()
        self.norm_1 = norm(width)
        self.add_module("attention", attention(width, num_heads))
        self.norm_2 = norm(width)
        self.add_module("feed_forward", feed_forward(width, hidden_width))
        self.dropout = nn.Dropout(dropout)
        shares = (0.5, 0.25) if token_shift else ()  # of the place before, at first
        self.shifts = nn.ModuleList(TokenShift(width, share) for share in shares)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        mask: Bool[Tensor, "..."] | None = None,
        *,
        cache: LayerCache | None = None,
        head_gains: Float[Tensor, " H"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """Take the two residual steps; the options are the attention's."""
        options = _given(cache=cache, head_gains=head_gains)
        read = self._read(0, x, cache)
        x = x + self.dropout(self.attention(read, mask=mask, **options))
        return x + self.dropout(self.feed_forward(self._read(1, x, cache)))

    def trace(
        self,
        x: Float[Tensor, "B T C"],
        mask: Bool[Tensor, "..."] | None = None,
        *,
        head_gains: Float[Tensor, " H"] | None = None,
    ) -> BlockTrace:
        """Take the same steps without dropout, and keep each of them."""
        normed_1 = self._read(0, x)
        attention = self.attention.trace(normed_1, mask=mask, head_gains=head_gains)
        after_attention = x + attention.output
        normed_2 = self._read(1, after_attention)
        hidden = self.feed_forward[:-1](normed_2)
        return BlockTrace(
            x=x,
            normed_1=normed_1,
            attention=attention,
            after_attention=after_attention,
            normed_2=normed_2,
            hidden=hidden,
            output=after_attention + self.feed_forward[-1](hidden),
        )

    def _read(
        self, sublayer: int, x: Tensor, cache: LayerCache | None = None
    ) -> Tensor:
        """Norm what a sublayer reads and, with token shift, mix in the place before."""
        normed = (self.norm_1, self.norm_2)[sublayer](x)
        if not len(self.shifts):
            return normed
        shifted = self.shifts[sublayer](normed, cache and cache.before[sublayer])
        if cache is not None:
            cache.before[sublayer] = normed[:, -1:]
        return shifted


# ------------------------------------------------------------------------- the model


class SinusoidalPositions(nn.Module):
    """The table of `sinusoidal_positions`, looked up like an embedding."""

    weight: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        table = sinusoidal_positions(length, width).float()
        self.register_buffer("weight", table, persistent=False)

    def forward(self, places: Tensor) -> Tensor:
        """Give the rows of these places, (T,) → (T, C)."""
        return functional.embedding(places, self.weight)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What happens inside the model on the way from ids to logits."""

    embedded: Tensor  # (B, T, C), characters and positions
    blocks: tuple[BlockTrace, ...]
    normed: Tensor  # (B, T, C), after the final norm
    logits: Tensor  # (B, T, V)

    @property
    def weights(self) -> Tensor:
        """All attention weights, of shape (L, B, H, T, T)."""
        return torch.stack([block.attention.weights for block in self.blocks])


@contextmanager
def drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """Let torch's initialisers draw from `generator`; the global stream stays put."""
    seed = 0
    if generator is not None:
        seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class CharTransformer(nn.Module):
    """Guess the next character from those before it.

    Parameters
    ----------
    vocab_size, context_length, width, num_heads, num_layers : int
        V, the longest T, C, H and L.
    hidden_width : int, optional
        F; four times the width when None.
    block : function of (width, num_heads, hidden_width)
        Makes each block; called as `block(x, mask)` then.
    norm : function of (width)
        Makes the final norm.
    positions : function of (context_length, width), optional
        Makes the table of positions that is added to the characters; None adds none.
    tied_head : bool
        Whether the head reads the embedding's parameters.
    zero_init : bool
        Whether the head, and what writes into the residual stream, starts at zero.
    generator : torch.Generator, optional
        Where the first parameters are drawn from; the same ones each time when None.

    Notes
    -----
    Without its keywords this is the plain form: learned positions, causal pre-norm
    blocks, layer norm, a bias-free head. `from_config` makes the other forms.

    Examples
    --------
    >>> model = CharTransformer(64, 8, width=12, num_heads=3, num_layers=1)
    >>> model(torch.zeros(2, 5, dtype=torch.long)).shape
    torch.Size([2, 5, 64])
    """

    def __init__(
        self,
        vocab_size: int,
        context_length: int,
        width: int,
        num_heads: int,
        num_layers: int,
        *,
        hidden_width: int | None = None,
        block: Callable[[int, int, int], nn.Module] = Block,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
        positions: Callable[[int, int], nn.Module] | None = nn.Embedding,
        tied_head: bool = False,
        zero_init: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config = ModelConfig(
            vocab_size=vocab_size,
            context_length=context_length,
            width=width,
            num_heads=num_heads,
            num_layers=num_layers,
            hidden_width=hidden_width or 4 * width,
        )
        with drawing_from(generator):
            self.embedding = nn.Embedding(vocab_size, width)
            self.positions = positions(context_length, width) if positions else None
            self.blocks = nn.ModuleList(
                block(width, num_heads, self.config.hidden_width)
                for _ in range(num_layers)
            )
            self.norm = norm(width)
            self.head = nn.Linear(width, vocab_size, bias=False)
            if tied_head:
                self.head.weight = self.embedding.weight
            draw_parameters(self, zero_init=zero_init)

    @classmethod
    def from_config(
        cls, config: ModelConfig, *, generator: torch.Generator | None = None
    ) -> "CharTransformer":
        """Make the model that the settings describe."""
        norm = make_norm(config)
        tables = {"learned": nn.Embedding, "sinusoidal": SinusoidalPositions}
        attention = partial(
            MultiHeadAttention,
            rotate=rotary if config.positions == "rotary" else None,
            distance_bias=alibi_bias if config.positions == "alibi" else None,
            qk_norm=config.qk_norm,
        )
        block = partial(
            Block,
            attention=attention,
            norm=norm,
            feed_forward=partial(
                make_feed_forward, activation=config.activation, bias=config.bias
            ),
            dropout=config.dropout,
            token_shift=config.token_shift,
        )
        model = cls(
            config.vocab_size,
            config.context_length,
            config.width,
            config.num_heads,
            config.num_layers,
            hidden_width=config.hidden_width,
            block=block,
            norm=norm,
            positions=tables.get(config.positions),
            tied_head=config.tied_head,
            zero_init=config.zero_init,
            generator=generator,
        )
        model.config = config
        return model

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        *,
        caches: Sequence[LayerCache] | None = None,
        head_gains: Float[Tensor, "L H"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Give the scores of each character of the vocabulary as the next one.

        Parameters
        ----------
        ids : tensor of int, of shape (B, T)
            The characters read, at most `context_length` of them.
        caches : list of LayerCache, optional
            One for each layer, of what was read before; see `generation`.
        head_gains : tensor of shape (L, H), optional
            What each head's finding is multiplied by; 0 takes a head away.

        Raises
        ------
        ValueError
            If there are more characters than the context holds.
        """
        x, mask = self._embed(ids, caches)
        for layer, block in enumerate(self.blocks):
            cache = caches[layer] if caches is not None else None
            gains = head_gains[layer] if head_gains is not None else None
            x = block(x, mask, **_given(cache=cache, head_gains=gains))
        return self.head(self.norm(x))

    def trace(
        self,
        ids: Int[Tensor, "B T"],
        *,
        head_gains: Float[Tensor, "L H"] | None = None,
    ) -> Trace:
        """Give the logits together with everything computed on the way to them."""
        x, mask = self._embed(ids, None)
        embedded, blocks = x, []
        for layer, block in enumerate(self.blocks):
            gains = head_gains[layer] if head_gains is not None else None
            blocks.append(cast("Block", block).trace(x, mask, head_gains=gains))
            x = blocks[-1].output
        normed = self.norm(x)
        return Trace(
            embedded=embedded,
            blocks=tuple(blocks),
            normed=normed,
            logits=self.head(normed),
        )

    def reference_arrays(self) -> dict[str, np.ndarray]:
        """Give the parameters as NumPy arrays that multiply from the right, `x @ w`.

        Returns
        -------
        dict of str to ndarray
            `embedding` (V, C); `positions` (context_length, C) where a table is added;
            for each layer `blocks.0.attention.w_q`, `w_k`, `w_v`, `w_o` (C, C) and
            `blocks.0.feed_forward.w_1` (C, F), `b_1`, `w_2` (F, C), `b_2`;
            `gain` and `bias` of `blocks.0.norm_1`, `blocks.0.norm_2` and `norm` where
            the norm learns them; `blocks.0.shift_1`, `shift_2` (C,) with token shift;
            `head` (C, V).
        """
        arrays = {"embedding": self.embedding.weight, "head": self.head.weight.T}
        if self.positions is not None:
            arrays["positions"] = cast("nn.Embedding", self.positions).weight
        arrays |= _norm_arrays("norm", self.norm)
        for layer, block in enumerate(self.blocks):
            arrays |= _block_arrays(f"blocks.{layer}", block)
        return {name: array.detach().numpy() for name, array in arrays.items()}

    @property
    def can_cache(self) -> bool:
        """Whether every attention can go on from keys and values it has kept."""
        return all(
            isinstance(getattr(block, "attention", None), MultiHeadAttention)
            for block in self.blocks
        )

    def _embed(
        self, ids: Tensor, caches: Sequence[LayerCache] | None
    ) -> tuple[Tensor, Tensor | None]:
        """Look up characters and positions; give them with the causal mask."""
        T = ids.shape[-1]
        start = caches[0].length if caches else 0
        longest = self.config.context_length
        unlimited = caches is not None and self.positions is None and T == 1
        need(
            unlimited or start + T <= longest,
            f"at most context_length={longest} characters fit; got {start + T}",
        )
        x = self.embedding(ids)  # (B, T, C)
        if self.positions is not None:
            x = x + self.positions(torch.arange(start, start + T))
        return x, None if caches else causal_mask(T)


@torch.no_grad()
def draw_parameters(model: nn.Module, *, zero_init: bool = False) -> None:
    """Draw first parameters whose outputs keep the spread of their inputs.

    Embeddings and the head begin small, so that the first guesses are nearly even.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            std = 0.02 if name == "head" else (3 * module.in_features) ** -0.5
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():  # last: a tied head begins as small as its embedding
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    if zero_init:
        written = ("attention.output.weight", "feed_forward.2.weight", "head.weight")
        for name, parameter in model.named_parameters():
            if name.endswith(written):
                nn.init.zeros_(parameter)


def make_norm(config: ModelConfig) -> Callable[[int], nn.Module]:
    """Give the function that makes the norms which the settings describe."""
    kind = nn.LayerNorm if config.norm == "layer" else nn.RMSNorm
    return partial(kind, eps=1e-5, elementwise_affine=config.norm_gain)


def _given(**options: object) -> dict[str, Any]:
    """Keep the options that were set: a part of one's own need not know the others."""
    return {name: value for name, value in options.items() if value is not None}


def _norm_arrays(name: str, norm: nn.Module) -> dict[str, Tensor]:
    """Give a norm's gain and bias, as far as it has them."""
    parts = {"gain": getattr(norm, "weight", None), "bias": getattr(norm, "bias", None)}
    return {f"{name}.{part}": x for part, x in parts.items() if x is not None}


def _block_arrays(name: str, block: nn.Module) -> dict[str, Tensor]:
    """Give a block's arrays under the names of `reference_arrays`."""
    letters = {"q": "query", "k": "key", "v": "value", "o": "output"}
    arrays = {
        f"{name}.attention.w_{letter}": block.get_parameter(
            f"attention.{part}.weight"
        ).T
        for letter, part in letters.items()
    }
    for number, place in enumerate((0, 2), start=1):
        linear = block.get_submodule(f"feed_forward.{place}")
        arrays[f"{name}.feed_forward.w_{number}"] = linear.get_parameter("weight").T
        if getattr(linear, "bias", None) is not None:
            arrays[f"{name}.feed_forward.b_{number}"] = linear.get_parameter("bias")
    for number, shift in enumerate(block.get_submodule("shifts").children(), start=1):
        arrays[f"{name}.shift_{number}"] = shift.get_parameter("share")
    for norm in ("norm_1", "norm_2"):
        arrays |= _norm_arrays(f"{name}.{norm}", block.get_submodule(norm))
    return arrays
