import dataclasses

import pytest

from minitransformer.model.config import ModelConfig, TrainingConfig, as_dict, preset

SIZES = {
    "vocab_size": 64,
    "context_length": 8,
    "width": 12,
    "num_heads": 3,
    "num_layers": 1,
    "hidden_width": 48,
}


def test_settings_cannot_be_changed_after_they_were_checked():
    config = ModelConfig(**SIZES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.width = 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 10, "num_heads": 4}, "width=10, num_heads=4"),
        ({"num_layers": 0}, "num_layers must be a whole number >= 1; got 0"),
        (
            {"context_length": 2.5},
            "context_length must be a whole number >= 1; got 2.5",
        ),
        ({"norm": "batch"}, "norm must be one of .*; got 'batch'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        ({"positions": "rotary", "width": 9}, "got width / num_heads = 3"),
        ({"positions": "sinusoidal", "width": 9}, "got width=9"),
    ],
)
def test_a_model_setting_out_of_range_is_refused(change, message, shapes_unchecked):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**(SIZES | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "either steps or seconds must be given"),
        ({"steps": 3, "seconds": 1.0}, "got steps=3, seconds=1.0"),
        ({"seconds": -1.0}, "seconds must be above 0; got -1.0"),
        (
            {"steps": 3, "batch_size": 0},
            "batch_size must be a whole number >= 1; got 0",
        ),
        ({"steps": 3, "learning_rate": 0.0}, "learning_rate must be above 0; got 0.0"),
        ({"steps": 3, "weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"steps": 3, "decay": 2.0}, "decay must be a share, from 0 to 1; got 2.0"),
        ({"steps": 3, "precision": "int8"}, "precision must be one of"),
    ],
)
def test_a_training_setting_out_of_range_is_refused(change, message, shapes_unchecked):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**change)


def test_settings_survive_the_way_through_plain_values():
    config = ModelConfig(**SIZES, positions="rotary", dropout=0.1)
    assert ModelConfig(**as_dict(config)) == config


@pytest.mark.parametrize("name", ["seconds", "minutes", "coffee"])
def test_each_preset_is_a_pair_of_valid_settings(name):
    model, training = preset(name, vocab_size=64)
    assert model.vocab_size == 64
    assert (training.steps is None) != (training.seconds is None)


def test_a_preset_takes_another_length_of_the_run():
    assert preset("coffee", vocab_size=64, seconds=5.0)[1].seconds == 5.0
    assert preset("coffee", vocab_size=64, steps=7)[1].steps == 7


def test_an_unknown_preset_is_refused_by_name():
    with pytest.raises(ValueError, match=r"preset must be one of .*; got 'nap'"):
        preset("nap", vocab_size=64)
