"""Positions, masks and attention: the small parts that every model here is made of."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from minitransformer.model.config import need, need_heads_that_fit

# ------------------------------------------------------------------------- positions


def sinusoidal_positions(
    length: int, width: int, base: float = 10000.0
) -> Float[Tensor, "T C"]:
    """Make the table of waves that Vaswani et al. (2017, section 3.5) add to the input.

    Feature 2i of place t is sin(t / base^(2i/C)), feature 2i + 1 the cosine.

    Raises
    ------
    ValueError
        If `width` is odd.
    """
    need(width % 2 == 0, f"width must be even; got width={width}")
    angles = _angles(torch.arange(length), width, base)  # (T, C/2)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)


def rotary(
    x: Float[Tensor, "*batch T D"], positions: Int[Tensor, " T"], base: float = 10000.0
) -> Float[Tensor, "*batch T D"]:
    """Turn each pair of features by an angle that grows with the position.

    Features 2i and 2i + 1 are read as one complex number and multiplied by
    e^(i·t·base^(-2i/D)), so that a dot product depends on the distance alone
    (Su et al. 2021, "RoFormer", section 3.2).

    Raises
    ------
    ValueError
        If the number of features is odd.
    """
    width = x.shape[-1]
    need(width % 2 == 0, f"the number of features must be even; got {width}")
    angles = _angles(positions, width, base)  # (T, D/2)
    turns = torch.polar(torch.ones_like(angles), angles)
    exact = x if x.dtype == torch.float64 else x.float()
    pairs = torch.view_as_complex(exact.unflatten(-1, (-1, 2)))  # (..., T, D/2)
    turned = pairs * turns.to(pairs.dtype)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)  # (..., T, D)


def alibi_bias(
    num_heads: int, queries: Int[Tensor, " Tq"], keys: Int[Tensor, " Tk"]
) -> Float[Tensor, "H Tq Tk"]:
    """Make the penalty on distance, 2^(-8h/H) per place, that is added to the scores.

    Press et al. (2021), "Train short, test long", section 3.
    """
    heads = torch.arange(1, num_heads + 1, dtype=torch.float64)
    slopes = 2.0 ** (-8.0 * heads / num_heads)  # (H,)
    distance = (queries[:, None] - keys[None, :]).clamp(min=0)  # (Tq, Tk)
    return -slopes[:, None, None] * distance


def _angles(positions: Tensor, width: int, base: float) -> Tensor:
    """Give position times frequency, in float64: positions may be large."""
    places = torch.arange(0, width, 2, dtype=torch.float64)
    frequencies = base ** (-places / width)
    return torch.outer(positions.double(), frequencies)


def causal_mask(length: int) -> Bool[Tensor, "T T"]:
    """Allow each place to see itself and what came before it."""
    return torch.ones(length, length, dtype=torch.bool).tril()


# ------------------------------------------------------------------------- attention


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(..., T, C) → (..., H, T, D)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(-3, -2)


def merge_heads(x: Tensor) -> Tensor:
    """(..., H, T, D) → (..., T, C), the inverse of `split_heads`."""
    return x.transpose(-3, -2).flatten(-2)


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Turn scores into weights, zero where the mask forbids; an empty row is zeros."""
    if mask is None:
        return scores.softmax(dim=-1)
    weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)
    empty = ~mask.any(dim=-1, keepdim=True)
    return weights.masked_fill(empty, 0.0) if empty.any() else weights


@dataclass(frozen=True, kw_only=True)
class AttentionTrace:
    """What happens inside one attention, step by step."""

    q: Tensor  # (B, H, Tq, D)
    k: Tensor  # (B, H, Tk, D)
    v: Tensor  # (B, H, Tk, D)
    scores: Tensor  # (B, H, Tq, Tk), before mask and softmax
    weights: Tensor  # (B, H, Tq, Tk)
    heads: Tensor  # (B, H, Tq, D), what each head found
    output: Tensor  # (B, Tq, C)


class LayerCache:
    """Keys and values which one layer has already computed, with their places.

    The room is a ring: beyond `window` places the newest pair takes the oldest's
    place. Order does not matter to attention; the places say what stands where.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.length = 0  # characters read so far, those fallen out included
        self.k: Tensor | None = None
        self.v: Tensor | None = None
        self.places = torch.empty(0, dtype=torch.long)
        self.before: list[Tensor | None] = [None, None]  # see `TokenShift`

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Add new pairs (B, H, t, D); give all keys, values and their places."""
        B, H, t, D = k.shape
        if self.k is None or self.v is None:
            self.k, self.v = (x.new_empty(B, H, self.window, D) for x in (k, v))
            self.places = torch.zeros(self.window, dtype=torch.long)
        need(
            t == 1 or self.length + t <= self.window,
            "several characters at once must fit into the window; got "
            f"{self.length} + {t}, window={self.window}",
        )
        start = self.length % self.window
        new = slice(start, start + t)
        self.k[:, :, new], self.v[:, :, new] = k, v
        self.places[new] = torch.arange(self.length, self.length + t)
        self.length += t
        held = min(self.length, self.window)
        return self.k[:, :, :held], self.v[:, :, :held], self.places[:held]


