"""Attention for long sequences: the same numbers in less memory, or fewer numbers."""

import math

import numpy as np
from jaxtyping import Float, Real

from minitransformer.reference.attention import (
    attention,
    attention_scores,
    masked_attention,
)
from minitransformer.reference.inputs import (
    as_float,
    check_same_length,
    check_same_width,
)
from minitransformer.reference.masks import causal_mask

SAFE_SCORE = 40.0  # e^40 is 2·10^17: thousands of them add up without overflow


def attention_bytes(
    batch: int, heads: int, length: int, bytes_per_number: int = 4
) -> int:
    """Count the bytes that the weights of plain attention fill.

    Parameters
    ----------
    batch : int
        Sequences at once, B.
    heads : int
        Number of heads H.
    length : int
        Number of places T.
    bytes_per_number : int
        4 for float32, 8 for float64.

    Returns
    -------
    int
        Bytes of an array of shape (B, H, T, T).

    Raises
    ------
    ValueError
        If a size is negative.

    Examples
    --------
    >>> attention_bytes(batch=1, heads=1, length=1024) / 2**20  # MiB
    4.0
    """
    sizes = {"batch": batch, "heads": heads, "length": length}
    for name, size in (sizes | {"bytes_per_number": bytes_per_number}).items():
        if size < 0:
            raise ValueError(f"{name} must not be negative; got {size}")
    return batch * heads * length * length * bytes_per_number


def online_softmax_attention(
    q: Real[np.ndarray, "... Tq D"],
    k: Real[np.ndarray, "... Tk D"],
    v: Real[np.ndarray, "... Tk Dv"],
    block: int,
) -> Float[np.ndarray, "... Tq Dv"]:
    """Compute attention's output from a few keys at a time.

    Parameters
    ----------
    q : ndarray of shape (..., Tq, D)
        Queries.
    k : ndarray of shape (..., Tk, D)
        Keys.
    v : ndarray of shape (..., Tk, Dv)
        Values.
    block : int
        How many keys to look at at once; need not divide Tk.

    Returns
    -------
    ndarray of shape (..., Tq, Dv)
        The output of `attention`, to rounding. The weights never exist as an array: no
        more than (Tq, block) scores are held.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the block is below 1.

    Notes
    -----
    Milakov & Gimelshein 2018, algorithm 3. A softmax needs the largest score before it
    can start; here the largest *so far* is used, and when a larger one turns up, what was
    added up before is made smaller by e^(old - new).

    Examples
    --------
    >>> q, k = np.array([[1.0]]), np.array([[0.0], [np.log(3.0)]])
    >>> online_softmax_attention(q, k, np.array([[0.0], [8.0]]), block=1)
    array([[6.]])
    """
    q, v = as_float(q), as_float(v)
    check_same_length(k=k, v=v)
    if block < 1:
        raise ValueError(f"block must be at least 1; got {block}")
    zeros = np.zeros_like(q[..., :1])  # (..., Tq, 1)
    largest, total, output = zeros - np.inf, zeros, zeros
    for start in range(0, k.shape[-2], block):
        here = slice(start, start + block)
        scores = attention_scores(q, k[..., here, :])  # (..., Tq, block)
        new_largest = np.maximum(largest, scores.max(axis=-1, keepdims=True))
        correction = np.exp(largest - new_largest)  # (..., Tq, 1); 0 at first: e^-inf
        powers = np.exp(scores - new_largest)  # (..., Tq, block)
        total = total * correction + powers.sum(axis=-1, keepdims=True)
        output = output * correction + powers @ v[..., here, :]  # (..., Tq, Dv)
        largest = new_largest
    return output / total


