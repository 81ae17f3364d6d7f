"""Attention for long sequences: the same numbers, in less memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    attention,
    attention_bytes,
    cached_attention,
    causal_mask,
    grouped_query_attention,
    linear_attention,
    masked_attention,
    online_softmax_attention,
    sliding_window_attention,
    sliding_window_mask,
    tiled_attention,
)
from minitransformer.reference.efficient import SAFE_SCORE

seeds = st.integers(0, 99)
sizes = st.sampled_from([0.1, 1.0, 30.0])  # of the numbers: scores up to thousands


def normal(seed, *shapes, size=1.0):
    rng = np.random.default_rng(seed)
    return [size * rng.normal(size=shape) for shape in shapes]


def peak_mib(function, *arguments, **options):
    """Give the memory a call needs beyond what is there before, in MiB."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    function(*arguments, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (peak - before) / 2**20


@given(seeds, st.integers(1, 9), sizes)
def test_any_block_gives_the_output_of_attention(seed, block, size):
    q, k, v = normal(seed, (2, 4, 3), (2, 7, 3), (2, 7, 5), size=size)
    found = online_softmax_attention(q, k, v, block)
    np.testing.assert_allclose(found, attention(q, k, v)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("order", [1, -1])
def test_a_largest_score_that_rises_or_falls_from_block_to_block_is_no_matter(order):
    k = 100.0 * np.arange(6.0)[::order, None]
    q, v = np.array([[1.0]]), np.arange(6.0)[:, None]
    found = online_softmax_attention(q, k, v, 2)
    np.testing.assert_allclose(found, attention(q, k, v)[0])


@given(seeds, st.integers(1, 8), st.integers(1, 8), st.booleans(), sizes)
def test_any_tiles_give_the_output_of_attention(seed, rows, columns, causal, size):
    q, k, v = normal(seed, (2, 7, 4), (2, 7, 4), (2, 7, 3), size=size)
    found = tiled_attention(q, k, v, causal=causal, query_tile=rows, key_tile=columns)
    mask = causal_mask(7) if causal else np.ones((7, 7), bool)
    wanted, _ = masked_attention(q, k, v, mask)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [0.999, 1.001])
def test_scores_on_both_sides_of_the_safe_size_come_out_alike(size):
    k = np.sqrt(SAFE_SCORE * size) * np.array([[1.0], [-1.0], [0.5]])
    v = np.array([[1.0], [2.0], [4.0]])
    for type_, tolerance in ((np.float64, 1e-12), (np.float32, 1e-6)):
        x, y = k.astype(type_), v.astype(type_)
        found = tiled_attention(x, x, y, query_tile=2, key_tile=2)
        np.testing.assert_allclose(found, attention(x, x, y)[0], rtol=tolerance)


@pytest.mark.slow
def test_tiles_need_a_fortieth_of_the_memory_and_no_square_of_the_length():
    q, k, v = (x.astype(np.float32) for x in normal(0, *[(2, 2048, 32)] * 3))
    textbook = peak_mib(attention, q, k, v)
    tiled = peak_mib(tiled_attention, q, k, v)
    assert tiled < textbook / 40
    twice = peak_mib(tiled_attention, *(np.repeat(x, 2, axis=-2) for x in (q, k, v)))
    assert twice < 2.2 * tiled


def test_the_online_softmax_holds_a_few_columns_at_a_time():
    q, k, v = normal(0, (64, 8), (4096, 8), (4096, 8))
    assert peak_mib(online_softmax_attention, q, k, v, 64) < 0.5  # all scores: 2 MiB


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_a_window_in_blocks_is_the_masked_attention(seed, window, block):
    q, k, v = normal(seed, (2, 9, 4), (2, 9, 4), (2, 9, 3))
    found = sliding_window_attention(q, k, v, window, block=block)
    wanted, _ = masked_attention(q, k, v, sliding_window_mask(9, window))
    np.testing.assert_allclose(found, wanted)


def test_a_window_needs_memory_in_proportion_to_the_length():
    q, k, v = normal(0, *[(2048, 8)] * 3)
    assert peak_mib(sliding_window_attention, q, k, v, 32) < 2  # all scores: 32 MiB


