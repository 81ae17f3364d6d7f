"""Predictions: asked, kept, scored, and never lost or invented."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import ipywidgets as widgets
import pytest

from minitransformer.notebook import predict, reveal
from minitransformer.notebook import predictions as room
from minitransformer.notebook.prediction_log import (
    Prediction,
    calibration,
    feedback,
    predictions_folder,
    read_predictions,
    save_prediction,
)

SHARE = Prediction(id="03.share", question="share", low=0.0, high=1.0)
ROW = Prediction(id="03.row", question="which row", choices=("row 1", "row 2"))


def form(asked, earlier=None, folder=None):
    return room._form(asked, earlier, folder)


def part(box, kind, description=None):
    """Find a control by its kind and the words on it."""
    found = [box] if isinstance(box, kind) else []
    for child in getattr(box, "children", ()):
        found += [part(child, kind, description)]
    found = [one for one in found if one is not None]
    matching = [
        one for one in found if description in (None, getattr(one, "description", None))
    ]
    return matching[0] if matching else None


def status(box):
    return box.children[-1].value


def test_a_question_without_an_answer_reads_the_same_everywhere(shown):
    predict("03.share", "share of the largest weight", low=0.0, high=1.0)
    reveal("03.share", 0.97449)
    assert [one.words for one in shown] == [
        "Predict: share of the largest weight (a number from 0 to 1)",
        "share of the largest weight: 0.974 · not predicted",
    ]


def test_choices_read_the_same_everywhere(shown):
    predict("03.row", "which row changes", choices=["row 1", "row 2"])
    reveal("03.row", "row 2")
    assert [one.words for one in shown] == [
        "Predict: which row changes (row 1 or row 2)",
        "which row changes: row 2 · not predicted",
    ]


def test_asking_and_revealing_twice_gives_the_same_output_twice(shown):
    for _ in range(2):
        predict("03.share", "share", low=0.0, high=1.0)
    for _ in range(2):
        reveal("03.share", 0.5)
    assert shown[0].words == shown[1].words
    assert shown[2].words == shown[3].words


def test_a_number_typed_and_entered_is_kept_and_scored(course_folder, shown):
    predict("03.share", "share", low=0.0, high=1.0)
    box = form(SHARE, folder=course_folder)
    part(box, widgets.Text).value = "0,4"
    assert "Recorded: 0.4." in status(box)
    reveal("03.share", 0.9)
    assert shown[-1].words == "share: 0.900 · you said 0.400: off by 50 % of the range"
    (kept,) = read_predictions(course_folder)
    assert kept == replace(SHARE, said=0.4, answer=0.9)


def test_a_choice_pressed_is_kept_and_scored(course_folder, shown):
    predict("03.row", "which row", choices=["row 1", "row 2"])
    part(form(ROW, folder=course_folder), widgets.Button, "row 2").click()
    reveal("03.row", "row 2")
    assert shown[-1].words == "which row: row 2 · you said row 2: right"


def test_a_prediction_outlives_its_kernel(course_folder, shown, monkeypatch):
    save_prediction(course_folder, replace(SHARE, said=0.9))
    monkeypatch.setattr(room, "_asked", {})
    reveal("03.share", 0.905)
    assert shown[-1].words == "share: 0.905 · you said 0.900: very close"


def test_the_first_result_is_the_one_that_counts(course_folder, shown):
    save_prediction(course_folder, replace(SHARE, said=0.9))
    reveal("03.share", 0.5)
    reveal("03.share", 0.9)
    assert read_predictions(course_folder)[0].answer == 0.5


def test_an_answer_after_the_result_does_not_count(course_folder, shown):
    predict("03.share", "share", low=0.0, high=1.0)
    reveal("03.share", 0.9)
    box = form(SHARE, folder=course_folder)
    part(box, widgets.Text).value = "0.9"
    assert "shown already" in status(box)
    assert not course_folder.exists()


def test_a_scored_question_is_not_asked_again(course_folder):
    box = form(SHARE, replace(SHARE, said=0.4, answer=0.9), course_folder)
    assert part(box, widgets.Text) is None
    assert "you said 0.400" in status(box)


def test_a_skipped_question_is_remembered_as_skipped(course_folder):
    part(form(SHARE, folder=course_folder), widgets.Button, "Skip").click()
    assert read_predictions(course_folder) == [SHARE]
    assert calibration(read_predictions(course_folder)).skipped == 1


@pytest.mark.parametrize("typed", ["half", "1.5", "-0.1", "nan"])
def test_what_is_no_answer_is_told_and_not_kept(course_folder, typed):
    box = form(SHARE, folder=course_folder)
    part(box, widgets.Text).value = typed
    assert "Needed: a number from 0 to 1; got" in status(box)
    assert not course_folder.exists()


def test_outside_a_course_folder_nothing_is_written_and_the_form_says_so(
    tmp_path, monkeypatch, shown
):
    monkeypatch.chdir(tmp_path)
    predict("03.share", "share", low=0.0, high=1.0)
    box = form(SHARE)
    part(box, widgets.Text).value = "0.9"
    reveal("03.share", 0.9)
    assert "this is no course folder" in status(box)
    assert shown[-1].words.endswith("you said 0.900: very close")
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_course_folder_upward_is_used(tmp_path):
    inner = tmp_path / "course" / "lessons"
    inner.mkdir(parents=True)
    (tmp_path / ".minitransformer").mkdir()
    (tmp_path / "course" / ".minitransformer").mkdir()
    assert (
        predictions_folder(inner)
        == tmp_path / "course" / ".minitransformer" / "predictions"
    )


def test_every_control_has_words_of_its_own():
    for asked in (SHARE, ROW):
        row = form(asked).children[1]
        assert all(control.description for control in row.children)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"id": "03.share"}',
        '{"id": "../x", "question": "q"}',
        "\udcff",
    ],
)
def test_a_damaged_file_costs_one_prediction_only(tmp_path, text):
    save_prediction(tmp_path, ROW)
    (tmp_path / "03.share.json").write_text(
        text, encoding="utf-8", errors="surrogateescape"
    )
    assert read_predictions(tmp_path) == [ROW]


def test_an_answer_of_another_kind_in_a_file_is_passed_over(tmp_path):
    save_prediction(tmp_path, SHARE)
    path = tmp_path / "03.share.json"
    fields = json.loads(path.read_text(encoding="utf-8")) | {"said": "much"}
    path.write_text(json.dumps(fields), encoding="utf-8")
    assert read_predictions(tmp_path) == []


def test_a_disk_that_fills_leaves_the_old_prediction_and_no_scraps(
    tmp_path, monkeypatch
):
    save_prediction(tmp_path, replace(SHARE, said=0.1))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_prediction(tmp_path, replace(SHARE, said=0.2))
    assert read_predictions(tmp_path) == [replace(SHARE, said=0.1)]
    assert [path.name for path in tmp_path.iterdir()] == ["03.share.json"]


def _save_and_die(folder, point):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(*{"sync": (os, "fsync"), "replace": (Path, "replace")}[point], die)
    save_prediction(folder, replace(SHARE, said=0.2))


@pytest.mark.parametrize("point", ["sync", "replace"])
def test_a_kill_while_saving_leaves_the_old_prediction_whole(tmp_path, point):
    save_prediction(tmp_path, replace(SHARE, said=0.1))
    fork = multiprocessing.get_context("fork")
    saver = fork.Process(target=_save_and_die, args=(tmp_path, point))
    saver.start()
    saver.join(30)
    assert saver.exitcode == -signal.SIGKILL
    assert read_predictions(tmp_path) == [replace(SHARE, said=0.1)]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (0.91, "you said 0.910: very close"),
        (0.85, "you said 0.850: close"),
        (0.4, "you said 0.400: off by 50 % of the range"),
    ],
)
def test_distance_is_a_share_of_the_range(said, told):
    assert feedback(replace(SHARE, said=said, answer=0.9)) == told


def test_without_a_range_distance_is_a_share_of_the_larger_number():
    open_question = Prediction(
        id="09.size", question="parameters", said=50.0, answer=200.0
    )
    assert (
        feedback(open_question, digits=0)
        == "you said 50: off by 75 % of the larger of the two"
    )


def test_a_wrong_choice_is_told_the_right_one():
    assert (
        feedback(replace(ROW, said="row 1", answer="row 2"))
        == "you said row 1: it is row 2"
    )


def test_calibration_sums_up_what_was_scored():
    told = calibration(
        [
            replace(SHARE, said=0.5, answer=0.6),
            replace(SHARE, said=0.1, answer=0.9),
            replace(ROW, said="row 1", answer="row 1"),
            replace(ROW, said="row 1"),
            SHARE,
        ]
    )
    assert (told.asked, told.skipped, told.right, told.choices) == (5, 1, 1, 1)
    assert str(told).splitlines() == [
        "3 predictions scored, 1 skipped.",
        "Numbers: 1 of 2 within a tenth of the range; half of them within 45 %.",
        "Choices: 1 of 1 right; guessing would have given 0.5.",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "share"}, "topic and a name, as in '03.largest_weight'; got 'share'"),
        ({"low": 0.0}, "low and high go together; got low=0.0, high=None"),
        (
            {"low": 1.0, "high": 1.0},
            "low must be less than high; got low=1.0, high=1.0",
        ),
        ({"choices": ("a",)}, r"two or more different ones.*got \('a',\)"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Prediction(**({"id": "03.x", "question": "q"} | fields))


def test_an_answer_that_is_none_of_the_choices_is_refused(shown):
    predict("03.row", "which row", choices=["row 1", "row 2"])
    with pytest.raises(ValueError, match=r"one of \('row 1', 'row 2'\); got 'row 3'"):
        reveal("03.row", "row 3")