def tiled_attention(
    q: Real[np.ndarray, "... Tq D"],
    k: Real[np.ndarray, "... Tk D"],
    v: Real[np.ndarray, "... Tk Dv"],
    *,
    causal: bool = False,
    query_tile: int = 1024,
    key_tile: int = 256,
) -> Float[np.ndarray, "... Tq Dv"]:
    """Compute attention's output tile by tile: fast, and in memory that does not grow.

    Parameters
    ----------
    q : ndarray of shape (..., Tq, D)
        Queries.
    k : ndarray of shape (..., Tk, D)
        Keys.
    v : ndarray of shape (..., Tk, Dv)
        Values.
    causal : bool
        Let place i see only places up to i. Tiles above the diagonal are not computed.
    query_tile, key_tile : int
        How many queries and keys to take at once. One tile of scores should stay near
        the processor: these make 1 MiB in float32.

    Returns
    -------
    ndarray of shape (..., Tq, Dv)
        The output of `attention`, or of `masked_attention` with a causal mask, to
        rounding.

    Raises
    ------
    ValueError
        If the shapes do not fit, a tile is below 1, or `causal` is asked for sequences of
        different lengths.

    Notes
    -----
    `online_softmax_attention`, cut along the queries too, as in Dao et al. 2022
    (FlashAttention), algorithm 1. Everything happens in one tile of scores that is used
    again and again. Two slow passes over it are saved. The powers are summed by a product
    with ones, which is faster than `sum`. And the largest score is looked for only where
    e^score could overflow: no score is larger than the longest query times the longest
    key (Cauchy-Schwarz).

    Examples
    --------
    >>> q, v = np.zeros((2, 1)), np.array([[2.0], [4.0]])
    >>> tiled_attention(q, q, v, causal=True)
    array([[2.],
           [3.]])
    """
    q, k, v = as_float(q), as_float(k), as_float(v)
    check_same_width(q=q, k=k)
    check_same_length(k=k, v=v)
    if causal:
        check_same_length(q=q, k=k)
    if query_tile < 1 or key_tile < 1:
        raise ValueError(
            f"tiles must hold at least 1 place; got query_tile={query_tile}, "
            f"key_tile={key_tile}"
        )
    leading = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    dtype = np.result_type(q, k, v)
    output = np.empty((*leading, q.shape[-2], v.shape[-1]), dtype)  # (..., Tq, Dv)
    q, k, v = (np.broadcast_to(x, leading + x.shape[-2:]) for x in (q, k, v))
    tile = np.empty(query_tile * key_tile, dtype)
    for place in np.ndindex(*leading):
        _attend_in_tiles(
            q[place],
            k[place],
            v[place],
            output[place],
            tile,
            causal=causal,
            query_tile=query_tile,
            key_tile=key_tile,
        )
    return output


def _attend_in_tiles(
    q: Float[np.ndarray, "Tq D"],
    k: Float[np.ndarray, "Tk D"],
    v: Float[np.ndarray, "Tk Dv"],
    output: Float[np.ndarray, "Tq Dv"],
    tile: Float[np.ndarray, " n"],
    *,
    causal: bool,
    query_tile: int,
    key_tile: int,
) -> None:
    """Write the output of one head; `tile` is where its scores take turns."""
    q = q / math.sqrt(q.shape[-1])  # (Tq, D)
    keys = np.ascontiguousarray(k.T)  # (D, Tk)
    ones = np.ones((len(k), 1), output.dtype)  # (Tk, 1)
    longest = [np.linalg.norm(x, axis=-1).max(initial=0.0) for x in (q, k)]
    small = longest[0] * longest[1] < SAFE_SCORE
    for first in range(0, len(q), query_tile):
        last = min(first + query_tile, len(q))
        end = last if causal else len(k)
        largest = np.full((last - first, 1), -np.inf, output.dtype)
        total = np.zeros((last - first, 1), output.dtype)
        mixed = np.zeros((last - first, v.shape[-1]), output.dtype)
        for start in range(0, end, key_tile):
            stop = min(start + key_tile, end)
            top = max(first, start) if causal else first  # who may look at these keys
            rows = slice(top - first, last - first)
            scores = tile[: (last - top) * (stop - start)].reshape(last - top, -1)
            np.matmul(q[top:last], keys[:, start:stop], out=scores)
            if causal and stop > top + 1:  # the diagonal runs through this tile
                later = (
                    np.arange(start, stop) > np.arange(top, min(stop, last))[:, None]
                )
                scores[: len(later)][later] = -np.inf
            if not small:
                new_largest = np.maximum(
                    largest[rows], scores.max(axis=-1, keepdims=True)
                )
                scores -= new_largest
                correction = np.exp(largest[rows] - new_largest)
                total[rows] *= correction
                mixed[rows] *= correction
                largest[rows] = new_largest
            np.exp(scores, out=scores)
            total[rows] += scores @ ones[start:stop]
            mixed[rows] += scores @ v[start:stop]
        np.divide(mixed, total, out=output[first:last])


