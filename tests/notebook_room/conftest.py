"""A place to work in, and what a page shows there."""

import pytest

from minitransformer.notebook import live, predictions


@pytest.fixture
def shown(monkeypatch):
    """Collect what is placed in the output, in order."""
    placed = []
    for room in (predictions, live):
        monkeypatch.setattr(room, "put", placed.append)
    return placed


@pytest.fixture(autouse=True)
def fresh_kernel(monkeypatch):
    """Forget what other tests asked."""
    monkeypatch.setattr(predictions, "_asked", {})
    monkeypatch.setattr(predictions, "_seen", set())


@pytest.fixture
def course_folder(tmp_path, monkeypatch):
    """Stand in a subfolder of a course folder, as a notebook does."""
    (tmp_path / ".minitransformer").mkdir()
    (tmp_path / "lessons").mkdir()
    monkeypatch.chdir(tmp_path / "lessons")
    return tmp_path / ".minitransformer" / "predictions"
