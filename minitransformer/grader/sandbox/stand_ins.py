"""What a worker's answer finds when it imports: a view of this package, and tripwires.

The real package leaves `sys.modules`, and its files cannot be read. In its place stands
a view in which `reference` and `model` hold what earlier topics asked for; the other names
say why they are not there. A submission's own helper files can be imported
too, after everything that is installed, so that none can pass for another.

Tripwires are set on library functions that would be the whole exercise. They do not stop
anybody; they note the line, and the report tells the instructor.
"""

import functools
import importlib
import importlib.machinery
import importlib.util
import linecache
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

PACKAGE = "minitransformer"
ROOMS = ("reference", "model", "text", "grader")


class NotYoursError(Exception):
    """An answer called the finished function that it was asked to write."""


def install(given: Mapping[str, Any]) -> list[str]:
    """Put views and tripwires in place; return the list that will hold what was tripped."""
    for name in own_modules():
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _PackageView(given["view"]))
    sys.meta_path.append(_HelperFiles(given["helpers"]))
    tripped: list[str] = []
    for finished in given["finished"]:
        _set_tripwire(finished, set(given["files"]), tripped)
    return tripped


@functools.cache
def own_modules() -> list[str]:
    """Name what is loaded of this package; asked once, before the first fork."""
    return [one for one in sys.modules if one.split(".")[0] == PACKAGE]


# ---------------------------------------------------------------- the package's view
class _Importer:
    """What finds and loads modules must have this; the classes of `importlib.abc` do.

    They are not used, because they load much that makes every fork slower.
    """

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave making the module to the interpreter."""

    def spec(
        self, name: str, *, is_package: bool = False
    ) -> importlib.machinery.ModuleSpec | None:
        """Claim a module."""
        loader: Any = self  # `load_module`, which the types ask for, is of the past
        return importlib.util.spec_from_loader(name, loader, is_package=is_package)


class _PackageView(_Importer):
    """Finds `minitransformer` and what is in it, as much as an answer may use."""

    def __init__(self, view: Mapping[str, Any]) -> None:
        self._view = view

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Claim every name of the package."""
        del path, target
        if fullname.split(".", maxsplit=1)[0] != PACKAGE:
            return None
        is_package = fullname in (PACKAGE, *(f"{PACKAGE}.{room}" for room in ROOMS))
        return self.spec(fullname, is_package=is_package)

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill a module with what may be used of it."""
        name, names = module.__name__, vars(module)
        if name in (PACKAGE, f"{PACKAGE}.grader", f"{PACKAGE}.grader.check"):
            names["check"] = _no_check
        elif name in self._view["allowed"]:  # a room
            for one, home in self._view["allowed"][name].items():
                names[one] = getattr(importlib.import_module(home), one)
            self._refuse(name, names)
        elif name in self._view["modules"]:
            code = compile(self._view["modules"][name], f"<frozen {name}>", "exec")
            exec(code, names)  # noqa: S102 - the parent's own text
            self._refuse(name.rpartition(".")[0], names)
        elif name != f"{PACKAGE}.text":
            raise ModuleNotFoundError(
                f"{name} is not there where answers are graded; of {PACKAGE} only what "
                "earlier topics asked for is, in reference and model",
                name=name,
            )

    def _refuse(self, room: str, names: dict[str, Any]) -> None:
        for one, reason in self._view["refused"].get(room, {}).items():
            names.setdefault(one, _refusal(reason))


def _no_check(exercise: str, answer: object) -> float:
    """Stand in for `check`: where answers are graded, nobody looks at its result."""
    del exercise, answer
    return 0.0


def _refusal(reason: str) -> Callable[..., NoReturn]:
    def refused(*data: object, **options: object) -> NoReturn:
        del data, options
        raise NotYoursError(reason)

    return refused


# ---------------------------------------------------------------- a submission's helpers
class _HelperFiles(_Importer):
    """Finds the other `.py` files of a submission, by text; there is no folder."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname not in self._sources:
            return None
        return self.spec(fullname)

    def exec_module(self, module: types.ModuleType) -> None:
        source, file = self._sources[module.__name__], f"{module.__name__}.py"
        lines = source.splitlines(keepends=True)
        linecache.cache[file] = (len(source), None, lines, file)
        exec(compile(source, file, "exec"), vars(module))  # noqa: S102 - this is what the sandbox is for


# ---------------------------------------------------------------- tripwires
def _set_tripwire(dotted: str, files: set[str], tripped: list[str]) -> None:
    """Note calls of one library function that come from the learner's own lines."""
    owner, name = _find(dotted.split("."))
    original = getattr(owner, name, None)
    if owner is None or original is None:
        return  # not loaded here: reading the code has to find it

    def note() -> None:
        frame = sys._getframe(2)  # noqa: SLF001 - the only way to ask who called
        while frame is not None:
            if frame.f_code.co_filename in files:
                tripped.append(
                    f"{dotted} in {frame.f_code.co_filename}, line {frame.f_lineno}"
                )
                return
            frame = frame.f_back

    if isinstance(original, type):
        _watch_class(original, note)
    else:
        setattr(owner, name, _watched(original, note))


def _watched(
    original: Callable[..., Any], note: Callable[[], None]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def watched(*data: Any, **options: Any) -> Any:
        note()
        return original(*data, **options)

    return watched


def _watch_class(kind: type, note: Callable[[], None]) -> None:
    begin = kind.__init__

    @functools.wraps(begin)
    def watched(self: object, *data: Any, **options: Any) -> None:
        note()
        begin(self, *data, **options)

    kind.__init__ = watched


def _find(names: Sequence[str]) -> tuple[Any, str]:
    """Find the loaded module or class that holds a dotted name; None if not loaded."""
    owner: Any = sys.modules.get(names[0])
    for name in names[1:-1]:
        owner = getattr(owner, name, None)
    return owner, names[-1]
