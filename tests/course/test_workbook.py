"""A learner's folder: made, brought up to date, and never the poorer for it."""

import json
import subprocess
import sys
from datetime import date

import pytest

from minitransformer.course import cells, workbook

TODAY = date(2026, 3, 1)
EXERCISE = "exercises/02_soft_lookup.ipynb"
LESSON = "lessons/02_soft_lookup.ipynb"
STUB = "def softmax(scores):\n    raise NotImplementedError"


def page(text, stub=STUB):
    def cell(kind, name, source, **more):
        outputs = {"execution_count": None, "outputs": []} if kind == "code" else {}
        lines = source.splitlines(keepends=True)
        core = {"cell_type": kind, "id": name, "metadata": {}, "source": lines}
        return core | outputs | more

    mark = {"nbgrader": {"grade_id": "softmax", "solution": True}}
    members = [
        cell("markdown", "text", text),
        cell("code", "stub", stub, metadata=mark),
        cell("code", "check", 'check("softmax", softmax)'),
    ]
    head = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return cells.write({"cells": members, **head})


@pytest.fixture
def course(tmp_path):
    """The notebooks as the course ships them."""
    source = tmp_path / "course"
    for name in (LESSON, EXERCISE, "exercises/03_self_attention.ipynb"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(page(f"first {name}"))
    (source / "solutions").mkdir()
    (source / "solutions" / "02_soft_lookup.ipynb").write_bytes(page("solved"))
    return source


@pytest.fixture
def folder(tmp_path, course):
    """A learner's folder, freshly made."""
    folder = tmp_path / "my_course"
    workbook.update(folder, course, TODAY)
    return folder


def solve(folder, source, name=EXERCISE):
    """Write an answer into a notebook of the learner's, as an editor would."""
    notebook = cells.read((folder / name).read_bytes())
    notebook["cells"][1]["source"] = source.splitlines(keepends=True)
    (folder / name).write_text(json.dumps(notebook, indent=2), "utf-8")


def answer(data):
    return cells.source(cells.read(data)["cells"][1])


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_folder_gets_lessons_and_exercises_but_no_solutions(tmp_path, course):
    done = workbook.update(tmp_path / "deep" / "down", course, TODAY)
    assert done.added == (LESSON, EXERCISE, "exercises/03_self_attention.ipynb")
    got = files(tmp_path / "deep" / "down")
    assert got.keys() == {*done.added, workbook.DELIVERED}
    assert got[LESSON] == (course / LESSON).read_bytes()


def test_nothing_new_changes_nothing_even_in_what_was_worked_on(folder, course):
    solve(folder, "my answer")
    before = files(folder)
    assert workbook.update(folder, course, TODAY) == workbook.Update()
    assert files(folder) == before


def test_an_untouched_notebook_is_replaced_and_no_copy_kept(folder, course):
    (course / EXERCISE).write_bytes(page("second"))
    assert workbook.update(folder, course, TODAY).replaced == (EXERCISE,)
    assert (folder / EXERCISE).read_bytes() == page("second")
    assert not (folder / workbook.OLDER).exists()


def test_an_update_brings_the_new_text_and_keeps_the_answer(folder, course):
    solve(folder, "my answer")
    before = (folder / EXERCISE).read_bytes()
    (course / EXERCISE).write_bytes(page("second", stub="another stub"))
    done = workbook.update(folder, course, TODAY)
    assert done.merged == (EXERCISE,)
    assert (folder / EXERCISE).read_bytes() == page("second", stub="my answer")
    assert done.kept == (f"older/2026-03-01/{EXERCISE}",)
    assert (folder / done.kept[0]).read_bytes() == before


def test_two_updates_on_one_day_keep_both_older_files(folder, course):
    for version in ("second", "third"):
        solve(folder, f"before the {version}")
        (course / EXERCISE).write_bytes(page(version))
        workbook.update(folder, course, TODAY)
    assert [
        answer((folder / f"older/{day}/{EXERCISE}").read_bytes())
        for day in ("2026-03-01", "2026-03-01_2")
    ] == ["before the second", "before the third"]
    assert answer((folder / EXERCISE).read_bytes()) == "before the third"


def test_an_answer_survives_many_updates(folder, course):
    solve(folder, "my answer")
    for day in range(1, 6):
        (course / EXERCISE).write_bytes(page(f"version {day}", stub=f"stub {day}"))
        workbook.update(folder, course, date(2026, 4, day))
    assert (folder / EXERCISE).read_bytes() == page("version 5", stub="my answer")


def test_a_notebook_that_is_gone_comes_again(folder, course):
    (folder / EXERCISE).unlink()
    assert workbook.update(folder, course, TODAY).added == (EXERCISE,)


def test_a_notebook_that_the_course_gave_up_stays(folder, course):
    solve(folder, "my answer")
    (course / EXERCISE).unlink()
    workbook.update(folder, course, TODAY)
    assert answer((folder / EXERCISE).read_bytes()) == "my answer"


def test_the_learners_own_files_are_never_touched(folder, course):
    (folder / "exercises" / "notes.ipynb").write_text("mine, and no notebook at all")
    (course / EXERCISE).write_bytes(page("second"))
    workbook.update(folder, course, TODAY)
    assert (folder / "exercises" / "notes.ipynb").read_text().startswith("mine")


@pytest.mark.parametrize("damage", [b"", b'{"cells": [{"cell', b"\x00\xff", b"[]"])
def test_a_damaged_notebook_is_left_alone_and_named(folder, course, damage):
    (folder / EXERCISE).write_bytes(damage)
    for name in (EXERCISE, LESSON):
        (course / name).write_bytes(page("second"))
    for _ in range(2):  # and named again, until it is mended
        done = workbook.update(folder, course, TODAY)
        assert done.damaged == (EXERCISE,)
        assert (folder / EXERCISE).read_bytes() == damage
    assert (folder / LESSON).read_bytes() == page("second")


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"x": 1}', b'{"x": {"file": 1}}'])
def test_without_a_record_of_what_came_no_answer_is_lost(folder, course, damage):
    solve(folder, "my answer")
    (folder / workbook.DELIVERED).write_bytes(damage)
    (course / EXERCISE).write_bytes(page("second", stub="another stub"))
    workbook.update(folder, course, TODAY)
    merged = (folder / EXERCISE).read_bytes()
    assert b"my answer" in merged
    assert b"second" in merged


