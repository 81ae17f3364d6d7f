import math
from dataclasses import fields

import pytest
import torch
from torch import nn

from minitransformer.model.attention import causal_mask
from minitransformer.model.config import ModelConfig
from minitransformer.model.optimizer import AdamW
from minitransformer.model.training import next_character_loss
from minitransformer.model.transformer import (
    Block,
    CharTransformer,
    TokenShift,
    drawing_from,
)

FORMS = {
    "plain": {},
    "sinusoidal": {"positions": "sinusoidal"},
    "alibi": {"positions": "alibi"},
    "shifted": {"token_shift": True},
    "tied": {"tied_head": True, "activation": "gelu"},
    "fast": {
        "positions": "rotary",
        "norm": "rms",
        "norm_gain": False,
        "activation": "squared_relu",
        "bias": False,
        "qk_norm": True,
    },
}


def config(**changes):
    sizes = {"vocab_size": 11, "context_length": 8, "width": 12, "num_heads": 3}
    return ModelConfig(**(sizes | {"num_layers": 2, "hidden_width": 20} | changes))


def make(**changes):
    generator = torch.Generator().manual_seed(3)
    return CharTransformer.from_config(config(**changes), generator=generator).double()


def draw_ids(*shape, below=11, seed=0):
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=FORMS)
def model(request):
    return make(**FORMS[request.param])


def test_later_characters_do_not_change_earlier_logits(model):
    ids = draw_ids(2, 8)
    changed = ids.clone()
    changed[:, 5:] = (ids[:, 5:] + 1) % 11
    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_the_trace_ends_in_the_same_logits(model):
    ids = draw_ids(2, 7)
    trace = model.trace(ids)
    assert torch.allclose(trace.logits, model(ids), rtol=0, atol=1e-12)
    assert trace.weights.shape == (2, 2, 3, 7, 7)


def test_the_trace_follows_the_residual_stream(model):
    trace = model.trace(draw_ids(2, 7))
    first, last = trace.blocks
    assert torch.equal(first.x, trace.embedded)
    assert torch.equal(last.x, first.output)
    assert torch.equal(first.after_attention, first.x + first.attention.output)
    assert all(getattr(first, field.name) is not None for field in fields(first))


def test_the_untrained_loss_is_near_that_of_knowing_nothing(model):
    ids = draw_ids(4, 8)
    loss = next_character_loss(model(ids), draw_ids(4, 8, seed=1))
    assert loss.item() == pytest.approx(math.log(11), abs=0.1)


def test_without_positions_and_mask_permuting_permutes():
    block = make(positions="none").blocks[0]
    x = torch.randn(1, 6, 12, generator=torch.Generator().manual_seed(0)).double()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert torch.allclose(block(x[:, order]), block(x)[:, order], rtol=0, atol=1e-12)


def test_without_positions_the_last_place_reads_a_set():
    model = make(positions="none", num_layers=1)
    ids = draw_ids(1, 6)
    moved = ids[:, [2, 0, 4, 1, 3, 5]]
    assert torch.allclose(model(ids)[:, -1], model(moved)[:, -1], rtol=0, atol=1e-12)


def test_one_batch_can_be_learned_by_heart():
    model = make().float()
    ids = draw_ids(4, 9)
    optimizer = AdamW(model.parameters(), rate=2e-2)
    for _ in range(80):
        model.zero_grad()
        loss = next_character_loss(model(ids[:, :-1]), ids[:, 1:])
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


def test_zero_init_starts_at_exactly_the_loss_of_knowing_nothing():
    model = make(zero_init=True)
    assert model(draw_ids(2, 5)).abs().max() == 0
    assert model.blocks[0](torch.ones(1, 2, 12).double())[0, 0, 0] == 1


def test_more_characters_than_the_context_are_refused(model):
    with pytest.raises(ValueError, match=r"at most context_length=8 .* got 9"):
        model(draw_ids(2, 9))


