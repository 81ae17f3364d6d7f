"""Muon for the matrices of the blocks, AdamW for everything else.

Both are written out here, without torch.optim: its first use in a process loads torch's
compiler, which takes as long as loading torch itself.
"""

from collections import defaultdict
from collections.abc import Iterable

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
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon:
    """Momentum, orthogonalised: each step turns all directions of a matrix alike.

    Parameters
    ----------
    parameters : iterable of matrices
        Those of the blocks; embeddings and heads are AdamW's.
    rate : float
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
        *,
        rate: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.rate = rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.kept = {"running": [torch.zeros_like(x) for x in self.parameters]}

    @torch.no_grad()
    def step(self) -> None:
        """Take one step against the gradients."""
        stacks: dict[torch.Size, list[int]] = defaultdict(list)
        for place, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                stacks[parameter.shape].append(place)
        for places in stacks.values():
            self._step_stack(places)

    def _step_stack(self, places: list[int]) -> None:
        """Step all matrices of one shape together."""
        matrices = [self.parameters[place] for place in places]
        kept = [self.kept["running"][place] for place in places]
        gradients = torch.stack([x.grad for x in matrices if x.grad is not None])
        running = torch.stack(kept).lerp(gradients, 1 - self.momentum)
        turns = orthogonalised(gradients.lerp(running, self.momentum))  # Nesterov's
        rows, columns = matrices[0].shape
        size = self.rate * max(1, rows / columns) ** 0.5
        for matrix, old, new, turn in zip(matrices, kept, running, turns, strict=True):
            old.copy_(new)
            matrix.mul_(1 - self.rate * self.weight_decay).add_(turn, alpha=-size)


class AdamW:
    """Each number steps by its mean gradient over the root of its mean square.

    Parameters
    ----------
    parameters : iterable of tensors
        What to step. Only matrices are pulled towards zero.
    rate : float
        The learning rate: about the size of a step of each number.
    betas : pair of float
        How much of the mean, and of the mean square, is kept at each step.
    weight_decay : float
        Pull towards zero, per step and unit of learning rate.

    Notes
    -----
    Kingma and Ba (2015), "Adam", algorithm 1; the pull apart from the gradient is that
    of Loshchilov and Hutter (2019), "Decoupled weight decay regularization".
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.rate = rate
        self.betas = betas
        self.weight_decay = weight_decay
        self.steps = 0
        self.kept = {
            name: [torch.zeros_like(x) for x in self.parameters]
            for name in ("mean", "square")
        }

    @torch.no_grad()
    def step(self) -> None:
        """Take one step against the gradients."""
        self.steps += 1
        first, second = self.betas
        grown = 1 - first**self.steps, 1 - second**self.steps  # both began at zero
        for x, mean, square in zip(self.parameters, *self.kept.values(), strict=True):
            if x.grad is None:
                continue
            mean.lerp_(x.grad, 1 - first)
            square.mul_(second).addcmul_(x.grad, x.grad, value=1 - second)
            root = (square / grown[1]).sqrt_().add_(1e-8)
            if x.ndim > 1:
                x.mul_(1 - self.rate * self.weight_decay)
            x.addcdiv_(mean, root, value=-self.rate / grown[0])


class OptimizerPair:
    """Two optimizers that step as one."""

    def __init__(self, muon: Muon, adamw: AdamW) -> None:
        self.muon = muon
        self.adamw = adamw
        self.highest = (muon.rate, adamw.rate)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.muon.parameters + self.adamw.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Step both."""
        self.muon.step()
        self.adamw.step()

    def scale_rates(self, share: float) -> None:
        """Set both learning rates to this share of their highest."""
        self.muon.rate, self.adamw.rate = (share * rate for rate in self.highest)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> OptimizerPair:
    """Give each parameter to the optimizer that suits it.

    Matrices inside blocks go to Muon, unless the settings say AdamW for all; embeddings,
    the head, gains and biases go to AdamW.
    """
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        turned = config.optimizer == "muon" and "blocks" in name and parameter.ndim == 2
        (matrices if turned else others).append(parameter)
    return OptimizerPair(
        Muon(matrices, rate=config.muon_rate, weight_decay=config.weight_decay),
        AdamW(others, rate=config.adamw_rate, weight_decay=config.weight_decay),
    )
