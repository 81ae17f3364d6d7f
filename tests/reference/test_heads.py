"""Heads: cutting features, looking in several ways, and what a head is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    causal_mask,
    head_importance,
    induction_score,
    masked_attention,
    merge_heads,
    multi_head_attention,
    padding_mask,
    split_heads,
)


def test_a_head_holds_a_run_of_features_of_every_token():
    x = np.arange(2 * 3 * 8).reshape(2, 3, 8)
    heads = split_heads(x, 4)
    assert heads.shape == (2, 4, 3, 2)
    for h in range(4):
        np.testing.assert_array_equal(heads[:, h], x[:, :, 2 * h : 2 * h + 2])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_merging_brings_back_what_was_split(H, T, D):
    x = np.random.default_rng(0).normal(size=(2, T, H * D))
    np.testing.assert_array_equal(merge_heads(split_heads(x, H)), x)


def test_many_heads_are_small_attentions_side_by_side():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 6))
    w_q, w_k, w_v, w_o = rng.normal(size=(4, 6, 6))
    mask = causal_mask(5)
    output, weights = multi_head_attention(x, w_q, w_k, w_v, w_o, 3, mask=mask)
    found = []
    for h in range(3):
        own = slice(2 * h, 2 * h + 2)
        part, seen = masked_attention(
            x @ w_q[:, own], x @ w_k[:, own], x @ w_v[:, own], mask
        )
        found.append(part)
        np.testing.assert_allclose(weights[:, h], seen)
    np.testing.assert_allclose(output, np.concatenate(found, axis=-1) @ w_o)


def test_a_mask_for_each_sequence_is_shared_by_its_heads():
    rng = np.random.default_rng(0)
    x, parameters = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 4, 4))
    mask = padding_mask(np.array([1, 3]), 3)
    _, weights = multi_head_attention(x, *parameters, 2, mask=mask)
    assert (weights[0, :, :, 1:] == 0.0).all()
    assert (weights[1] > 0.0).all()


def test_a_perfect_induction_head_scores_one():
    ids = np.array([4, 7, 9, 4, 7])
    weights = np.zeros((5, 5))
    weights[3, 1] = weights[4, 2] = 1.0  # what came after the earlier 4, the earlier 7
    assert induction_score(weights, ids) == 1.0


def test_all_earlier_places_count_together():
    ids = np.array([1, 1, 1])
    weights = np.array([[1.0, 0, 0], [0.25, 0.75, 0], [0.5, 0.25, 0.25]])
    # place 1: after place 0 stands 1: 0.75; place 2: after 0 and 1 stand 1 and 2: 0.5
    assert induction_score(weights, ids) == pytest.approx((0.75 + 0.5) / 2)


def test_where_nothing_repeats_there_is_no_induction():
    assert induction_score(np.eye(3), np.array([1, 2, 3])) == 0.0


def test_importance_is_how_much_the_loss_rises():
    losses = {None: 1.5, 0: 2.0, 1: 1.25}
    importance = head_importance(losses.__getitem__, 2)
    np.testing.assert_array_equal(importance, [0.5, -0.25])


@pytest.mark.parametrize("num_heads", [0, 4])
def test_a_width_that_cannot_be_shared_out_is_refused(num_heads):
    told = f"multiple of num_heads; got width=6, num_heads={num_heads}"
    with pytest.raises(ValueError, match=told):
        split_heads(np.ones((2, 6)), num_heads)
    with pytest.raises(ValueError, match=told):
        multi_head_attention(np.ones((2, 6)), *np.ones((4, 6, 6)), num_heads)


@pytest.mark.usefixtures("shapes_unchecked")
class TestRefusals:
    def test_nothing_to_merge(self):
        with pytest.raises(
            ValueError, match=r"axes \(..., H, T, D\); got shape \(2, 6\)"
        ):
            merge_heads(np.ones((2, 6)))

    def test_parameters_and_masks_that_do_not_fit(self):
        x, w = np.ones((2, 6)), np.ones((4, 6, 6))
        with pytest.raises(
            ValueError, match=r"w_o must have one row for each of the 6"
        ):
            multi_head_attention(x, w[0], w[0], w[0], np.ones((5, 6)), 2)
        with pytest.raises(ValueError, match=r"shape \(2, 2\); got \(3, 3\)"):
            multi_head_attention(x, *w, 2, mask=causal_mask(3))
        with pytest.raises(TypeError, match="must be Boolean"):
            multi_head_attention(x, *w, 2, mask=np.tri(2))

    def test_weights_that_belong_to_other_characters(self):
        told = r"each of the 2 ids; got shape \(3, 3\)"
        with pytest.raises(ValueError, match=told):
            induction_score(np.eye(3), np.array([1, 1]))


def test_without_heads_there_is_nothing_to_switch_off():
    with pytest.raises(ValueError, match="num_heads must be at least 1; got 0"):
        head_importance(lambda _: 0.0, 0)
