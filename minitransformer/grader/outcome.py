"""What one call of an answer gave, as plain data: all that a verdict may look at.

NumPy alone, and nothing of any exercise: this module is also loaded where answers run.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["value", "raised", "not_written", "timeout", "memory", "crashed"]

MOST_ENTRIES = 1_000_000  # of nested lists; arrays are limited by whoever carries them
DEEPEST = 8


@dataclass(frozen=True)
class Foreign:
    """A value of a kind that no exercise asks for; only its name travels."""

    kind: str


# None, bool, int, float, str, exact base arrays, lists and tuples of them, Foreign
Plain = Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What one call gave.

    Attributes
    ----------
    kind : str
        "value", "raised", "not_written" (NotImplementedError), and from a runner that
        limits what it runs "timeout", "memory", "crashed".
    value : plain data
        What was returned (or made of it by the exercise's drive), through `plain`.
    error, message : str
        Name of the exception's type, and its words.
    line : str
        The learner's own line in which it was raised, or in which the first NaN or
        infinity arose; "" where unknown.
    reason : str
        What arithmetic said in that line ("overflow encountered in exp").
    changed : tuple of int
        Places of the positional inputs that the call changed.
    peak_bytes : int or None
        The most memory held during the call beyond what was held before, where asked.
    printed : str
        The beginning of what the call printed.
    """

    kind: Kind
    value: Plain = None
    error: str = ""
    message: str = ""
    line: str = ""
    reason: str = ""
    changed: tuple[int, ...] = ()
    peak_bytes: int | None = None
    printed: str = ""


def plain(value: object) -> Plain:
    """Turn whatever an answer returned into plain data, once and for all.

    Subclasses of arrays and tensors become exact base arrays, so that nothing an answer
    overrides can take part in a comparison. What no exercise asks for becomes `Foreign`.

    Examples
    --------
    >>> plain((np.float32(0.5), [1, 2], {"a": 1}))
    (array(0.5, dtype=float32), [1, 2], Foreign(kind='dict'))
    """
    return _plain(value, DEEPEST, [MOST_ENTRIES])


def _plain(value: object, depth: int, entries: list[int]) -> Plain:
    entries[0] -= 1
    if depth < 0 or entries[0] < 0:
        return Foreign("lists nested too deeply or too long")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, np.ndarray | np.generic):
        return _base_array(value)
    if isinstance(value, list | tuple):
        walk = list.__iter__ if isinstance(value, list) else tuple.__iter__
        inner = [_plain(item, depth - 1, entries) for item in walk(value)]  # pyright: ignore[reportArgumentType] - `walk` is that of the value's own base
        return tuple(inner) if isinstance(value, tuple) else inner
    if isinstance(value, range):
        return list(value[:MOST_ENTRIES])
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_tensor(torch, value)
    if hasattr(type(value), "__array__"):
        return _base_array(np.asarray(value))
    return Foreign(type(value).__name__)


def _base_array(value: Any) -> Plain:
    array = np.array(value, subok=False, copy=True)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    if array.dtype.kind in "biuf":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == object:  # as np.vectorize or a list of mixed numbers may give
        if any(isinstance(item, str) for item in array.flat):
            return Foreign("array of objects")
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):
            return Foreign("array of objects")
    return Foreign(f"array of {array.dtype.name}")


def _from_tensor(torch: Any, value: Any) -> Plain:
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 - torch's own name for it
        tensor = value.detach().cpu().to_dense()
        if tensor.dtype == torch.bfloat16:
            tensor = tensor.to(torch.float32)
        array = tensor.resolve_conj().resolve_neg().numpy()
    return _base_array(array)


def arrays_in(value: Plain) -> Iterable[np.ndarray]:
    """Every array in plain data, from left to right."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from arrays_in(item)
