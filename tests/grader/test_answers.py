"""Answers are read out of files by text alone: what is found, what is dropped, what is needed."""

import json
import os
import textwrap

import pytest
from grader.grading_room import notebook

from minitransformer.grader import answers, slicing
from minitransformer.grader.view import package_view


def documents(*sources: str | tuple[str, str]) -> list[answers.Document]:
    """Make documents of text; a pair is a name and its text."""
    made = []
    for source in sources:
        name, text = source if isinstance(source, tuple) else ("answers.py", source)
        cells = [answers.Cell(name, textwrap.dedent(text))]
        document = answers.Document(name, cells)
        answers._cut(cells[0], document)
        made.append(document)
    return made


def needed(source: str, name: str) -> list[str]:
    """The first line of each statement that an answer needs."""
    answer, _ = answers.find_answer(documents(source), name)
    assert answer is not None
    return [piece.source.splitlines()[0] for piece in answer.pieces]


# ---------------------------------------------------------------- what is needed
def test_an_answer_takes_its_imports_helpers_and_constants_and_nothing_else():
    source = """
    import numpy as np
    import matplotlib.pyplot as plt
    SCALE = 0.5
    print("hello")
    def helper(x): return x * SCALE
    def unused(x): return x
    raise SystemExit("demo")
    def softmax(x): return helper(np.exp(x))
    plt.show()
    """
    assert needed(source, "softmax") == [
        "import numpy as np",
        "SCALE = 0.5",
        "def helper(x): return x * SCALE",
        "def softmax(x): return helper(np.exp(x))",
    ]


def test_a_name_is_followed_through_calls_classes_decorators_and_defaults():
    source = """
    from functools import wraps
    LIMIT = 3
    class Base:
        def run(self): return LIMIT
    def loud(f): return wraps(f)(f)
    EPS = 1e-5
    class Other(Base): pass
    @loud
    def norm(x, eps=EPS): return Other().run()
    """
    assert [line.split("(")[0] for line in needed(source, "norm")] == [
        "from functools import wraps",
        "LIMIT = 3",
        "class Base:",
        "def loud",
        "EPS = 1e-5",
        "class Other",
        "@loud",
    ]


def test_the_last_definition_counts_and_the_first_is_not_run():
    source = """
    def softmax(x): return first
    def softmax(x): return second
    """
    assert needed(source, "softmax") == ["def softmax(x): return second"]


def test_a_definition_that_uses_the_one_before_takes_both():
    source = """
    def softmax(x): return x
    softmax = twice(softmax)
    def twice(f): return f
    """
    assert needed(source, "softmax") == [
        "def softmax(x): return x",
        "softmax = twice(softmax)",
        "def twice(f): return f",
    ]


def test_statements_that_fill_a_table_belong_to_it():
    source = """
    table = {}
    for i in range(3): table[i] = i * i
    table["x"] = 1
    table.update(y=2)
    other = []
    other.append(1)
    def answer(x): return table[x]
    """
    assert needed(source, "answer") == [
        "table = {}",
        "for i in range(3): table[i] = i * i",
        'table["x"] = 1',
        "table.update(y=2)",
        "def answer(x): return table[x]",
    ]


def test_a_helper_of_another_cell_with_the_same_name_is_not_mixed_up():
    cells = [
        answers.Cell("cell 1", "def scale(x): return x\ndef one(x): return scale(x)"),
        answers.Cell("cell 2", 'check("one", one)'),
        answers.Cell("cell 3", "def scale(x): return -x\ndef two(x): return scale(x)"),
    ]
    document = answers.Document("a.ipynb", cells)
    for cell in cells:
        answers._cut(cell, document)
    for name, sign in (("one", "return x"), ("two", "return -x")):
        answer, _ = answers.find_answer([document], name)
        assert sign in answer.pieces[0].source


def test_a_star_import_is_taken_where_a_name_is_otherwise_unknown():
    source = """
    from math import *
    def answer(x): return sqrt(x)
    def plain(x): return x
    """
    assert needed(source, "answer")[0] == "from math import *"
    assert needed(source, "plain") == ["def plain(x): return x"]


def test_a_name_in_a_branch_or_a_try_is_found():
    source = """
    try:
        import fast as np
    except ImportError:
        import numpy as np
    if True:
        def answer(x): return np.exp(x)
    """
    assert needed(source, "answer") == ["try:", "if True:"]


def test_names_within_comprehensions_and_functions_stay_there():
    source = """
    x = 1
    def answer(values): return [x for x in values] + (lambda x: x)(values)
    """
    assert needed(source, "answer") == [source.strip().splitlines()[1].strip()]


def test_lines_are_those_of_the_file():
    document = documents("\n\n@staticmethod\ndef answer(x):\n    return x\n")[0]
    assert document.pieces[0].line == 3
    assert document.pieces[0].source.startswith("@staticmethod")


