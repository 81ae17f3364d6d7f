import math
import os
import signal
import time

import numpy as np
import pytest
import torch

from minitransformer.model.config import TrainingConfig
from minitransformer.model.optimizer import make_optimizer
from minitransformer.model.training import (
    NextCharacterTask,
    Trainer,
    next_character_loss,
    train,
    training_step,
    validation_loss,
)
from minitransformer.model.transformer import CharTransformer

TEXT = np.tile(np.array([0, 1, 2, 3, 2, 1]), 100)
HELD_OUT = np.tile(np.array([0, 1, 2, 3, 2, 1]), 10)


def make_model(**parts):
    generator = torch.Generator().manual_seed(0)
    return CharTransformer(4, 8, 16, 2, 1, **parts, generator=generator)


def make_trainer(model=None, text=TEXT, held_out=HELD_OUT, **changes):
    settings = {"steps": 12, "batch_size": 4, "learning_rate": 1e-2, "validations": 3}
    config = TrainingConfig(**(settings | changes))
    model = model or make_model()
    task = NextCharacterTask.of(text, held_out, model.config, config)
    generator = torch.Generator().manual_seed(1)
    return Trainer(model, task, config, generator=generator)


def parameters(model):
    return torch.cat([x.detach().flatten() for x in model.parameters()])


# ----------------------------------------------------------------------------- the loss


def test_the_loss_of_equal_scores_is_ln_v():
    logits, targets = torch.zeros(2, 3, 5), torch.zeros(2, 3, dtype=torch.long)
    assert float(next_character_loss(logits, targets)) == pytest.approx(math.log(5))


def test_the_loss_is_exact_for_huge_scores():
    logits = torch.tensor([[[1000.0, -1000.0]]])
    assert float(next_character_loss(logits, torch.tensor([[1]]))) == 2000.0


def test_a_training_step_gives_the_loss_from_before_it_and_goes_downhill():
    model = make_model()
    optimizer = make_optimizer(model, TrainingConfig(steps=5))
    inputs, targets = torch.tensor([[0, 1, 2]]), torch.tensor([[1, 2, 3]])
    expected = next_character_loss(model(inputs), targets).item()
    losses = [training_step(model, inputs, targets, optimizer) for _ in range(5)]
    assert losses[0] == pytest.approx(expected)
    assert losses[-1] < losses[0]


def test_the_validation_loss_reads_every_window_once():
    model = make_model()
    losses = []
    for start in range(0, len(HELD_OUT) - 8, 8):
        window = torch.from_numpy(HELD_OUT[None, start : start + 9])
        losses.append(next_character_loss(model(window[:, :-1]), window[:, 1:]).item())
    measured = validation_loss(model, HELD_OUT, 8, batch_size=3)
    assert measured == pytest.approx(sum(losses) / len(losses), abs=1e-6)


def test_measuring_does_not_switch_dropout_off_for_good():
    model = make_model().train()
    validation_loss(model, HELD_OUT, 8)
    assert model.training


# ------------------------------------------------------------------------------- runs


def test_each_step_gives_a_record_and_the_text_is_learned():
    records = list(make_trainer(steps=80).run())
    assert [record.step for record in records] == list(range(1, 81))
    assert records[0].loss == pytest.approx(math.log(4), abs=0.2)
    assert records[-1].validation_loss < 0.5
    assert records[-1].progress == 1
    assert all(record.characters_per_second > 0 for record in records)


def test_low_precision_learns_too_and_keeps_its_parameters_whole():
    trainer = make_trainer(steps=30, precision="bfloat16", optimizer="muon")
    records = list(trainer.run())
    assert records[-1].validation_loss < 1.0 < records[0].loss
    assert all(x.dtype == torch.float32 for x in trainer.model.parameters())


def test_validations_are_spread_evenly_and_the_last_is_at_the_end():
    records = list(make_trainer().run())
    measured = [record.step for record in records if record.validation_loss is not None]
    assert measured == [4, 8, 12]


def test_the_rate_rises_stays_and_falls_in_a_line():
    trainer = make_trainer(steps=10, warmup=0.2, decay=0.5)
    rates = [record.learning_rate for record in trainer.run()]
    assert rates[0] < rates[1] < rates[2] == 1
    assert rates[6:] == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_equal_generators_give_equal_runs():
    one, two = (list(make_trainer().run()) for _ in range(2))
    assert [record.loss for record in one] == [record.loss for record in two]


