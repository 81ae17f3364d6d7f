import pytest
import torch

from minitransformer.model import machine
from minitransformer.model.config import TrainingConfig
from minitransformer.model.machine import plan_for_this_machine
from minitransformer.model.recurrent import RecurrentModel
from minitransformer.model.transformer import CharTransformer

AUTO = TrainingConfig(steps=1, precision="auto", attention="auto", threads=None)


def make_model():
    return CharTransformer(11, 8, 16, 2, 1)


def test_what_the_settings_say_is_not_measured(monkeypatch):
    monkeypatch.setattr(machine, "best_seconds", None)  # calling it would fail
    said = TrainingConfig(steps=1, precision="bfloat16", attention="fused", threads=3)
    plan = plan_for_this_machine(said, make_model(), 8)
    assert str(plan) == "bfloat16, fused attention, 3 threads"


def test_what_is_left_to_the_machine_is_decided():
    plan = plan_for_this_machine(AUTO, make_model(), 8)
    assert plan.precision in ("float32", "bfloat16")
    assert plan.attention in ("explicit", "fused")
    assert plan.threads >= 1


@pytest.mark.parametrize(
    ("slower", "chosen"), [("bfloat16", "float32"), ("", "bfloat16")]
)
def test_the_faster_precision_is_chosen(monkeypatch, slower, chosen):
    seconds = {"bfloat16": 2.0 if slower else 0.1, "float32": 1.0}
    monkeypatch.setattr(
        machine,
        "best_seconds",
        lambda work, repeats=3: seconds[str(work().dtype).removeprefix("torch.")],
    )
    config = TrainingConfig(steps=1, precision="auto")
    assert plan_for_this_machine(config, make_model(), 8).precision == chosen


def test_measuring_leaves_the_model_the_threads_and_the_random_stream_alone():
    model = make_model()
    before = [x.clone() for x in model.parameters()]
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        plan_for_this_machine(AUTO, model, 8)
        assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert all(x.grad is None for x in model.parameters())
    assert all(
        torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)
    )


def test_a_model_without_attention_has_nothing_to_choose():
    model = RecurrentModel(11, 8, 1)
    assert plan_for_this_machine(AUTO, model, 8).attention in ("explicit", "fused")


@pytest.mark.parametrize(("precision", "low"), [("float32", False), ("bfloat16", True)])
def test_the_form_of_attention_is_timed_in_the_precision_of_the_run(precision, low):
    seen, model = [], make_model()
    model.blocks[0].attention.register_forward_pre_hook(
        lambda *_: seen.append(torch.is_autocast_enabled("cpu"))
    )
    config = TrainingConfig(steps=1, precision=precision, attention="auto")
    plan_for_this_machine(config, model, 8)
    assert set(seen) == {low}
