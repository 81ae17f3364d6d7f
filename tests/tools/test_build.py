import json

import nbformat
import pytest
from rich.console import Console

from tools.build import build, main, stale
from tools.execute import PageError
from tools.source import SourceError

NAMES = ["lessons/01_adding", "exercises/01_adding", "solutions/01_adding"]


@pytest.fixture
def make(built, rate):
    """Build the sample course again, without a word."""

    def make(*chosen, force=False):
        quiet = Console(quiet=True)
        return build(chosen, places=built, rate=rate, force=force, console=quiet)

    return make


@pytest.fixture
def lesson(built):
    return built.authoring / "01_adding" / "lesson.py"


def contents(course):
    return {
        path.relative_to(course.pages).as_posix(): path.read_bytes()
        for folder in ("lessons", "exercises", "solutions")
        for path in (course.pages / folder).iterdir()
    }


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def line_of(path, text):
    return path.read_text(encoding="utf-8").splitlines().index(text) + 1


def test_building_twice_gives_the_same_bytes(built, make):
    first = contents(built)
    assert make() == []
    assert make(force=True) == NAMES
    assert contents(built) == first


def test_a_lesson_is_stored_with_its_outputs_counted_from_one(built):
    page = nbformat.read(built.pages / "lessons/01_adding.ipynb", as_version=4)
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert code[2].outputs[0].text == "total 25\n"
    assert page.metadata.language_info.get("version") is None


def test_only_what_changed_is_built(built, make):
    edit(built.authoring / "01_adding" / "exercises.py", "a sign", "a symbol")
    assert make() == NAMES[1:]
    (built.pages / "exercises" / "01_adding.ipynb").unlink()
    assert make("01") == NAMES[1:2]


def test_a_change_in_the_package_builds_all(built, make):
    edit(built.pages / "package" / "part.py", "1", "2")
    assert make() == NAMES


def test_a_failed_cell_is_told_with_its_source_line_and_leaves_the_old_page(
    built, make, lesson
):
    before = contents(built)
    edit(lesson, "total = 12 + 13\n", "total = 12 + 13\nmissing\n")
    line = line_of(lesson, "missing")
    message = rf"lesson.py:{line}: NameError: name 'missing' is not defined"
    with pytest.raises(PageError, match=message):
        make()
    assert contents(built) == before


def test_an_error_inside_an_earlier_cells_function_is_told_with_that_line(make, lesson):
    edit(lesson, "import base64\n", "import base64\ndef f():\n    return 1 / 0\n")
    edit(lesson, "total = 12 + 13\n", "total = f()\n")
    line = line_of(lesson, "    return 1 / 0")
    with pytest.raises(PageError, match=rf"lesson.py:{line}: ZeroDivisionError"):
        make()


def test_damaged_notes_only_mean_that_all_is_built(built, make):
    built.notes.write_text("{", encoding="utf-8")
    assert make() == NAMES
    assert set(json.loads(built.notes.read_text(encoding="utf-8"))) == set(NAMES)


def test_a_page_that_is_not_what_its_source_builds_is_named(built, rate):
    assert stale(places=built, rate=rate) == []
    edit(built.pages / "lessons" / "01_adding.ipynb", "total is", "sum is")
    (built.pages / "solutions" / "01_adding.ipynb").unlink()
    (built.pages / "exercises" / "02_old.ipynb").write_text("{}", encoding="utf-8")
    found = stale(places=built, rate=rate)
    assert found[0].endswith("lessons/01_adding has another cell here")
    assert found[1:] == [
        "solutions/01_adding is not built",
        "exercises/02_old.ipynb has no source",
    ]


def test_outputs_do_not_make_a_page_stale(built, rate):
    edit(built.pages / "lessons" / "01_adding.ipynb", "total 25", "total 26")
    assert stale(places=built, rate=rate) == []


def test_an_unknown_topic_is_told_with_those_there_are(make):
    with pytest.raises(SourceError, match="no topic '77'; there are: 01_adding"):
        make("77")


def test_the_command_ends_with_one_line_on_what_is_wrong(capsys):
    assert main(["no_such_topic"]) == 1
    assert "no topic 'no_such_topic'" in capsys.readouterr().err