# ---------------------------------------------------------------- where answers are
def test_the_cell_with_the_id_is_the_answer_even_if_the_name_comes_again(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(
        notebook(
            ("softmax", "def softmax(x): return 1"),
            "def softmax(x): return 2",
            ("softmax", "x = 3"),
        )
    )
    answer, _ = answers.find_answer([answers.read_document(path)], "softmax")
    assert answer.pieces[0].source == "def softmax(x): return 1"


@pytest.mark.parametrize(
    "made",
    ["softmax = lambda x: x", "class softmax: pass", "softmax: object = print",
     "softmax, other = max, min", "import math as softmax", "(softmax := max)"],
)  # fmt: skip
def test_a_name_counts_however_it_was_made(made):
    answer, _ = answers.find_answer(documents(made), "softmax")
    assert answer.pieces[-1].source == made


def test_what_is_made_here_goes_before_what_is_imported():
    found, note = answers.find_answer(
        documents(
            ("a.py", "def softmax(x): return x"),
            ("b.py", "from minitransformer.reference import softmax"),
        ),
        "softmax",
    )
    assert found.pieces[0].file == "a.py"
    assert note == ""


def test_two_files_with_one_answer_are_told_and_the_last_counts():
    found, note = answers.find_answer(
        documents(("a.py", "def f(): return 1"), ("b.py", "def f(): return 2")), "f"
    )
    assert found.pieces[0].file == "b.py"
    assert note == "f is defined in a.py, b.py; the last one counts"


def test_an_answer_in_a_cell_that_is_not_python_says_so(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(notebook("def softmax(x:\n    return x", "def other(x): return x"))
    document = answers.read_document(path)
    answer, _ = answers.find_answer([document], "softmax")
    assert answer.broken.startswith("cell 1, line 1")
    assert answers.find_answer([document], "other")[0].broken == ""
    assert answers.find_answer([document], "missing")[0] is None


# ---------------------------------------------------------------- magics
@pytest.mark.parametrize(
    ("source", "dropped"),
    [
        ("%matplotlib inline\nx = 1", ["%matplotlib inline"]),
        ("x = 1\n!ls -l\ny = 2", ["!ls -l"]),
        ("files = !ls\nx = 1", ["files = !ls"]),
        ("t = %timeit -o f()\nx = 1", ["t = %timeit -o f()"]),
        ("np.sum?\nx = 1", ["np.sum?"]),
        ("if True:\n    %time f()\nx = 1", ["%time f()"]),
        ("%%time\nx = 1", ["%%time"]),
        ("get_ipython().run_line_magic('time', '')\nx = 1",
         ["get_ipython().run_line_magic('time', '')"]),
    ],
)  # fmt: skip
def test_magics_go_and_the_rest_of_the_cell_lives(source, dropped):
    rest, told = answers.without_magics(source)
    assert told == dropped
    pieces = slicing.pieces_of(rest, "cell")
    assert pieces[-1].source in ("x = 1", "y = 2")
    assert pieces[-1].line == source.count("\n") + 1


@pytest.mark.parametrize(
    "first", ["%%bash", "%%html", "%%writefile x.py", "%%javascript"]
)
def test_a_cell_of_another_language_goes_whole(first):
    assert answers.without_magics(f"{first}\nx = 1") == ("", [first])


@pytest.mark.parametrize(
    "source",
    ['text = """\n%matplotlib\n!ls\n"""', "x = (7\n% 4)", "y = a \\\n% b", "z = 'a?'"],
)
def test_no_line_within_python_is_taken_for_a_magic(source):
    assert answers.without_magics(source) == (source, [])


# ---------------------------------------------------------------- files
def unreadable(tmp_path, content: bytes, name: str = "a.ipynb") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(answers.UnreadableError) as caught:
        answers.read_document(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


BAD = {
    "empty": b"",
    "not JSON": b"{'cells'",
    "a list": b"[]",
    "no cells": b'{"nbformat": 4}',
    "cells that are none": b'{"cells": {"a": 1}}',
    "UTF-16": '{"cells": []}'.encode("utf-16"),
    "deep": b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a long number": b'{"cells": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_notebook_that_is_none_is_one_clear_line(content, tmp_path):
    assert unreadable(tmp_path, content)


def test_a_py_file_that_is_not_python_names_the_line(tmp_path):
    assert unreadable(tmp_path, b"x = 1\ndef f(:\n", "a.py").startswith("a.py: line 2")
    assert unreadable(tmp_path, b"x = '\0'", "a.py")
    assert "not UTF-8" in unreadable(tmp_path, b"x = '\xff'", "a.py")


@pytest.mark.parametrize(
    "code",
    ["x = " + "(" * 5000, "x = " + "-" * 50_000 + "1", "x = " + "a." * 50_000 + "b",
     "x = " + "[" * 300 + "]" * 300, "x = " + "1+" * 50_000 + "1"],
    ids=["brackets", "signs", "dots", "lists", "sums"],
)  # fmt: skip
def test_code_made_to_break_a_parser_breaks_nothing(code, tmp_path):
    path = tmp_path / "a.py"
    path.write_text(code)
    try:
        document = answers.read_document(path)
    except answers.UnreadableError:
        return
    answers.find_answer([document], "x")


def test_files_above_the_limit_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "MOST_BYTES", 1 << 20)
    assert "at most 1" in unreadable(tmp_path, b" " * ((1 << 20) + 1))


def test_what_only_looks_like_a_file_is_not_opened(tmp_path):
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    link = tmp_path / "link.py"
    link.symlink_to("/etc/passwd")
    folder = tmp_path / "folder.py"
    folder.mkdir()
    for path in (pipe, link, folder):
        with pytest.raises(answers.UnreadableError):
            answers.read_document(path)


def test_odd_notebooks_are_read_as_far_as_they_make_sense(tmp_path):
    cells = [
        {"cell_type": "code", "source": "def f(): return 1", "outputs": "x" * 1000},
        {"cell_type": "code", "source": ["def g():\n", " return 2", 3]},
        {"cell_type": "code", "source": "def h(): return '\ud800'"},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["x"]}}},
        {"cell_type": "code", "source": 7},
        "no cell",
        None,
        {"cell_type": "markdown", "source": "def hidden(): pass"},
    ]
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"cells": cells}).encode())
    document = answers.read_document(path)
    assert {"f", "g"} <= answers.defined_in(document)
    assert "hidden" not in answers.defined_in(document)


