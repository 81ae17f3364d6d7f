"""Masks: True where a query may look."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    causal_mask,
    masked_softmax,
    padding_mask,
    sliding_window_mask,
)


def test_the_past_and_oneself_may_be_seen_and_nothing_else():
    mask = causal_mask(3)
    assert mask.tolist() == [[True, False, False], [True, True, False], [True] * 3]
    assert causal_mask(0).shape == (0, 0)


def test_padding_hides_what_stands_after_the_real_tokens():
    mask = padding_mask(np.array([2, 0]), 3)
    assert mask.tolist() == [[[True, True, False]], [[False] * 3]]


def test_a_padding_mask_fits_scores_of_the_whole_batch():
    weights = masked_softmax(np.zeros((2, 4, 3)), padding_mask(np.array([1, 2]), 3))
    np.testing.assert_array_equal(weights[0, 3], [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(weights[1, 0], [0.5, 0.5, 0.0])


@given(st.integers(0, 9), st.integers(1, 12))
def test_a_window_shows_oneself_and_those_just_before(length, window):
    mask = sliding_window_mask(length, window)
    assert mask.dtype == bool
    for i in range(length):
        assert np.flatnonzero(mask[i]).tolist() == list(
            range(max(0, i - window + 1), i + 1)
        )


def test_negative_lengths_are_refused():
    with pytest.raises(ValueError, match="length must not be negative; got -1"):
        causal_mask(-1)
    with pytest.raises(ValueError, match="length must not be negative; got -2"):
        sliding_window_mask(-2, 1)


def test_a_window_must_hold_oneself():
    with pytest.raises(ValueError, match="window must be at least 1; got 0"):
        sliding_window_mask(3, 0)


@pytest.mark.parametrize("lengths", [[4], [-1]])
def test_no_sequence_has_more_real_tokens_than_places(lengths):
    with pytest.raises(ValueError, match="lengths must lie between 0 and 3; got"):
        padding_mask(np.array(lengths), 3)
