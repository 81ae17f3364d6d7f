"""Merging the course's new text with a learner's work."""

import copy
import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from minitransformer.course import cells


def text(name, source, **more):
    return {
        "cell_type": "markdown",
        "id": name,
        "metadata": {},
        "source": source,
        **more,
    }


def code(name, source, outputs=(), **more):
    return {
        **text(name, source),
        "cell_type": "code",
        "execution_count": None,
        "outputs": list(outputs),
        **more,
    }


def answer(exercise, source, name=None, **more):
    mark = {"grade": False, "grade_id": exercise, "solution": True}
    cell = code(name or f"cell-{exercise}", source, **more)
    return {**cell, "metadata": {"nbgrader": mark}}


def notebook(*members):
    return {"cells": list(members), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def merge(mine, new, old):
    return cells.merge(mine, new, cells.digests(old))


def sources(merged):
    return [cells.source(cell) for cell in merged["cells"]]


STUB = "def softmax(scores):\n    raise NotImplementedError"
OLD = notebook(text("a", "Softmax"), answer("softmax", STUB), code("c", "check()"))


def test_an_answer_stays_when_the_text_around_it_is_new():
    mine = copy.deepcopy(OLD)
    mine["cells"][1]["source"] = ["def softmax(scores):\n", "    return my_answer"]
    new = notebook(
        text("new", "Read this first"),
        text("a", "Softmax, better told"),
        answer("softmax", STUB + "  # clearer", name="another-id"),
        code("c", "check()"),
    )
    assert sources(merge(mine, new, OLD)) == [
        "Read this first",
        "Softmax, better told",
        "def softmax(scores):\n    return my_answer",
        "check()",
    ]


def test_a_stub_that_was_not_touched_becomes_the_new_stub():
    new = notebook(OLD["cells"][0], answer("softmax", "def softmax(scores, axis): ..."))
    assert sources(merge(OLD, new, OLD)) == [
        "Softmax",
        "def softmax(scores, axis): ...",
    ]


def test_an_answer_keeps_its_outputs_and_the_exercises_mark():
    mine = copy.deepcopy(OLD)
    said = {"output_type": "stream", "name": "stdout", "text": "hello"}
    mine["cells"][1] |= {"source": "mine", "outputs": [said], "execution_count": 7}
    mine["cells"][1]["metadata"]["nbgrader"]["points"] = 99
    kept = merge(mine, OLD, OLD)["cells"][1]
    assert kept["outputs"] == [said]
    assert kept["execution_count"] == 7
    assert kept["metadata"] == OLD["cells"][1]["metadata"]


def test_an_answer_to_an_exercise_that_is_no_more_stays_as_a_plain_cell():
    mine = notebook(text("a", "Softmax"), answer("softmax", "mine"))
    merged = merge(mine, notebook(text("a", "Softmax")), OLD)
    assert sources(merged) == ["Softmax", "mine"]
    assert "nbgrader" not in merged["cells"][1]["metadata"]


def test_of_two_answers_the_last_counts_and_the_first_stays_beside_it():
    mine = notebook(answer("softmax", "first"), answer("softmax", "second", name="x"))
    merged = merge(mine, OLD, OLD)
    answers = [
        cells.source(cell)
        for cell in merged["cells"]
        if cells.key(cell) == "answer:softmax"
    ]
    assert answers == ["second"]
    assert "first" in sources(merged)


def test_own_cells_stay_below_the_cell_they_were_below():
    mine = notebook(
        code("m0", "on top"),
        OLD["cells"][0],
        text("m1", "my note"),
        code("m2", "my trial"),
        *OLD["cells"][1:],
    )
    new = notebook(text("a", "Softmax, better told"), *OLD["cells"][1:])
    assert sources(merge(mine, new, OLD)) == [
        "on top",
        "Softmax, better told",
        "my note",
        "my trial",
        STUB,
        "check()",
    ]


def test_a_cell_that_only_the_learner_changed_stays_changed():
    mine = copy.deepcopy(OLD)
    mine["cells"][2]["source"] = "check()  # with my print"
    new = notebook(text("a", "Softmax, better told"), *OLD["cells"][1:])
    assert sources(merge(mine, new, OLD))[-1] == "check()  # with my print"


def test_a_cell_that_both_changed_stands_there_twice_the_new_one_first():
    mine = copy.deepcopy(OLD)
    mine["cells"][0]["source"] = "Softmax, as I see it"
    new = notebook(text("a", "Softmax, better told"), *OLD["cells"][1:])
    merged = merge(mine, new, OLD)
    assert sources(merged)[:2] == ["Softmax, better told", "Softmax, as I see it"]
    assert len({cell["id"] for cell in merged["cells"]}) == 4


def test_results_shown_below_unchanged_cells_of_an_exercise_stay():
    mine = copy.deepcopy(OLD)
    mine["cells"][2]["outputs"] = [{"output_type": "execute_result"}]
    new = notebook(text("a", "Softmax, better told"), *OLD["cells"][1:])
    assert merge(mine, new, OLD)["cells"][2]["outputs"]


def test_a_lessons_own_results_win():
    lesson = notebook(code("c", "1 + 1", outputs=["two"]))
    mine = notebook(code("c", "1 + 1", outputs=["something else"]))
    assert merge(mine, lesson, lesson) == lesson


def test_empty_cells_that_an_editor_leaves_behind_go():
    mine = notebook(*OLD["cells"], code("m", "\n"))
    assert sources(merge(mine, OLD, OLD)) == sources(OLD)


def test_cells_without_ids_are_known_by_their_text():
    mine = copy.deepcopy(OLD)
    for cell in mine["cells"]:
        del cell["id"]
    mine["cells"].insert(1, {"cell_type": "markdown", "source": "my note"})
    new = notebook(text("a", "Softmax, better told"), *OLD["cells"][1:])
    merged = merge(mine, new, OLD)
    assert sources(merged) == ["Softmax, better told", "my note", STUB, "check()"]
    assert all(cell["id"] for cell in merged["cells"])


def test_without_a_record_of_what_came_nothing_is_lost():
    mine = copy.deepcopy(OLD)
    mine["cells"][0]["source"] = "Softmax, as I see it"
    mine["cells"][1]["source"] = "mine"
    new = notebook(text("a", "Softmax, better told"), *OLD["cells"][1:])
    assert sources(cells.merge(mine, new, {})) == [
        "Softmax, better told",
        "Softmax, as I see it",
        "mine",
        "check()",
    ]


def test_inputs_are_left_as_they_were():
    mine, new = copy.deepcopy(OLD), copy.deepcopy(OLD)
    mine["cells"][1]["source"] = "mine"
    before = json.dumps([mine, new])
    merge(mine, new, OLD)["cells"][1]["source"] = "changed"
    assert json.dumps([mine, new]) == before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a notebook is JSON; got"),
        (b'{"cells": [', "a notebook is JSON; got"),
        (b"\xff\xfe\x00", "a notebook is JSON; got"),
        (b"[]", "has a list of cells"),
        (b'{"worksheets": []}', "has a list of cells"),
        (b'{"cells": [{"cell_type": "code"}]}', "has a list of cells"),
        (b'{"cells": [{"cell_type": "code", "source": [1]}]}', "has a list of cells"),
    ],
)
def test_what_is_no_notebook_is_refused(data, message):
    with pytest.raises(cells.DamagedNotebookError, match=message):
        cells.read(data)


