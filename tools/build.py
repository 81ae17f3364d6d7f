"""Build the notebooks of the course: `python -m tools.build [NN …] [--check] [--force]`.

`authoring/NN_topic/lesson.py` becomes `lessons/NN_topic.ipynb`, executed; `exercises.py`
becomes `exercises/NN_topic.ipynb`, with stubs, and `solutions/NN_topic.ipynb`, executed.
A page is built when its source, the package, the builder or a library has changed since.
"""

import argparse
import hashlib
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tools import notebook
from tools.execute import PageError, execute
from tools.notebook import Page, Rate
from tools.source import ROOT, SourceError

# what can change an output although no text of ours changed
LIBRARIES = (
    "numpy",
    "torch",
    "matplotlib",
    "ipython",
    "ipywidgets",
    "nbclient",
    "babel",
)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the sources are, and where the pages and the notes about them go."""

    authoring: Path = ROOT / "authoring"
    machinery: tuple[Path, ...] = (ROOT / "minitransformer", ROOT / "tools")
    pages: Path = ROOT
    notes: Path = ROOT / ".build" / "pages.json"

    def of(self, page: Page) -> Path:
        """Tell where a page is kept."""
        return self.pages / f"{page.name}.ipynb"


def build(
    chosen: Sequence[str] = (),
    *,
    places: Places = Places(),
    rate: Rate = notebook.catalogue_rating,
    force: bool = False,
    console: Console | None = None,
) -> list[str]:
    """Build what changed, and return the names of the pages that were written.

    `chosen` names topics by their number or folder; without any, all are built.
    """
    topics = _topics(places, chosen)
    notes = _read_notes(places.notes)
    machinery = _machinery(places.machinery)
    written = []
    with _progress(console or Console()) as progress:
        for page in (page for topic in topics for page in notebook.pages(topic, rate)):
            made_from = _digest([machinery.encode(), page.source.read_bytes()])
            target = places.of(page)
            if not force and notes.get(page.name) == [made_from, _file_digest(target)]:
                continue
            _make(page, target, progress)
            # another build may have written its own notes meanwhile
            notes = _read_notes(places.notes)
            notes[page.name] = [made_from, _file_digest(target)]
            _replace(places.notes, json.dumps(notes, indent=1, sort_keys=True) + "\n")
            written.append(page.name)
    return written


def stale(
    chosen: Sequence[str] = (),
    *,
    places: Places = Places(),
    rate: Rate = notebook.catalogue_rating,
) -> list[str]:
    """List what in the committed pages is not what the sources build, outputs aside."""
    pages = [p for t in _topics(places, chosen) for p in notebook.pages(t, rate)]
    found = [reason for page in pages if (reason := difference(page, places.of(page)))]
    if not chosen:
        found += [f"{name} has no source" for name in _without_source(places, pages)]
    return found


def difference(page: Page, path: Path) -> str:
    """Tell how a kept notebook differs from its source; "" if it does not."""
    if not path.exists():
        return f"{page.name} is not built"
    kept = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    if path.read_text(encoding="utf-8") != notebook.as_text(kept):
        return f"{page.name} was not written by the builder"
    bare = kept if page.kind == "exercises" else notebook.without_outputs(kept)
    if len(bare.cells) != len(page.notebook.cells):
        wanted, got = len(page.notebook.cells), len(bare.cells)
        return f"{page.name} has {got} cells where its source has {wanted}"
    for cell, wanted, source in zip(
        bare.cells, page.notebook.cells, page.cells, strict=True
    ):
        if cell != wanted:
            return str(source.error(f"{page.name} has another cell here"))
    if bare != page.notebook:
        return f"{page.name} has other metadata than the builder gives it"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("topics", nargs="*", metavar="NN", help="topics; default: all")
    parser.add_argument("--force", action="store_true", help="build also what is fresh")
    parser.add_argument(
        "--check", action="store_true", help="build nothing; list what is out of date"
    )
    chosen = parser.parse_args(arguments)
    console = Console()
    try:
        if chosen.check:
            found = stale(chosen.topics)
            for line in found:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            return 1 if found else 0
        written = build(chosen.topics, force=chosen.force, console=console)
    except (SourceError, PageError) as error:
        Console(stderr=True).print(
            str(error), style="red", markup=False, soft_wrap=True
        )
        return 1
    if not written:
        console.print("everything is up to date")
    return 0


def _topics(places: Places, chosen: Sequence[str]) -> list[Path]:
    """Find the folders of the chosen topics."""
    folders = notebook.topics(places.authoring)
    if not chosen:
        return folders
    found = []
    for name in chosen:
        matches = [f for f in folders if name in (f.name, f.name.partition("_")[0])]
        if not matches:
            known = ", ".join(folder.name for folder in folders) or "none"
            raise SourceError(
                places.authoring, 1, f"no topic {name!r}; there are: {known}"
            )
        found += matches
    return found


def _without_source(places: Places, pages: Sequence[Page]) -> list[str]:
    known = {places.of(page) for page in pages}
    return [
        f"{folder}/{path.name}"
        for folder in notebook.FOLDERS.values()
        for path in sorted((places.pages / folder).glob("*.ipynb"))
        if path not in known
    ]


def _make(page: Page, target: Path, progress: Progress) -> None:
    """Execute a page if it is kept executed, and write it whole or not at all."""
    start = time.perf_counter()
    if page.executed:
        row = progress.add_task(page.name, where="starting")
        last = len(page.notebook.cells)
        try:
            execute(
                page,
                lambda place: progress.update(row, where=f"cell {place + 1} of {last}"),
            )
        finally:
            progress.remove_task(row)
    _replace(target, notebook.as_text(page.notebook))
    seconds = time.perf_counter() - start
    progress.console.print(f"{page.name:<32} {seconds:6.1f} s", highlight=False)


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    return Progress(
        *columns,
        TextColumn("{task.fields[where]}"),
        TimeElapsedColumn(),
        console=console,
    )


def _replace(path: Path, text: str) -> None:
    """Write a file so that the old one stays until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_notes(path: Path) -> dict[str, list[str]]:
    """Read what was built from what; damaged notes only mean that all is built."""
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _machinery(folders: Iterable[Path]) -> str:
    """Digest what every page is made with: package, builder and libraries."""
    parts = [platform.python_version().encode(), platform.machine().encode()]
    parts += [f"{n} {importlib.metadata.version(n)}".encode() for n in LIBRARIES]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(folder.parent).as_posix()
                parts += [name.encode(), path.read_bytes()]
    return _digest(parts)


def _file_digest(path: Path) -> str:
    return _digest([path.read_bytes()]) if path.exists() else ""


def _digest(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
