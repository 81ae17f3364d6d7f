"""The pass over a page bites: run as a reader of the report would, in a pytest of its own."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.nbval_pass import settle
from tools.source import ROOT

CONFTEST = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})

from tools.nbval_pass import SECONDS, PageFile, seconds_table


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".ipynb":
        return PageFile.from_parent(parent, path=file_path)


def pytest_terminal_summary(terminalreporter):
    for line in seconds_table(terminalreporter.config.stash[SECONDS]):
        terminalreporter.write_line(line)
"""
LIVE = """
from IPython.display import clear_output, display
handle = display("step 1", display_id=True)
print("gone")
clear_output(wait=True)
handle = display("step 1", display_id=True)
handle.update("step 2")
"""
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
OTHER = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
PICTURE = 'from IPython.display import HTML\nHTML(\'<img alt="A dot." src="{}">\')'


def printed(text):
    return new_output("stream", text=text)


def html(image):
    data = {
        "text/html": f'<img alt="A dot." src="{image}">',
        "text/plain": "<IPython.core.display.HTML object>",
    }
    return new_output("execute_result", data)


# what each cell does, and what is stored of it
CELLS = {
    "right": ("print(2 + 3)", [printed("5\n")]),
    "wrong": ("print(2 + 3)", [printed("6\n")]),
    "start": ("count = 0", []),
    "grows": ("count += 1\nprint(count)", [printed("1\n")]),
    "once": ("count += 1\nprint(count)", [printed("3\n")]),
    "ignored": ("import time\nprint(time.time())", [printed("0\n")]),
    "live": (LIVE, [new_output("display_data", {"text/plain": "'step 2'"})]),
    "picture": (PICTURE.format(PNG), [html(PNG)]),
    "other_picture": (PICTURE.format(OTHER), [html(PNG)]),
    "network": ("import socket\nsocket.create_connection(('192.0.2.1', 80))", []),
}
TAGS = {"once": ["once"], "ignored": ["nbval-ignore-output"]}
FAILS = {
    "wrong": "Cell outputs differ",
    "grows": "the second run of the cell: Cell outputs differ",
    "other_picture": "picture 1: its pixels differ by",
    "network": "the network is off",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pass")
    (folder / "authoring" / "01_t").mkdir(parents=True)
    (folder / "lessons").mkdir()
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    page, source = new_notebook(), ""
    for count, (name, (code, outputs)) in enumerate(CELLS.items(), start=1):
        cell = new_code_cell(code, execution_count=count, outputs=outputs)
        cell.metadata["tags"] = TAGS.get(name, [])
        page.cells.append(cell)
        source += f"# %%\n{code.strip()}\n\n"
    nbformat.write(page, folder / "lessons" / "01_t.ipynb")
    (folder / "authoring" / "01_t" / "lesson.py").write_text(source, encoding="utf-8")
    command = ["-m", "pytest", "-rA", "--color=no", "-p", "no:cacheprovider", "lessons"]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("name", [name for name in CELLS if name not in FAILS])
def test_a_cell_that_keeps_its_word_passes(report, name):
    assert f"PASSED lessons/01_t.ipynb::Cell {list(CELLS).index(name)}\n" in report


@pytest.mark.parametrize("name", FAILS)
def test_a_cell_that_does_not_fails_with_its_source_line(report, name):
    number = list(CELLS).index(name)
    _, _, part = report.partition(f" lessons/01_t.ipynb::Cell {number} ")
    assert re.search(r"authoring/01_t/lesson.py:\d+\n", part)
    assert FAILS[name] in part.partition("____ ")[0]
    assert f"FAILED lessons/01_t.ipynb::Cell {number}" in report


def test_the_seconds_of_each_page_are_told(report):
    assert re.search(r"lessons/01_t.ipynb +\d+\.\d s\ntogether +\d+\.\d s", report)


def message(kind, **content):
    return {"msg_type": kind, "content": content}


def test_a_widget_view_is_not_compared_but_what_stands_beside_it_is():
    view = {"application/vnd.jupyter.widget-view+json": {}}
    kept = settle(
        [
            message("display_data", data=dict(view)),
            message("display_data", data={**view, "text/plain": "words"}),
        ]
    )
    assert [m["content"]["data"] for m in kept] == [{"text/plain": "words"}]


def test_what_is_cleared_at_once_is_gone_and_what_waits_stays():
    one, two = message("stream", text="1"), message("stream", text="2")
    assert settle([one, message("clear_output", wait=False)]) == []
    assert settle([one, message("clear_output", wait=True)]) == [one]
    assert settle([one, message("clear_output", wait=True), two]) == [two]
