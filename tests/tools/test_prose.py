import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.notebook import Page
from tools.prose import numbers_in_text, unfounded
from tools.source import SourceError


@pytest.fixture
def listed(source_cell):
    """List the unfounded numbers of a page: texts, and code beside what it prints."""

    def listed(*cells):
        sources, kept = [], []
        for cell in cells:
            text, shown = cell if isinstance(cell, tuple) else (cell, None)
            sources.append(source_cell(text, "markdown" if shown is None else "code"))
            kept.append(
                new_markdown_cell(text)
                if shown is None
                else new_code_cell(text, outputs=[new_output("stream", text=shown)])
            )
        notebook = new_notebook(cells=kept)
        path = sources[0].path
        page = Page(
            topic="t", kind="lesson", source=path, notebook=notebook, cells=sources
        )
        return [told.text for told in unfounded(page, notebook)]

    return listed


@pytest.fixture
def told(source_cell):
    return lambda text: [t.text for t in numbers_in_text(text, source_cell(text))]


@pytest.mark.parametrize(
    "text",
    [
        "Three rows, and 4 columns.",
        "The width `D = 256` and $D = 512$, or $$n = 1024$$",
        "## Step 12",
        "See lesson 12, and exercises 11.1 and 12.2.",
        "[the thread](https://example.org/issues/1234), see #1234",
        "In 1957; Vaswani et al. 2017, and Lee and Cho (2019)",
        "Cho and Lee, *On Attention*, 2014, [arXiv:1409.0473](https://example.org)",
        "Runs on Python 3.11.",
        "12. an item of a list",
        "**Time**: about 50 minutes.",
        "```\n0.25\n```",
        "10⁻⁴ and v2.13",
    ],
)
def test_what_is_no_result_is_left_alone(told, text):
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("The spread is 22.6.", ["22.6"]),
        ("About 23, or 87 %, or 5%.", ["23", "87 %", "5%"]),
        ("2,000 pairs and 1e-5", ["2,000", "1e-5"]),
        ("a fill of −10 000", ["−10 000"]),
        ("from 0.5–0.75", ["0.5", "0.75"]),
        ("It falls to −0.12.", ["−0.12"]),
    ],
)
def test_a_result_in_the_text_is_seen(told, text, numbers):
    assert told(text) == numbers


def test_a_number_knows_its_line(source_cell):
    (told,) = numbers_in_text("a\n\nb 0.25", source_cell(""), offset=3)
    assert str(told) == "lesson.py:6: no cell of the section gives 0.25"


@pytest.mark.parametrize("told", ["22.6", "about 23", "22.63", "−22.6"])
def test_a_number_is_given_by_what_rounds_to_it(listed, told):
    assert listed(("f()", "spread 22.63"), f"It is {told}.") == []


@pytest.mark.parametrize("told", ["22.7", "22", "22.64"])
def test_a_number_that_rounds_to_another_is_listed(listed, told):
    assert listed(("f()", "spread 22.63"), f"It is {told}.") == [told]


def test_a_share_gives_a_percentage(listed):
    assert listed(("f()", "0.874\n12.5 %"), "87 % and 12.5 %, not 13.5 %") == ["13.5 %"]


def test_code_gives_numbers_and_its_strings_do_not(listed):
    assert listed(("x = 64  # 128\ny = '256'", ""), "64, 128, 256") == ["128", "256"]


def test_a_number_of_another_section_does_not_count(listed):
    cells = ("## One", ("f()", "0.25"), "It is 0.25.", "## Two", ("g()", "1"), "0.25")
    assert listed(*cells) == ["0.25"]


def test_a_section_without_code_sums_up_the_others(listed):
    cells = ("## One", ("f()", "0.25"), "## Summary\n\n0.25, not 0.35")
    assert listed(*cells) == ["0.35"]


def test_a_number_from_elsewhere_is_allowed_with_its_reason(listed):
    comment = "<!-- numbers: 98 from the thread; 0.31 worked out above -->"
    assert listed(f"98 % and 0.31, not 0.32.\n\n{comment}") == ["0.32"]


def test_a_number_from_elsewhere_wants_its_reason(listed):
    with pytest.raises(
        SourceError, match="the number '98' is allowed without a reason"
    ):
        listed("98 %\n\n<!-- numbers: 98 -->")


def test_a_page_that_is_older_than_its_source_is_refused(source_cell):
    old = new_notebook(cells=[new_markdown_cell("It is 0.25.")])
    cell = source_cell("It is 0.5.")
    page = Page(topic="t", kind="lesson", source=cell.path, notebook=old, cells=[cell])
    with pytest.raises(SourceError, match="lessons/t is older than this"):
        unfounded(page, old)


def test_the_words_of_a_picture_are_text(listed):
    code = 'show(figure, alt="It falls from 4.17 "\n    f"to {low:.2f}.")'
    assert listed((code, "")) == ["4.17"]
    assert listed((code, "4.17")) == []
