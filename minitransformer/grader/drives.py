"""How answers are called. NumPy alone, and nothing of any exercise: runs beside answers."""

import importlib
from collections.abc import Callable
from typing import Any


def call(answer: Callable[..., Any], *data: Any, **options: Any) -> object:
    """Call a function: data by position, options by keyword."""
    return answer(*data, **options)


def find(name: str) -> Callable[..., Any]:
    """Give the drive called `module.function`; torch loads only if it is a torch one."""
    module, function = name.split(".")
    if module not in ("drives", "torch_drives"):
        raise ValueError(f"a drive is drives.… or torch_drives.…; got {name!r}")
    return getattr(
        importlib.import_module(f"minitransformer.grader.{module}"), function
    )


class Unfit(Exception):  # noqa: N818 - a finding about an answer, not an error of ours
    """What was made is not of the kind that was asked for; says why in words."""
