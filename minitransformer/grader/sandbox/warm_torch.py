"""Get torch ready before the first fork, so that no worker has to.

The first step of an optimizer loads torch's compiler, and the first gradient of an
output that is not a single number loads its algebra of shapes, although nothing is
compiled and every shape is known. Together that takes longer than loading torch itself,
and wants a folder to write to. What is asked of the two there is next to nothing, which
the stand-ins below do as well; whoever asks for more gets the real ones.
"""

import importlib
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

import torch


def stand_in(module_name: str, **functions: Callable[..., Any]) -> None:
    """Put a few functions in the place of a module that would take long to load."""
    if module_name in sys.modules:
        return

    def from_the_real_one(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(module_name) is module:
            del sys.modules[module_name]
        return getattr(importlib.import_module(module_name), name)

    module = types.ModuleType(module_name)
    vars(module).update(functions, __getattr__=from_the_real_one)
    sys.modules[module_name] = module
    above, _, own = module_name.rpartition(".")
    setattr(importlib.import_module(above), own, module)


def untouched(function: Any, *_: object, **__: object) -> Any:
    """Give a function back as it is: the compiler is to leave it alone."""
    return function


def nothing(*_: object, **__: object) -> None:
    """Do nothing: what is not compiled needs no break."""


def take_a_step() -> None:
    """Make and use everything once that a training step makes and uses."""
    layer = torch.nn.Linear(2, 2)
    for kind in (torch.optim.SGD, torch.optim.AdamW):
        optimizer = kind(layer.parameters(), lr=0.1)
        optimizer.zero_grad()
        layer(torch.ones(1, 2)).backward(torch.ones(1, 2))
        optimizer.step()


stand_in("torch._dynamo", disable=untouched, graph_break=nothing)
stand_in("torch.fx.experimental.symbolic_shapes", expect_true=bool, sym_eq=operator.eq)
torch.set_num_threads(1)
take_a_step()