def test_a_run_leaves_the_callers_random_stream_alone():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        list(make_trainer(steps=2).run())
        assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_equals_the_uninterrupted_one(optimizer):
    whole = make_trainer(optimizer=optimizer)
    losses = [record.loss for record in whole.run()]

    first = make_trainer(optimizer=optimizer)
    run = first.run()
    begun = [next(run).loss for _ in range(5)]
    tensors, numbers = first.state()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}

    second = make_trainer(optimizer=optimizer)
    second.restore(tensors, numbers)
    rest = [record.loss for record in second.run()]
    assert begun + rest == losses
    assert torch.equal(parameters(second.model), parameters(whole.model))


def test_a_run_that_was_stopped_goes_on_from_its_last_step_not_its_best():
    whole = make_trainer(learning_rate=5e-2, decay=0.0)
    losses = [record.loss for record in whole.run()]
    first = make_trainer(learning_rate=5e-2, decay=0.0)
    run = first.run()
    begun = [next(run).loss for _ in range(6)]
    run.close()  # the model now holds the best, of step 4
    second = make_trainer(learning_rate=5e-2, decay=0.0)
    second.restore(*first.state())
    assert begun + [record.loss for record in second.run()] == losses
    assert begun + [record.loss for record in first.run()] == losses


def test_a_finished_run_can_be_made_longer():
    first = make_trainer(steps=6)
    list(first.run())
    longer = make_trainer(steps=9)
    longer.restore(*first.state())
    assert [record.step for record in longer.run()] == [7, 8, 9]


def test_a_state_of_another_model_is_refused():
    tensors, numbers = make_trainer().state()
    del tensors["model.head.weight"]
    with pytest.raises(ValueError, match=r"must hold model\.head\.weight"):
        make_trainer().restore(tensors, numbers)


def test_the_best_parameters_are_kept_not_the_last():
    trainer = make_trainer(steps=60, validations=6, learning_rate=1e-2, decay=0.0)
    best = None
    for record in trainer.run():
        if record.validation_loss is not None and record.step == 30:
            best = trainer.best_loss
            with torch.no_grad():
                trainer.model.head.weight.mul_(-50)  # ruin it: nothing later is better
    assert validation_loss(trainer.model, HELD_OUT, 8) == pytest.approx(best, abs=1e-6)


def test_the_function_trains_the_model_it_is_given():
    model = make_model()
    config = TrainingConfig(steps=3, batch_size=4)
    generator = torch.Generator().manual_seed(0)
    before = parameters(model)
    records = list(train(model, TEXT, HELD_OUT, config, generator=generator))
    assert len(records) == 3
    assert not torch.equal(parameters(model), before)


# ------------------------------------------------------------------------- by the clock


@pytest.mark.slow
def test_a_run_by_the_clock_stops_on_time_with_its_rate_at_zero():
    began = time.perf_counter()
    trainer = make_trainer(steps=None, seconds=1.5)
    records = list(trainer.run())
    assert records[-1].seconds < 2.5  # a busy machine may be late by a step
    assert records[-1].learning_rate < 0.2
    assert records[-1].validation_loss is not None
    assert time.perf_counter() - began < 10


# ------------------------------------------------------------------------------ Ctrl-C


def test_ctrl_c_lets_the_step_finish_and_ends_the_run():
    model = make_model()
    trainer = make_trainer(model, steps=1000)
    steps: list[int] = []
    inner = model.forward

    def forward(ids, **options):
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(ids, **options)

    model.forward = forward
    steps.extend(record.step for record in trainer.run())
    assert steps == [1, 2, 3]
    assert trainer.interrupted
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_callers_loop_keeps_the_best():
    trainer = make_trainer(steps=100, validations=10)

    def loop():
        for record in trainer.run():
            if record.step == 25:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert validation_loss(trainer.model, HELD_OUT, 8) == pytest.approx(
        trainer.best_loss, abs=1e-6
    )


# --------------------------------------------------------------------------- bad input


def test_a_text_shorter_than_the_context_is_refused():
    with pytest.raises(
        ValueError, match="longer than the context of 8 characters; got 8"
    ):
        make_trainer(text=TEXT[:8])
    with pytest.raises(
        ValueError, match="longer than the context of 8 characters; got 5"
    ):
        make_trainer(held_out=HELD_OUT[:5])


def test_windows_grow_to_the_context_for_the_last_part_of_the_run():
    shapes = []

    class Watched(CharTransformer):
        def forward(self, ids, **options):
            if self.training:
                shapes.append(tuple(ids.shape))
            return super().forward(ids, **options)

    model = Watched(4, 8, 16, 2, 1, generator=torch.Generator().manual_seed(0))
    run = make_trainer(
        model, steps=10, batch_size=6, window_length=4, whole_windows=0.3
    )
    list(run.run())
    assert shapes == [(6, 4)] * 7 + [(3, 8)] * 3


def test_windows_longer_than_the_context_are_refused():
    with pytest.raises(ValueError, match="at most the context of 8; got 9"):
        make_trainer(window_length=9)