class MultiHeadAttention(nn.Module):
    """Several small attentions side by side, their findings mixed by `output`.

    Parameters
    ----------
    width : int
        C, a multiple of `num_heads`.
    num_heads : int
        H; each head has D = C / H features.
    rotate : function of (x, positions), optional
        Turns queries and keys by their positions, as `rotary` does.
    distance_bias : function of (num_heads, query places, key places), optional
        Gives what is added to the scores, as `alibi_bias` does.
    qk_norm : bool
        Whether queries and keys are normalised before they meet (Henry et al. 2020).

    Raises
    ------
    ValueError
        If `width` is not a multiple of `num_heads`.

    Notes
    -----
    Vaswani et al. (2017), "Attention is all you need", section 3.2. `fused` chooses
    torch's fused kernel; the explicit formula is faster at short contexts on a CPU.
    """

    fused = False

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        rotate: Callable[[Tensor, Tensor], Tensor] | None = None,
        distance_bias: Callable[[int, Tensor, Tensor], Tensor] | None = None,
        qk_norm: bool = False,
    ) -> None:
        super().__init__()
        need_heads_that_fit(width, num_heads)
        self.num_heads = num_heads
        self.rotate = rotate
        self.distance_bias = distance_bias
        self.qk_norm = qk_norm
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(
        self,
        x: Float[Tensor, "B Tq C"],
        memory: Float[Tensor, "B Tk C"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        cache: LayerCache | None = None,
        head_gains: Float[Tensor, " H"] | None = None,
    ) -> Float[Tensor, "B Tq C"]:
        """Let each place of `x` look at `memory`, or at `x` itself.

        Parameters
        ----------
        x : tensor of shape (B, Tq, C)
            Who asks.
        memory : tensor of shape (B, Tk, C), optional
            Who is asked; `x` itself when None.
        mask : Boolean tensor that broadcasts to (B, Tq, Tk), optional
            True where a query may look; shared by all heads.
        cache : LayerCache, optional
            What was read before `x`; it is extended, and `mask` is not needed.
        head_gains : tensor of shape (H,), optional
            What each head's finding is multiplied by; 0 takes a head away.
        """
        if not self.fused or head_gains is not None:
            return self.trace(
                x, memory, mask, cache=cache, head_gains=head_gains
            ).output
        q, k, v, mask, bias = self._prepare(x, memory, mask, cache)
        if bias is not None:
            mask = bias if mask is None else bias.masked_fill(~mask, -math.inf)
            mask = mask.to(q.dtype)
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.output(merge_heads(heads))

    def trace(
        self,
        x: Float[Tensor, "B Tq C"],
        memory: Float[Tensor, "B Tk C"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        cache: LayerCache | None = None,
        head_gains: Float[Tensor, " H"] | None = None,
    ) -> AttentionTrace:
        """Do the same by the course's own formula, and keep every step."""
        q, k, v, mask, bias = self._prepare(x, memory, mask, cache)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # (B, H, Tq, Tk)
        if bias is not None:
            scores = scores + bias
        weights = masked_softmax(scores, mask)
        heads = weights.to(v.dtype) @ v  # (B, H, Tq, D)
        if head_gains is not None:
            heads = heads * head_gains[:, None, None]
        output = self.output(merge_heads(heads))  # (B, Tq, C)
        return AttentionTrace(
            q=q, k=k, v=v, scores=scores, weights=weights, heads=heads, output=output
        )

    def _prepare(
        self,
        x: Tensor,
        memory: Tensor | None,
        mask: Tensor | None,
        cache: LayerCache | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
        """Give q, k, v by heads, the mask with its axis for heads, and the bias."""
        source = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.num_heads)
            for part in (self.query(x), self.key(source), self.value(source))
        )
        start = 0 if cache is None else cache.length
        queries = torch.arange(start, start + q.shape[-2])
        keys = torch.arange(start, start + k.shape[-2])
        if self.qk_norm:
            q, k = (functional.layer_norm(part, part.shape[-1:]) for part in (q, k))
        if self.rotate is not None:
            q, k = self.rotate(q, queries), self.rotate(k, keys)
        if mask is not None and mask.ndim > 2:
            mask = mask.unsqueeze(-3)  # (..., 1, Tq, Tk)
        if cache is not None:
            k, v, keys = cache.extend(k, v)
            # a single new place may see all that is kept
            mask = None if len(queries) == 1 else queries[:, None] >= keys[None, :]
        bias = None
        if self.distance_bias is not None:
            bias = self.distance_bias(self.num_heads, queries, keys).to(q.dtype)
        return q, k, v, mask, bias


def use_attention(model: nn.Module, form: str) -> None:
    """Compute attention by the course's "explicit" formula or torch's "fused" one."""
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.fused = form == "fused"
