import math

import pytest
import torch

from minitransformer.model.attention import LayerCache
from minitransformer.model.config import ModelConfig
from minitransformer.model.generation import (
    generate,
    sampling_probabilities,
    stream_text,
    write_text,
)
from minitransformer.model.transformer import CharTransformer

LOG = math.log


def make(positions="rotary", num_layers=2, token_shift=False):
    config = ModelConfig(
        vocab_size=7,
        context_length=6,
        width=16,
        num_heads=2,
        num_layers=num_layers,
        hidden_width=32,
        token_shift=token_shift,
        positions=positions,
    )
    model = CharTransformer.from_config(config).double()
    with torch.no_grad():
        model.head.weight.mul_(30)  # an untrained model with opinions
    return model


def write(model, start, length, *, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    drawn = generate(model, start, length, generator=generator, **options)
    return torch.stack(list(drawn), dim=-1)  # (B, length)


START = torch.tensor([[1, 2, 3]])

# ---------------------------------------------------------------------- probabilities


def test_temperature_one_is_softmax_and_two_is_its_root():
    logits = torch.tensor([LOG(4), LOG(1)])
    assert sampling_probabilities(logits).tolist() == pytest.approx([0.8, 0.2])
    warm = sampling_probabilities(logits, 2.0)
    assert warm.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_temperature_zero_takes_the_best_alone():
    probabilities = sampling_probabilities(torch.tensor([[1.0, 3.0, 2.0]]), 0.0)
    assert probabilities.tolist() == [[0, 1, 0]]


def test_top_k_keeps_the_likeliest_and_renormalises():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.2]))
    kept = sampling_probabilities(logits, top_k=2)
    assert kept.tolist() == pytest.approx([0.625, 0.375, 0])
    assert sampling_probabilities(logits, top_k=9).tolist() == pytest.approx(
        [0.5, 0.3, 0.2]
    )


def test_the_character_that_crosses_top_p_stays():
    logits = torch.log(torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))
    kept = sampling_probabilities(logits, top_p=0.6)
    assert kept.tolist() == pytest.approx([0, 0.625, 0.375])
    assert sampling_probabilities(logits, top_p=0.4).tolist() == [0, 1, 0]