def sliding_window_attention(
    q: Real[np.ndarray, "... T D"],
    k: Real[np.ndarray, "... T D"],
    v: Real[np.ndarray, "... T Dv"],
    window: int,
    block: int = 128,
) -> Float[np.ndarray, "... T Dv"]:
    """Let every place look at itself and the few before it, in time that grows with T.

    Parameters
    ----------
    q, k : ndarray of shape (..., T, D)
        Queries and keys.
    v : ndarray of shape (..., T, Dv)
        Values.
    window : int
        How many places each one sees, itself included; at least 1.
    block : int
        How many queries to take at once.

    Returns
    -------
    ndarray of shape (..., T, Dv)
        The output of `masked_attention` with `sliding_window_mask(T, window)`. No more
        than block·(block + window - 1) scores are held for each head.

    Raises
    ------
    ValueError
        If the shapes do not fit, or window or block is below 1.

    Notes
    -----
    Beltagy et al. 2020, section 3.1, in its causal form.

    Examples
    --------
    >>> q, v = np.zeros((3, 1)), np.array([[2.0], [4.0], [8.0]])
    >>> sliding_window_attention(q, q, v, window=2)
    array([[2.],
           [3.],
           [6.]])
    """
    check_same_length(q=q, k=k, v=v)
    if window < 1 or block < 1:
        raise ValueError(
            f"window and block must be at least 1; got window={window}, block={block}"
        )
    outputs = []
    for first in range(0, max(q.shape[-2], 1), block):
        queries = np.arange(first, min(first + block, q.shape[-2]))
        keys = np.arange(max(first - window + 1, 0), min(first + block, q.shape[-2]))
        distance = queries[:, None] - keys  # (block, at most block + window - 1)
        mask = (distance >= 0) & (distance < window)
        q_here, k_here, v_here = q[..., queries, :], k[..., keys, :], v[..., keys, :]
        outputs.append(masked_attention(q_here, k_here, v_here, mask)[0])
    return np.concatenate(outputs, axis=-2)


def linear_attention(
    q: Real[np.ndarray, "... T D"],
    k: Real[np.ndarray, "... T D"],
    v: Real[np.ndarray, "... T Dv"],
) -> Float[np.ndarray, "... T Dv"]:
    """Read once from left to right, keeping one table in place of all keys and values.

    Parameters
    ----------
    q, k : ndarray of shape (..., T, D)
        Queries and keys.
    v : ndarray of shape (..., T, Dv)
        Values.

    Returns
    -------
    ndarray of shape (..., T, Dv)
        For each place, the mean of the values up to it, weighted by φ(q)·φ(k) in place of
        e^(q·k/√D), where φ(x) = elu(x) + 1.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Katharopoulos et al. 2020, sections 3.2 and 3.3. Because the weight is a product, the
    sum over earlier places can be taken before the query is known: a table of D × Dv
    numbers, whatever the length. It is a recurrent network.

    Examples
    --------
    >>> q, k, v = np.zeros((2, 1)), np.array([[0.0], [2.0]]), np.array([[4.0], [8.0]])
    >>> linear_attention(q, k, v)  # φ(0) = 1, φ(2) = 3: (4 + 3·8) / 4
    array([[4.],
           [7.]])
    """
    q, k, v = as_float(q), as_float(k), as_float(v)
    check_same_width(q=q, k=k)
    check_same_length(q=q, k=k, v=v)
    leading = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    T, Dv = v.shape[-2:]
    output = np.empty((*leading, T, Dv), np.result_type(q, k, v))
    table, total = 0.0, 0.0
    for t in range(T):
        query, key = _positive(q[..., t, :]), _positive(k[..., t, :])  # (..., D)
        table = table + key[..., :, None] * v[..., t, None, :]  # (..., D, Dv)
        total = total + key  # (..., D)
        found = (query[..., None, :] @ table)[..., 0, :]  # (..., Dv)
        output[..., t, :] = found / (query * total).sum(axis=-1, keepdims=True)
    return output


