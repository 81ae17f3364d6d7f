"""Windows: what is read, what should be guessed, and what is held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.text import (
    next_character_windows,
    random_starts,
    split_text,
    validation_starts,
)


def test_targets_are_the_same_places_one_later():
    ids = np.array([5, 6, 7, 8, 9])
    inputs, targets = next_character_windows(ids, np.array([2, 0]), 2)
    assert inputs.tolist() == [[7, 8], [5, 6]]
    assert targets.tolist() == [[8, 9], [6, 7]]


@given(st.integers(1, 9), st.integers(1, 40))
def test_validation_windows_tell_each_target_once(context_length, more):
    ids = np.arange(context_length + more)
    starts = validation_starts(len(ids), context_length)
    _, targets = next_character_windows(ids, starts, context_length)
    told = targets.ravel()
    assert told.tolist() == list(range(1, len(told) + 1))
    assert len(ids) - 1 - len(told) < context_length  # what is left fills no window


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_random_windows_lie_inside_the_text(context_length, more, seed):
    ids = np.arange(context_length + more)
    rng = np.random.default_rng(seed)
    starts = random_starts(len(ids), context_length, 50, rng)
    inputs, targets = next_character_windows(ids, starts, context_length)
    np.testing.assert_array_equal(targets, inputs + 1)


def test_every_place_can_be_drawn():
    starts = random_starts(7, 4, 200, np.random.default_rng(0))
    assert set(starts.tolist()) == {0, 1, 2}


def test_the_last_tenth_is_held_out():
    train, validation = split_text("x" * 1_132_209)
    assert (len(train), len(validation)) == (1_018_988, 113_221)
    assert split_text("abcd", held_out=0.5) == ("ab", "cd")


def test_windows_that_reach_outside_are_refused():
    ids = np.arange(6)
    for start in (-1, 2):
        with pytest.raises(ValueError, match=r"starts must lie between 0 and 1.* of 6"):
            next_character_windows(ids, np.array([start]), 4)


def test_a_context_longer_than_the_text_is_refused():
    told = "longer than the context of 6 characters; got 6"
    with pytest.raises(ValueError, match=told):
        next_character_windows(np.arange(6), np.array([0]), 6)
    with pytest.raises(ValueError, match=told):
        random_starts(6, 6, 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match=told):
        validation_starts(6, 6)
    with pytest.raises(ValueError, match="context_length must be at least 1; got 0"):
        validation_starts(6, 0)


def test_a_split_needs_two_parts():
    with pytest.raises(
        ValueError, match=r"held_out must lie between 0 and 1; got 1\.0"
    ):
        split_text("abc", held_out=1.0)
    with pytest.raises(ValueError, match="long enough for two parts; got 1 characters"):
        split_text("a")
