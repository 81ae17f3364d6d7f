"""A learner's folder: newer lessons and exercises come in, no answer goes missing.

`update` copies the notebooks of the course into a folder, and later brings newer ones. A
notebook that the learner has not touched is replaced. One that was worked on is merged
cell by cell (see `cells`), and the file as it was is kept under `older/`. Every file is
written whole or not at all, and an update that was cut short is completed by the next.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from minitransformer.course import cells

KINDS = ("lessons", "exercises")
OLDER = "older"
DELIVERED = ".minitransformer/delivered.json"  # what came when, as digests


@dataclass(frozen=True, kw_only=True)
class Update:
    """What an update did, in paths below the learner's folder."""

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()  # were untouched: now the new text
    merged: tuple[str, ...] = ()  # were worked on: the new text with the learner's work
    kept: tuple[str, ...] = ()  # copies of the merged ones, as they were
    damaged: tuple[str, ...] = ()  # cannot be read: left alone


def pages() -> Path:
    """Find the notebooks of the course: in the installed package, or in its checkout.

    Returns
    -------
    Path
        A folder that holds `lessons`, `exercises` and `solutions`.

    Raises
    ------
    FileNotFoundError
        If the package was installed without them.
    """
    package = Path(__file__).parent
    for folder in (package / "pages", package.parents[1]):
        if all((folder / kind).is_dir() for kind in KINDS):
            return folder
    raise FileNotFoundError(
        f"the course needs its notebooks in {package / 'pages'}; got none there: "
        "install the package again"
    )


def start_page(folder: Path) -> str:
    """Name the notebook to begin with: the first lesson, as a path below the folder.

    Returns
    -------
    str
        `lessons/00_start_here.ipynb`, once the course has it; "" without any lesson.
    """
    lessons = sorted((folder / "lessons").glob("[0-9][0-9]_*.ipynb"))
    return f"lessons/{lessons[0].name}" if lessons else ""


def update(folder: Path, source: Path, today: date) -> Update:
    """Make a learner's folder, or bring it up to date without losing anything in it.

    Parameters
    ----------
    folder : Path
        The learner's folder; made if it is missing.
    source : Path
        Where the course's notebooks are, as `pages()` tells.
    today : date
        Names the folder for files that are kept as they were.

    Returns
    -------
    Update
        What was done. A notebook that is missing from the folder is added, one that
        cannot be read is left alone and named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    delivered = before = _read_delivered(folder)
    done: dict[str, tuple[str, ...]] = {}
    for page in [
        page for kind in KINDS for page in sorted((source / kind).glob("*.ipynb"))
    ]:
        name, shipped = page.relative_to(source).as_posix(), page.read_bytes()
        record = delivered.get(name)
        is_current = record and record["file"] == cells.digest(shipped)
        if is_current and (folder / name).exists():
            continue
        try:
            did = _bring(folder, name, shipped, record, today)
        except cells.DamagedNotebookError:
            did = {"damaged": name}
        else:
            delivered = {**delivered, name: _describe(shipped)}
        for action, path in did.items():
            done[action] = (*done.get(action, ()), path)
    if delivered != before:
        # last of all: an update cut short before this finds its own work, and goes on
        replace_whole(folder / DELIVERED, json.dumps(delivered, indent=1).encode())
    return Update(**done)


def report(done: Update, folder: Path, source: Path) -> list[str]:
    """Tell in a few lines what an update did, and where the solutions are.

    Parameters
    ----------
    done : Update
        What was done.
    folder : Path
        The learner's folder.
    source : Path
        Where the course's notebooks are.

    Returns
    -------
    list of str
        One line for each thing to know.
    """
    lines = [f"Your folder is {folder}; solutions are in {source / 'solutions'}."]
    renewed = len(done.replaced) + len(done.merged)
    if done.added:
        lines.append(f"{len(done.added)} notebooks are new.")
    if renewed:
        lines.append(f"{renewed} notebooks have a new text.")
    if done.merged:
        lines.append(
            f"Your answers are in it. As they were before: {', '.join(done.kept)}."
        )
    lines += [f"{name} cannot be read, and was left as it is." for name in done.damaged]
    return lines


def _bring(
    folder: Path,
    name: str,
    shipped: bytes,
    record: dict[str, Any] | None,
    today: date,
) -> dict[str, str]:
    """Bring one notebook up to date, and tell what was done."""
    target = folder / name
    if not target.exists():
        replace_whole(target, shipped)
        return {"added": name}
    mine = target.read_bytes()
    if mine == shipped:
        return {}
    if record and record["file"] == cells.digest(mine):
        replace_whole(target, shipped)
        return {"replaced": name}
    base = record["cells"] if record else {}
    merged = cells.write(cells.merge(cells.read(mine), cells.read(shipped), base))
    if merged == mine:  # by an update that was cut short
        return {}
    kept = _keep(folder, name, mine, today)
    replace_whole(target, merged)
    return {"merged": name, "kept": kept}


def _keep(folder: Path, name: str, data: bytes, today: date) -> str:
    """Keep a file as it was, in the first folder of this day that has room for it."""
    count = 1
    while True:
        day = f"{today}" if count == 1 else f"{today}_{count}"
        kept = f"{OLDER}/{day}/{name}"
        if not (folder / kept).exists():
            replace_whole(folder / kept, data)
            return kept
        if (folder / kept).read_bytes() == data:
            return kept
        count += 1


def _describe(shipped: bytes) -> dict[str, Any]:
    return {
        "file": cells.digest(shipped),
        "cells": cells.digests(cells.read(shipped)),
    }


def _read_delivered(folder: Path) -> dict[str, dict[str, Any]]:
    """Read what came when; nothing if it is missing or damaged, which loses no answer."""
    try:
        delivered = json.loads((folder / DELIVERED).read_bytes())
        return {
            str(name): {"file": str(record["file"]), "cells": dict(record["cells"])}
            for name, record in delivered.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def replace_whole(path: Path, data: bytes) -> None:
    """Write a file so that, whenever the power goes, the old or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    if os.name == "posix":  # the new name has to reach the disk too
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