def test_what_is_written_can_be_read():
    assert cells.read(cells.write(OLD)) == OLD
    assert cells.write(OLD).endswith(b"\n}\n")


# ------------------------------------------------- whatever a learner does to a notebook
EXERCISES = ["dot", "softmax", "attention"]
WORDS = st.text("abc \n", min_size=1, max_size=6)


@st.composite
def versions(draw):
    """Two versions of the course's text, and a learner's notebook made from the first."""
    old = [
        draw(st.sampled_from([text, code]))(f"t{n}", draw(WORDS)) for n in range(3)
    ] + [answer(exercise, f"stub of {exercise}") for exercise in EXERCISES]
    old = draw(st.permutations(old))
    new = [
        {**cell, "source": draw(st.sampled_from([cell["source"], "told anew"]))}
        for cell in old
        if draw(st.booleans())
    ]
    new += [text(f"n{n}", draw(WORDS)) for n in range(draw(st.integers(0, 2)))]
    mine = []
    for number, cell in enumerate(old):
        edit = draw(st.sampled_from(["leave", "leave", "change", "delete", "twice"]))
        if edit == "delete":
            continue
        if edit in ("change", "twice"):
            mine.append({**cell, "source": f"mine {number}"})
        else:
            mine.append(cell)
        if edit == "twice":
            mine.append({**cell, "id": f"copy{number}", "source": f"again {number}"})
        if draw(st.booleans()):
            mine.append(code(f"own{number}", f"own {number}"))
    return (
        notebook(*draw(st.permutations(mine))),
        notebook(*draw(st.permutations(new))),
        notebook(*old),
    )


@given(versions())
def test_nothing_that_a_learner_wrote_goes_missing(drawn):
    mine, new, old = drawn
    shipped = {cells.key(cell): cells.source(cell) for cell in old["cells"]}
    written = {
        cells.source(cell)
        for cell in mine["cells"]
        if shipped.get(cells.key(cell)) != cells.source(cell)
    }
    assert written <= set(sources(merge(mine, new, old)))


@given(versions())
def test_all_of_the_new_text_comes_in_its_order(drawn):
    mine, new, old = drawn
    wanted = [cells.key(cell) for cell in new["cells"]]
    got = [cells.key(cell) for cell in merge(mine, new, old)["cells"]]
    assert [key for key in got if key in wanted] == wanted


@given(versions())
def test_merging_again_changes_nothing(drawn):
    mine, new, old = drawn
    merged = merge(mine, new, old)
    assert merge(merged, new, old) == merged


@given(versions())
def test_every_cell_has_an_id_of_its_own(drawn):
    names = [cell["id"] for cell in merge(*drawn)["cells"]]
    assert len(set(names)) == len(names)
