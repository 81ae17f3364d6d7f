"""Read plain data as what was asked for, and compare it with what was needed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minitransformer.grader.exercise import Array, Form, Text, Truth
from minitransformer.grader.outcome import Foreign, Plain

ANYTHING = Array("the result")


@dataclass(frozen=True)
class Tolerance:
    """How far results may lie apart: relative to their largest entry, and a floor."""

    relative: float
    floor: float


# the floor: near-zero gradients of saturated weights, a +1e-8 guard in a denominator
DOUBLE = Tolerance(1e-7, 1e-8)


def single(largest_input: float = 1.0) -> Tolerance:
    """Give the tolerance for float32, whose noise grows with what is put in."""
    return Tolerance(1e-4, 1e-5 * min(max(1.0, largest_input), 100.0))


@dataclass(frozen=True, eq=False)
class Part:
    """One named result, as an array, a truth value or a text."""

    form: Array | Truth | Text
    value: Any


@dataclass(frozen=True)
class Misfit:
    """What came is not of the kind that was asked for; says so in words."""

    words: str


@dataclass(frozen=True, eq=False)
class Difference:
    """Where a result differs from what was needed."""

    kind: str  # "shape", "nan", "infinity", "values", "verdict", "text"
    form: Array | Truth | Text
    words: str
    given: Any
    needed: Any
    where: np.ndarray | None = None  # True for the entries that differ


# ---------------------------------------------------------------- reading
def read(form: Form, value: Plain) -> list[Part] | Misfit:
    """Take plain data as the form that was asked for, or say why it cannot be."""
    if value is None:
        return Misfit(
            "Nothing was returned (None). Does every path through your function end in "
            "`return`?"
        )
    if isinstance(value, Foreign):
        return Misfit(f"A {value.kind} was returned; needed {asked(form)}.")
    if isinstance(form, tuple):
        return _read_several(form, value)
    if isinstance(form, Truth):
        return _read_truth(form, value)
    if isinstance(form, Text):
        if isinstance(value, str):
            return [Part(form, value)]
        return Misfit(f"{came(value)} was returned; needed a text (str).")
    return _read_array(form, value)


def _read_several(form: tuple[Form, ...], value: Plain) -> list[Part] | Misfit:
    if not isinstance(value, list | tuple):
        return Misfit(f"{came(value)} was returned; needed {asked(form)}.")
    if len(value) != len(form):
        return Misfit(f"{len(value)} results were returned; needed {asked(form)}.")
    parts: list[Part] = []
    for inner, item in zip(form, value, strict=True):
        read_item = read(inner, item)
        if isinstance(read_item, Misfit):
            return Misfit(f"In place of {asked(inner)}: {read_item.words}")
        parts += read_item
    return parts


def _read_truth(form: Truth, value: Plain) -> list[Part] | Misfit:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool | int | float) and value in (0, 1):
        return [Part(form, bool(value))]
    return Misfit(f"{came(value)} was returned; needed True or False.")


def _read_array(form: Array, value: Plain) -> list[Part] | Misfit:
    if isinstance(value, str):
        return Misfit(f"A text was returned; needed {asked(form)}.")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        return Misfit(
            f"{came(value)} whose parts do not fit into one array was returned; needed "
            f"{asked(form)}."
        )
    if array.dtype.kind not in "biuf":
        if array.size:
            return Misfit(f"{came(value)} was returned; needed {asked(form)}.")
        array = array.astype(np.float64)
    if form.axes == "" and array.size == 1:
        array = array.reshape(())
    return [Part(form, array)]


def asked(form: Form) -> str:
    """Put what is asked for in words."""
    if isinstance(form, tuple):
        inner = [asked(one) for one in form]
        return f"{_count(len(form))} results, ({', '.join(inner)})"
    if isinstance(form, Truth):
        return "True or False"
    if isinstance(form, Text):
        return "a text (str)"
    return form.name if form.axes else f"one number, {form.name}"


def _count(number: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(number, str(number))


def came(value: Plain) -> str:
    """Put what came in words, as the start of a sentence."""
    if value is None:
        return "None"
    if isinstance(value, Foreign):
        return f"A {value.kind}"
    if isinstance(value, np.ndarray):
        return f"One array of shape {value.shape}" if value.ndim else "One number"
    if isinstance(value, list | tuple):
        return f"A {type(value).__name__} of {len(value)}"
    return {str: "A text", bool: "A truth value"}.get(type(value), "One number")


# ---------------------------------------------------------------- comparing
def precision(parts: list[Part]) -> str:
    """Tell whether numbers were computed in float32, whatever they are dressed in."""
    floats = [
        part.value
        for part in parts
        if isinstance(part.value, np.ndarray) and part.value.dtype.kind == "f"
    ]
    return "single" if any(map(_holds_single, floats)) else "double"


def _holds_single(array: np.ndarray) -> bool:
    """Tell whether every number fits into float32."""
    if array.dtype.itemsize < 8 or not array.size:
        return array.dtype.itemsize < 8
    with np.errstate(over="ignore"):
        same = array == array.astype(np.float32)
    return bool((same | np.isnan(array)).all())


def alike(one: list[Part], two: list[Part], tolerance: Tolerance) -> bool:
    """Tell whether two results agree in every part."""
    return all(
        _same_part(a.form, a.value, b.value, tolerance)
        for a, b in zip(one, two, strict=True)
    )


def _same_part(
    form: Array | Truth | Text, one: Any, two: Any, tolerance: Tolerance
) -> bool:
    if not isinstance(form, Array):
        return one == two
    if one.shape != two.shape:
        return False
    if one.dtype == two.dtype and one.tobytes() == two.tobytes():
        return True  # as right answers often are, told quickly
    return bool(_close(form, one, two, tolerance).all())


def differences(
    given: list[Part], needed: list[Part], tolerance: Tolerance = DOUBLE
) -> list[Difference]:
    """List what differs, part by part; [] where all is as needed."""
    pairs = zip(given, needed, strict=True)
    found = (
        _difference(one.form, one.value, two.value, tolerance) for one, two in pairs
    )
    return [difference for difference in found if difference is not None]


def _difference(
    form: Array | Truth | Text, given: Any, needed: Any, tolerance: Tolerance
) -> Difference | None:
    if isinstance(form, Truth | Text):
        if given == needed:
            return None
        kind = "verdict" if isinstance(form, Truth) else "text"
        words = f"{given!r} came; needed {needed!r}."
        return Difference(kind, form, words, given, needed)
    if given.shape != needed.shape:
        words = _shape_words(form, given.shape, needed.shape)
        return Difference("shape", form, words, given, needed)
    where = ~_close(form, given, needed, tolerance)
    if not where.any():
        return None
    odd = where & ~np.isfinite(given) if given.dtype.kind == "f" else where & False
    if odd.any():
        kind = "nan" if np.isnan(given[odd]).any() else "infinity"
        return Difference(
            kind, form, _odd_words(form, given, odd), given, needed, where
        )
    return Difference(
        "values", form, _value_words(form, given, needed, where), given, needed, where
    )


def _close(
    form: Array, given: np.ndarray, needed: np.ndarray, tolerance: Tolerance
) -> np.ndarray:
    """Say entry by entry whether two arrays of one shape agree; NaN agrees with NaN."""
    if form.kind != "numbers":
        return given == needed
    one, two = (x.astype(np.float64, copy=False) for x in (given, needed))
    size = np.abs(two[np.isfinite(two)]).max(initial=0.0)
    with np.errstate(all="ignore"):
        near = np.abs(one - two) <= max(tolerance.floor, tolerance.relative * size)
        return near | (one == two) | (np.isnan(one) & np.isnan(two))


# ---------------------------------------------------------------- words for differences
def number(value: Any) -> str:
    """Write one number in three digits."""
    value = np.asarray(value).item()
    if isinstance(value, bool | int):
        return str(value)
    return f"{value + 0.0:.3g}".replace("nan", "NaN")


def _place(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0])


def _shape_words(form: Array, given: tuple[int, ...], needed: tuple[int, ...]) -> str:
    words = f"{form.name} has shape {given}; needed {needed}"
    if len(given) != len(needed):
        came, want = len(given), len(needed)
        return f"{words}: {came} {'axis' if came == 1 else 'axes'}, not {want}."
    names = [axis for axis in form.axes.split() if axis != "..."]
    wrong = []
    for axis in range(-len(needed), 0):
        if given[axis] != needed[axis]:
            name = f"{names[axis]} = " if -axis <= len(names) else ""
            wrong.append(
                f"axis {axis} has {given[axis]}, needed {name}{needed[axis]}".replace(
                    "axis -", "axis −"
                )
            )
    return f"{words}: {'; '.join(wrong)}."


def _odd_words(form: Array, given: np.ndarray, odd: np.ndarray) -> str:
    index = _first(odd)
    what = number(given[index]).replace("inf", "infinity")
    count = int(odd.sum())
    many = f" ({count} of {odd.size} entries are not finite)" if count > 1 else ""
    return f"{_place(form.name, index)} is {what}{many}."


def _value_words(
    form: Array, given: np.ndarray, needed: np.ndarray, where: np.ndarray
) -> str:
    index = _first(where)
    words = f"{_place(form.name, index)} is {number(given[index])}; needed {number(needed[index])}"
    if where.size > 1:
        words += f" ({int(where.sum())} of {where.size} entries differ)"
    return f"{words}."
