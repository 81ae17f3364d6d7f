"""The names that exercises ask for are those of the package, with the same signatures."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

import minitransformer
from minitransformer import reference

# DESIGN, section 5: what an answer is called with
SIGNATURES = {
    "dot_products": "(queries, keys)",
    "cosine_similarity": "(queries, keys)",
    "most_similar": "(query, keys, k)",
    "softmax": "(scores, axis=-1)",
    "soft_lookup": "(query, keys, values, temperature=1.0)",
    "entropy": "(weights)",
    "attention_scores": "(q, k)",
    "attention": "(q, k, v)",
    "self_attention": "(x, w_q, w_k, w_v)",
    "softmax_backward": "(weights, grad_weights)",
    "attention_backward": "(q, k, v, grad_output)",
    "causal_mask": "(length)",
    "padding_mask": "(lengths, length)",
    "masked_softmax": "(scores, mask, axis=-1)",
    "masked_attention": "(q, k, v, mask)",
    "sinusoidal_positions": "(length, width, base=10000.0)",
    "rotary": "(x, positions, base=10000.0)",
    "alibi_bias": "(num_heads, length)",
    "is_permutation_equivariant": "(function, x, order)",
    "split_heads": "(x, num_heads)",
    "merge_heads": "(x)",
    "multi_head_attention": "(x, w_q, w_k, w_v, w_o, num_heads, mask=None)",
    "cross_attention": "(x, memory, w_q, w_k, w_v, memory_mask=None)",
    "greedy_decode": "(next_logits, start, stop, max_length)",
    "layer_norm": "(x, gain, bias, eps=1e-05)",
    "feed_forward": "(x, w_1, b_1, w_2, b_2)",
    "pre_norm_block": "(x, attend, feed_forward, norm_1, norm_2)",
    "encode": "(text, characters)",
    "decode": "(ids, characters)",
    "next_character_windows": "(ids, starts, context_length)",
    "next_character_loss": "(logits, targets)",
    "sampling_probabilities": "(logits, temperature=1.0, top_k=None, top_p=None)",
    "recurrent_states": "(x, w_x, w_h, b)",
    "path_length": "(kind, distance, window=None)",
    "attention_bytes": "(batch, heads, length, bytes_per_number=4)",
    "sliding_window_mask": "(length, window)",
    "online_softmax_attention": "(q, k, v, block)",
    "linear_attention": "(q, k, v)",
    "grouped_query_attention": "(q, k, v)",
    "cached_attention": "(q, k, v, past)",
    "induction_score": "(weights, ids)",
    "head_importance": "(loss_without, num_heads)",
}
ROOMS = ["reference", "text", "model", "notebook", "grader", "course"]
LAZY = [room for room in ROOMS if room not in ("reference", "grader")]


def bare(function):
    """Give a signature without its annotations."""
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(
        signature.replace(parameters=parameters, return_annotation=signature.empty)
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_package_has_each_exercise_under_its_name_and_signature(name):
    assert name in reference.__all__
    assert bare(getattr(reference, name)) == SIGNATURES[name]


@pytest.mark.parametrize("room", ROOMS)
def test_each_name_a_room_promises_is_there_and_documented(room):
    module = import_module(f"minitransformer.{room}")
    promised = getattr(module, "__all__", [])
    assert promised == sorted(promised, key=promised.index)
    assert len(promised) == len(set(promised))
    for name in promised:
        assert getattr(module, name).__doc__


@pytest.mark.parametrize("room", LAZY)
def test_no_name_handed_out_later_hides_a_module(room):
    module = import_module(f"minitransformer.{room}")
    modules = {path.stem for path in Path(module.__file__).parent.glob("*.py")}
    assert not modules & set(getattr(module, "__all__", []))


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_is_an_attribute_error(room):
    module = import_module(f"minitransformer.{room}")
    with pytest.raises(AttributeError, match="has no attribute 'attentoin'"):
        _ = module.attentoin


def test_the_door_hands_out_check():
    assert minitransformer.check.__module__ == "minitransformer.grader.check"
    with pytest.raises(AttributeError, match="has no attribute 'attentoin'"):
        _ = minitransformer.attentoin
