"""What `minitransformer check` and `progress` tell a learner about their notebooks."""

import json

import pytest

from minitransformer.cli import main
from minitransformer.course import progress

RIGHT = "def causal_mask(length):\n    return np.tril(np.ones((length, length), bool))"
STRICT = "def causal_mask(length):\n    return np.tri(length, k=-1, dtype=bool)"
ENDLESS = "while True:\n    pass"
STUB = "def padding_mask(lengths, length):\n    raise NotImplementedError"


def write_notebook(path, *sources):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
        for source in ("import numpy as np", *sources)
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's folder with one notebook in it, and the learner standing there."""
    write_notebook(tmp_path / "exercises" / "04_masks.ipynb", STRICT, STUB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def test_check_names_the_mistake_and_what_to_do_next(folder, capsys):
    assert main(["check"]) == 0
    told = capsys.readouterr().out
    assert "✗ causal_mask" in told
    assert "A place cannot see itself." in told
    assert "○ padding_mask" in told
    assert "Next: mend causal_mask in 04_masks.ipynb." in told


def test_check_takes_notebooks_by_name_and_survives_endless_cells(folder, capsys):
    page = write_notebook(folder / "mine.ipynb", ENDLESS, RIGHT)
    assert main(["check", str(page)]) == 0
    assert "✓ causal_mask" in capsys.readouterr().out


def test_check_says_what_cannot_be_read(folder, capsys):
    (folder / "bad.ipynb").write_text("{")
    assert main(["check", "bad.ipynb"]) == 1
    assert "not JSON" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nowhere.ipynb", "exercises"])
def test_check_needs_a_notebook(folder, capsys, name):
    assert main(["check", name]) == 2
    assert (
        f"check needs a notebook or a .py file; got {name}" in capsys.readouterr().err
    )


@pytest.mark.parametrize("command", ["check", "progress"])
def test_without_a_folder_one_line_says_how_to_make_one(
    tmp_path, monkeypatch, capsys, command
):
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    assert "`minitransformer lab` makes one" in capsys.readouterr().err


def test_progress_counts_what_is_solved(folder, capsys):
    write_notebook(folder / "exercises" / "04_masks.ipynb", RIGHT, STUB)
    assert main(["progress"]) == 0
    told = capsys.readouterr().out
    assert "1 of 5" in told
    assert "■□□□□" in told
    assert "Next: write padding_mask in 04_masks.ipynb." in told


def test_progress_tells_how_good_predictions_were(folder, capsys):
    kept = folder / ".minitransformer" / "predictions"
    kept.mkdir(parents=True)
    asked = {"id": "04.row", "question": "x", "choices": ["a", "b"]}
    (kept / "04.row.json").write_text(json.dumps({**asked, "said": "a", "answer": "a"}))
    assert main(["progress"]) == 0
    assert "Choices: 1 of 1 right" in capsys.readouterr().out


def test_the_folder_is_found_from_below_and_beside(folder, monkeypatch):
    (folder / "exercises" / "deeper").mkdir()
    found = [folder / "exercises" / "04_masks.ipynb"]
    assert progress.find_notebooks(folder / "exercises" / "deeper") == found
    folder.rename(folder.with_name("my_course"))
    assert progress.find_notebooks(folder.parent) == [
        folder.with_name("my_course") / "exercises" / "04_masks.ipynb"
    ]


def test_when_all_is_right_the_next_lesson_is_next(folder):
    page = write_notebook(folder / "04_masks.py", "")
    page.write_text(f"import numpy as np\n{RIGHT}\n")
    pages = list(progress.check_notebooks([page]))
    assert pages[0].solved == 1
    assert (
        progress.next_step(pages) == "All of it is right. Go on with the next lesson."
    )
