"""Get torch ready before the first fork, so that no worker has to.

The first step of an optimizer loads torch's compiler, although nothing is compiled: it
takes as long as loading torch itself, and wants a folder to write to. All that is asked
of the compiler there is to stay away, which the stand-in below does as well. Whoever asks
it for more gets the real one.
"""

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

COMPILER = "torch._dynamo"


def stand_in_for_the_compiler() -> types.ModuleType:
    """Make a module that does what optimizers ask of `torch._dynamo`: nothing."""

    def disable(function: Callable[..., Any], *_: object, **__: object) -> Any:
        return function

    def graph_break(*_: object, **__: object) -> None:
        return

    def real(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        sys.modules.pop(COMPILER, None)
        return getattr(importlib.import_module(COMPILER), name)

    module = types.ModuleType(COMPILER)
    vars(module).update(disable=disable, graph_break=graph_break, __getattr__=real)
    return module


def take_a_step() -> None:
    """Make and use everything once that a training step makes and uses."""
    layer = torch.nn.Linear(2, 2)
    for kind in (torch.optim.SGD, torch.optim.AdamW):
        optimizer = kind(layer.parameters(), lr=0.1)
        optimizer.zero_grad()
        layer(torch.ones(1, 2)).sum().backward()
        optimizer.step()


if COMPILER not in sys.modules:
    sys.modules[COMPILER] = stand_in_for_the_compiler()
    setattr(torch, "_dynamo", sys.modules[COMPILER])  # noqa: B010 - as importing it would
torch.set_num_threads(1)
take_a_step()
