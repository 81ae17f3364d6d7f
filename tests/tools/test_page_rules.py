import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import page_rules

WORDS = "Two curves that meet at width 64 and then part for good."


def page(*cells):
    notebook = new_notebook(cells=list(cells))
    notebook.metadata.minitransformer = {"page": "lesson", "topic": "01_adding"}
    return notebook


def shown(alt):
    image = '<img src="data:image/png;base64,AAAA">'
    if alt is not None:
        image = image.replace("<img", f'<img alt="{alt}"')
    return new_code_cell(outputs=[new_output("display_data", {"text/html": image})])


def printed(text, name="stdout", **metadata):
    output = new_output("stream", text=text, name=name)
    return new_code_cell("tell()", outputs=[output], metadata=metadata)


def test_the_sample_course_keeps_every_rule(built):
    lesson, exercises, solutions = (
        nbformat.read(built.pages / folder / "01_adding.ipynb", as_version=4)
        for folder in ("lessons", "exercises", "solutions")
    )
    rules = page_rules
    for rule in (*rules.ON_EVERY_PAGE, *rules.ON_EXECUTED_PAGES):
        assert rule(lesson) == rule(solutions) == []
    for rule in (*rules.ON_LESSONS, rules.links_to_its_exercises):
        assert rule(lesson) == []
    for rule in (*rules.ON_EVERY_PAGE, *rules.ON_EXERCISES):
        assert rule(exercises) == []


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([], "no code cell"),
        ([None, None], "not run from 1 to 2"),
        ([1, 3], "not run from 1 to 2"),
        ([1, None], "not run from 1 to 2"),
    ],
)
def test_a_page_that_was_not_run_whole_is_found(counts, words):
    cells = [new_code_cell("x = 1", execution_count=count) for count in counts]
    (finding,) = page_rules.was_executed(page(*cells))
    assert words in finding


def test_an_output_in_an_exercise_notebook_is_found():
    assert page_rules.has_no_outputs(page(printed("1")))
    assert page_rules.has_no_outputs(page(new_code_cell("x", execution_count=1)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Words first.\n\n# Title", "does not begin with its title"),
        ("# Title\n\n# Another", "2 first-level headings"),
        ("# Title\n\n### Deep", "'Deep' skips a level"),
    ],
)
def test_headings_out_of_order_are_found(text, words):
    assert words in page_rules.has_ordered_headings(page(new_markdown_cell(text)))[-1]


def test_a_comment_in_a_block_of_code_is_no_heading():
    text = "# Title\n\n```\n# a comment\n```"
    assert page_rules.has_ordered_headings(page(new_markdown_cell(text))) == []


def test_a_section_that_runs_code_without_asking_first_is_found():
    asked = [new_markdown_cell("**Predict**: which?"), new_code_cell("predict(1)")]
    good = page(new_markdown_cell("## A"), *asked)
    mute = page(new_markdown_cell("## A"), new_code_cell("1 + 1"))
    excused = page(
        new_markdown_cell("## A\n\n<!-- no prediction: only definitions here -->"),
        new_code_cell("1 + 1"),
    )
    assert page_rules.predicts_in_each_section(good) == []
    assert page_rules.predicts_in_each_section(excused) == []
    assert page_rules.predicts_in_each_section(mute) == [
        "the section 'A' runs code and has no prediction"
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%matplotlib inline", "not plain Python"),
        ("!ls", "not plain Python"),
        ("from numpy import *", "a wildcard import"),
        ("import warnings\nwarnings.simplefilter('ignore')", "a silenced warning"),
        ("get_ipython().system('ls')", "in disguise"),
    ],
)
def test_code_that_is_not_plain_is_found(code, words):
    (finding,) = page_rules.has_plain_code(page(new_code_cell(code)))
    assert words in finding


