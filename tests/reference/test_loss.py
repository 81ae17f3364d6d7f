"""The loss: surprise in nats per character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import next_character_loss


def test_whoever_knows_nothing_is_surprised_by_ln_v():
    loss = next_character_loss(np.zeros((2, 3, 7)), np.zeros((2, 3), int))
    assert loss == pytest.approx(np.log(7.0))


def test_the_surprise_is_minus_the_logarithm_of_the_share():
    logits = np.log(np.array([[[1.0, 3.0], [1.0, 1.0]]]))
    loss = next_character_loss(logits, np.array([[1, 0]]))
    assert loss == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)


def test_logits_of_a_thousand_do_not_overflow():
    logits = np.array([[[1000.0, 0.0], [-1000.0, 0.0]]])
    assert next_character_loss(logits, np.array([[1, 0]])) == 1000.0
    assert next_character_loss(logits, np.array([[0, 1]])) == 0.0


@given(st.integers(0, 99), st.floats(-50, 50))
def test_only_differences_of_logits_matter(seed, shift):
    rng = np.random.default_rng(seed)
    logits, targets = rng.normal(size=(2, 3, 5)), rng.integers(5, size=(2, 3))
    loss = next_character_loss(logits, targets)
    assert next_character_loss(logits + shift, targets) == pytest.approx(loss)


@pytest.mark.parametrize("target", [-1, 4])
def test_a_character_outside_the_vocabulary_is_refused(target):
    with pytest.raises(ValueError, match="targets must lie between 0 and 3; got"):
        next_character_loss(np.zeros((1, 2, 4)), np.array([[0, target]]))


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("shape", [(1, 3), (2,), (0, 2)])
def test_each_row_of_logits_needs_one_target(shape):
    with pytest.raises(ValueError, match="one id, and at least one, for each row"):
        next_character_loss(np.zeros((1, 2, 4))[: shape[0]], np.zeros(shape, int))
