"""How answers written on torch are called. Nothing of any exercise: runs beside answers.

Parameters come from outside and are put in by the names that the exercise gives them (or
by their shapes where it gives none), so that no verdict depends on how or in which order
an answer makes its own. Numbers are float32, torch's default.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minitransformer.grader.drives import Unfit

GAINS, BIASES = ("weight", "gain", "gamma", "scale"), ("bias", "beta", "shift")


# ---------------------------------------------------------------- finding parameters
def module_in(parent: Any, name: str) -> Any:
    """Give a named part of a module."""
    found = getattr(parent, name, None)
    if not isinstance(found, nn.Module):
        raise Unfit(
            f"{type(parent).__name__} needs a part called `{name}`; there is none"
        )
    return found


def linear(module: Any, name: str, *, bias: bool) -> dict[str, nn.Parameter]:
    """Give a linear map's parameters as `name.weight` and, if asked, `name.bias`."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, nn.Parameter) or weight.ndim != 2:
        raise Unfit(f"`{name}` must be an nn.Linear; got {type(module).__name__}")
    offset = getattr(module, "bias", None)
    if bias != isinstance(offset, nn.Parameter):
        needed, came = ("a", "none") if bias else ("no", "one")
        raise Unfit(f"`{name}` needs {needed} bias; it has {came}")
    found = {f"{name}.weight": weight}
    return {**found, f"{name}.bias": offset} if bias else found  # pyright: ignore[reportReturnType] - looked at above


def norm(module: Any, name: str) -> dict[str, nn.Parameter]:
    """Give a layer norm's parameters as `name.gain` and `name.bias`."""
    own = dict(module.named_parameters(recurse=False))
    gain = [own[one] for one in GAINS if one in own]
    bias = [own[one] for one in BIASES if one in own]
    if len(gain) != 1 or len(bias) != 1:
        raise Unfit(f"`{name}` must be a layer norm with a gain and a bias")
    return {f"{name}.gain": gain[0], f"{name}.bias": bias[0]}


def attention_parameters(module: Any, prefix: str = "") -> dict[str, nn.Parameter]:
    """Give query, key, value and output."""
    found: dict[str, nn.Parameter] = {}
    for name in ("query", "key", "value", "output"):
        found |= linear(module_in(module, name), name, bias=False)
    return {prefix + name: parameter for name, parameter in found.items()}


def block_parameters(module: Any, prefix: str = "") -> dict[str, nn.Parameter]:
    """Give the two norms', the attention's and the feed-forward's parameters."""
    found = norm(module_in(module, "norm_1"), "norm_1")
    found |= attention_parameters(module_in(module, "attention"), "attention.")
    found |= norm(module_in(module, "norm_2"), "norm_2")
    maps = [
        part
        for part in module_in(module, "feed_forward").modules()
        if isinstance(part, nn.Linear)
    ]
    if len(maps) != 2:
        raise Unfit(f"`feed_forward` needs two nn.Linear; it has {len(maps)}")
    width = next(iter(found.values())).shape[0]
    maps.sort(key=lambda part: part.in_features != width)  # whichever was made first
    found |= linear(maps[0], "feed_forward.0", bias=True)
    found |= linear(maps[1], "feed_forward.2", bias=True)
    return {prefix + name: parameter for name, parameter in found.items()}


def model_parameters(
    model: nn.Module, vocab_size: int, context_length: int, width: int
) -> dict[str, nn.Parameter]:
    """Give a character model's parameters, found by what they are and by their shapes."""
    blocks = [part for part in model.modules() if hasattr(part, "norm_1")]
    inside = {id(part) for block in blocks for part in block.modules()}
    outside = [part for part in model.modules() if id(part) not in inside]
    own = [
        (part, name, parameter)
        for part in outside
        for name, parameter in part.named_parameters(recurse=False)
    ]

    def only(what: str, shape: tuple[int, ...], kind: Callable[[Any], bool]) -> Any:
        found = [(p, q) for p, _, q in own if tuple(q.shape) == shape and kind(p)]
        if len(found) != 1:
            raise Unfit(
                f"the model needs one {what}, with parameters of shape {shape} "
                f"outside its blocks; found {len(found)}"
            )
        return found[0]

    def is_linear(part: Any) -> bool:
        return isinstance(part, nn.Linear)

    table = (vocab_size, width)
    _, characters = only("table of characters", table, lambda part: not is_linear(part))
    _, positions = only("table of positions", (context_length, width), lambda _: True)
    head, _ = only("linear head without bias", table, is_linear)
    norms = [part for part, name, _ in own if name in GAINS and _.shape == (width,)]
    if len(norms) != 1:
        raise Unfit(f"the model needs one norm after its blocks; found {len(norms)}")
    found = {"characters": characters, "positions": positions}
    for place, block in enumerate(blocks):
        found |= block_parameters(block, f"blocks.{place}.")
    return found | norm(norms[0], "norm") | linear(head, "head", bias=False)


def put(
    parameters: Mapping[str, nn.Parameter], values: Mapping[str, np.ndarray]
) -> None:
    """Put values from outside into parameters."""
    missing = sorted(values.keys() ^ parameters.keys())
    if missing:
        raise Unfit(f"parameters do not match what is asked: {', '.join(missing)}")
    with torch.no_grad():
        for name, value in values.items():
            if tuple(parameters[name].shape) != value.shape:
                raise Unfit(
                    f"`{name}` must have shape {value.shape}; it has "
                    f"{tuple(parameters[name].shape)}"
                )
            parameters[name].copy_(torch.from_numpy(value))


