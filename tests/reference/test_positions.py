"""Positions: waves, turns, penalties; and what happens without them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    alibi_bias,
    is_permutation_equivariant,
    rotary,
    self_attention,
    sinusoidal_positions,
)

seeds = st.integers(0, 99)


def test_sines_and_cosines_alternate():
    table = sinusoidal_positions(3, 4, base=100.0)
    np.testing.assert_array_equal(table[0], [0, 1, 0, 1])
    wanted = [np.sin(2), np.cos(2), np.sin(0.2), np.cos(0.2)]  # 100^(2/4) = 10
    np.testing.assert_allclose(table[2], wanted)


def test_places_at_one_distance_have_one_dot_product():
    table = sinusoidal_positions(50, 16)
    products = table @ table.T
    for distance in (1, 7, 20):
        np.testing.assert_allclose(np.diag(products, distance).std(), 0.0, atol=1e-12)


def test_a_quarter_turn_takes_the_first_axis_to_the_second():
    turned = rotary(np.array([[1.0, 0.0, 5.0, 7.0]]), np.array([np.pi / 2]), base=1e30)
    np.testing.assert_allclose(turned, [[0.0, 1.0, 5.0, 7.0]], atol=1e-12)


@given(seeds)
def test_turning_keeps_lengths(seed):
    x = np.random.default_rng(seed).normal(size=(2, 5, 6))
    turned = rotary(x, np.array([3, 1, 4, 100, 5]))
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=-1), np.linalg.norm(x, axis=-1)
    )


@given(seeds, st.integers(0, 1000))
def test_scores_of_turned_vectors_depend_on_the_distance_alone(seed, shift):
    q, k = np.random.default_rng(seed).normal(size=(2, 4, 6))
    places = np.array([0, 2, 3, 9])
    here = rotary(q, places) @ rotary(k, places).T
    there = rotary(q, places + shift) @ rotary(k, places + shift).T
    np.testing.assert_allclose(here, there, atol=1e-10)


def test_the_penalty_grows_with_the_distance_and_halves_from_head_to_head():
    bias = alibi_bias(num_heads=8, length=4)
    np.testing.assert_array_equal(bias[0, 3], [-1.5, -1.0, -0.5, 0.0])
    np.testing.assert_array_equal(bias[1], bias[0] / 2)
    assert (bias[:, ~np.tri(4, dtype=bool)] == 0.0).all()


def test_slopes_follow_the_formula_for_any_number_of_heads():
    slopes = -alibi_bias(num_heads=3, length=2)[:, 1, 0]
    np.testing.assert_allclose(slopes, [2 ** (-8 / 3), 2 ** (-16 / 3), 2**-8])


@given(seeds)
def test_attention_without_positions_does_not_know_the_order(seed):
    rng = np.random.default_rng(seed)
    x, order = rng.normal(size=(5, 3)), rng.permutation(5)
    w_q, w_k, w_v = rng.normal(size=(3, 3, 3))

    def attend(x):
        return self_attention(x, w_q, w_k, w_v)[0]

    assert is_permutation_equivariant(attend, x, order)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_no_difference_and_a_position_is_one(dtype):
    rng = np.random.default_rng(0)
    x, order = rng.normal(size=(6, 4)).astype(dtype), np.array([2, 0, 1, 5, 4, 3])
    positions = sinusoidal_positions(6, 4).astype(dtype)
    assert is_permutation_equivariant(lambda x: x / x.sum(), x, order)
    assert not is_permutation_equivariant(lambda x: x + positions, x, order)


def test_a_sum_is_no_row_by_row_function():
    x, order = np.array([[1.0], [2.0], [4.0]]), np.array([1, 2, 0])
    assert not is_permutation_equivariant(lambda x: x.cumsum(axis=0), x, order)


def test_odd_widths_are_refused():
    told = "width must be even, two features a wave; got 3"
    with pytest.raises(ValueError, match=told):
        sinusoidal_positions(4, 3)
    with pytest.raises(ValueError, match=told):
        rotary(np.ones((2, 3)), np.arange(2))


@pytest.mark.usefixtures("shapes_unchecked")
def test_each_row_needs_its_position():
    told = r"one number for each of the 2 rows; got shape \(3,\)"
    with pytest.raises(ValueError, match=told):
        rotary(np.ones((2, 4)), np.arange(3))


def test_a_penalty_needs_a_head():
    with pytest.raises(ValueError, match="num_heads must be at least 1; got 0"):
        alibi_bias(0, 3)


def test_an_order_that_forgets_a_row_is_refused():
    with pytest.raises(ValueError, match=r"permutation of 0 to 2; got \[0 0 1\]"):
        is_permutation_equivariant(np.abs, np.ones((3, 1)), np.array([0, 0, 1]))
