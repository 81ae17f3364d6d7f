"""What holds of every page besides its outputs, which `test_every_cell.py` looks after."""

import functools

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode

from tools import notebook, page_rules, prose
from tools.build import Places, stale
from tools.execute import run
from tools.notebook import FOLDERS
from tools.source import ROOT

PAGES = {
    kind: sorted((ROOT / folder).glob("*.ipynb")) for kind, folder in FOLDERS.items()
}
RULES = {
    "lesson": (
        *page_rules.ON_EVERY_PAGE,
        *page_rules.ON_EXECUTED_PAGES,
        *page_rules.ON_LESSONS,
    ),
    "exercises": (*page_rules.ON_EVERY_PAGE, *page_rules.ON_EXERCISES),
    "solutions": (*page_rules.ON_EVERY_PAGE, *page_rules.ON_EXECUTED_PAGES),
}


@functools.cache
def page(path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def test_the_course_has_pages():
    assert all(PAGES.values()), "no built page; run `python -m tools.build`"


@pytest.mark.parametrize("topic", notebook.topics(), ids=lambda folder: folder.name)
def test_a_committed_page_is_what_its_source_builds(topic):
    found = stale([topic.name])
    assert not found, "\n".join(found)


def test_every_page_has_a_source():
    built = {path for paths in PAGES.values() for path in paths}
    sources = {
        Places().pages / FOLDERS[kind] / f"{folder.name}.ipynb"
        for folder in notebook.topics()
        for kind in FOLDERS
    }
    assert built <= sources


@pytest.mark.parametrize(
    ("kind", "rule", "path"),
    [
        pytest.param(kind, rule, path, id=f"{rule.__name__}-{kind}-{path.stem}")
        for kind, rules in RULES.items()
        for rule in rules
        for path in PAGES[kind]
    ],
)
def test_a_page_keeps_the_rule(kind, rule, path):
    found = rule(page(path))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES["exercises"], ids=lambda path: path.stem)
def test_a_lesson_leads_on_to_its_exercises(path):
    lesson = page(ROOT / FOLDERS["lesson"] / path.name)
    assert page_rules.links_to_its_exercises(lesson) == []


def test_few_cells_go_uncompared():
    counts = [
        page_rules.ignored_cells(page(path))
        for kind in ("lesson", "solutions")
        for path in PAGES[kind]
    ]
    ignored = sum(uncompared for uncompared, _ in counts)
    cells = sum(whole for _, whole in counts)
    assert ignored <= page_rules.LARGEST_SHARE_IGNORED * cells


@pytest.mark.parametrize("path", PAGES["exercises"], ids=lambda path: path.stem)
def test_an_untouched_exercise_notebook_runs_to_its_end(path):
    untouched = nbformat.read(path, as_version=4)
    run(untouched)
    points = [
        output.data["text/plain"]
        for cell in untouched.cells
        if "check" in cell.metadata.get("minitransformer", {})
        for output in cell.outputs
    ]
    assert points
    assert {float(text) for text in points} == {0.0}


@pytest.mark.parametrize("path", PAGES["lesson"], ids=lambda path: path.stem)
def test_a_number_in_the_text_is_given_by_a_cell_of_its_section(path):
    lesson = notebook.lesson(ROOT / "authoring" / path.stem)
    found = [str(told) for told in prose.unfounded(lesson, page(path))]
    assert not found, "\n".join(found)
