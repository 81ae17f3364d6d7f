"""Find submissions: which files belong to whom, and what is refused, by name."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minitransformer.grader.answers import ENDINGS
from minitransformer.grader.reports.model import clean

PASSED_OVER = ("__pycache__",)  # and what begins with a dot
MOST_FILES = 200  # of one submission


class NothingToGradeError(Exception):
    """A path that was asked for cannot be graded; the message is one clear line."""


@dataclass(frozen=True)
class Submission:
    """One learner's files, and what stands beside them that cannot be read.

    Attributes
    ----------
    name : str
        As shown in reports.
    files : tuple of Path
        Notebooks and `.py` files, sorted.
    refused : tuple of str
        What was there and is not a plain file, each with the reason.
    """

    name: str
    files: tuple[Path, ...]
    refused: tuple[str, ...] = ()


def find(paths: Sequence[Path]) -> tuple[list[Submission], list[str]]:
    """Find all submissions of the paths of a command, sorted by name.

    Returns
    -------
    submissions : list of Submission
    remarks : list of str
        What was passed over or given twice, to be told once.

    Raises
    ------
    NothingToGradeError
        If a path does not exist, is not a submission, or holds none.
    """
    found: dict[Path, Submission] = {}
    remarks = []
    for path in paths:
        here, passed_over = _under(path)
        remarks += passed_over
        for where, submission in here:
            key = where.absolute()
            if key in found:
                remarks.append(f"{where} was given twice; it is graded once")
            found[key] = submission
    named = _with_different_names(found)
    return sorted(named, key=lambda one: one.name), remarks


def _under(path: Path) -> tuple[list[tuple[Path, Submission]], list[str]]:
    """Give the submissions of one path, and what was passed over."""
    kind = _kind(path)
    if kind == "nothing":
        raise NothingToGradeError(f"no such file or folder: {clean(str(path))}")
    if kind != "folder":
        if path.suffix not in ENDINGS:
            raise NothingToGradeError(
                f"{clean(str(path))} is neither a notebook nor a .py file nor a folder"
            )
        return [(path, _single(path, kind))], []
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise NothingToGradeError(f"{clean(str(path))}: {error.strerror}") from None
    found, passed_over = [], []
    for entry in filter(_is_shown, entries):
        kind = _kind(entry)
        if kind == "folder":
            found.append((entry, _folder(entry)))
        elif entry.suffix in ENDINGS or kind in ("a link", "a device", "a pipe"):
            found.append((entry, _single(entry, kind)))
        else:
            passed_over.append(f"passed over: {clean(str(entry))}")
    if not found:
        raise NothingToGradeError(
            f"{clean(str(path))} holds no notebook, no .py file and no folder of them"
        )
    return found, passed_over


def _single(path: Path, kind: str) -> Submission:
    refused = () if kind == "file" else (f"{path.name} is {kind}, not a plain file",)
    return Submission(path.stem, () if refused else (path,), refused)


def _folder(folder: Path) -> Submission:
    """Take all notebooks and `.py` files of a folder, however deep, as one submission."""
    files, refused = [], []
    for path in _walk(folder):
        kind = _kind(path)
        shown = clean(str(path.relative_to(folder)))
        if kind in ("a link", "a device", "a pipe"):
            refused.append(f"{shown} is {kind}, not a plain file")
        elif path.suffix in ENDINGS:
            files.append(path)
        if len(files) > MOST_FILES:
            refused.append(f"more than {MOST_FILES} files")
            break
    return Submission(folder.name, tuple(files[:MOST_FILES]), tuple(refused))


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if _is_shown(Path(name)))
        links = [name for name in folders if Path(here, name).is_symlink()]
        for name in sorted((*files, *links)):
            if _is_shown(Path(name)):
                yield Path(here, name)


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".") and path.name not in PASSED_OVER


def _kind(path: Path) -> str:
    """Say what a path is, without following a link."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return "nothing"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISLNK(mode):
        return "a link"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"


def _with_different_names(found: dict[Path, Submission]) -> Iterable[Submission]:
    """Tell submissions of equal names apart: by ending, then by folder, then by number."""
    for longer in (
        lambda path: path.name,
        lambda path: f"{path.parent.name}/{path.name}",
    ):
        counts = Counter(one.name for one in found.values())
        found = {
            path: replace(one, name=longer(path)) if counts[one.name] > 1 else one
            for path, one in found.items()
        }
    seen: Counter[str] = Counter()
    for one in found.values():
        seen[one.name] += 1
        again = f" ({seen[one.name]})" if seen[one.name] > 1 else ""
        yield replace(one, name=clean(f"{one.name}{again}").replace("\n", " ") or "?")
