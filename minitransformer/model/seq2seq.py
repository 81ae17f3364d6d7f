"""From one sequence to another: an encoder that reads, a decoder that writes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minitransformer.model.attention import (
    AttentionTrace,
    MultiHeadAttention,
    causal_mask,
    rotary,
)
from minitransformer.model.config import (
    Activation,
    need,
    need_choice,
    need_heads_that_fit,
    need_whole,
)
from minitransformer.model.transformer import (
    Block,
    BlockTrace,
    draw_parameters,
    drawing_from,
    make_feed_forward,
)

PAD, START, STOP = 0, 1, 2  # the first ids of every vocabulary here
SPECIAL = ("<pad>", "<start>", "<stop>")

Pair = tuple[Sequence[str], Sequence[str]]  # what is read, what is to be written


@dataclass(frozen=True, kw_only=True)
class PairVocabulary:
    """The symbols of both sides. The id of a symbol is its place.

    Parameters
    ----------
    sources, targets : tuple of str
        The symbols read and those written, after the three special ones.

    Examples
    --------
    >>> vocabulary = PairVocabulary.of([("ox", ("AA", "K", "S"))])
    >>> vocabulary.encode_sources(["ox", "o"])
    array([[3, 4],
           [3, 0]])
    >>> vocabulary.encode_targets([("K",)])
    array([[1, 4, 2]])
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> "PairVocabulary":
        """Collect the symbols of all pairs, in sorted order."""
        read: set[str] = set()
        written: set[str] = set()
        for source, target in pairs:
            read.update(source)
            written.update(target)
        return cls(
            sources=SPECIAL + tuple(sorted(read)),
            targets=SPECIAL + tuple(sorted(written)),
        )

    def encode_sources(
        self, sources: Sequence[Sequence[str]]
    ) -> Int[np.ndarray, "B Tk"]:
        """Turn sequences into ids, the shorter ones padded at their end."""
        return _padded([_places(source, self.sources) for source in sources])

    def encode_targets(
        self, targets: Sequence[Sequence[str]]
    ) -> Int[np.ndarray, "B Tq"]:
        """Turn sequences into ids between a start and a stop, padded at their end."""
        rows = [_places(target, self.targets) for target in targets]
        return _padded([[START, *row, STOP] for row in rows])

    def decode_target(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Turn the ids of a written sequence back into symbols."""
        return tuple(self.targets[place] for place in ids)


def _places(symbols: Sequence[str], table: tuple[str, ...]) -> list[int]:
    """Look up each symbol."""
    place = {symbol: number for number, symbol in enumerate(table)}
    for symbol in symbols:
        need(
            symbol in place,
            f"every symbol must be one of the {len(table) - len(SPECIAL)} of the "
            f"vocabulary; got {symbol!r}",
        )
    return [place[symbol] for symbol in symbols]


def _padded(rows: list[list[int]]) -> Int[np.ndarray, "B T"]:
    """Fill the shorter rows up with PAD."""
    need(bool(rows) and all(rows), "every sequence needs at least 1 symbol; got none")
    table = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """What an encoder–decoder is made of.

    Parameters
    ----------
    source_size, target_size : int
        Symbols read and written, the three special ones included.
    width, num_heads, hidden_width : int
        C, H and F.
    encoder_layers, decoder_layers : int
        Blocks on each side.
    activation : {"relu", "squared_relu", "gelu"}
        The bend in the feed-forwards.
    qk_norm : bool
        Whether queries and keys are brought to one length before they meet.
    zero_init : bool
        Whether what writes into the residual stream, and the head, starts at zero.
    dropout : float
        The share of a sublayer's output dropped while training.

    Raises
    ------
    ValueError
        If a setting is out of its range, or two do not fit together.
    """

    source_size: int
    target_size: int
    width: int
    num_heads: int
    encoder_layers: int
    decoder_layers: int
    hidden_width: int
    activation: Activation = "relu"
    qk_norm: bool = False
    zero_init: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check every setting."""
        need_whole(self, "source_size", "target_size", "width", "num_heads")
        need_whole(self, "encoder_layers", "decoder_layers", "hidden_width")
        need_choice(self, activation=Activation)
        need_heads_that_fit(self.width, self.num_heads)
        need(
            0 <= self.dropout < 1,
            f"dropout must be at least 0 and below 1; got {self.dropout}",
        )


@dataclass(frozen=True, kw_only=True)
class DecoderTrace:
    """What happens inside one block of the decoder."""

    self_attention: AttentionTrace
    cross_attention: AttentionTrace
    output: Tensor  # (B, Tq, C)


@dataclass(frozen=True, kw_only=True)
class PairTrace:
    """What happens on the way from a source to the scores of its target."""

    encoder: tuple[BlockTrace, ...]
    memory: Tensor  # (B, Tk, C), what the encoder made of the source
    decoder: tuple[DecoderTrace, ...]
    logits: Tensor  # (B, Tq, V)

    @property
    def alignments(self) -> Tensor:
        """Where each step of writing looked: (L, B, H, Tq, Tk)."""
        return torch.stack([block.cross_attention.weights for block in self.decoder])


class DecoderBlock(nn.Module):
    """A block with a second attention, which looks at what the encoder read."""

    def __init__(self, config: PairConfig) -> None:
        super().__init__()
        C, H, F = config.width, config.num_heads, config.hidden_width
        self.norm_1 = nn.LayerNorm(C)
        self.attention = turning_attention(C, H, qk_norm=config.qk_norm)
        self.norm_2 = nn.LayerNorm(C)
        self.cross_attention = MultiHeadAttention(C, H, qk_norm=config.qk_norm)
        self.norm_3 = nn.LayerNorm(C)
        self.feed_forward = make_feed_forward(C, F, activation=config.activation)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "B Tq C"],
        memory: Float[Tensor, "B Tk C"],
        mask: Bool[Tensor, "Tq Tq"],
        memory_mask: Bool[Tensor, "B 1 Tk"],
    ) -> Float[Tensor, "B Tq C"]:
        """Look at what was written, then at what was read, then think."""
        x = x + self.dropout(self.attention(self.norm_1(x), mask=mask))
        found = self.cross_attention(self.norm_2(x), memory, memory_mask)
        x = x + self.dropout(found)
        return x + self.dropout(self.feed_forward(self.norm_3(x)))

    def trace(
        self, x: Tensor, memory: Tensor, mask: Tensor, memory_mask: Tensor
    ) -> DecoderTrace:
        """Take the same steps without dropout, and keep what attention did."""
        own = self.attention.trace(self.norm_1(x), mask=mask)
        x = x + own.output
        cross = self.cross_attention.trace(self.norm_2(x), memory, memory_mask)
        x = x + cross.output
        output = x + self.feed_forward(self.norm_3(x))
        return DecoderTrace(self_attention=own, cross_attention=cross, output=output)


