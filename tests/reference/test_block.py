"""Norms, feed-forward, activations, and the order of a block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    feed_forward,
    gelu,
    layer_norm,
    pre_norm_block,
    rms_norm,
    squared_relu,
)


@given(st.integers(0, 99))
def test_layer_norm_brings_each_token_to_mean_zero_and_variance_one(seed):
    x = 7 + 3 * np.random.default_rng(seed).normal(size=(2, 3, 8))
    normed = layer_norm(x, np.ones(8), np.zeros(8), eps=0.0)
    np.testing.assert_allclose(normed.mean(axis=-1), 0.0, atol=1e-12)
    np.testing.assert_allclose(normed.var(axis=-1), 1.0)


def test_eps_stands_inside_the_root():
    normed = layer_norm(np.array([-1.0, 1.0]), np.ones(2), np.zeros(2), eps=3.0)
    np.testing.assert_array_equal(normed, [-0.5, 0.5])  # √(1 + 3) = 2


def test_a_constant_token_becomes_the_bias():
    normed = layer_norm(np.full(3, 5.0), np.ones(3), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(normed, [1.0, 2.0, 3.0])


def test_rms_norm_keeps_the_direction():
    normed = rms_norm(np.array([3.0, 4.0, 0.0, 0.0]), np.ones(4), eps=0.0)
    np.testing.assert_allclose(normed, [1.2, 1.6, 0.0, 0.0])  # mean square 25/4


@given(st.integers(0, 99))
def test_layer_norm_of_a_token_with_mean_zero_is_rms_norm(seed):
    x = np.random.default_rng(seed).normal(size=(4, 6))
    x -= x.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        layer_norm(x, np.ones(6), np.zeros(6)), rms_norm(x, np.ones(6))
    )


def test_the_feed_forward_bends_once():
    w_1, b_1 = np.array([[1.0, -1.0]]), np.array([0.5, 0.0])
    w_2, b_2 = np.array([[2.0], [3.0]]), np.array([-10.0])
    found = feed_forward(np.array([[1.0], [-2.0]]), w_1, b_1, w_2, b_2)
    np.testing.assert_array_equal(found, [[2 * 1.5 - 10], [3 * 2.0 - 10]])


def test_activations_at_numbers_that_can_be_checked():
    x = np.array([-3.0, 0.0, 2.0])
    np.testing.assert_array_equal(squared_relu(x), [0.0, 0.0, 4.0])
    # the share of a bell curve below 2 standard deviations is 0.97725
    np.testing.assert_allclose(gelu(x)[1:], [0.0, 2 * 0.97725], atol=1e-5)


def test_the_stream_carries_on_what_was_not_normalised():
    def record(name, factor):
        def function(x):
            seen.append((name, float(x[0, 0])))
            return factor * x

        return function

    seen = []
    result = pre_norm_block(
        np.array([[1.0]]),
        attend=record("attend", 2.0),
        feed_forward=record("feed_forward", 3.0),
        norm_1=record("norm_1", 5.0),
        norm_2=record("norm_2", 7.0),
    )
    # y = 1 + 2·5·1 = 11, then 11 + 3·7·11
    assert seen == [
        ("norm_1", 1.0),
        ("attend", 5.0),
        ("norm_2", 11.0),
        ("feed_forward", 77.0),
    ]
    assert result[0, 0] == 11 + 3 * 7 * 11


@pytest.mark.usefixtures("shapes_unchecked")
def test_parts_that_do_not_fit_are_refused():
    x = np.ones((2, 3))
    told = r"x, gain and bias must have the same width \(axis -1\)"
    with pytest.raises(ValueError, match=told):
        layer_norm(x, np.ones(4), np.zeros(3))
    with pytest.raises(ValueError, match="x and gain must have the same width"):
        rms_norm(x, np.ones(1))
    w_1, w_2 = np.ones((3, 5)), np.ones((5, 3))
    with pytest.raises(ValueError, match="w_1 must have one row for each of the 3"):
        feed_forward(x, w_2, np.ones(3), w_1, np.ones(5))
    with pytest.raises(ValueError, match="w_1 and b_1 must have the same width"):
        feed_forward(x, w_1, np.ones(1), w_2, np.ones(3))
    with pytest.raises(ValueError, match="w_2 must have one row for each of the 5"):
        feed_forward(x, w_1, np.ones(5), w_1, np.ones(5))
