import math

import numpy as np
import pytest
import torch

from minitransformer.model.checkpoint import CheckpointError, save_model
from minitransformer.model.config import TrainingConfig
from minitransformer.model.pair_training import (
    PairTask,
    encode_pairs,
    load_pair_model,
    next_symbol_loss,
    pair_preset,
    save_pair_model,
    share_exact,
)
from minitransformer.model.seq2seq import (
    PAD,
    START,
    STOP,
    EncoderDecoder,
    PairConfig,
    PairVocabulary,
    source_mask,
    write_targets,
)
from minitransformer.model.training import Trainer
from minitransformer.model.transformer import CharTransformer

PAIRS = [("ab", "ba"), ("abc", "cba"), ("b", "b"), ("ca", "ac")]
VOCABULARY = PairVocabulary.of(PAIRS)


def make(**changes):
    settings = {
        "source_size": len(VOCABULARY.sources),
        "target_size": len(VOCABULARY.targets),
        "width": 16,
        "num_heads": 2,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "hidden_width": 24,
    }
    return EncoderDecoder(PairConfig(**(settings | changes)))


# -------------------------------------------------------------------------- vocabulary


def test_targets_stand_between_start_and_stop_and_come_back():
    ids = VOCABULARY.encode_targets(["ab", "c"])
    assert ids.tolist() == [[START, 3, 4, STOP], [START, 5, STOP, PAD]]
    assert VOCABULARY.decode_target([3, 4]) == ("a", "b")


def test_a_symbol_outside_the_vocabulary_is_named():
    with pytest.raises(ValueError, match="one of the 3 of the vocabulary; got 'z'"):
        VOCABULARY.encode_sources(["az"])


def test_an_empty_sequence_is_refused():
    with pytest.raises(ValueError, match="needs at least 1 symbol; got none"):
        VOCABULARY.encode_sources(["a", ""])


# ------------------------------------------------------------------------------- model


def test_padding_changes_nothing():
    model = make().double()
    sources, targets = encode_pairs(PAIRS[:2], VOCABULARY)  # the first is padded
    both = model(torch.tensor(sources), torch.tensor(targets))
    alone = model(torch.tensor(sources[:1, :2]), torch.tensor(targets[:1]))
    assert torch.allclose(both[:1], alone, rtol=0, atol=1e-12)


def test_later_targets_do_not_change_earlier_logits():
    model = make().double()
    sources = torch.tensor([[3, 4, 5]])
    one, two = (torch.tensor([[START, 3, last]]) for last in (4, 5))
    before, after = model(sources, one), model(sources, two)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2])


def test_every_place_of_the_source_reaches_the_first_target():
    model = make().double()
    targets = torch.tensor([[START]])
    base = model(torch.tensor([[3, 4, 5]]), targets)
    for place in range(3):
        changed = torch.tensor([[3, 4, 5]])
        changed[0, place] = 3 if place else 4
        assert not torch.allclose(model(changed, targets), base)


def test_the_trace_ends_in_the_same_logits_and_shows_where_each_step_looked():
    model = make().double()
    sources, targets = (torch.tensor(side) for side in encode_pairs(PAIRS, VOCABULARY))
    trace = model.trace(sources, targets)
    assert torch.allclose(trace.logits, model(sources, targets), rtol=0, atol=1e-12)
    assert trace.alignments.shape == (2, 4, 2, 5, 3)
    looked = trace.alignments.sum(-1)
    assert torch.allclose(looked, torch.ones_like(looked))
    padding = ~source_mask(sources)[None, :, None].expand_as(trace.alignments)
    assert trace.alignments[padding].abs().max() == 0


def test_the_untrained_loss_is_near_that_of_knowing_nothing():
    sources, targets = (torch.tensor(side) for side in encode_pairs(PAIRS, VOCABULARY))
    loss = next_symbol_loss(make()(sources, targets[:, :-1]), targets[:, 1:])
    assert loss.item() == pytest.approx(math.log(len(VOCABULARY.targets)), abs=0.1)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="width=10, num_heads=4"):
        make(width=10, num_heads=4)
    with pytest.raises(ValueError, match="encoder_layers must be a whole number >= 1"):
        make(encoder_layers=0)


# ---------------------------------------------------------------------------- training


def test_a_handful_of_pairs_is_learned_by_heart():
    model = make()
    task = PairTask(PAIRS, PAIRS, VOCABULARY, batch_size=8)
    config = TrainingConfig(
        steps=60, batch_size=8, optimizer="muon", learning_rate=1e-2
    )
    generator = torch.Generator().manual_seed(0)
    records = list(Trainer(model, task, config, generator=generator).run())
    assert records[-1].validation_loss < 0.1
    assert share_exact(model, VOCABULARY, PAIRS) == 1.0
    assert write_targets(model, VOCABULARY, ["abc", "b"], 5) == [
        ("c", "b", "a"),
        ("b",),
    ]


def test_the_measured_loss_is_the_mean_over_all_symbols():
    model = make()
    task = PairTask(PAIRS, PAIRS, VOCABULARY, batch_size=2)
    losses = []
    for pair in PAIRS:
        sources, targets = (torch.tensor(x) for x in encode_pairs([pair], VOCABULARY))
        symbols = targets.shape[-1] - 1
        loss = next_symbol_loss(model(sources, targets[:, :-1]), targets[:, 1:])
        losses += [loss.item()] * symbols
    assert task.measure(model) == pytest.approx(np.mean(losses), abs=1e-6)


def test_writing_stops_at_the_longest_allowed():
    assert all(len(t) <= 2 for t in write_targets(make(), VOCABULARY, ["abc"], 2))
    with pytest.raises(ValueError, match="max_length must be at least 1; got 0"):
        write_targets(make(), VOCABULARY, ["a"], 0)


def test_a_task_without_pairs_is_refused():
    with pytest.raises(ValueError, match="both parts need at least 1 pair; got none"):
        PairTask(PAIRS, [], VOCABULARY, batch_size=2)


# ------------------------------------------------------------------------- on the disk


def test_a_saved_model_comes_back_with_its_vocabularies(tmp_path):
    path, model = tmp_path / "pairs.safetensors", make()
    save_pair_model(path, model, VOCABULARY)
    loaded, vocabulary = load_pair_model(path)
    assert vocabulary == VOCABULARY
    sources, targets = (torch.tensor(side) for side in encode_pairs(PAIRS, VOCABULARY))
    assert torch.equal(loaded(sources, targets), model(sources, targets))


def test_a_character_model_is_not_a_pair_model(tmp_path):
    path = tmp_path / "characters.safetensors"
    save_model(path, CharTransformer(3, 4, 8, 2, 1), "abc")
    with pytest.raises(CheckpointError, match="pair model; got a character model"):
        load_pair_model(path)


@pytest.mark.parametrize("name", ["dates", "pronunciation"])
def test_each_preset_is_a_pair_of_valid_settings(name):
    model, training = pair_preset(name, VOCABULARY, steps=3)
    assert model.source_size == len(VOCABULARY.sources)
    assert (training.steps, training.seconds) == (3, None)
    assert pair_preset(name, VOCABULARY)[1].optimizer == "muon"


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match=r"preset must be one of .*; got 'songs'"):
        pair_preset("songs", VOCABULARY)