@given(seeds)
def test_linear_attention_is_a_mean_under_products_of_features(seed):
    q, k, v = normal(seed, (6, 3), (6, 3), (6, 2))

    def features(x):
        return np.where(x > 0, x + 1, np.exp(x))

    weights = np.tril(features(q) @ features(k).T)
    wanted = weights @ v / weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(linear_attention(q, k, v), wanted)


def test_linear_attention_keeps_one_table_whatever_the_length():
    q, k, v = normal(0, *[(1024, 8)] * 3)
    assert peak_mib(linear_attention, q, k, v) < 0.2  # all scores: 8 MiB


@given(seeds, st.sampled_from([1, 2, 4]))
def test_query_heads_share_the_keys_of_their_group(seed, Hkv):
    q, k, v = normal(seed, (2, 4, 3, 5), (2, Hkv, 6, 5), (2, Hkv, 6, 2))
    output, weights = grouped_query_attention(q, k, v)
    repeated = [np.repeat(x, 4 // Hkv, axis=1) for x in (k, v)]
    wanted = attention(q, *repeated)
    np.testing.assert_allclose(output, wanted[0])
    np.testing.assert_allclose(weights, wanted[1])


@given(seeds, st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_pieces_through_the_cache_are_causal_attention_at_once(seed, pieces):
    T = sum(pieces)
    q, k, v = normal(seed, (2, T, 4), (2, T, 4), (2, T, 3))
    past, found, start = None, [], 0
    for piece in pieces:
        new = slice(start, start + piece)
        output, past = cached_attention(q[:, new], k[:, new], v[:, new], past)
        found.append(output)
        start += piece
    wanted, _ = masked_attention(q, k, v, causal_mask(T))
    np.testing.assert_allclose(np.concatenate(found, axis=-2), wanted)
    np.testing.assert_array_equal(past[0], k)
    np.testing.assert_array_equal(past[1], v)


def test_bytes_grow_with_the_square_of_the_length():
    assert attention_bytes(2, 3, 5) == 2 * 3 * 25 * 4
    assert attention_bytes(1, 1, 10, bytes_per_number=8) == 800


@pytest.mark.usefixtures("shapes_unchecked")
class TestRefusals:
    q, k, v = np.ones((2, 3, 4)), np.ones((2, 5, 4)), np.ones((2, 5, 6))

    def test_sizes_that_are_none(self):
        with pytest.raises(ValueError, match="heads must not be negative; got -1"):
            attention_bytes(1, -1, 5)
        with pytest.raises(ValueError, match="block must be at least 1; got 0"):
            online_softmax_attention(self.q, self.k, self.v, 0)
        with pytest.raises(ValueError, match="got query_tile=1024, key_tile=0"):
            tiled_attention(self.q, self.k, self.v, key_tile=0)
        with pytest.raises(ValueError, match="got window=0, block=128"):
            sliding_window_attention(self.k, self.k, self.v, 0)

    def test_shapes_that_do_not_fit(self):
        short = self.v[:, :2]
        with pytest.raises(ValueError, match="k and v must have the same length"):
            online_softmax_attention(self.q, self.k, short, 2)
        with pytest.raises(ValueError, match="k and v must have the same length"):
            tiled_attention(self.q, self.k, short)
        with pytest.raises(ValueError, match="q, k and v must have the same length"):
            sliding_window_attention(self.q, self.k, self.v, 2)
        with pytest.raises(ValueError, match="q, k and v must have the same length"):
            linear_attention(self.q, self.k, self.v)

    def test_no_diagonal_without_a_square(self):
        with pytest.raises(ValueError, match="q and k must have the same length"):
            tiled_attention(self.q, self.k, self.v, causal=True)

    def test_heads_that_cannot_be_shared_out(self):
        told = "must be a multiple .* got Hq=2, Hkv=3 for keys, 3 for values"
        with pytest.raises(ValueError, match=told):
            grouped_query_attention(self.q, np.ones((3, 5, 4)), np.ones((3, 5, 6)))

    def test_a_past_of_another_width(self):
        past = (np.ones((2, 1, 3)), np.ones((2, 1, 6)))
        with pytest.raises(ValueError, match="k and past_k must have the same width"):
            cached_attention(self.k, self.k, self.v, past)