def gradients(
    output: Tensor, grad_output: np.ndarray, sources: Sequence[Tensor]
) -> list[np.ndarray]:
    """Walk back from an output; what it does not depend on gets zeros."""
    if not output.requires_grad:
        return [np.zeros(tuple(one.shape), np.float32) for one in sources]
    found = torch.autograd.grad(
        output, list(sources), torch.from_numpy(grad_output), allow_unused=True
    )
    return [
        (torch.zeros_like(one) if grad is None else grad).numpy()
        for one, grad in zip(sources, found, strict=True)
    ]


def _tensor(array: np.ndarray | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(array)


# ---------------------------------------------------------------- the drives
def multi_head(
    answer: Callable[..., Any],
    width: int,
    num_heads: int,
    values: Mapping[str, np.ndarray],
    x: np.ndarray,
    grad_output: np.ndarray,
    memory: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> object:
    """Make the module, put parameters in, go forward and back."""
    module = answer(width, num_heads).eval()
    parameters = attention_parameters(module)
    put(parameters, values)
    source = torch.from_numpy(x).requires_grad_()
    options = {
        name: _tensor(array)
        for name, array in (("memory", memory), ("mask", mask))
        if array is not None
    }
    output = module(source, **options)
    if not isinstance(output, Tensor) or tuple(output.shape) != grad_output.shape:
        return (output, *([np.zeros(1)] * 5))
    return (output, *gradients(output, grad_output, [source, *parameters.values()]))


def block(
    answer: Callable[..., Any],
    width: int,
    num_heads: int,
    hidden_width: int,
    values: Mapping[str, np.ndarray],
    x: np.ndarray,
    grad_output: np.ndarray,
    mask: np.ndarray | None = None,
) -> object:
    """Make the block, put parameters in, go forward and back."""
    module = answer(width, num_heads, hidden_width).eval()
    parameters = block_parameters(module)
    put(parameters, values)
    source = torch.from_numpy(x).requires_grad_()
    output = module(source) if mask is None else module(source, mask=_tensor(mask))
    if not isinstance(output, Tensor) or tuple(output.shape) != grad_output.shape:
        return (output, *([np.zeros(1)] * 4))
    names = ("norm_1.gain", "attention.query.weight", "feed_forward.0.weight")
    sources = [source, *(parameters[name] for name in names)]
    return (output, *gradients(output, grad_output, sources))


def char_transformer(
    answer: Callable[..., Any],
    vocab_size: int,
    context_length: int,
    width: int,
    num_heads: int,
    num_layers: int,
    values: Mapping[str, np.ndarray],
    ids: np.ndarray,
    grad_output: np.ndarray,
) -> object:
    """Make the model, put parameters in, go forward and back."""
    sizes = (vocab_size, context_length, width, num_heads, num_layers)
    model = answer(*sizes).eval()
    parameters = model_parameters(model, vocab_size, context_length, width)
    put(parameters, values)
    logits = model(torch.from_numpy(ids))
    if not isinstance(logits, Tensor) or tuple(logits.shape) != grad_output.shape:
        return (logits, *([np.zeros(1)] * 3))
    names = ("characters", "positions", "head.weight")
    sources = [parameters[name] for name in names]
    return (logits, *gradients(logits, grad_output, sources))


class Table(nn.Module):
    """The smallest model of characters: a row of scores for each of them."""

    def __init__(self, scores: np.ndarray) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.from_numpy(scores.copy()))

    def forward(self, ids: Tensor) -> Tensor:
        """Look the rows up, (B, T) → (B, T, V)."""
        return self.scores[ids]


# what a step had to work with
NOT_TAKEN, NOTHING_FLOWED, CLEARED, WITH_GRADIENTS = range(4)


def training_step(
    answer: Callable[..., Any],
    scores: np.ndarray,
    inputs: np.ndarray,
    targets: np.ndarray,
    rate: float,
    momentum: float,
) -> object:
    """Take a step on each batch; give losses, parameters, gradients, and what was done."""
    model = Table(scores)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    flowed: list[bool] = []
    seen: list[tuple[int, np.ndarray]] = []

    def note_flow(_: Tensor) -> None:
        flowed.append(True)

    def note_step(*_: object) -> None:
        grad = model.scores.grad
        if grad is not None and bool(grad.abs().sum() > 0):
            seen.append((WITH_GRADIENTS, grad.numpy().copy()))
        else:
            state = CLEARED if flowed else NOTHING_FLOWED
            seen.append((state, np.zeros_like(scores)))

    model.scores.register_post_accumulate_grad_hook(note_flow)
    optimizer.register_step_post_hook(note_step)
    losses, after, used, states = [], [], [], []
    for batch, goals in zip(inputs, targets, strict=True):
        flowed.clear()
        seen.clear()
        losses.append(
            answer(model, torch.from_numpy(batch), torch.from_numpy(goals), optimizer)
        )
        state, grad = seen[-1] if seen else (NOT_TAKEN, np.zeros_like(scores))
        states.append(state if len(seen) < 2 else -len(seen))
        used.append(grad)
        after.append(model.scores.detach().numpy().copy())
    return losses, np.stack(after), np.stack(used), states