def test_building_a_model_leaves_the_callers_random_stream_alone():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        make()
        CharTransformer(11, 8, 12, 3, 1)
        assert torch.equal(torch.rand(3), expected)


def test_equal_generators_build_equal_models():
    one, two = make(), make()
    other = CharTransformer.from_config(config(), generator=torch.Generator())
    assert torch.equal(one.head.weight, two.head.weight)
    assert not torch.equal(one.head.weight.float(), other.head.weight)


def test_drawing_from_nothing_gives_the_same_every_time():
    with drawing_from(None):
        first = torch.rand(2)
    with drawing_from(None):
        assert torch.equal(torch.rand(2), first)


# ------------------------------------------------------------------ parts of one's own


class OwnAttention(nn.Module):
    """As a learner writes it: no cache, no trace, no options."""

    def __init__(self, width, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.query, self.key, self.value, self.output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = self.query(x), self.key(memory), self.value(memory)
        heads = []
        for h in range(self.num_heads):
            D = q.shape[-1] // self.num_heads
            part = slice(h * D, (h + 1) * D)
            scores = q[..., part] @ k[..., part].mT / D**0.5
            scores = scores.masked_fill(~mask, -math.inf)
            heads.append(scores.softmax(-1) @ v[..., part])
        return self.output(torch.cat(heads, dim=-1))


class OwnBlock(nn.Module):
    """As a learner writes it, around an attention of their own."""

    def __init__(self, width, num_heads, hidden_width):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = OwnAttention(width, num_heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden_width), nn.ReLU(), nn.Linear(hidden_width, width)
        )

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.feed_forward(self.norm_2(x))


def test_parts_of_ones_own_give_the_same_model_from_the_same_generator():
    def build(**parts):
        generator = torch.Generator().manual_seed(0)
        return CharTransformer(11, 8, 12, 3, 2, **parts, generator=generator).double()

    ids = draw_ids(2, 8)
    plain, own = build(), build(block=OwnBlock)
    assert torch.allclose(plain(ids), own(ids), rtol=0, atol=1e-12)
    assert plain.can_cache
    assert not own.can_cache


def test_an_attention_of_ones_own_fits_into_the_packages_block():
    ours, own = Block(12, 3, 20), Block(12, 3, 20, attention=OwnAttention)
    own.load_state_dict(ours.state_dict())
    x, mask = torch.ones(1, 5, 12), causal_mask(5)
    assert torch.allclose(ours(x, mask), own(x, mask), rtol=0, atol=1e-5)


# ------------------------------------------------------------------- reference arrays


def test_reference_arrays_multiply_from_the_right():
    model = make()
    arrays = model.reference_arrays()
    assert arrays["embedding"].shape == (11, 12)
    assert arrays["positions"].shape == (8, 12)
    assert arrays["head"].shape == (12, 11)
    assert arrays["blocks.1.feed_forward.w_1"].shape == (12, 20)
    assert arrays["blocks.1.feed_forward.b_2"].shape == (12,)
    x = torch.ones(1, 12).double()
    by_torch = model.blocks[0].attention.query(x).detach().numpy()
    by_numpy = x.numpy() @ arrays["blocks.0.attention.w_q"]
    assert abs(by_torch - by_numpy).max() < 1e-12


def test_token_shift_mixes_each_place_with_the_one_before():
    shift = TokenShift(2, 0.25)
    x = torch.tensor([[[4.0, 8.0], [0.0, 4.0], [8.0, 0.0]]])
    assert shift(x).tolist() == [[[4, 8], [1, 5], [6, 1]]]
    halves = [shift(x[:, :1]), shift(x[:, 1:], x[:, :1])]
    assert torch.equal(torch.cat(halves, dim=1), shift(x))


def test_reference_arrays_hold_only_what_the_model_has():
    names = set(make(**FORMS["fast"]).reference_arrays())
    assert not any("gain" in name or "b_1" in name for name in names)
    assert "positions" not in names