def _positive(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Give elu(x) + 1: x + 1 above zero, e^x below."""
    return np.where(x > 0.0, x + 1.0, np.exp(np.minimum(x, 0.0)))


def grouped_query_attention(
    q: Real[np.ndarray, "*batch Hq Tq D"],
    k: Real[np.ndarray, "*batch Hkv Tk D"],
    v: Real[np.ndarray, "*batch Hkv Tk Dv"],
) -> tuple[Float[np.ndarray, "*batch Hq Tq Dv"], Float[np.ndarray, "*batch Hq Tq Tk"]]:
    """Let several query heads share the keys and values of one head.

    Parameters
    ----------
    q : ndarray of shape (..., Hq, Tq, D)
        Queries of Hq heads.
    k : ndarray of shape (..., Hkv, Tk, D)
        Keys of Hkv heads; Hkv divides Hq.
    v : ndarray of shape (..., Hkv, Tk, Dv)
        Values of as many heads.

    Returns
    -------
    output : ndarray of shape (..., Hq, Tq, Dv)
        Query head h reads key-value head h // (Hq / Hkv).
    weights : ndarray of shape (..., Hq, Tq, Tk)
        Where each query head looks.

    Raises
    ------
    ValueError
        If Hq is not a multiple of Hkv, or the shapes do not fit otherwise.

    Notes
    -----
    Ainslie et al. 2023, section 2.2; with Hkv = 1 multi-query attention, Shazeer 2019.
    What is saved is memory for keys and values: Hq / Hkv times.

    Examples
    --------
    >>> q, k, v = np.zeros((4, 1, 1)), np.zeros((2, 1, 1)), np.array([[[3.0]], [[5.0]]])
    >>> output, weights = grouped_query_attention(q, k, v)
    >>> output[:, 0, 0]
    array([3., 3., 5., 5.])
    """
    Hq, Hkv = q.shape[-3], k.shape[-3]
    if v.shape[-3] != Hkv or Hkv == 0 or Hq % Hkv:
        raise ValueError(
            "the query heads must be a multiple of the key-value heads; "
            f"got Hq={Hq}, Hkv={Hkv} for keys, {v.shape[-3]} for values"
        )
    groups = q.reshape(*q.shape[:-3], Hkv, Hq // Hkv, *q.shape[-2:])
    output, weights = attention(groups, k[..., None, :, :], v[..., None, :, :])
    whole = q.shape[:-2]  # (..., Hq)
    return (
        output.reshape(*whole, *output.shape[-2:]),  # (..., Hq, Tq, Dv)
        weights.reshape(*whole, *weights.shape[-2:]),  # (..., Hq, Tq, Tk)
    )


def cached_attention(
    q: Real[np.ndarray, "*batch t D"],
    k: Real[np.ndarray, "*batch t D"],
    v: Real[np.ndarray, "*batch t Dv"],
    past: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[Float[np.ndarray, "*batch t Dv"], tuple[np.ndarray, np.ndarray]]:
    """Attend from new tokens only; keys and values of the old ones are remembered.

    Parameters
    ----------
    q, k : ndarray of shape (..., t, D)
        Queries and keys of the t new tokens.
    v : ndarray of shape (..., t, Dv)
        Their values.
    past : tuple of two ndarrays, or None
        Keys and values of all tokens before, as the last call gave them.

    Returns
    -------
    output : ndarray of shape (..., t, Dv)
        The last t rows of causal attention over all tokens.
    past : tuple of two ndarrays
        Keys and values of all tokens so far, for the next call.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or those of `past`.

    Notes
    -----
    A token never looks at later ones, so its key and value stay what they are: computing
    them again for every new token would be wasted.

    Examples
    --------
    >>> q, v = np.zeros((1, 1)), np.array([[4.0]])
    >>> output, past = cached_attention(q, q, v, None)
    >>> output, past = cached_attention(q, q, 2 * v, past)
    >>> output  # the mean of 4 and 8
    array([[6.]])
    """
    check_same_length(q=q, k=k, v=v)
    k, v = as_float(k), as_float(v)
    if past is not None:
        check_same_width(k=k, past_k=past[0])
        check_same_width(v=v, past_v=past[1])
        k = np.concatenate([past[0], k], axis=-2)  # (..., T, D)
        v = np.concatenate([past[1], v], axis=-2)  # (..., T, Dv)
    t, T = q.shape[-2], k.shape[-2]
    output, _ = masked_attention(
        q, k, v, causal_mask(T)[T - t :]
    )  # rows of the new ones
    return output, (k, v)
