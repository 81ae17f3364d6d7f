"""A whole forward pass: what must hold whatever the parameters are."""

import numpy as np
import pytest
from reference.untrained import CONTEXT, V, arrays, settings

from minitransformer.reference import causal_mask, forward, layer_norm, masked_attention
from minitransformer.reference.forward import check_model

every_kind_of_positions = pytest.mark.parametrize(
    "positions", ["learned", "sinusoidal", "rotary", "alibi", "none"]
)


def ids(T, seed=0):
    return np.random.default_rng(seed).integers(V, size=(2, T))


@every_kind_of_positions
def test_later_characters_do_not_change_earlier_logits(positions):
    model = arrays(positions=positions), settings(positions=positions)
    text = ids(8)
    changed = text.copy()
    changed[:, 5:] = (text[:, 5:] + 1) % V
    before, after = forward(text, *model), forward(changed, *model)
    np.testing.assert_allclose(before[:, :5], after[:, :5])
    assert not np.allclose(before[:, 5], after[:, 5])


def test_without_positions_and_mask_permuting_the_text_permutes_the_logits():
    model = arrays(positions="none"), settings(positions="none")
    text, order = ids(6), np.array([3, 0, 5, 1, 2, 4])
    everywhere = np.ones((6, 6), bool)
    straight = forward(text, *model, mask=everywhere)
    permuted = forward(text[:, order], *model, mask=everywhere)
    np.testing.assert_allclose(permuted, straight[:, order])


def test_gains_of_one_and_biases_of_zero_may_be_left_out():
    full = arrays()
    for name in full:
        if name.endswith("gain"):
            full[name] = np.ones_like(full[name])
        if name.endswith(("bias", "b_1", "b_2")):
            full[name] = np.zeros_like(full[name])
    endings = ("gain", "bias", "b_1", "b_2")
    short = {name: x for name, x in full.items() if not name.endswith(endings)}
    np.testing.assert_array_equal(
        forward(ids(5), short, settings()), forward(ids(5), full, settings())
    )


def test_a_mask_for_each_text_hides_its_own_places():
    model = arrays(), settings()
    text = ids(4)
    mask = np.stack([causal_mask(4), causal_mask(4) & (np.arange(4) > 0)])
    logits = forward(text, *model, mask=mask)
    changed = text.copy()
    changed[:, 0] = (text[:, 0] + 1) % V
    after = forward(changed, *model, mask=mask)
    np.testing.assert_allclose(after[1, 1:], logits[1, 1:])
    assert not np.allclose(after[0, 1:], logits[0, 1:])


def test_parts_of_ones_own_are_used():
    def without_scale(q, k, v, mask):
        return masked_attention(q * np.sqrt(q.shape[-1]), k, v, mask)

    def counted_norm(*args):
        counted.append(1)
        return layer_norm(*args)

    counted = []
    model = arrays(), settings()
    right = forward(ids(5), *model)
    np.testing.assert_array_equal(
        forward(ids(5), *model, parts={"layer_norm": counted_norm}), right
    )
    assert len(counted) == 5  # two blocks with two norms each, and the final one
    wrong = forward(ids(5), *model, parts={"masked_attention": without_scale})
    assert not np.allclose(wrong, right)


def test_arrays_in_float32_give_logits_in_float32():
    narrow = {
        name: x.astype(np.float32) for name, x in arrays(positions="alibi").items()
    }
    found = forward(ids(5), narrow, settings(positions="alibi"))
    assert found.dtype == np.float32
    wanted = forward(ids(5), arrays(positions="alibi"), settings(positions="alibi"))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_what_is_no_model_is_refused():
    with pytest.raises(
        ValueError, match="settings must give num_heads, at least 1; got"
    ):
        forward(ids(2), arrays(), {"num_layers": 2})
    told = "positions must be one of .*'none'.; got 'spiral'"
    with pytest.raises(ValueError, match=told):
        forward(ids(2), arrays(), settings() | {"positions": "spiral"})
    short = {
        name: x for name, x in arrays().items() if name != "blocks.1.attention.w_v"
    }
    with pytest.raises(
        ValueError, match=r"arrays must hold .*; missing blocks\.1\.att"
    ):
        forward(ids(2), short, settings())


def test_what_is_no_text_for_the_model_is_refused():
    with pytest.raises(ValueError, match="ids must lie between 0 and 10; got 3 to 11"):
        forward(np.array([[3, 11]]), arrays(), settings())
    with pytest.raises(ValueError, match="at most 9 characters fit into the table"):
        forward(ids(CONTEXT + 1), arrays(), settings())
    with pytest.raises(ValueError, match="ids must lie between 0 and 10; got -1 to 3"):
        check_model(np.array([[3, -1]]), arrays(), settings())
