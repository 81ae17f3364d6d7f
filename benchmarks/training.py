"""Training: one step beside a plain recipe, the way down to a loss, and ablations."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn

from benchmarks.measuring import Figure, race, speeds
from minitransformer.model import (
    CharTransformer,
    ModelConfig,
    MultiHeadAttention,
    NextCharacterTask,
    Trainer,
    TrainingConfig,
    causal_mask,
    preset,
)
from minitransformer.model.machine import bfloat16_is_faster, computing_in
from minitransformer.text import distinct_characters, encode, shakespeare, split_text

# nanoGPT's documented recipe for a CPU: shape, batch, steps, AdamW, float32
PEER_MODEL = ModelConfig(
    vocab_size=64,
    context_length=64,
    width=128,
    num_heads=4,
    num_layers=4,
    hidden_width=512,
    activation="gelu",
    tied_head=True,
)
PEER_TRAINING = TrainingConfig(
    steps=2000,
    batch_size=12,
    learning_rate=1e-3,
    weight_decay=0.1,
    warmup=0.05,
    decay=0.95,
    attention="fused",
)
PEER, OURS = "plain recipe (nanoGPT's shape)", "preset seconds"
BAR = 1.88  # nats per character on the whole held-out tenth: nanoGPT's published loss

Changes = dict[str, tuple[dict[str, object], dict[str, object]]]  # model's, training's

ABLATIONS: Changes = {
    "AdamW in place of Muon": ({}, {"optimizer": "adamw", "learning_rate": 4e-3}),
    "no query–key norm": ({"qk_norm": False}, {}),
    "ReLU in place of its square": ({"activation": "relu"}, {}),
    "learned positions in place of rotary": ({"positions": "learned"}, {}),
    "no zero start": ({"zero_init": False}, {}),
    "tied head": ({"tied_head": True}, {}),
    "RMS norm in place of layer norm": ({"norm": "rms"}, {}),
    "no decay of the rates": ({}, {"decay": 0.0}),
    "whole windows from the start": ({}, {"window_length": 64, "batch_size": 24}),
    "short windows to the end": ({}, {"whole_windows": 0.0}),
    "width 128, hidden width 512, as many steps": (
        {"width": 128, "hidden_width": 512},
        {},
    ),
    "and with token shift": ({"token_shift": True}, {}),
    "float32 to the end": ({}, {"precision": "float32"}),
    "fused attention in place of the faster form": ({}, {"attention": "fused"}),
}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure a step; then, unless quick, whole runs and what each choice buys."""
    data = texts()
    yield from one_step(data, repeats=3 if quick else 9)
    yield from attention_forms()
    if quick:
        return
    yield from growth(data)
    yield from whole_runs(data)
    yield from ablations(data, recipe(), ABLATIONS, "what each choice buys")


def texts() -> tuple[np.ndarray, np.ndarray]:
    """Give Shakespeare's training part and its held-out tenth, as ids."""
    text = shakespeare()
    characters = distinct_characters(text)
    train, held_out = split_text(text)
    return encode(train, characters), encode(held_out, characters)


def trainer(
    model: ModelConfig,
    training: TrainingConfig,
    data: tuple[np.ndarray, np.ndarray],
    seed: int = 0,
) -> Trainer:
    """Make a run, ready to start."""
    generator = torch.Generator().manual_seed(seed)
    task = NextCharacterTask.of(*data, model, training)
    made = CharTransformer.from_config(model, generator=generator)
    return Trainer(made, task, training, generator=generator)


def recipe(
    name: str = "seconds", **changes: object
) -> tuple[ModelConfig, TrainingConfig]:
    """Give a preset on one thread, with changes to its training."""
    model, training = preset(name, vocab_size=64)
    return model, replace(training, threads=1, **changes)


def one_step(data: tuple[np.ndarray, np.ndarray], repeats: int) -> Iterator[Figure]:
    """Measure how many characters a second each recipe trains on."""
    held_out = data[1][:1000]
    runs = {
        PEER: trainer(PEER_MODEL, PEER_TRAINING, (data[0], held_out)),
        OURS: trainer(*recipe(), (data[0], held_out)),
    }
    steps = {name: run.run() for name, run in runs.items()}
    times = race(
        {name: lambda s=step: next(s) for name, step in steps.items()}, repeats
    )
    for name, seconds in times.items():
        amount = runs[name].task.characters_per_step
        peer_rate = runs[PEER].task.characters_per_step / np.median(times[PEER])
        rate = amount / float(np.median(seconds))
        yield Figure(
            group="training, one step",
            name=name,
            value=rate,
            unit="characters/s",
            low=amount / max(seconds),
            high=amount / min(seconds),
            beside=PEER,
            ratio=float(rate / peer_rate),
            note=str(runs[name].plan),
        )


