"""What the package computes and what the grader holds to be right are the same."""

import pytest

from minitransformer import check, reference
from minitransformer.grader.catalogue import exercises

TWINS = [
    exercise
    for topic in range(14)
    for exercise in exercises(f"{topic:02}")
    if hasattr(reference, exercise.id)
]


def test_nearly_every_exercise_has_its_twin():
    assert len(TWINS) == 42


@pytest.mark.usefixtures("shapes_unchecked")  # a temperature may be the whole number 0
@pytest.mark.parametrize("exercise", TWINS, ids=lambda exercise: exercise.id)
def test_the_packages_own_function_gets_every_point(exercise):
    result = check(exercise.id, getattr(reference, exercise.id))
    assert result.points == exercise.points, str(result)