def test_the_report_names_what_a_learner_has_to_know(folder, course):
    solve(folder, "my answer")
    (folder / LESSON).write_bytes(b"damaged")
    for name in (EXERCISE, LESSON):
        (course / name).write_bytes(page("second"))
    done = workbook.update(folder, course, TODAY)
    said = "\n".join(workbook.report(done, folder, course))
    for part in (str(folder), str(course / "solutions"), done.kept[0], LESSON):
        assert part in said


def test_the_start_page_is_the_first_lesson(tmp_path, course):
    assert workbook.start_page(course) == LESSON
    (course / "lessons/00_start_here.ipynb").write_bytes(page("welcome"))
    assert workbook.start_page(course) == "lessons/00_start_here.ipynb"
    assert workbook.start_page(tmp_path) == ""


def test_the_courses_own_notebooks_are_found():
    found = workbook.pages()
    assert (found / "lessons").is_dir()
    assert (found / "exercises").is_dir()


# ------------------------------------------------------------------ cut short anywhere
UPDATE = """
import os, sys
from datetime import date
from pathlib import Path
from minitransformer.course import workbook

folder, course, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def count(event, arguments):
    global steps
    writes = event == "open" and "part" in str(arguments[0])
    if writes or event in ("os.rename", "os.mkdir", "os.remove"):
        steps -= 1
        if steps < 0:
            os._exit(9)  # as a power cut: nothing is tidied up

sys.addaudithook(count)
workbook.update(folder, course, date(2026, 3, 1))
"""


def killed_update(folder, course, steps):
    """Run an update that dies after so many steps on the disk; whether it died."""
    command = [sys.executable, "-c", UPDATE, str(folder), str(course), str(steps)]
    return subprocess.run(command, check=False).returncode == 9


def copies_of(text, folder):
    return [name for name, data in files(folder).items() if text in data]


@pytest.mark.slow
def test_an_update_killed_at_any_step_loses_nothing_and_the_next_completes_it(
    tmp_path, course
):
    second = page("second", stub="another stub")
    (course / "lessons/09_new.ipynb").write_bytes(page("new"))
    died = True
    steps = 0
    while died:
        folder = tmp_path / f"killed_after_{steps}"
        for name in (LESSON, EXERCISE, "exercises/03_self_attention.ipynb"):
            (course / name).write_bytes(page(f"first {name}"))
        workbook.update(folder, course, TODAY)
        (folder / "lessons/09_new.ipynb").unlink()
        for name in (EXERCISE, "exercises/03_self_attention.ipynb"):
            solve(folder, f"my answer to {name}", name)
            (course / name).write_bytes(second)
        (course / LESSON).write_bytes(second)

        died = killed_update(folder, course, steps)

        for name in (EXERCISE, "exercises/03_self_attention.ipynb"):
            assert answer((folder / name).read_bytes()) == f"my answer to {name}"
        workbook.update(folder, course, TODAY)
        for name in (EXERCISE, "exercises/03_self_attention.ipynb"):
            mine = f"my answer to {name}"
            assert (folder / name).read_bytes() == page("second", stub=mine)
            kept = folder / f"older/2026-03-01/{name}"
            assert f"first {name}".encode() in kept.read_bytes()
        assert (folder / LESSON).read_bytes() == second
        assert (folder / "lessons/09_new.ipynb").read_bytes() == page("new")
        assert not list(folder.rglob("*.part"))
        assert not (folder / "older/2026-03-01_2").exists()
        assert workbook.update(folder, course, TODAY) == workbook.Update()
        steps += 1
    assert steps > 15  # it did die at each of them


@pytest.mark.parametrize("step", ["Path.open", "os.fsync", "Path.replace"])
def test_a_failing_disk_leaves_the_old_file_and_nothing_half_written(
    folder, course, monkeypatch, step
):
    solve(folder, "my answer")
    (course / EXERCISE).write_bytes(page("second"))
    before = files(folder)

    def fail(path, mode=""):
        if mode == "rb":  # reading still works
            return open(path, mode)  # noqa: PTH123 - Path.open is what fails here
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"minitransformer.course.workbook.{step}", fail)
        with pytest.raises(OSError, match="No space left"):
            workbook.update(folder, course, TODAY)
    assert files(folder) == before
    workbook.update(folder, course, TODAY)
    assert (folder / EXERCISE).read_bytes() == page("second", stub="my answer")
