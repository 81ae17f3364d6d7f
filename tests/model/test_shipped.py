import dataclasses

import numpy as np
import pytest
import torch

from minitransformer import reference
from minitransformer.model import (
    pronunciation_model,
    shakespeare_model,
    validation_loss,
    write_targets,
    write_text,
)
from minitransformer.model.shipped import SHAKESPEARE
from minitransformer.text import (
    distinct_characters,
    encode,
    error_rates,
    pronunciations,
    shakespeare,
    split_text,
)


@pytest.fixture(scope="module")
def trained():
    return shakespeare_model()


def test_the_file_is_small_enough_to_ship():
    assert SHAKESPEARE.stat().st_size < 1_500_000


def test_its_vocabulary_is_that_of_the_nine_plays(trained):
    assert trained.characters == distinct_characters(shakespeare())


def test_it_beats_the_best_that_counting_reaches(trained):
    # 1.672: a table of four characters back, leaning on shorter ones; see lesson 09
    assert trained.validation_loss < 1.67
    _, held_out = split_text(shakespeare())
    ids = encode(held_out[:20_000], trained.characters)
    found = validation_loss(trained.model, ids, trained.model.config.context_length)
    assert found == pytest.approx(trained.validation_loss, abs=0.1)  # a part, not all


def test_its_story_goes_from_knowing_nothing_to_the_loss_it_has(trained):
    steps, losses = zip(*trained.losses, strict=True)
    assert list(steps) == sorted(steps)
    assert losses[0] == pytest.approx(np.log(len(trained.characters)), abs=0.01)
    assert losses[-1] == pytest.approx(trained.validation_loss, abs=0.005)
    assert all(step in (*steps, 20) for step, _ in trained.samples)


def test_numpy_writes_the_same_text_greedily(trained):
    model = trained.model.double()
    ids = list(encode("ROMEO:\n", trained.characters))
    by_torch = write_text(
        model,
        trained.characters,
        "ROMEO:\n",
        30,
        temperature=0.0,
        generator=torch.Generator(),
    )
    arrays, settings = model.reference_arrays(), dataclasses.asdict(model.config)
    for _ in range(30):
        ids.append(
            int(reference.forward(np.array([ids]), arrays, settings)[0, -1].argmax())
        )
    assert "".join(trained.characters[id_] for id_ in ids) == by_torch


def test_the_pronunciation_model_reads_words_it_was_not_trained_on():
    model, vocabulary = pronunciation_model()
    tested = pronunciations("test")
    words = sorted(tested)[::60]
    written = write_targets(model, vocabulary, words, 20)
    guesses = dict(zip(words, written, strict=True))
    phone_errors, word_errors = error_rates(guesses, tested)
    assert phone_errors < 0.15
    assert word_errors < 0.55
