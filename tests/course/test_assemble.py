"""A transformer from a learner's answers, at every stage of their way through the course."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from minitransformer.course import assemble as room
from minitransformer.course.assemble import (
    LESSONS,
    ON_TORCH,
    Race,
    Sizes,
    assemble,
    learner_folder,
)
from minitransformer.model import shakespeare_model
from minitransformer.reference import forward

ROOT = Path(__file__).parents[2]
SIZES = Sizes(vocab_size=11, context_length=8, width=12, num_heads=3, num_layers=2)
IDS = np.random.default_rng(0).integers(11, size=200)


def cell(name, source):
    mark = {"nbgrader": {"solution": True, "grade_id": name}} if name else {}
    return {"cell_type": "code", "source": source, "metadata": mark, "outputs": []}


def write_page(folder, page, **answers):
    cells = [cell("", "import numpy as np\nimport torch\nfrom torch import nn")]
    cells += [cell(name, source) for name, source in answers.items()]
    path = folder / "exercises" / f"{page}.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))


@pytest.fixture
def folder(tmp_path):
    """A learner's folder without a page in it."""
    (tmp_path / ".minitransformer").mkdir()
    (tmp_path / "exercises").mkdir()
    return tmp_path


def put(folder, kind, *lessons):
    """Put pages in: "exercises" that are not begun, or "solutions"."""
    for lesson in lessons:
        for page in (ROOT / kind).glob(f"{lesson}_*.ipynb"):
            shutil.copy(page, folder / "exercises" / page.name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The transformer of a learner who has solved everything."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(ROOT / "solutions", folder / "exercises")
    return assemble(folder)


def whose(assembly):
    return {name: part.whose for name, part in assembly.parts.items()}


def forward_of(assembly):
    """Run the plain and the shipped kind of model; give the logits."""
    arrays = Race({"it": assembly}, SIZES).arrays("it")
    plain = {"num_heads": 3, "num_layers": 2}
    trained = shakespeare_model()
    shipped, settings = trained.model.reference_arrays(), vars(trained.model.config)
    ids = np.arange(20)[None]
    return (
        assembly.forward(IDS[None, :8], arrays, plain),
        forward(IDS[None, :8], arrays, plain),
        assembly.forward(ids, shipped, settings),
        forward(ids, shipped, settings),
    )


def assert_equal_to_the_reference(assembly):
    plain, plain_reference, shipped, shipped_reference = forward_of(assembly)
    assert np.allclose(plain, plain_reference, atol=1e-5)  # float32
    assert np.allclose(shipped, shipped_reference, atol=1e-4)  # three layers, V of 64
    runners = {"yours": assembly, "reference": assemble(None)}
    for losses in Race(runners, SIZES).run(IDS, 5, batch_size=4):
        assert losses["yours"] == pytest.approx(losses["reference"], abs=1e-5)


# ------------------------------------------------------------------------- the learner


def test_outside_of_a_folder_all_is_the_reference(tmp_path):
    assert learner_folder(tmp_path) is None
    assembly = assemble(None)
    assert set(whose(assembly).values()) == {"reference"}
    assert assembly.share == 0.0
    assert_equal_to_the_reference(assembly)


def test_the_folder_is_found_from_its_lessons(folder):
    (folder / "lessons").mkdir()
    assert learner_folder(folder / "lessons") == folder


@pytest.mark.slow  # torch starts where answers are checked
def test_who_has_written_nothing_gets_the_reference(folder):
    put(folder, "exercises", *sorted(set(LESSONS.values())))
    assembly = assemble(folder)
    assert assembly.yours == 0
    assert {part.answer for part in assembly.parts.values()} == {"not written yet"}


def test_missing_pages_count_as_not_written(folder):
    assert assemble(folder).yours == 0


@pytest.mark.slow  # torch starts where answers are checked
def test_who_is_half_done_gets_the_rest_from_the_reference(folder):
    put(folder, "exercises", "03", "05", "06", "09")
    put(folder, "solutions", "02", "04", "08")
    assembly = assemble(folder)
    own = {name for name, one in whose(assembly).items() if one == "yours"}
    assert own == {name for name, at in LESSONS.items() if at in ("02", "04", "08")}
    assert assembly.share == len(own) / len(LESSONS)
    assert_equal_to_the_reference(assembly)
    assert assembly.calls()["masked_attention"] > 0


def test_who_is_done_runs_on_their_own_code_alone(finished):
    assert set(whose(finished).values()) == {"yours"}
    assert finished.share == 1.0
    assert_equal_to_the_reference(finished)


def test_an_answer_calls_the_learners_own_earlier_answers(finished):
    before = finished.calls()
    block = finished.parts["Block"](12, 3, 48)
    assert type(block).__module__ == "your_Block"
    assert type(block.attention).__module__ == "your_MultiHeadAttention"
    assert finished.calls()["MultiHeadAttention"] == before["MultiHeadAttention"] + 1


def test_an_early_answer_runs_inside_what_stands_in_for_later_ones(folder):
    put(folder, "solutions", "02", "03")
    assembly = assemble(folder)
    forward_of(assembly)
    assert assembly.calls()["softmax"] > 0
    assert assembly.calls()["attention_scores"] > 0


def test_wrong_answers_are_left_out_and_what_is_built_on_them_stays(folder):
    put(folder, "solutions", "04")
    page = next((folder / "exercises").glob("04_*.ipynb"))
    text = page.read_text()
    right = "allowed = np.where(mask, scores, -np.inf)"
    assert right in text
    page.write_text(text.replace(right, "allowed = np.where(mask, scores, 0.0)"))
    assembly = assemble(folder)
    wrong = assembly.parts["masked_softmax"]
    assert (wrong.whose, wrong.answer) == ("reference", "not right yet")
    assert_equal_to_the_reference(assembly)


@pytest.mark.slow  # what is endless takes all the time there is
def test_endless_and_broken_answers_cost_only_themselves(folder):
    page = "08_transformer_block"
    endless = "def layer_norm(x, gain, bias, eps=1e-5):\n    while True:\n        pass"
    right = "def feed_forward(x, w_1, b_1, w_2, b_2):\n    return np.maximum(x @ w_1 + b_1, 0) @ w_2 + b_2"
    write_page(folder, page, layer_norm=endless, feed_forward=right, Block="class :")
    (folder / "exercises" / "02_soft_lookup.ipynb").write_text("{")
    assembly = assemble(folder)
    assert whose(assembly)["feed_forward"] == "yours"
    assert assembly.parts["layer_norm"].answer == "not right yet"
    assert assembly.parts["Block"].answer == "not right yet"
    assert assembly.parts["softmax"].answer == "cannot be read"


def test_the_reference_handed_in_does_not_count_as_ones_own(folder):
    page = "05_positions"
    write_page(folder, page, rotary="from minitransformer.reference import rotary")
    part = assemble(folder).parts["rotary"]
    assert (part.whose, part.answer) == ("reference", "taken from a library")


# ------------------------------------------------------------------------- what it does


def test_the_table_and_the_picture_tell_the_same(folder):
    put(folder, "solutions", "04")
    assembly = assemble(folder)
    columns, stages = assembly.columns(), assembly.stages()
    assert columns["part"] == list(LESSONS)
    assert {len(column) for column in columns.values()} == {len(LESSONS)}
    drawn = {name: own for stage in stages.values() for name, own in stage.items()}
    told = dict(zip(columns["part"], columns["whose"], strict=True))
    assert drawn == {name: one == "yours" for name, one in told.items()}


def test_it_writes_as_the_reference_does(finished):
    trained = shakespeare_model()
    arrays, settings = trained.model.reference_arrays(), vars(trained.model.config)
    texts = [
        "".join(
            one.write(
                *(arrays, settings, trained.characters, "ROMEO:\n", 80),
                rng=np.random.default_rng(0),
                temperature=0.5,
            )
        )
        for one in (finished, assemble(None))
    ]
    assert len(texts[0]) == 80
    assert texts[0] == texts[1]


def test_a_swapped_part_changes_the_new_assembly_alone(finished):
    wrong = finished.with_parts(causal_mask=lambda T: np.ones((T, T), bool))
    assert whose(wrong)["causal_mask"] == "swapped in"
    assert wrong.yours == len(LESSONS) - 1
    plain, plain_reference, _, _ = forward_of(wrong)
    assert not np.allclose(plain, plain_reference, atol=1e-2)
    assert_equal_to_the_reference(finished)


def test_only_parts_can_be_swapped():
    with pytest.raises(ValueError, match=r"a part is one of encode, .*; got soft_max"):
        assemble(None).with_parts(soft_max=np.exp)


def test_a_failing_part_is_named_with_its_line_and_no_traceback(folder):
    fails = "def softmax(scores, axis=-1):\n    if scores.shape[axis] == 20:\n        raise KeyError('odd')\n    e = np.exp(scores - scores.max(axis=axis, keepdims=True))\n    return e / e.sum(axis=axis, keepdims=True)"
    write_page(folder, "02_soft_lookup", softmax=fails)
    assembly = assemble(folder)
    assert whose(assembly)["softmax"] == "yours"
    with pytest.raises(room.PartError) as caught:
        forward_of(assembly)
    told = str(caught.value)
    assert told.startswith("yours: softmax (lesson 02) failed with KeyError: 'odd'")
    assert told.endswith("in line 3 of its cell: raise KeyError('odd')")
    assert caught.value._render_traceback_() == [told]


def test_a_failing_module_is_named_too(finished):
    class Attention(finished.parts["MultiHeadAttention"].function):
        def forward(self, x, memory=None, mask=None):
            raise RuntimeError("no")

    wrong = finished.with_parts(MultiHeadAttention=Attention)
    with pytest.raises(room.PartError, match="swapped in: MultiHeadAttention"):
        list(Race({"wrong": wrong}, SIZES).run(IDS, 1))


def test_an_error_of_the_reference_stays_as_it_is():
    with pytest.raises(ValueError, match="every character must be one of"):
        assemble(None).parts["encode"]("é", "ab")


def test_a_swapped_part_is_reported_where_it_trains(finished):
    wrong = finished.with_parts(
        training_step=lambda *data: 2.0 * finished.parts["training_step"](*data)
    )
    runners = {"wrong": wrong, "right": finished}
    for losses in Race(runners, SIZES).run(IDS, 2):
        assert losses["wrong"] == pytest.approx(2 * losses["right"], abs=1e-4)


def test_every_part_has_a_twin_in_the_package():
    for name in LESSONS:
        assert callable(room._package(name))
    assert set(ON_TORCH) <= set(LESSONS)
