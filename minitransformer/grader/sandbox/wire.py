"""Frames between parent and worker: a JSON header, then raw numbers.

What it is for: nothing that arrives can be code. The reader allocates only what has
really arrived, accepts a short list of number types, and never unpickles, evaluates or
imports. Used by both sides; only the parent has reason to be suspicious.

A frame is two lengths (of header and body), the header, the body. The header is
`{"tree": …, "arrays": [{"dtype": "float64", "shape": [2, 3]}, …]}`; in the tree

    None, bool, int, float, str    stand for themselves
    {"float": "nan"}               for nan, inf, -inf
    {"list": […]}  {"tuple": […]}  {"dict": {…}}
    {"array": 0}                   for the first array of the body
    {"function": 0}                for a function that stays with the parent
    {"foreign": "generator"}       for a value of which only the kind travels
"""

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from minitransformer.grader.outcome import Foreign

LENGTHS = struct.Struct("<II")
MOST_HEADER = 4 << 20
MOST_BODY = 64 << 20
MOST_AXES = 8
MOST_DIGITS = 30
DEEPEST = 64
DTYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("bool", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
}
_NATIVE = {dtype: dtype.newbyteorder("=") for dtype in DTYPES.values()}
_NAMES = {(dtype.kind, dtype.itemsize): name for name, dtype in DTYPES.items()}
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_encode = json.JSONEncoder(allow_nan=False).encode


class BadFrameError(Exception):
    """What arrived is not a frame that this side accepts."""


# ---------------------------------------------------------------- writing
def pack(tree: Any, number_of: Callable[[Any], int] | None = None) -> bytes:
    """Write plain data as one frame.

    Parameters
    ----------
    tree : plain data
        May hold functions if `number_of` is given.
    number_of : callable, optional
        Gives each function its number.

    Raises
    ------
    BadFrameError
        If the data is too large or too deep for a frame.
    """
    arrays: list[np.ndarray] = []
    written = _write(tree, arrays, number_of, DEEPEST // 2)
    heads = [{"dtype": _name(array.dtype), "shape": array.shape} for array in arrays]
    header = _encode({"tree": written, "arrays": heads}).encode()
    body = b"".join(
        array.astype(DTYPES[_name(array.dtype)], copy=False).tobytes()
        for array in arrays
    )
    if len(header) > MOST_HEADER or len(body) > MOST_BODY:
        raise BadFrameError("more than a frame can hold")
    return LENGTHS.pack(len(header), len(body)) + header + body


def _name(dtype: np.dtype) -> str:
    """Name a number type; "" for one that does not travel."""
    return _NAMES.get((dtype.kind, dtype.itemsize), "")


def _write(
    value: Any,
    arrays: list[np.ndarray],
    number_of: Callable[[Any], int] | None,
    depth: int,
) -> Any:
    if depth == 0:
        raise BadFrameError("nested too deeply")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) >= 10**MOST_DIGITS:
            return {"foreign": f"int of more than {MOST_DIGITS} digits"}
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if not _name(array.dtype) or array.ndim > MOST_AXES:
            return {"foreign": f"array of {array.dtype.name}, {array.ndim} axes"}
        arrays.append(array)
        return {"array": len(arrays) - 1}
    if isinstance(value, list | tuple):
        inner = [_write(item, arrays, number_of, depth - 1) for item in value]
        return {"tuple" if isinstance(value, tuple) else "list": inner}
    if isinstance(value, dict):
        return {
            "dict": {
                str(name): _write(item, arrays, number_of, depth - 1)
                for name, item in value.items()
            }
        }
    if isinstance(value, Foreign):
        return {"foreign": value.kind}
    if callable(value) and number_of is not None:
        return {"function": number_of(value)}
    raise BadFrameError(f"a {type(value).__name__} cannot travel")


# ---------------------------------------------------------------- reading
def lengths(start: bytes) -> tuple[int, int]:
    """Read the first eight bytes of a frame: the lengths of its header and body."""
    header, body = LENGTHS.unpack(start)
    if header > MOST_HEADER or body > MOST_BODY:
        raise BadFrameError(f"a frame of {header} + {body} bytes")
    return header, body