def attention_forms() -> Iterator[Figure]:
    """Measure a step of one attention, forward and backward, in both forms."""
    for precision in ("float32", "bfloat16") if bfloat16_is_faster() else ("float32",):
        for T in (32, 64, 128, 256):
            forms = {
                "fused kernel": partial(attend_and_back, T, precision, fused=True),
                "explicit softmax(q·kᵀ)·v": partial(
                    attend_and_back, T, precision, fused=False
                ),
            }
            yield from speeds(
                f"attention while training, {precision}, T = {T}",
                race(forms, 7),
                "fused kernel",
            )


def attend_and_back(T: int, precision: str, *, fused: bool) -> None:
    """Run one attention on 2,048 characters, forward and backward."""
    attention = MultiHeadAttention(128, 2)
    attention.fused = fused
    x = torch.ones(2048 // T, T, 128)
    with computing_in(precision):
        found = attention(x, mask=causal_mask(T))
    found.float().sum().backward()


def growth(data: tuple[np.ndarray, np.ndarray]) -> Iterator[Figure]:
    """Measure characters a second against width and context."""
    held_out = data[1][:1000]
    base, training = recipe()
    for width, T in ((64, 32), (128, 32), (256, 32), (128, 64), (128, 128), (128, 256)):
        model = replace(
            base, width=width, hidden_width=4 * width, context_length=T, num_heads=2
        )
        batch = replace(training, window_length=T, batch_size=2048 // T)
        steps = trainer(model, batch, (data[0], held_out)).run()
        times = race({"step": lambda s=steps: next(s)}, 3)["step"]
        yield Figure(
            group="training, growth",
            name=f"width {width}, context {T}",
            value=2048 / float(np.median(times)),
            unit="characters/s",
            low=2048 / max(times),
            high=2048 / min(times),
        )


def whole_runs(data: tuple[np.ndarray, np.ndarray], seeds: int = 3) -> Iterator[Figure]:
    """Train to the end: ours with several seeds, the plain recipe once."""
    spent, loss = _run(PEER_MODEL, PEER_TRAINING, data, seed=0)
    peer = spent
    yield _loss_figure(PEER, loss, spent, peer)
    for seed in range(seeds):
        spent, loss = _run(*recipe(), data, seed=seed)
        yield _loss_figure(f"{OURS}, seed {seed}", loss, spent, peer)


def ablations(
    data: tuple[np.ndarray, np.ndarray],
    settings: tuple[ModelConfig, TrainingConfig],
    changes: Changes,
    group: str,
) -> Iterator[Figure]:
    """Change one choice at a time; measured on a part held out of the training part."""
    cut = int(0.9 * len(data[0]))
    inner = data[0][:cut], data[0][cut:]
    model, training = settings
    spent, full = _run(model, training, inner, seed=0)
    yield Figure(
        group=group,
        name="nothing changed",
        value=full,
        unit="nats/character",
        note=f"{spent:.1f} s of processor time",
    )
    for name, (for_model, for_training) in changes.items():
        changed = replace(model, **for_model), replace(training, **for_training)
        spent, loss = _run(*changed, inner, seed=0)
        yield Figure(
            group=group,
            name=name,
            value=loss,
            unit="nats/character",
            note=f"{loss - full:+.3f}; {spent:.1f} s of processor time",
        )


def _run(
    model: ModelConfig,
    training: TrainingConfig,
    data: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> tuple[float, float]:
    """Train to the end; give the processor time of the steps and the held-out loss."""
    run = trainer(model, training, data, seed)
    spent, measure = 0.0, run.task.measure

    def timed(model: nn.Module) -> float:
        nonlocal spent
        began = time.process_time()
        loss = measure(model)
        spent -= time.process_time() - began
        return loss

    run.task.measure = timed
    began = time.process_time()
    last = list(run.run())[-1]
    if last.validation_loss is None:
        raise RuntimeError("a run must end with a validation; it did not")
    return spent + time.process_time() - began, last.validation_loss


def _loss_figure(name: str, loss: float, spent: float, peer: float) -> Figure:
    """Report a whole run."""
    return Figure(
        group=f"training to {BAR} nats per character",
        name=name,
        value=loss,
        unit="nats/character",
        beside=PEER,
        ratio=peer / spent,
        note=f"{spent:.1f} s of processor time",
    )
