"""Attention: a mean of the values, under weights that come from queries and keys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    attention,
    attention_backward,
    attention_scores,
    cross_attention,
    masked_attention,
    self_attention,
    soft_lookup,
    softmax,
)

seeds = st.integers(0, 99)


def normal(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def test_scores_are_divided_by_the_root_of_the_width():
    scores = attention_scores(np.array([[2.0, 0.0, 0.0, 0.0]]), np.full((1, 4), 3.0))
    np.testing.assert_array_equal(scores, [[3.0]])  # 2·3 / √4


@pytest.mark.parametrize("D", [4, 64, 1024])
def test_scores_of_random_vectors_spread_by_one_at_any_width(D):
    q, k = normal(D, (200, D), (200, D))
    assert 0.95 < attention_scores(q, k).std() < 1.05


@given(seeds)
def test_attention_is_the_loop_over_queries(seed):
    q, k, v = normal(seed, (3, 4), (5, 4), (5, 2))
    output, weights = attention(q, k, v)
    for i in range(3):
        scores = np.array([q[i] @ k[j] / 2.0 for j in range(5)])  # √4 = 2
        shares = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(weights[i], shares)
        np.testing.assert_allclose(output[i], sum(shares[j] * v[j] for j in range(5)))


@given(seeds)
def test_the_output_lies_between_the_values(seed):
    q, k, v = normal(seed, (3, 4), (5, 4), (5, 2))
    output, _ = attention(9 * q, k, v)
    assert (output <= v.max(axis=0) + 1e-12).all()
    assert (output >= v.min(axis=0) - 1e-12).all()


@given(seeds)
def test_attention_does_not_care_in_which_order_keys_and_values_stand(seed):
    q, k, v = normal(seed, (3, 4), (5, 4), (5, 2))
    order = np.random.default_rng(seed).permutation(5)
    output, weights = attention(q, k, v)
    again, mixed = attention(q, k[order], v[order])
    np.testing.assert_allclose(again, output)
    np.testing.assert_allclose(mixed, weights[:, order])


@given(seeds)
def test_hidden_keys_might_as_well_not_be_there(seed):
    q, k, v = normal(seed, (3, 4), (5, 4), (5, 2))
    mask = np.array([True, False, True, True, False])
    output, weights = masked_attention(q, k, v, mask)
    np.testing.assert_allclose(output, attention(q, k[mask], v[mask])[0])
    assert (weights[:, ~mask] == 0.0).all()


def test_a_query_that_may_look_nowhere_gets_zeros():
    q, k, v = normal(0, (2, 4), (3, 4), (3, 2))
    output, weights = masked_attention(q, k, v, np.array([[False], [True]]))
    assert (output[0] == 0.0).all()
    assert (weights[0] == 0.0).all()


@given(seeds)
def test_self_attention_asks_and_answers_with_one_sequence(seed):
    x, w_q, w_k, w_v = normal(seed, (3, 4), (4, 5), (4, 5), (4, 2))
    output, weights = self_attention(x, w_q, w_k, w_v)
    np.testing.assert_allclose(weights, softmax(x @ w_q @ (x @ w_k).T / np.sqrt(5.0)))
    np.testing.assert_allclose(output, weights @ (x @ w_v))


@given(seeds)
def test_cross_attention_asks_with_one_and_answers_with_the_other(seed):
    x, memory, w_q, w_k, w_v = normal(seed, (3, 4), (6, 2), (4, 5), (2, 5), (2, 7))
    output, weights = cross_attention(x, memory, w_q, w_k, w_v)
    np.testing.assert_allclose(
        output, attention(x @ w_q, memory @ w_k, memory @ w_v)[0]
    )
    assert weights.shape == (3, 6)
    shown = np.arange(6) < 4
    shorter, _ = cross_attention(x, memory[:4], w_q, w_k, w_v)
    hidden, _ = cross_attention(x, memory, w_q, w_k, w_v, shown)
    np.testing.assert_allclose(hidden, shorter)


def test_a_cold_look_up_finds_the_best_match_and_a_hot_one_the_mean():
    keys, values = np.array([[1.0], [2.0], [0.0]]), np.array([[3.0], [5.0], [10.0]])
    query = np.array([1.0])
    np.testing.assert_allclose(soft_lookup(query, keys, values, 0.01), [5.0])
    np.testing.assert_allclose(soft_lookup(query, keys, values, 1e9), [6.0])


def test_the_look_up_is_not_scaled_by_the_width():
    keys = np.array([[np.log(3.0), 0, 0, 0], [0, 0, 0, 0]])
    found = soft_lookup(np.array([1.0, 0, 0, 0]), keys, np.array([[4.0], [0.0]]))
    np.testing.assert_allclose(found, [3.0])


@given(seeds)
def test_the_way_back_is_that_of_finite_differences(seed):
    inputs = normal(seed, (2, 3, 4), (2, 5, 4), (2, 5, 6))
    (upstream,) = normal(seed + 1, (2, 3, 6))
    directions = normal(seed + 2, *(x.shape for x in inputs))
    grads = attention_backward(*inputs, upstream)
    step = 1e-6
    for i, (grad, direction) in enumerate(zip(grads, directions, strict=True)):
        ends = []
        for sign in (1, -1):
            moved = list(inputs)
            moved[i] = moved[i] + sign * step * direction
            ends.append((attention(*moved)[0] * upstream).sum())
        measured = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose((grad * direction).sum(), measured, atol=1e-7)


@pytest.mark.usefixtures("shapes_unchecked")
class TestRefusals:
    q, k, v = np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2))
    narrow, short = np.ones((5, 3)), np.ones((2, 2))
    width = r"q and k must have the same width \(axis -1\)"
    length = r"k and v must have the same length \(axis -2\)"

    def test_queries_and_keys_of_different_width(self):
        with pytest.raises(ValueError, match=self.width):
            attention_scores(self.q, self.narrow)
        with pytest.raises(ValueError, match=self.width):
            attention(self.q, self.narrow, self.v)

    def test_keys_and_values_of_different_length(self):
        with pytest.raises(ValueError, match=self.length):
            attention(self.q, self.k, self.short)
        with pytest.raises(ValueError, match=self.length):
            masked_attention(self.q, self.k, self.short, np.ones(5, bool))

    def test_masks_that_are_no_masks(self):
        with pytest.raises(TypeError, match="must be Boolean"):
            masked_attention(self.q, self.k, self.v, np.zeros((3, 5)))
        with pytest.raises(TypeError, match="must be Boolean"):
            cross_attention(
                self.q, self.k, *(np.ones((4, 2)) for _ in "qkv"), np.zeros(5)
            )

    def test_parameters_that_do_not_fit(self):
        w, tall = np.ones((4, 2)), np.ones((5, 2))
        told = r"w_k must have one row for each of the 4 features .* got shape \(5, 2\)"
        with pytest.raises(ValueError, match=told):
            self_attention(self.q, w, tall, w)
        with pytest.raises(ValueError, match=told):
            cross_attention(self.q, self.k, w, tall, w)

    def test_a_look_up_that_does_not_fit(self):
        with pytest.raises(ValueError, match="query and keys must have the same width"):
            soft_lookup(self.q[0], self.narrow, self.v)

    def test_gradients_that_do_not_fit(self):
        told = r"output's shape \(3, 2\); got \(3, 4\)"
        with pytest.raises(ValueError, match=told):
            attention_backward(self.q, self.k, self.v, self.q)
        with pytest.raises(ValueError, match="equal leading axes"):
            attention_backward(self.q, self.k[None], self.v, np.ones((1, 3, 2)))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_look_up_needs_a_temperature_above_zero(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0; got"):
        soft_lookup(np.ones(2), np.ones((3, 2)), np.ones((3, 1)), temperature)
