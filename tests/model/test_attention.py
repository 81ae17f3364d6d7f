import math

import pytest
import torch
from torch.nn import functional

from minitransformer.model.attention import (
    LayerCache,
    MultiHeadAttention,
    alibi_bias,
    causal_mask,
    masked_softmax,
    merge_heads,
    rotary,
    sinusoidal_positions,
    split_heads,
)


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def attention(width=12, num_heads=3, **parts):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return MultiHeadAttention(width, num_heads, **parts).double()


# ------------------------------------------------------------------------- positions


def test_the_first_place_has_sine_zero_and_cosine_one():
    table = sinusoidal_positions(2, 4)
    assert table[0].tolist() == [0, 1, 0, 1]
    assert table[1].tolist() == pytest.approx(
        [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    )


def test_an_odd_width_of_waves_is_refused():
    with pytest.raises(ValueError, match="width must be even; got width=3"):
        sinusoidal_positions(2, 3)


def test_rotary_turns_a_pair_by_its_position():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    turned = rotary(x, torch.tensor([0, 2]))
    assert turned[0].tolist() == [1, 0]
    assert turned[1].tolist() == pytest.approx([math.cos(2), math.sin(2)])


def test_rotary_makes_dot_products_depend_on_the_distance_alone():
    q, k = draw(1, 8, seed=1), draw(1, 8, seed=2)

    def dot(i, j):
        at = [torch.tensor([place]) for place in (i, j)]
        return float((rotary(q, at[0]) * rotary(k, at[1])).sum())

    assert dot(5, 2) == pytest.approx(dot(100_005, 100_002), abs=1e-9)


def test_rotary_refuses_an_odd_number_of_features():
    with pytest.raises(ValueError, match="number of features must be even; got 3"):
        rotary(draw(2, 3), torch.arange(2))


def test_alibi_takes_a_half_to_the_eighth_per_place_from_the_last_head():
    bias = alibi_bias(2, torch.arange(3), torch.arange(3))
    assert bias[1, 2].tolist() == [-2 * 2**-8, -(2**-8), 0]
    assert bias[0, 0].tolist() == [0, 0, 0]  # nothing after the query is punished here


# ------------------------------------------------------------------------- attention


def test_a_row_that_may_look_nowhere_gets_zeros_and_no_nan_flows_back():
    scores = draw(2, 3).requires_grad_()
    mask = torch.tensor([[True, False, True], [False, False, False]])
    weights = masked_softmax(scores, mask)
    (weights**2).sum().backward()
    assert weights[1].tolist() == [0, 0, 0]
    assert weights[0].sum().item() == pytest.approx(1)
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_heads_are_cut_along_the_features_and_put_back():
    x = draw(2, 5, 12)
    heads = split_heads(x, 3)
    assert torch.equal(heads[:, 1], x[..., 4:8])
    assert torch.equal(merge_heads(heads), x)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_that_of_torch_with_the_same_parameters(masked):
    ours, x = attention(), draw(2, 5, 12)
    theirs = torch.nn.MultiheadAttention(
        12, 3, bias=False, batch_first=True, dtype=torch.float64
    )
    with torch.no_grad():
        parts = [ours.query.weight, ours.key.weight, ours.value.weight]
        theirs.in_proj_weight.copy_(torch.cat(parts))
        theirs.out_proj.weight.copy_(ours.output.weight)
    mask = causal_mask(5) if masked else None
    inverse = (
        None if mask is None else ~mask
    )  # torch's class means the opposite of True
    expected, weights = theirs(x, x, x, attn_mask=inverse, average_attn_weights=False)
    trace = ours.trace(x, mask=mask)
    assert torch.allclose(trace.output, expected, rtol=0, atol=1e-12)
    assert torch.allclose(trace.weights, weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "parts", [{}, {"rotate": rotary}, {"distance_bias": alibi_bias}]
)
@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7), (2, 1, 7)])
def test_the_fused_form_equals_the_explicit_one(parts, shape):
    ours = attention(**parts, qk_norm=True)
    x, memory = draw(2, 5, 12), draw(2, 7, 12, seed=3)
    mask = draw(*shape, seed=4) > -1
    explicit = ours(x, memory, mask)
    ours.fused = True
    assert torch.allclose(ours(x, memory, mask), explicit, rtol=0, atol=1e-12)


def test_each_row_of_weights_sums_to_one():
    weights = attention().trace(draw(2, 5, 12), mask=causal_mask(5)).weights
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))


def test_a_head_with_no_gain_says_nothing():
    ours, x = attention(), draw(2, 5, 12)
    gains = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    without = ours(x, head_gains=gains)
    with torch.no_grad():
        ours.output.weight[:, 4:8] = 0  # what reads head 1
    assert torch.allclose(without, ours(x), rtol=0, atol=1e-12)


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="got width=10, num_heads=4"):
        MultiHeadAttention(10, 4)


def test_scores_are_divided_by_the_root_of_the_width_of_one_head():
    trace = attention().trace(draw(2, 5, 12))
    assert torch.allclose(trace.scores, trace.q @ trace.k.mT / 2, rtol=0, atol=1e-12)
    assert torch.allclose(
        trace.heads,
        functional.scaled_dot_product_attention(trace.q, trace.k, trace.v),
        rtol=0,
        atol=1e-12,
    )


# ----------------------------------------------------------------------------- cache


def test_a_cache_refuses_several_characters_that_would_push_others_out():
    cache = LayerCache(4)
    pair = draw(1, 2, 3, 4)
    cache.extend(pair, pair)
    with pytest.raises(ValueError, match=r"got 3 \+ 3, window=4"):
        cache.extend(pair, pair)


def test_a_full_cache_forgets_the_oldest_place():
    cache = LayerCache(3)
    for _ in range(5):
        pair = draw(1, 1, 1, 2)
        _, _, places = cache.extend(pair, pair)
    assert sorted(places.tolist()) == [2, 3, 4]
