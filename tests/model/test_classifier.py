import numpy as np
import pytest
import torch

from minitransformer.model.classifier import (
    LabelTask,
    TextClassifier,
    class_scores,
    mean_over,
)
from minitransformer.model.config import TrainingConfig
from minitransformer.model.training import Trainer


def texts(count, seed):
    """Texts of ids 1 to 3, padded with 0; the label says whether there is a 3."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, 4, size=(count, 6))
    lengths = rng.integers(2, 7, size=count)
    ids[np.arange(6) >= lengths[:, None]] = 0
    return ids, (ids == 3).any(axis=-1).astype(np.int64)


def test_padding_changes_nothing():
    model = TextClassifier(5, 2, width=8, num_heads=2, num_layers=2).double()
    short, long = torch.tensor([[1, 2, 3]]), torch.tensor([[1, 2, 3, 0, 0]])
    assert torch.allclose(model(short), model(long), rtol=0, atol=1e-12)


def test_the_mean_is_taken_over_what_is_real():
    x = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert mean_over(x, torch.tensor([[True, True, False]])).tolist() == [[2.0]]


def test_which_texts_hold_a_certain_character_is_learned():
    ids, labels = texts(400, seed=0)
    held_out, right = texts(60, seed=1)
    model = TextClassifier(5, 2, width=16, num_heads=2, num_layers=1)
    task = LabelTask(ids, labels, held_out, right, batch_size=32)
    config = TrainingConfig(steps=50, learning_rate=2e-2)
    generator = torch.Generator().manual_seed(0)
    records = list(Trainer(model, task, config, generator=generator).run())
    assert records[-1].validation_loss < 0.2
    guesses = class_scores(model, held_out).argmax(axis=-1)
    assert (guesses == right).mean() > 0.95


def test_texts_and_labels_must_be_as_many(shapes_unchecked):
    ids, labels = texts(4, seed=0)
    with pytest.raises(ValueError, match="needs 1 label; got 4 texts, 3 labels"):
        LabelTask(ids, labels[:3], ids, labels, batch_size=2)