def test_a_lifted_test_without_a_real_reason_is_found():
    reason = {"reason": "trains for half a minute"}
    good = {"tags": ["once"], "minitransformer": reason}
    assert page_rules.gives_reasons(page(printed("", **good))) == []
    for bad in (
        {"tags": ["once"]},
        {"tags": ["nbval-ignore-output"], "minitransformer": {"reason": "slow"}},
        {"minitransformer": {"holds": "dates"}},
    ):
        assert page_rules.gives_reasons(page(printed("", **bad)))
    hidden = new_code_cell("# NBVAL_IGNORE_OUTPUT\nx")
    assert page_rules.gives_reasons(page(hidden))


@pytest.mark.parametrize(
    ("alt", "words"),
    [
        (None, "too few words"),
        ("", "too few words"),
        ("Loss over steps", "too few words"),
        (f"A figure that shows the following: {WORDS}", "says that it is a picture"),
        ("What the softmax does to scores of any size", "repeats a heading"),
    ],
)
def test_a_picture_without_words_of_substance_is_found(alt, words):
    title = new_markdown_cell("# What the softmax does to scores of any size")
    (finding,) = page_rules.speaks_of_its_pictures(page(title, shown(alt)))
    assert words in finding


def test_words_used_for_two_pictures_are_found():
    assert page_rules.speaks_of_its_pictures(page(shown(WORDS))) == []
    found = page_rules.speaks_of_its_pictures(page(shown(WORDS), shown(WORDS)))
    assert "has the words of another" in found[0]


def test_a_picture_that_is_no_html_has_no_words():
    output = new_output("display_data", {"image/png": "AAAA", "text/plain": WORDS})
    found = page_rules.speaks_of_its_pictures(page(new_code_cell(outputs=[output])))
    assert "too few words" in found[0]


def test_a_picture_in_the_text_wants_words_too():
    text = new_markdown_cell("![](a.svg)")
    assert page_rules.speaks_of_its_pictures(page(text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("saved to /home/ada/model", "paths"),
        (r"saved to C:\Users\ada", "paths"),
        ("<object at 0x7fe9e18b04a0>", "addresses"),
        ("see https://example.org/a", "addresses"),
        ("on 127.0.0.1:8888", "addresses"),
        ("it took 3.2 s", "times"),
        ("12 ms a step", "times"),
        ("at 14:05:59", "times"),
        ("on 2026-11-24", "dates"),
    ],
)
def test_an_output_that_will_not_last_is_found(text, kind):
    (finding,) = page_rules.prints_what_lasts(page(printed(text)))
    assert finding.startswith(kind)


@pytest.mark.parametrize(
    "text",
    ["x[1:10]", "3 steps", "weights (2, 3)", "1/2 and 3.0", "4 scores", "D = 64: 0.5"],
)
def test_an_output_that_lasts_is_left_alone(text):
    assert page_rules.prints_what_lasts(page(printed(text))) == []


def test_a_warning_in_an_output_is_found():
    found = page_rules.prints_what_lasts(page(printed("careful", name="stderr")))
    assert "writes to stderr" in found[0]


def test_a_cell_about_dates_may_print_them():
    about = {"minitransformer": {"holds": "dates"}}
    dated = printed("2026-11-24 and 0x7fe9e18b04a0", **about)
    (finding,) = page_rules.prints_what_lasts(page(dated))
    assert finding.startswith("addresses")


def test_a_cell_that_is_not_compared_may_print_times():
    timed = printed("3.2 s", tags=["nbval-ignore-output"])
    assert page_rules.prints_what_lasts(page(timed)) == []


def test_an_error_that_was_not_meant_is_found():
    error = new_output("error", ename="E", evalue="", traceback=[])
    cell = new_code_cell("x", outputs=[error])
    assert page_rules.fails_only_where_said(page(cell))
    cell.metadata["tags"] = ["raises-exception"]
    assert page_rules.fails_only_where_said(page(cell)) == []


def test_a_lesson_that_leads_nowhere_is_found():
    assert page_rules.links_to_its_exercises(page(new_markdown_cell("The end.")))


def test_uncompared_cells_are_counted():
    ignored = printed("", tags=["nbval-ignore-output"])
    assert page_rules.ignored_cells(page(ignored, printed(""))) == (1, 2)
