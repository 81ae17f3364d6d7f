"""Training: one record a step. Printing, plotting and stopping belong to the caller."""

import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from minitransformer.model.attention import use_attention
from minitransformer.model.config import ModelConfig, TrainingConfig, need
from minitransformer.model.machine import (
    computing_in,
    keep_freed_memory,
    plan_for_this_machine,
)
from minitransformer.model.optimizer import OptimizerPair, make_optimizer
from minitransformer.model.transformer import CharTransformer, drawing_from
from minitransformer.text.windows import (
    next_character_windows,
    random_starts,
    validation_starts,
)


def next_character_loss(
    logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Measure the mean surprise, in nats per character; ln V for knowing nothing."""
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


def training_step(
    model: nn.Module,
    inputs: Int[Tensor, "B T"],
    targets: Int[Tensor, "B T"],
    optimizer: torch.optim.Optimizer | OptimizerPair,
) -> float:
    """Take one step downhill and return the loss from before it.

    Parameters
    ----------
    model : module
        Gives logits (B, T, V) for ids (B, T).
    inputs, targets : tensors of int, of shape (B, T)
        Characters, and those that came one place later.
    optimizer : torch.optim.Optimizer
        Holds the model's parameters.
    """
    model.train()
    optimizer.zero_grad()
    loss = next_character_loss(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.inference_mode()
def validation_loss(
    model: nn.Module,
    ids: Int[Tensor, " n"] | Int[np.ndarray, " n"],
    context_length: int,
    *,
    batch_size: int = 64,
) -> float:
    """Measure the loss over a whole held-out text, in windows laid end to end.

    Returns
    -------
    float
        Nats per character, the mean over every character of every whole window.
    """
    text = np.asarray(ids)
    starts = validation_starts(len(text), context_length)
    was_training = model.training
    model.eval()
    total = 0.0
    for first in range(0, len(starts), batch_size):
        batch = starts[first : first + batch_size]
        inputs, targets = next_character_windows(text, batch, context_length)
        logits = model(torch.from_numpy(inputs))
        loss = next_character_loss(logits.float(), torch.from_numpy(targets))
        total += loss.item() * len(batch)
    model.train(was_training)
    return total / len(starts)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one step reports."""

    step: int  # from 1
    loss: float  # nats per character on this step's batch, before the step
    learning_rate: float  # as a share of its highest
    characters_per_second: float  # trained on so far, validations not counted
    seconds: float  # since the run began
    progress: float  # share of the run that is done
    validation_loss: float | None = None  # nats per character, when it was measured


RESUMED = (
    "step",
    "seconds",
    "training_seconds",
    "validation_seconds",
    "validations",
    "best_loss",
)


@runtime_checkable
class Task(Protocol):
    """What is to be learned: where batches come from, and what counts as loss."""

    characters_per_step: int
    held_out_characters: int
    window_length: int  # about how many places an attention spans

    def step(
        self,
        model: nn.Module,
        optimizer: OptimizerPair,
        rng: np.random.Generator,
        progress: float,
    ) -> float:
        """Draw a batch, take one step and return the loss from before it.

        `progress` is the share of the run that is done.
        """
        ...

    def measure(self, model: nn.Module) -> float:
        """Return the loss over everything held out."""
        ...


class NextCharacterTask:
    """Guess the next character of a text, measured on another text.

    Parameters
    ----------
    train_ids, held_out_ids : tensors or arrays of int, of shape (n,) and (m,)
        The two texts.
    context_length : int
        Characters in a validation window.
    batch_size : int
        Windows in a batch.
    window_length : int, optional
        Characters in a training window at first; `context_length` when None.
    whole_windows : float
        The share of the run, its last, in which windows are as long as the context.
    take_step : function of (model, inputs, targets, optimizer)
        The step itself; one's own `training_step` fits.

    Raises
    ------
    ValueError
        If a text does not hold one window and the character after it, or the training
        windows are longer than the context.
    """

    def __init__(
        self,
        train_ids: Int[Tensor, " n"] | Int[np.ndarray, " n"],
        held_out_ids: Int[Tensor, " m"] | Int[np.ndarray, " m"],
        *,
        context_length: int,
        batch_size: int,
        window_length: int | None = None,
        whole_windows: float = 0.0,
        take_step: Callable[..., float] = training_step,
    ) -> None:
        self.text, self.held_out = np.asarray(train_ids), np.asarray(held_out_ids)
        self.context_length = context_length
        self.batch_size = batch_size
        self.window_length = window_length or context_length
        self.whole_windows = whole_windows
        self.take_step = take_step
        need(
            self.window_length <= context_length,
            f"window_length must be at most the context of {context_length}; "
            f"got {self.window_length}",
        )
        random_starts(len(self.text), self.window_length, 1, np.random.default_rng(0))
        validation_starts(len(self.held_out), context_length)
        self.characters_per_step = batch_size * self.window_length
        self.held_out_characters = len(self.held_out)

    @classmethod
    def of(
        cls,
        train_ids: Int[Tensor, " n"] | Int[np.ndarray, " n"],
        held_out_ids: Int[Tensor, " m"] | Int[np.ndarray, " m"],
        model: ModelConfig,
        config: TrainingConfig,
    ) -> "NextCharacterTask":
        """Make the task for a model and a run with these settings."""
        return cls(
            train_ids,
            held_out_ids,
            context_length=model.context_length,
            batch_size=config.batch_size,
            window_length=config.window_length,
            whole_windows=config.whole_windows,
        )

    def step(
        self,
        model: nn.Module,
        optimizer: OptimizerPair,
        rng: np.random.Generator,
        progress: float,
    ) -> float:
        """Cut windows out of the text at random places and take one step on them."""
        T, B = self.window_length, self.batch_size
        if progress >= 1 - self.whole_windows:
            T = self.context_length
            B = max(1, self.characters_per_step // T)
        starts = random_starts(len(self.text), T, B, rng)
        inputs, targets = next_character_windows(self.text, starts, T)
        return self.take_step(
            model, torch.from_numpy(inputs), torch.from_numpy(targets), optimizer
        )

    def measure(self, model: nn.Module) -> float:
        """Return the loss over the whole held-out text, in nats per character."""
        return validation_loss(model, self.held_out, self.context_length)


class Trainer:
    """A run that can be stopped, saved and taken up again.

    Parameters
    ----------
    model : module
        What learns.
    task : Task
        What is to be learned.
    config : TrainingConfig
        For how long and with which steps.
    generator : torch.Generator
        Where batches and dropout are drawn from.

    Attributes
    ----------
    plan : MachinePlan
        What was chosen for this machine; `str(plan)` says it in one line.
    best_loss : float
        The lowest validation loss so far, infinite before the first.
    interrupted : bool
        Whether Ctrl-C ended the run.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        config: TrainingConfig,
        *,
        generator: torch.Generator,
    ) -> None:
        self.model = model
        self.task = task
        self.config = config
        self.generator = generator
        self.optimizer = make_optimizer(model, config)
        keep_freed_memory()
        self.plan = plan_for_this_machine(config, model, task.window_length)
        use_attention(model, self.plan.attention)
        self.step = 0
        self.seconds = 0.0
        self.training_seconds = 0.0
        self.validation_seconds = 0.0
        self.validations = 0  # measured so far
        self.parts_done = 0  # of the run's `config.validations` equal parts
        self.best_loss = float("inf")
        self.best: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}  # while the model holds the best
        self.interrupted = False

    def run(self) -> Generator[Record]:
        """Train to the end, one record a step; leave the best parameters in the model.

        Ctrl-C during a step lets the step finish and ends the run.
        """
        self.interrupted = False
        if self.last:  # an earlier run has left the best parameters in the model
            self.model.load_state_dict(self.last)
            self.last = {}
        began = time.perf_counter() - self.seconds
        try:
            while self.parts_done < self.config.validations and not self.interrupted:
                with finishing_what_began() as interrupted:
                    loss, share = self._take_step()
                    self.seconds = time.perf_counter() - began
                    measured = self._validate_if_due()
                    self.seconds = time.perf_counter() - began
                self.interrupted = interrupted()
                yield Record(
                    step=self.step,
                    loss=loss,
                    learning_rate=share,
                    characters_per_second=self._speed(),
                    seconds=self.seconds,
                    progress=self.progress,
                    validation_loss=measured,
                )
                self.seconds = time.perf_counter() - began
        finally:
            if self.best:
                self.last = _copy(self.model.state_dict())
                self.model.load_state_dict(self.best)

    @property
    def progress(self) -> float:
        """The share of the run that is done, from 0 to 1.

        Of a run by the clock, the time for validations is set aside first.
        """
        if self.config.seconds is None:
            return min(1.0, self.step / (self.config.steps or 1))
        for_training = self.config.seconds - (
            self.config.validations * self._seconds_of_a_validation()
        )
        spent = self.seconds - self.validation_seconds
        return min(1.0, spent / for_training) if for_training > 0 else 1.0

    def state(self) -> tuple[dict[str, Tensor], dict[str, int | float]]:
        """Give all that going on exactly from here needs, as tensors and as numbers."""
        tensors = {"generator": self.generator.get_state()}
        for name, parameter in self.model.named_parameters():
            tensors[f"model.{name}"] = self.last.get(name, parameter.detach())
        for name, best in self.best.items():
            tensors[f"best.{name}"] = best
        for name, kept in self._kept_by_optimizers():
            tensors[f"optimizer.{name}"] = kept
        return tensors, {name: getattr(self, name) for name in RESUMED}

    def restore(
        self, tensors: dict[str, Tensor], numbers: dict[str, int | float]
    ) -> None:
        """Go back to where `state` was taken.

        Raises
        ------
        ValueError
            If the state belongs to another model or optimizer.
        """
        here = {f"model.{name}": x for name, x in self.model.named_parameters()}
        here |= {f"optimizer.{name}": x for name, x in self._kept_by_optimizers()}
        with torch.no_grad():
            for name, place in here.items():
                need(
                    name in tensors,
                    f"the state must hold {name}; it belongs to another model",
                )
                place.copy_(tensors[name])
        self.generator.set_state(tensors["generator"])
        self.best = {
            name.removeprefix("best."): value.clone()
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        for name in RESUMED:
            setattr(self, name, numbers[name])
        self.optimizer.adamw.steps = self.step
        self.parts_done = self._parts()

    def _kept_by_optimizers(self) -> Iterator[tuple[str, Tensor]]:
        """Name everything that the optimizers keep from step to step."""
        for optimizer in (self.optimizer.muon, self.optimizer.adamw):
            for kind, tensors in optimizer.kept.items():
                for place, tensor in enumerate(tensors):
                    yield f"{kind}.{place}", tensor

    def _take_step(self) -> tuple[float, float]:
        """Step once; give the loss and the share of the highest learning rate."""
        began = time.perf_counter()
        share = self._rate_share()
        self.optimizer.scale_rates(share)
        seed = int(torch.randint(2**62, (), generator=self.generator))
        before = torch.get_num_threads()
        torch.set_num_threads(self.plan.threads)
        try:
            with (
                drawing_from(self.generator),
                computing_in(self.plan.precision),
            ):
                rng = np.random.default_rng(seed)
                loss = self.task.step(self.model, self.optimizer, rng, self.progress)
        finally:
            torch.set_num_threads(before)
        self.step += 1
        self.training_seconds += time.perf_counter() - began
        return loss, share

    def _rate_share(self) -> float:
        """Rise over the warm-up, stay, and fall to zero in a line over the last part."""
        done, config = self.progress, self.config
        rise = (done + 1e-3) / config.warmup if config.warmup else 1.0
        fall = (1 - done) / config.decay if config.decay else 1.0
        return min(1.0, rise, fall)

    def _validate_if_due(self) -> float | None:
        """Measure at the end of each of `validations` equal parts of the run."""
        parts = self._parts()
        if parts <= self.parts_done:
            return None
        began = time.perf_counter()
        loss = self.task.measure(self.model)
        self.validation_seconds += time.perf_counter() - began
        self.validations += 1
        self.parts_done = parts
        if loss < self.best_loss:
            self.best_loss = loss
            self.best = _copy(self.model.state_dict())
        return loss

    def _parts(self) -> int:
        """Count the parts of the run that are over, each ending in a validation."""
        return int(self.progress * self.config.validations + 1e-9)

    def _speed(self) -> float:
        """Characters trained on in a second, so far."""
        characters = self.step * self.task.characters_per_step
        return characters / self.training_seconds if self.training_seconds else 0.0

    def _seconds_of_a_validation(self) -> float:
        """Say what one validation took or, before the first, should take."""
        if self.validations:
            return self.validation_seconds / self.validations
        # forward alone costs a third of a step
        return self.task.held_out_characters / (3 * self._speed()) if self.step else 0.0


def train(
    model: CharTransformer,
    train_ids: Int[Tensor, " n"] | Int[np.ndarray, " n"],
    validation_ids: Int[Tensor, " m"] | Int[np.ndarray, " m"],
    config: TrainingConfig,
    *,
    generator: torch.Generator,
) -> Iterator[Record]:
    """Train a character model, giving one record a step.

    When it ends, by itself or by Ctrl-C, the model holds the best parameters that were
    validated.
    """
    task = NextCharacterTask.of(train_ids, validation_ids, model.config, config)
    return Trainer(model, task, config, generator=generator).run()


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors, so that later steps do not change them."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@contextmanager
def finishing_what_began() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back until the end; gives a function that says whether it came."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread hears of Ctrl-C
        return
    before = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