class EncoderDecoder(nn.Module):
    """Read a whole sequence, then write another, one symbol at a time.

    Parameters
    ----------
    config : PairConfig
        What it is made of.
    generator : torch.Generator, optional
        Where the first parameters are drawn from; the same ones each time when None.

    Notes
    -----
    The form of Vaswani et al. (2017), section 3.1, with norms before the sublayers and
    rotary positions within each side. Between the sides there is no common position:
    what the cross-attention aligns, it has learned from the symbols and their contexts.
    """

    def __init__(
        self, config: PairConfig, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        C, H, F = config.width, config.num_heads, config.hidden_width

        def encoder_block() -> Block:
            return Block(
                *(C, H, F),
                attention=partial(turning_attention, qk_norm=config.qk_norm),
                feed_forward=partial(make_feed_forward, activation=config.activation),
                dropout=config.dropout,
            )

        with drawing_from(generator):
            self.source_embedding = nn.Embedding(config.source_size, C)
            self.encoder_blocks = nn.ModuleList(
                encoder_block() for _ in range(config.encoder_layers)
            )
            self.encoder_norm = nn.LayerNorm(C)
            self.target_embedding = nn.Embedding(config.target_size, C)
            self.decoder_blocks = nn.ModuleList(
                DecoderBlock(config) for _ in range(config.decoder_layers)
            )
            self.decoder_norm = nn.LayerNorm(C)
            self.head = nn.Linear(C, config.target_size, bias=False)
            draw_parameters(self, zero_init=config.zero_init)

    def encode(self, sources: Int[Tensor, "B Tk"]) -> Float[Tensor, "B Tk C"]:
        """Read whole sources: every place sees every other that is not padding."""
        x, mask = self.source_embedding(sources), source_mask(sources)
        for block in self.encoder_blocks:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(
        self,
        targets: Int[Tensor, "B Tq"],
        memory: Float[Tensor, "B Tk C"],
        memory_mask: Bool[Tensor, "B 1 Tk"],
    ) -> Float[Tensor, "B Tq V"]:
        """Give the scores of the next symbol after each place of the targets."""
        x, mask = self.target_embedding(targets), causal_mask(targets.shape[-1])
        for block in self.decoder_blocks:
            x = block(x, memory, mask, memory_mask)
        return self.head(self.decoder_norm(x))

    def forward(
        self, sources: Int[Tensor, "B Tk"], targets: Int[Tensor, "B Tq"]
    ) -> Float[Tensor, "B Tq V"]:
        """Give the scores of the next target symbol after each one, given the sources."""
        return self.decode(targets, self.encode(sources), source_mask(sources))

    def trace(
        self, sources: Int[Tensor, "B Tk"], targets: Int[Tensor, "B Tq"]
    ) -> PairTrace:
        """Give the scores together with what was computed on the way to them."""
        x, memory_mask = self.source_embedding(sources), source_mask(sources)
        encoder: list[BlockTrace] = []
        for block in self.encoder_blocks:
            assert isinstance(block, Block)  # noqa: S101 - made above
            encoder.append(block.trace(x, memory_mask))
            x = encoder[-1].output
        memory = self.encoder_norm(x)
        x, mask = self.target_embedding(targets), causal_mask(targets.shape[-1])
        decoder: list[DecoderTrace] = []
        for block in self.decoder_blocks:
            assert isinstance(block, DecoderBlock)  # noqa: S101 - made above
            decoder.append(block.trace(x, memory, mask, memory_mask))
            x = decoder[-1].output
        return PairTrace(
            encoder=tuple(encoder),
            memory=memory,
            decoder=tuple(decoder),
            logits=self.head(self.decoder_norm(x)),
        )


def source_mask(sources: Int[Tensor, "B Tk"]) -> Bool[Tensor, "B 1 Tk"]:
    """Allow every place of a source that is not padding."""
    return (sources != PAD)[:, None, :]


def turning_attention(
    width: int, num_heads: int, *, qk_norm: bool = False
) -> MultiHeadAttention:
    """Make an attention with rotary positions."""
    return MultiHeadAttention(width, num_heads, rotate=rotary, qk_norm=qk_norm)


# ---------------------------------------------------------------------------- writing


@torch.inference_mode()
def write_targets(
    model: EncoderDecoder,
    vocabulary: PairVocabulary,
    sources: Sequence[Sequence[str]],
    max_length: int,
) -> list[tuple[str, ...]]:
    """Write a target for each source, always taking the likeliest symbol.

    Parameters
    ----------
    model, vocabulary
        What was trained, and its symbols.
    sources : sequence of sequences of str
        What is to be read.
    max_length : int
        Symbols to write at most.
    """
    need(max_length >= 1, f"max_length must be at least 1; got {max_length}")
    model.eval()
    written: list[tuple[str, ...]] = []
    for first in range(0, len(sources), 256):
        ids = torch.from_numpy(vocabulary.encode_sources(sources[first : first + 256]))
        for row in _greedy(model, ids, max_length).tolist():
            length = row.index(STOP) if STOP in row else len(row)
            written.append(vocabulary.decode_target(row[:length]))
    return written


def _greedy(
    model: EncoderDecoder, sources: Int[Tensor, "B Tk"], max_length: int
) -> Int[Tensor, "B Tq"]:
    """Extend all targets together until each has stopped."""
    memory, mask = model.encode(sources), source_mask(sources)
    ids = torch.full((len(sources), 1), START)
    stopped = torch.zeros(len(sources), dtype=torch.bool)
    while ids.shape[-1] <= max_length and not stopped.all():
        new = model.decode(ids, memory, mask)[:, -1].argmax(dim=-1)  # (B,)
        stopped |= new == STOP
        ids = torch.cat((ids, new[:, None]), dim=-1)
    return ids[:, 1:]