def unpack(
    header: bytes, body: bytes, function: Callable[[int], Any] | None = None
) -> Any:
    """Read a frame's plain data.

    Parameters
    ----------
    header, body : bytes
        Exactly as long as the frame's lengths said.
    function : callable, optional
        Gives the stand-in for a function with a number; without it, functions are
        refused.

    Raises
    ------
    BadFrameError
        If anything is not as this module's description says.
    """
    if function is None:  # who is trusted with functions need not be suspected
        _refuse_depth(header)
    described = _parse(header)
    if not isinstance(described, dict):
        raise BadFrameError("the header is not an object")
    arrays = _read_arrays(described.get("arrays"), body)
    return _read(described.get("tree"), arrays, function)


def _refuse_depth(header: bytes) -> None:
    if header.count(b"[") + header.count(b"{") <= DEEPEST:
        return  # it cannot be too deep
    depth = 0
    for sign in re.findall(rb"[\[{\]}]", _STRING.sub(b"", header)):
        depth += 1 if sign in b"[{" else -1
        if depth > DEEPEST:
            raise BadFrameError("nested too deeply")


def _parse(header: bytes) -> Any:
    try:
        return _decode(header.decode())
    except (ValueError, RecursionError) as error:
        raise BadFrameError(f"not JSON: {type(error).__name__}") from None


def _refuse(word: str) -> NoReturn:
    raise BadFrameError(f"{word} is not JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS + 1:
        raise BadFrameError(f"a number of {len(digits)} digits")
    return int(digits)


_decode = json.JSONDecoder(parse_constant=_refuse, parse_int=_whole_number).decode


def _read_arrays(heads: Any, body: bytes) -> list[np.ndarray]:
    if not isinstance(heads, list):
        raise BadFrameError("no list of arrays")
    arrays, start = [], 0
    for head in heads:
        dtype, shape = _head(head)
        end = start + math.prod(shape) * dtype.itemsize
        if end > len(body):
            raise BadFrameError("an array is longer than what came")
        flat = np.frombuffer(body[start:end], dtype=dtype)
        arrays.append(flat.reshape(shape).astype(_NATIVE[dtype], copy=True))
        start = end
    if start != len(body):
        raise BadFrameError("more came than the arrays hold")
    return arrays


def _head(head: Any) -> tuple[np.dtype, list[int]]:
    dtype = DTYPES.get(str(head.get("dtype"))) if isinstance(head, dict) else None
    shape = head.get("shape") if dtype is not None else None
    if dtype is None or not isinstance(shape, list) or len(shape) > MOST_AXES:
        raise BadFrameError("not an array that is accepted")
    if not all(type(size) is int and 0 <= size <= MOST_BODY for size in shape):
        raise BadFrameError("not a shape")
    return dtype, shape


def _read(
    value: Any, arrays: list[np.ndarray], function: Callable[[int], Any] | None
) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise BadFrameError("a bare list")
        return value
    if len(value) != 1:
        raise BadFrameError("not one kind of value")
    ((kind, inner),) = value.items()
    if kind in ("list", "tuple") and isinstance(inner, list):
        items = [_read(item, arrays, function) for item in inner]
        return items if kind == "list" else tuple(items)
    if kind == "dict" and isinstance(inner, dict):
        return {name: _read(item, arrays, function) for name, item in inner.items()}
    if kind == "float" and inner in ("nan", "inf", "-inf"):
        return float(inner)
    if kind == "array" and type(inner) is int and 0 <= inner < len(arrays):
        return arrays[inner]
    if kind == "foreign" and isinstance(inner, str):
        return Foreign(_SURROGATE.sub("\ufffd", inner[:200]))
    if kind == "function" and type(inner) is int and function is not None:
        return function(inner)
    raise BadFrameError(f"not a value: {str(kind)[:40]}")
