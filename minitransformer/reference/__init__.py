"""The formulas in NumPy: pure functions, no torch, no classes.

Every exercise that asks for a NumPy function has its twin here, under the same name.
Shapes are written with the letters of the style guide: B sequences of T places with C
features; H heads of width D; queries at axis -2, features at axis -1. A mask is True
where a query may look; a row that may look nowhere gets zeros.
"""

from minitransformer.reference.activations import gelu, relu, squared_relu
from minitransformer.reference.attention import (
    attention,
    attention_backward,
    attention_scores,
    cross_attention,
    masked_attention,
    self_attention,
    soft_lookup,
)
from minitransformer.reference.block import (
    feed_forward,
    layer_norm,
    pre_norm_block,
    rms_norm,
)
from minitransformer.reference.efficient import (
    attention_bytes,
    cached_attention,
    grouped_query_attention,
    linear_attention,
    online_softmax_attention,
    sliding_window_attention,
    tiled_attention,
)
from minitransformer.reference.forward import forward
from minitransformer.reference.generation import generate
from minitransformer.reference.heads import (
    head_importance,
    induction_score,
    merge_heads,
    multi_head_attention,
    split_heads,
)
from minitransformer.reference.loss import next_character_loss
from minitransformer.reference.masks import (
    causal_mask,
    padding_mask,
    sliding_window_mask,
)
from minitransformer.reference.positions import (
    alibi_bias,
    is_permutation_equivariant,
    rotary,
    sinusoidal_positions,
)
from minitransformer.reference.recurrence import path_length, recurrent_states
from minitransformer.reference.sampling import (
    draw,
    greedy_decode,
    sampling_probabilities,
)
from minitransformer.reference.similarity import (
    cosine_similarity,
    dot_products,
    most_similar,
)
from minitransformer.reference.softmax import (
    entropy,
    masked_softmax,
    softmax,
    softmax_backward,
)
from minitransformer.text.vocabulary import decode, encode
from minitransformer.text.windows import next_character_windows

__all__ = [
    "alibi_bias",
    "attention",
    "attention_backward",
    "attention_bytes",
    "attention_scores",
    "cached_attention",
    "causal_mask",
    "cosine_similarity",
    "cross_attention",
    "decode",
    "dot_products",
    "draw",
    "encode",
    "entropy",
    "feed_forward",
    "forward",
    "gelu",
    "generate",
    "greedy_decode",
    "grouped_query_attention",
    "head_importance",
    "induction_score",
    "is_permutation_equivariant",
    "layer_norm",
    "linear_attention",
    "masked_attention",
    "masked_softmax",
    "merge_heads",
    "most_similar",
    "multi_head_attention",
    "next_character_loss",
    "next_character_windows",
    "online_softmax_attention",
    "padding_mask",
    "path_length",
    "pre_norm_block",
    "recurrent_states",
    "relu",
    "rms_norm",
    "rotary",
    "sampling_probabilities",
    "self_attention",
    "sinusoidal_positions",
    "sliding_window_attention",
    "sliding_window_mask",
    "soft_lookup",
    "softmax",
    "softmax_backward",
    "split_heads",
    "squared_relu",
    "tiled_attention",
]
