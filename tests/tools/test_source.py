import pytest

from tools.source import SourceError, read

GOOD = '''\
# %% [markdown]
r"""
# Title
"""

# %% tags=["once"] reason="a second run would add again"

total = 1
# %% [markdown]
r"""
## Next, with $\\sqrt D$
"""
'''


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "lesson.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_cell_knows_its_text_its_marks_and_its_line(write):
    title, code, after = read(write(GOOD))
    assert (title.kind, title.text, title.line) == ("markdown", "# Title", 3)
    assert (code.kind, code.text, code.line) == ("code", "total = 1", 8)
    assert code.marks["tags"] == ["once"]
    assert code.marks["reason"] == "a second run would add again"
    assert (after.text, after.line) == (r"## Next, with $\sqrt D$", 11)


def test_a_magic_in_a_comment_stays_a_comment(write):
    (cell,) = read(write("# %%\n# %matplotlib inline\nx = 1\n"))
    assert cell.text == "# %matplotlib inline\nx = 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "lesson.py:1: no cell"),
        ("x = 1\n# %%\ny = 2\n", "lesson.py:1: text before the first"),
        ("# %%\n\n# %%\nx = 1\n", "lesson.py:1: an empty cell"),
        ('# %% colour="red"\nx = 1\n', r"lesson.py:2: unknown words .* colour; known"),
        ("# %% [markdown]\n# words\n", "lesson.py:2: the text of a markdown cell"),
    ],
)
def test_a_source_that_is_wrong_is_refused_with_its_line(write, text, message):
    with pytest.raises(SourceError, match=message):
        read(write(text))


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"lesson.py:1: there is no such file"):
        read(tmp_path / "lesson.py")