def test_a_notebook_of_format_3_is_read(tmp_path):
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["f = 1"]}]}]}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(old))
    assert answers.defined_in(answers.read_document(path)) == {"f"}


# ---------------------------------------------------------------- policy
@pytest.mark.parametrize(
    "source",
    [
        "import torch.nn.functional as F\nf = lambda x: F.softmax(x, -1)",
        "from torch.nn import functional\nf = lambda x: functional.softmax(x, -1)",
        "import torch\nf = lambda x: torch.nn.functional.softmax(x, -1)",
        "from torch.nn.functional import softmax as s\nf = lambda x: s(x, -1)",
        "def f(x):\n    import torch.nn.functional as F\n    return F.softmax(x, -1)",
        "from torch.nn.functional import softmax as f",
    ],
)
def test_a_finished_function_is_found_by_any_name(source):
    answer, _ = answers.find_answer(documents(source), "f")
    found = answers.finished_uses(answer, ["torch.nn.functional.softmax"], [])
    assert [one.split(" in ")[0] for one in found] == ["torch.nn.functional.softmax"]
    last = len(source.splitlines())
    assert found[0].endswith(f"line {last}")


def test_an_import_that_is_not_used_is_no_finding():
    source = "import torch.nn.functional as F\ndef f(x): return x"
    answer, _ = answers.find_answer(documents(source), "f")
    assert answers.finished_uses(answer, ["torch.nn.functional.softmax"], []) == []


# ---------------------------------------------------------------- the package's view
REFERENCE = "minitransformer.reference"
TOPICS = {
    "dot_products": "01", "softmax": "02", "attention": "03", "attention_scores": "03",
    "self_attention": "03", "masked_softmax": "04", "layer_norm": "08",
}  # fmt: skip


def test_only_functions_of_earlier_topics_are_in_the_view():
    view = package_view("self_attention", TOPICS)
    assert set(view.allowed[REFERENCE]) == {"dot_products", "softmax"}
    assert "asks you to write" in view.refused[REFERENCE]["self_attention"]
    assert "topic 03" in view.refused[REFERENCE]["attention"]
    assert "topic 08" in view.refused[REFERENCE]["layer_norm"]
    text = "\n".join(view.modules.values())
    assert "def softmax" in text
    assert "def attention" not in text
    assert "def self_attention" not in text


def test_the_view_runs_without_the_package():
    view = package_view("layer_norm", TOPICS)
    for name in view.modules:
        compile(view.modules[name], name, "exec")
        assert "jaxtyping" not in view.modules[name]


def test_a_module_of_an_earlier_topic_comes_without_a_later_one():
    topics = {"MultiHeadAttention": "06", "Block": "08", "CharTransformer": "09"}
    view = package_view("Block", topics)
    assert set(view.allowed["minitransformer.model"]) == {"MultiHeadAttention"}
    text = "\n".join(view.modules.values())
    assert "class MultiHeadAttention" in text
    assert "class Block" not in text
