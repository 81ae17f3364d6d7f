import nbformat

from tools.execute import WIDGET_VIEW, run


def page(*codes):
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    return nbformat.v4.new_notebook(cells=cells)


def test_what_changes_from_run_to_run_is_not_kept():
    notebook = page(
        "import ipywidgets as widgets\nwidgets.IntSlider(value=3)",
        "from IPython.display import display\n"
        f"display({{'{WIDGET_VIEW}': {{}}}}, raw=True)",
        "for word in ('a', 'b'):\n    print(word, flush=True)",
    )
    run(notebook)
    slider, view, words = (cell.outputs for cell in notebook.cells)
    assert list(slider[0].data) == ["text/plain"]
    assert view == []
    assert [output.text for output in words] == ["a\nb\n"]
    assert "widgets" not in notebook.metadata
    assert all("execution" not in cell.metadata for cell in notebook.cells)


def test_a_page_is_run_away_from_the_person_who_builds():
    notebook = page(
        "import os, pathlib\n"
        "home, here = pathlib.Path.home(), pathlib.Path.cwd()\n"
        "print(home.parent == here.parent, list(here.iterdir()), "
        "os.environ['OMP_NUM_THREADS'], os.environ['TZ'])"
    )
    run(notebook)
    assert notebook.cells[0].outputs[0].text == "True [] 1 UTC\n"


def test_an_error_on_purpose_is_kept_without_places_and_colours():
    notebook = page("1 / 0")
    notebook.cells[0].metadata["tags"] = ["raises-exception"]
    run(notebook)
    (error,) = notebook.cells[0].outputs
    assert error.traceback == ["ZeroDivisionError: division by zero"]