def test_top_p_looks_at_what_top_k_left():
    logits = torch.log(torch.tensor([0.4, 0.3, 0.3]))
    kept = sampling_probabilities(logits, top_k=1, top_p=0.5)
    assert kept.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0; got -1.0"),
        ({"top_k": 0}, "top_k must be at least 1; got 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1; got 0.0"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1; got 1.5"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sampling_probabilities(torch.zeros(3), **options)
    with pytest.raises(
        ValueError, match=message
    ):  # at once, not at the first character
        generate(make(), START, 1, generator=torch.Generator(), **options)


# ------------------------------------------------------------------------------- texts


def test_equal_seeds_write_equal_texts_and_others_do_not():
    model = make()
    assert torch.equal(write(model, START, 20), write(model, START, 20))
    assert not torch.equal(write(model, START, 20), write(model, START, 20, seed=1))


@pytest.mark.parametrize(
    "positions", ["learned", "sinusoidal", "rotary", "alibi", "none"]
)
def test_within_the_context_the_cache_changes_nothing(positions):
    model = make(positions)
    cached = write(model, START, 3)
    assert torch.equal(cached, write(model, START, 3, use_cache=False))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_the_cache_remembers_the_place_before(positions):
    model = make(positions, token_shift=True)
    ids = torch.randint(7, (2, 6), generator=torch.Generator().manual_seed(0))
    for pieces in ([1] * 6, [2, 1, 1, 1, 1], [5, 1]):
        caches = [LayerCache(6) for _ in model.blocks]
        steps = [model(part, caches=caches) for part in ids.split(pieces, dim=1)]
        assert (torch.cat(steps, dim=1) - model(ids)).abs().max() < 1e-10


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_a_table_of_positions_reads_its_last_window_again(positions):
    model = make(positions)
    cached = write(model, START, 20)
    assert torch.equal(cached, write(model, START, 20, use_cache=False))


def banded_logits(model, ids):
    """Compute a whole text at once, each place looking back over the window alone."""
    places = torch.arange(ids.shape[-1])
    distance = places[:, None] - places[None, :]
    mask = (distance >= 0) & (distance < model.config.context_length)
    x = model.embedding(ids)
    for block in model.blocks:
        x = block(x, mask)
    return model.head(model.norm(x))


def cached_logits(model, ids):
    caches = [LayerCache(model.config.context_length) for _ in model.blocks]
    steps = [model(ids[:, t : t + 1], caches=caches) for t in range(ids.shape[-1])]
    return torch.cat(steps, dim=1)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("token_shift", [False, True])
def test_a_sliding_cache_equals_the_whole_text_under_a_sliding_window_mask(
    positions, token_shift
):
    model = make(positions, token_shift=token_shift)
    ids = torch.randint(7, (2, 25), generator=torch.Generator().manual_seed(0))
    difference = cached_logits(model, ids) - banded_logits(model, ids)
    assert difference.abs().max() < 1e-10


def test_with_one_layer_a_sliding_cache_equals_the_last_window_alone():
    model = make(num_layers=1)
    ids = torch.randint(7, (2, 25), generator=torch.Generator().manual_seed(0))
    alone = model(ids[:, -6:])[:, -1]
    assert (cached_logits(model, ids)[:, -1] - alone).abs().max() < 1e-10


def test_with_two_layers_it_has_looked_further_back():
    model = make(num_layers=2)
    ids = torch.randint(7, (2, 25), generator=torch.Generator().manual_seed(0))
    alone = model(ids[:, -6:])[:, -1]
    assert (cached_logits(model, ids)[:, -1] - alone).abs().max() > 1e-3


def test_a_batch_writes_a_text_for_each_row():
    rows = torch.tensor([[1, 2, 3], [4, 5, 6]])
    greedy = write(make(), rows, 12, temperature=0.0)
    assert greedy.shape == (2, 12)
    for row, start in zip(greedy, rows, strict=True):
        assert torch.equal(row[None], write(make(), start[None], 12, temperature=0.0))


def test_a_start_longer_than_the_context_is_read_from_its_last_window():
    long = torch.tensor([[5, 5, 5, 1, 2, 3, 4, 5, 6]])
    greedy = write(make(), long, 5, temperature=0.0)
    assert torch.equal(greedy, write(make(), long[:, -6:], 5, temperature=0.0))


def test_writing_in_the_middle_of_training_leaves_the_model_in_training():
    model = make().train()
    write(model, START, 2)
    assert model.training


def test_text_comes_character_by_character_and_as_a_whole():
    def options():
        return {"generator": torch.Generator().manual_seed(0)}

    model = make()
    streamed = list(stream_text(model, "abcdefg", "abc", 10, **options()))
    assert all(len(character) == 1 for character in streamed)
    whole = write_text(model, "abcdefg", "abc", 10, **options())
    assert whole == "abc" + "".join(streamed)


def test_a_prompt_that_is_empty_or_foreign_is_refused():
    generator = torch.Generator()
    with pytest.raises(ValueError, match="prompt needs at least 1 character; got none"):
        write_text(make(), "abcdefg", "", 3, generator=generator)
    with pytest.raises(ValueError, match="got 'z' at place 1"):
        write_text(make(), "abcdefg", "az", 3, generator=generator)


def test_a_start_without_characters_or_a_negative_length_is_refused():
    generator = torch.Generator()
    with pytest.raises(ValueError, match=r"T >= 1; got \(1, 0\)"):
        generate(make(), START[:, :0], 3, generator=generator)
    with pytest.raises(ValueError, match="length must be at least 0; got -1"):
        generate(make(), START, -1, generator=generator)
