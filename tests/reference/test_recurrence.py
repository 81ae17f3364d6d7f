"""Reading step by step, and how far apart two places are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import path_length, recurrent_states
from minitransformer.reference import sliding_window_mask as window_mask


def test_each_state_is_made_of_the_token_and_the_state_before():
    x, w_x, w_h = np.array([[1.0], [-1.0]]), np.array([[0.5]]), np.array([[2.0]])
    states = recurrent_states(x, w_x, w_h, np.array([0.25]))
    first = np.tanh(0.75)
    np.testing.assert_allclose(states[:, 0], [first, np.tanh(-0.25 + 2 * first)])


@given(st.integers(0, 99))
def test_later_tokens_do_not_change_earlier_states(seed):
    rng = np.random.default_rng(seed)
    x, w_x, w_h = (
        rng.normal(size=(6, 2)),
        rng.normal(size=(2, 3)),
        rng.normal(size=(3, 3)),
    )
    whole = recurrent_states(x, w_x, w_h, np.zeros(3))
    np.testing.assert_array_equal(
        recurrent_states(x[:4], w_x, w_h, np.zeros(3)), whole[:4]
    )


@given(st.integers(0, 30), st.integers(2, 9))
def test_a_window_reaches_as_far_as_its_mask_does_step_by_step(distance, window):
    mask = window_mask(distance + 1, window)
    reached, steps = np.eye(distance + 1, dtype=bool)[distance], 0
    while not reached[0]:
        reached, steps = reached @ mask, steps + 1
    assert path_length("window", distance, window) == steps


def test_a_recurrent_net_walks_and_attention_jumps():
    assert path_length("recurrent", 65) == 65
    assert path_length("attention", 65) == 1
    assert [path_length(kind, 0) for kind in ("recurrent", "attention")] == [0, 0]


def test_paths_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="distance must not be negative; got -1"):
        path_length("attention", -1)
    for window in (None, 1):
        with pytest.raises(
            ValueError, match=f"at least 2 to get anywhere; got {window}"
        ):
            path_length("window", 3, window)


@pytest.mark.usefixtures("shapes_unchecked")
def test_an_unknown_kind_and_parameters_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match='"attention" or "window"; got \'convolution\''
    ):
        path_length("convolution", 3)
    x, b = np.ones((4, 2)), np.ones(3)
    with pytest.raises(ValueError, match="w_x must have one row for each of the 2"):
        recurrent_states(x, np.ones((3, 3)), np.ones((3, 3)), b)
    with pytest.raises(ValueError, match="w_h must have one row for each of the 3"):
        recurrent_states(x, np.ones((2, 3)), np.ones((2, 3)), b)
