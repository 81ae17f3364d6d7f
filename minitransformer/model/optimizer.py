"""Muon for the matrices of the blocks, AdamW for everything else."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minitransformer.model.config import TrainingConfig


def orthogonalised(
    matrices: Float[Tensor, "N rows columns"], steps: int = 5
) -> Float[Tensor, "N rows columns"]:
    """Bring all singular values of each matrix near one, leaving its directions alone.

    Each Newton–Schulz step replaces every singular value s by a·s + b·s³ + c·s⁵; with
    the numbers below five steps take anything from 0.005 to 1 to between 0.7 and 1.2.
    Only products of matrices are needed, for a whole stack at once.

    Notes
    -----
    Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks",
    https://kellerjordan.github.io/posts/muon, where the three numbers come from.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices  # the smaller square is the cheaper one
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT  # (N, rows, rows)
        x = torch.baddbmm(
            x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a
        )
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised: each step turns all directions of a matrix alike.

    Parameters
    ----------
    parameters : iterable of matrices
        Those of the blocks; embeddings and heads are AdamW's.
    lr : float
        The learning rate: the size of a step in every direction of a square matrix.
    momentum : float
        How much of the running gradient is kept at each step.
    weight_decay : float
        Pull towards zero, per step and unit of learning rate.

    Notes
    -----
    torch.optim.Muon goes through the matrices one by one, in bfloat16; here those of
    one shape are stacked and keep their precision, which is faster on a CPU.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride] - torch declares two overloads
        """Take one step against the gradients."""
        loss = closure() if closure else None
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for stack in by_shape.values():
                self._step_stack(stack, group)
        return loss

    def _step_stack(self, stack: list[Tensor], group: dict[str, Any]) -> None:
        """Step all matrices of one shape together."""
        gradients = [
            parameter.grad for parameter in stack if parameter.grad is not None
        ]
        for parameter in stack:
            if "running" not in self.state[parameter]:
                self.state[parameter]["running"] = torch.zeros_like(parameter)
        running = [self.state[parameter]["running"] for parameter in stack]
        keep = group["momentum"]
        gradient = torch.stack(gradients)  # (N, rows, columns)
        average = torch.stack(running).lerp(gradient, 1 - keep)
        for kept, new in zip(running, average, strict=True):
            kept.copy_(new)
        turns = orthogonalised(gradient.lerp(average, keep))  # Nesterov's look ahead
        rows, columns = stack[0].shape
        lr = group["lr"] * max(1, rows / columns) ** 0.5
        for parameter, turn in zip(stack, turns, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(turn, alpha=-lr)


class OptimizerPair:
    """Two optimizers that step as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        self.base_rates = [group["lr"] for group in self.param_groups]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both."""
        return [group for one in self.optimizers for group in one.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients of both."""
        for one in self.optimizers:
            one.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Step both."""
        for one in self.optimizers:
            one.step()

    def scale_rates(self, share: float) -> None:
        """Set every learning rate to this share of its highest."""
        for group, base in zip(self.param_groups, self.base_rates, strict=True):
            group["lr"] = base * share


def make_optimizer(model: nn.Module, config: TrainingConfig) -> OptimizerPair:
    """Give each parameter to the optimizer that suits it.

    Matrices inside blocks go to Muon, unless the settings say AdamW for all; embeddings,
    the head, gains and biases go to AdamW.
    """
    matrices, others, plain = [], [], []
    for name, parameter in model.named_parameters():
        if "blocks" in name and parameter.ndim == 2:
            matrices.append(parameter)
        elif parameter.ndim == 2:
            others.append(parameter)
        else:
            plain.append(parameter)
    pair: list[torch.optim.Optimizer] = []
    if config.optimizer == "muon" and matrices:
        pair.append(
            Muon(matrices, lr=config.muon_rate, weight_decay=config.weight_decay)
        )
    else:
        others = matrices + others
    groups = [
        {"params": others, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    pair.append(
        torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            fused=True,
        )
    )
    return OptimizerPair(*pair)
