"""Each formula in NumPy says what torch says, to 1e-10 in float64."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from minitransformer import reference
from minitransformer.model import config as torch_config
from minitransformer.model import generation as torch_generation
from minitransformer.model import transformer as torch_model
from minitransformer.model.shipped import shakespeare_model

CLOSE = {"rtol": 0, "atol": 1e-10}  # float64 has 16 digits; these are of size 1


def normal(*shapes, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=draw, dtype=torch.float64) for s in shapes]


def numpy(*tensors):
    return [x.detach().numpy() for x in tensors]


class TestAttention:
    q, k, v = normal((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    mask = torch.rand(5, 7, generator=torch.Generator().manual_seed(1)) < 0.6

    def test_is_torchs_fused_function(self):
        wanted = functional.scaled_dot_product_attention(self.q, self.k, self.v)
        for found in (
            reference.attention(*numpy(self.q, self.k, self.v))[0],
            reference.online_softmax_attention(*numpy(self.q, self.k, self.v), 3),
            reference.tiled_attention(*numpy(self.q, self.k, self.v), key_tile=3),
        ):
            np.testing.assert_allclose(found, wanted, **CLOSE)

    def test_with_a_mask_and_an_empty_row_is_torchs_fused_function(self):
        mask = self.mask.clone()
        mask[2] = False
        wanted = functional.scaled_dot_product_attention(
            self.q, self.k, self.v, attn_mask=mask
        )
        found, _ = reference.masked_attention(*numpy(self.q, self.k, self.v, mask))
        np.testing.assert_allclose(found, wanted, **CLOSE)
        assert (found[..., 2, :] == 0.0).all()

    def test_causal_tiles_are_torchs_causal_attention(self):
        k, v = self.k[:, :, :5], self.v[:, :, :5]
        wanted = functional.scaled_dot_product_attention(self.q, k, v, is_causal=True)
        found = reference.tiled_attention(
            *numpy(self.q, k, v), causal=True, query_tile=2, key_tile=3
        )
        np.testing.assert_allclose(found, wanted, **CLOSE)

    def test_grouped_queries_are_torchs(self):
        (q,) = normal((2, 6, 5, 4))
        wanted = functional.scaled_dot_product_attention(
            q, self.k, self.v, enable_gqa=True
        )
        found, _ = reference.grouped_query_attention(*numpy(q, self.k, self.v))
        np.testing.assert_allclose(found, wanted, **CLOSE)

    def test_the_way_back_is_autograds(self):
        q, k, v = (x.clone().requires_grad_() for x in (self.q, self.k, self.v))
        (upstream,) = normal((2, 3, 5, 6), seed=2)
        functional.scaled_dot_product_attention(q, k, v).backward(upstream)
        grads = reference.attention_backward(*numpy(q, k, v, upstream))
        for found, x in zip(grads, (q, k, v), strict=True):
            np.testing.assert_allclose(found, x.grad, **CLOSE)


def test_many_heads_are_torchs_module():
    x, in_, out = normal((2, 5, 12), (36, 12), (12, 12))
    module = nn.MultiheadAttention(12, 3, bias=False, batch_first=True).double()
    module.in_proj_weight.data, module.out_proj.weight.data = in_, out
    blocked = ~torch.ones(5, 5, dtype=torch.bool).tril()  # torch: True = blocked, here
    wanted, weights = module(x, x, x, attn_mask=blocked, average_attn_weights=False)
    parameters = [w.T for w in (*in_.chunk(3), out)]
    found = reference.multi_head_attention(
        *numpy(x, *parameters), 3, mask=reference.causal_mask(5)
    )
    for one, other in zip(found, numpy(wanted, weights), strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)


def test_cross_attention_with_many_heads_is_the_models_module():
    x, memory = normal((2, 4, 6), (2, 5, 6))
    module = torch_model.MultiHeadAttention(6, 2).double()
    w_q, w_k, w_v, w_o = numpy(
        *(
            layer.weight.T
            for layer in (module.query, module.key, module.value, module.output)
        )
    )
    x_, memory_ = numpy(x, memory)
    q, k, v = (
        reference.split_heads(part, 2)
        for part in (x_ @ w_q, memory_ @ w_k, memory_ @ w_v)
    )
    found = reference.merge_heads(reference.attention(q, k, v)[0]) @ w_o
    np.testing.assert_allclose(found, module(x, memory).detach(), **CLOSE)


class TestParts:
    def test_softmax(self):
        (x,) = normal((3, 4, 5))
        for axis in (0, 1, -1):
            found = reference.softmax(30 * x.numpy(), axis=axis)
            np.testing.assert_allclose(found, (30 * x).softmax(dim=axis), **CLOSE)

    def test_layer_norm_and_rms_norm(self):
        x, gain, bias = normal((2, 3, 8), (8,), (8,))
        found = reference.layer_norm(*numpy(x, gain, bias), eps=0.1)
        wanted = functional.layer_norm(x, (8,), gain, bias, eps=0.1)
        np.testing.assert_allclose(found, wanted, **CLOSE)
        found = reference.rms_norm(*numpy(x, gain), eps=0.1)
        np.testing.assert_allclose(
            found, functional.rms_norm(x, (8,), gain, eps=0.1), **CLOSE
        )

    def test_activations(self):
        (x,) = normal((50,))
        for name in ("relu", "gelu"):
            found = getattr(reference, name)(3 * x.numpy())
            wanted = getattr(functional, name)(3 * x)
            np.testing.assert_allclose(found, wanted, **CLOSE)

    def test_loss(self):
        (logits,) = normal((2, 5, 7))
        targets = torch.randint(7, (2, 5), generator=torch.Generator().manual_seed(0))
        wanted = functional.cross_entropy(100 * logits.flatten(0, 1), targets.flatten())
        found = reference.next_character_loss(100 * logits.numpy(), targets.numpy())
        np.testing.assert_allclose(found, float(wanted), rtol=1e-12)

    def test_recurrent_states(self):
        x, w_x, w_h, b = normal((2, 6, 3), (3, 4), (4, 4), (4,))
        module = nn.RNN(3, 4, batch_first=True).double()
        module.weight_ih_l0.data, module.weight_hh_l0.data = w_x.T, w_h.T
        module.bias_ih_l0.data, module.bias_hh_l0.data = b, torch.zeros_like(b)
        found = reference.recurrent_states(*numpy(x, w_x, w_h, b))
        np.testing.assert_allclose(found, module(x)[0].detach(), **CLOSE)

    def test_positions(self):
        (x,) = normal((2, 5, 6))
        places = torch.tensor([3, 1, 4, 100, 5])
        found = reference.rotary(*numpy(x, places))
        np.testing.assert_allclose(found, torch_model.rotary(x, places), **CLOSE)
        found = reference.alibi_bias(3, 5)
        wanted = torch_model.alibi_bias(3, torch.arange(5), torch.arange(5))
        np.testing.assert_allclose(found, wanted, rtol=1e-6)  # torch keeps float32 here
        found = reference.sinusoidal_positions(7, 6)
        wanted = torch_model.sinusoidal_positions(7, 6)
        np.testing.assert_allclose(found, wanted, atol=1e-6)  # a float32 table

    def test_a_block(self):
        (x,) = normal((2, 5, 6))
        block = torch_model.Block(6, 2, 10).double()
        for parameter, value in zip(
            block.parameters(),
            normal(*(p.shape for p in block.parameters())),
            strict=True,
        ):
            parameter.data = value
        attention, (first, _, second) = block.attention, block.feed_forward
        w = [
            layer.weight.T.detach().numpy()
            for layer in (
                *(attention.query, attention.key, attention.value, attention.output),
                *(first, second),
            )
        ]
        mask = reference.causal_mask(5)
        norms = [numpy(norm.weight, norm.bias) for norm in (block.norm_1, block.norm_2)]
        b_1, b_2 = numpy(first.bias, second.bias)
        found = reference.pre_norm_block(
            x.numpy(),
            lambda x: reference.multi_head_attention(x, *w[:4], 2, mask=mask)[0],
            lambda x: reference.feed_forward(x, w[4], b_1, w[5], b_2),
            lambda x: reference.layer_norm(x, *norms[0]),
            lambda x: reference.layer_norm(x, *norms[1]),
        )
        wanted = block(x, torch.from_numpy(mask)).detach()
        np.testing.assert_allclose(found, wanted, **CLOSE)


FORMS = list(
    itertools.product(
        ("learned", "sinusoidal", "rotary", "alibi", "none"),
        ("layer", "rms"),
        ("relu", "squared_relu", "gelu"),
        (False, True),  # each of the others once on, once off
    )
)


def model(positions, norm, activation, switch, *, tied_head=False, token_shift=False):
    """Make a model of one form, its parameters far from where they would start."""
    config = torch_config.ModelConfig(
        vocab_size=11,
        context_length=9,
        width=12,
        num_heads=3,
        num_layers=2,
        hidden_width=20,
        positions=positions,
        norm=norm,
        activation=activation,
        norm_gain=not switch,
        bias=not switch,
        qk_norm=switch,
        tied_head=tied_head,
        token_shift=token_shift,
    )
    draw = torch.Generator().manual_seed(0)
    made = torch_model.CharTransformer.from_config(config, generator=draw).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return made


def both(made):
    return made.reference_arrays(), torch_config.as_dict(made.config)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form)))
def test_the_whole_model_in_every_form(form):
    made = model(*form)
    ids = torch.randint(11, (2, 7), generator=torch.Generator().manual_seed(1))
    found = reference.forward(ids.numpy(), *both(made))
    np.testing.assert_allclose(found, made(ids).detach(), **CLOSE)


def test_a_head_tied_to_the_embedding():
    made = model("learned", "layer", "relu", False, tied_head=True)
    ids = torch.arange(9)[None]
    found = reference.forward(ids.numpy(), *both(made))
    np.testing.assert_allclose(found, made(ids).detach(), **CLOSE)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("switch", [False, True])
def test_a_model_with_token_shift(positions, switch):
    made = model(positions, "layer", "relu", switch, token_shift=True)
    for T in (7, 2, 1):
        ids = torch.randint(11, (2, T), generator=torch.Generator().manual_seed(1))
        found = reference.forward(ids.numpy(), *both(made))
        np.testing.assert_allclose(found, made(ids).detach(), **CLOSE)
    assert_equal_writing(made)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form)))
def test_both_engines_write_one_text_greedily_past_the_context_too(form):
    assert_equal_writing(model(*form))


def assert_equal_writing(made):
    start = torch.tensor([[1, 2, 3], [7, 5, 0]])
    by_torch = torch_generation.generate(
        made, start, 14, temperature=0.0, generator=torch.Generator()
    )
    by_numpy = reference.generate(
        *both(made), start.numpy(), 14, temperature=0.0, rng=np.random.default_rng(0)
    )
    for one, other in zip(by_torch, by_numpy, strict=True):
        assert one.tolist() == other.tolist()


def test_the_shipped_model_writes_one_text_greedily_in_both():
    trained = shakespeare_model()
    start = torch.from_numpy(reference.encode("ROMEO:\n", trained.characters))[None]
    by_torch = torch_generation.generate(
        trained.model, start, 100, temperature=0.0, generator=torch.Generator()
    )
    by_numpy = reference.generate(
        *both(trained.model),
        start.numpy(),
        100,
        temperature=0.0,
        rng=np.random.default_rng(0),
    )
    texts = [
        reference.decode([int(ids[0]) for ids in drawn], trained.characters)
        for drawn in (by_torch, by_numpy)
    ]
    assert texts[0] == texts[1]


def test_probabilities_for_sampling():
    (logits,) = normal((4, 9))
    for options in ({"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.8}):
        found = reference.sampling_probabilities(logits.numpy(), **options)
        wanted = torch_generation.sampling_probabilities(logits, **options)
        np.testing.assert_allclose(found, wanted, **CLOSE)
