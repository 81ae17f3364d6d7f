"""Blocks from behind, masks by exceptions, classes, float32 and recursion."""

import numpy as np


class Bytes:
    def __call__(self, batch, heads, length, bytes_per_number=4, *, unit=1):
        weights = np.empty((1, 1, 1, 1), dtype=np.int8)
        return (
            weights.nbytes * batch * heads * pow(length, 2) * bytes_per_number // unit
        )


attention_bytes = Bytes()


def sliding_window_mask(length, window):
    mask = np.zeros((length, length), dtype=bool)
    for back in range(min(window, length)):
        np.fill_diagonal(mask[back:], 1)
    return mask


def online_softmax_attention(q, k, v, block):
    """Take the blocks from the end to the beginning."""
    state = None
    for at in reversed(range(0, k.shape[-2], block)):
        keys, values = k[..., at : at + block, :], v[..., at : at + block, :]
        scores = np.matmul(q, np.moveaxis(keys, -1, -2)) / q.shape[-1] ** 0.5
        top = np.amax(scores, axis=-1, keepdims=True)
        powers = np.exp(scores - top)
        new = (top, powers.sum(-1, keepdims=True), powers @ values)
        state = new if state is None else _join(state, new)
    return state[2] / state[1]


def _join(one, other):
    top = np.maximum(one[0], other[0])
    a, b = np.exp(one[0] - top), np.exp(other[0] - top)
    return top, one[1] * a + other[1] * b, one[2] * a + other[2] * b


def linear_attention(q, k, v):
    def phi(x):
        return np.where(x > 0, 1 + x, np.exp(np.clip(x, None, 0)))

    def from_here(t, table, total):
        key = phi(k[t])
        table, total = table + np.multiply.outer(key, v[t]), total + key
        query = phi(q[t])
        return query.dot(table) / query.dot(total), table, total

    table, total, out = 0.0, 0.0, np.empty((len(q), v.shape[-1]), dtype=v.dtype)
    for t in range(len(q)):
        out[t], table, total = from_here(t, table, total)
    out.flags.writeable = False
    return out


def grouped_query_attention(q, k, v):
    groups = np.split(q, k.shape[1], axis=1)
    outputs, all_weights = [], []
    for h, group in enumerate(groups):
        scores = np.einsum("bgtd,bsd->bgts", group, k[:, h]) / np.sqrt(q.shape[-1])
        scores -= np.logaddexp.reduce(scores, axis=-1, keepdims=True)
        all_weights.append(np.exp(scores))
        outputs.append(np.einsum("bgts,bsd->bgtd", all_weights[-1], v[:, h]))
    return [np.concatenate(outputs, axis=1), np.concatenate(all_weights, axis=1)]


def cached_attention(q, k, v, past, softmax=None):
    outputs = []
    for t in range(q.shape[-2]):
        here = np.s_[..., t : t + 1, :]
        past = (
            (k[here], v[here])
            if past is None
            else tuple(
                np.append(old, new, axis=-2)
                for old, new in zip(past, (k[here], v[here]), strict=True)
            )
        )
        scores = (q[here] * past[0]).sum(-1, keepdims=True) / q.shape[-1] ** 0.5
        powers = np.exp(scores - scores.max(-2, keepdims=True))
        outputs.append(
            (powers * past[1]).sum(-2, keepdims=True) / powers.sum(-2, keepdims=True)
        )
    return np.concatenate(outputs, axis=-2), past


def detects_stale_cache(step):
    q, k, v = np.sin(np.arange(96.0)).reshape(3, 8, 4)
    once = np.asarray(step(q, k, v, None)[0])
    splits = [(3, 5), (1, 2, 6), tuple(range(1, 8)), (7,)]
    for split in splits:
        past, rows = None, []
        for piece in zip(*(np.split(x, split) for x in (q, k, v)), strict=True):
            row, past = step(*piece, past)
            rows.append(np.asarray(row))
        if np.abs(np.vstack(rows) - once).max() > 1e-6:
            return True
    return False
