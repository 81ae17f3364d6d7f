"""A course of one topic, small enough to be built in a test."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tools.build import Places, build
from tools.source import SourceCell

collect_ignore = ["sample"]  # pages, not modules: collecting would run them

SAMPLE = Path(__file__).parent / "sample"


def places(folder: Path) -> Places:
    return Places(
        authoring=folder / "authoring",
        machinery=(folder / "package",),
        pages=folder,
        notes=folder / "notes" / "pages.json",
    )


@pytest.fixture
def course(tmp_path) -> Places:
    """A copy of the sample course, to be built and spoiled."""
    shutil.copytree(SAMPLE, tmp_path, dirs_exist_ok=True)
    return places(tmp_path)


@pytest.fixture(scope="session")
def rate():
    """A catalogue in which all exercises are rated alike."""
    rating = SimpleNamespace(difficulty=1, minutes=3, points=2.0)
    return lambda _exercise: rating


@pytest.fixture(scope="session")
def _built_once(tmp_path_factory, rate) -> Path:
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    build(places=places(folder), rate=rate, console=Console(quiet=True))
    return folder


@pytest.fixture
def built(_built_once, tmp_path) -> Places:
    """A copy of the sample course, built, to be spoiled."""
    shutil.copytree(_built_once, tmp_path, dirs_exist_ok=True)
    return places(tmp_path)


@pytest.fixture
def source_cell():
    """A maker of source cells that stand nowhere."""

    def make(text, kind="markdown", **marks):
        place = Path("lesson.py")
        return SourceCell(path=place, line=1, kind=kind, text=text, marks=marks)

    return make
