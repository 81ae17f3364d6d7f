"""Weights: positive, one in sum, at any size of the scores; and their gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minitransformer.reference import (
    entropy,
    masked_softmax,
    softmax,
    softmax_backward,
)

scores = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=5),
    elements=st.floats(-1e4, 1e4),
)


@given(scores, st.sampled_from([0, 1, -1]))
def test_weights_are_positive_and_sum_to_one_along_the_axis(x, axis):
    weights = softmax(x, axis=axis)
    assert (weights >= 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=axis), 1.0)


@given(scores, st.floats(-100, 100))
def test_adding_one_number_to_all_scores_changes_nothing(x, shift):
    np.testing.assert_allclose(softmax(x + shift), softmax(x), atol=1e-10)


def test_a_lead_of_ln_three_is_three_times_the_weight():
    weights = softmax(np.array([[1.0, 1.0 + np.log(3.0)]]))
    np.testing.assert_allclose(weights, [[0.25, 0.75]])


def test_minus_infinity_gets_nothing():
    np.testing.assert_array_equal(softmax(np.array([-np.inf, 2.0])), [0.0, 1.0])


def test_whole_numbers_give_shares():
    np.testing.assert_array_equal(softmax(np.array([7, 7])), [0.5, 0.5])


@given(scores)
def test_with_nothing_forbidden_the_masked_softmax_is_the_softmax(x):
    found = masked_softmax(x, np.ones(x.shape, bool))
    np.testing.assert_allclose(found, softmax(x))


@given(scores, st.integers(0, 99))
def test_what_is_forbidden_gets_nothing_and_the_rest_sums_to_one(x, seed):
    mask = np.random.default_rng(seed).random(x.shape) < 0.5
    weights = masked_softmax(x, mask)
    assert (weights[~mask] == 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), mask.any(axis=-1))


def test_a_forbidden_score_does_not_matter_however_large():
    x = np.array([[0.0, 0.0, 1e300], [0.0, 0.0, np.inf]])
    weights = masked_softmax(x, np.array([True, True, False]))
    np.testing.assert_array_equal(weights, [[0.5, 0.5, 0.0]] * 2)


def test_allowed_scores_far_below_zero_keep_their_shares():
    x = np.array([[-1e5, -1e5, 0.0]])
    weights = masked_softmax(x, np.array([[True, True, False]]))
    np.testing.assert_array_equal(weights, [[0.5, 0.5, 0.0]])


def test_a_row_that_may_look_nowhere_is_all_zeros():
    weights = masked_softmax(np.ones((2, 3)), np.array([[False], [True]]))
    np.testing.assert_allclose(weights, [[0.0] * 3, [1 / 3] * 3])


def test_the_masked_softmax_runs_along_the_axis_asked_for():
    mask = np.array([[True, False], [True, True], [False, True]])
    weights = masked_softmax(np.zeros((3, 2)), mask, axis=0)
    np.testing.assert_array_equal(weights, [[0.5, 0.0], [0.5, 0.5], [0.0, 0.5]])


@pytest.mark.usefixtures("shapes_unchecked")
def test_a_mask_of_numbers_is_refused():
    told = "mask must be Boolean, True where a query may look; got dtype float64"
    with pytest.raises(TypeError, match=told):
        masked_softmax(np.zeros((2, 2)), np.zeros((2, 2)))


def test_a_mask_that_does_not_fit_is_refused():
    told = r"broadcast to the scores' shape \(2, 3\); got \(3, 2\)"
    with pytest.raises(ValueError, match=told):
        masked_softmax(np.zeros((2, 3)), np.ones((3, 2), bool))


def test_entropy_is_zero_for_certainty_and_ln_n_for_ignorance():
    weights = np.array([[0.0, 1.0, 0.0, 0.0], [0.25] * 4])
    np.testing.assert_allclose(entropy(weights), [0.0, np.log(4.0)])
    assert not np.signbit(entropy(np.array([1.0, 0.0])))


def test_negative_weights_have_no_entropy():
    with pytest.raises(ValueError, match=r"must not be negative; got -0\.5"):
        entropy(np.array([1.5, -0.5]))


@given(st.integers(0, 99))
def test_the_gradient_of_softmax_is_that_of_finite_differences(seed):
    rng = np.random.default_rng(seed)
    x, upstream, direction = rng.normal(size=(3, 2, 5))
    step = 1e-6
    rise = softmax(x + step * direction) - softmax(x - step * direction)
    measured = (upstream * rise).sum() / (2 * step)
    grad = softmax_backward(softmax(x), upstream)
    np.testing.assert_allclose((grad * direction).sum(), measured, atol=1e-8)
    np.testing.assert_allclose(grad.sum(axis=-1), 0.0, atol=1e-12)


@pytest.mark.usefixtures("shapes_unchecked")
def test_a_gradient_of_another_shape_is_refused():
    told = r"have the weights' shape \(2, 3\); got \(3,\)"
    with pytest.raises(ValueError, match=told):
        softmax_backward(np.ones((2, 3)) / 3, np.ones(3))
