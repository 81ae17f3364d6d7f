import re

import pytest

from tools import notebook
from tools.source import SourceError


@pytest.fixture
def pages(course, rate):
    def pages():
        (folder,) = notebook.topics(course.authoring)
        return {page.kind: page for page in notebook.pages(folder, rate)}

    return pages


def edit(course, name, old, new):
    path = course.authoring / "01_adding" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_topic_has_three_pages(pages):
    assert {kind: page.name for kind, page in pages().items()} == {
        "lesson": "lessons/01_adding",
        "exercises": "exercises/01_adding",
        "solutions": "solutions/01_adding",
    }


def test_the_stub_keeps_all_but_the_answer(pages):
    answer, stub = (
        next(c for c in pages()[kind].notebook.cells if c.id == "add").source
        for kind in ("solutions", "exercises")
    )
    head = 'def add(a, b):\n    """Add two numbers: `add(2, 3)` is 5."""\n'
    assert answer == head + "    # >>> solution\n    return a + b\n    # <<< solution"
    assert stub == head + '    raise NotImplementedError("add is not written yet")'


def test_a_rating_stands_under_the_heading_of_its_exercise(pages):
    for kind in ("exercises", "solutions"):
        text = pages()[kind].notebook.cells[2].source
        assert text.startswith(
            "## Exercise 1.1 · Add two numbers\n\n"
            "*Difficulty 1 of 5 · 3 minutes · 2 points*\n\nWrite `add`."
        )


def test_the_learner_edits_the_answer_and_not_the_check(pages):
    answer, check = pages()["exercises"].notebook.cells[-2:]
    assert answer.metadata.deletable is False
    assert "editable" not in answer.metadata
    assert check.metadata.deletable is False
    assert check.metadata.editable is False
    assert check.metadata.nbgrader.points == 2.0


def test_a_reason_is_kept_beside_its_tag(pages):
    last = pages()["lesson"].notebook.cells[-2]
    assert last.metadata.tags == ["once"]
    assert "a second run would add again" in last.metadata.minitransformer.reason


def test_a_cell_keeps_its_id_when_others_change(course, pages):
    before = [cell.id for cell in pages()["lesson"].notebook.cells]
    edit(course, "lesson.py", "12 + 13\n", "13 + 12\n")
    after = [cell.id for cell in pages()["lesson"].notebook.cells]
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert sum(changed) == 1


def test_equal_cells_have_different_ids(course, pages):
    edit(
        course,
        "lesson.py",
        "# %%\ntotal",
        "# %%\nint(1)\n\n# %%\nint(1)\n\n# %%\ntotal",
    )
    ids = [cell.id for cell in pages()["lesson"].notebook.cells]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("exercises.py", "# <<< solution", "", "an answer starts with"),
        ("exercises.py", "# >>> solution", "", "'# <<< solution' is out of place"),
        ("exercises.py", '"add", add)', '"add", 3)', 'exactly check("add", add)'),
        ("exercises.py", 'check="add"', 'check="sum"', "a check of sum, not of add"),
        ("exercises.py", "## Exercise", "## Task", "no '## Exercise …' heading"),
        ("lesson.py", "12 + 13\n", "25  # >>> solution\n", "answers stand in a cell"),
        ("lesson.py", ' reason="adds', ' holds="dates" check="adds', "in exercises.py"),
    ],
)
def test_a_source_that_is_wrong_is_refused(course, pages, name, old, new, message):
    edit(course, name, old, new)
    with pytest.raises(SourceError, match=rf"{name}:\d+: .*{re.escape(message)}"):
        pages()


def test_a_tag_without_its_reason_is_refused(course, pages):
    reason = ' reason="adds to what is there: a second run would add again"'
    edit(course, "lesson.py", reason, "")
    with pytest.raises(SourceError, match=r'want a reason="…" beside them'):
        pages()


def test_an_exercise_without_a_check_is_refused(course, pages):
    edit(course, "exercises.py", '# %% check="add"\ncheck("add", add)', "")
    with pytest.raises(SourceError, match="add has no check cell"):
        pages()


def test_an_exercise_that_the_catalogue_does_not_know_is_told_with_its_line(course):
    def rate(exercise):
        raise ValueError(f"no exercise is called {exercise!r}")

    (folder,) = notebook.topics(course.authoring)
    with pytest.raises(
        SourceError, match=r"exercises.py:\d+: no exercise is called 'add'"
    ):
        list(notebook.pages(folder, rate))
