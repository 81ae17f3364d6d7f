"""What the pages of the catalogue promise beyond the rates."""

import re
from pathlib import Path

import pytest
from grader.answers_at_hand import IDS, PAGE_OF

from minitransformer.grader.catalogue import PAGES, exercises
from minitransformer.grader.catalogue import exercise as find_exercise

AUTHORING = Path(__file__).parents[2] / "authoring"
each_exercise = pytest.mark.parametrize("exercise", IDS)


@each_exercise
def test_links_lead_to_headings_of_the_lesson(exercise):
    spec = find_exercise(exercise)
    lesson = AUTHORING / spec.topic / "lesson.py"
    if not lesson.exists():
        pytest.skip(f"{spec.topic} has no lesson yet")
    headings = set(re.findall(r"^#+ (.+)$", lesson.read_text(encoding="utf-8"), re.M))
    places = {spec.place, *(one.place or spec.place for one in spec.mistakes)}
    assert places <= headings


@each_exercise
def test_cases_go_from_shown_to_hidden_and_are_the_same_for_one_seed(exercise):
    spec = find_exercise(exercise)
    shown, one, two = spec.cases(), spec.cases(5), spec.cases(5)
    assert not any(case.hidden for case in shown)
    assert all(case.hidden for case in one)
    assert [case.group for case in one] == [case.group for case in two]
    assert {case.group for case in one} == {case.group for case in shown}


@each_exercise
def test_what_an_exercise_is_built_on_exists_and_comes_earlier(exercise):
    spec = find_exercise(exercise)
    for below in spec.built_on:
        assert IDS.index(below) < IDS.index(exercise)


def test_exercises_of_a_topic_are_found_by_its_number_or_name():
    assert [one.id for one in exercises("03")] == list(PAGES["t03_self_attention"])
    assert exercises("03_self_attention") == exercises("03")
    assert len(exercises()) == len(IDS) == len(PAGE_OF)


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean softmax"):
        find_exercise("sofmax")
