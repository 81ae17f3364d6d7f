"""nbgrader, run over the same notebooks, gives honest submissions the same points."""

import sys

import pytest
from grader.grading_room import graded

from benchmarks import nbgrader_course
from minitransformer.grader import catalogue

pytest.importorskip("nbgrader")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the locks are Linux's"),
]

RIGHT = {
    "attention_scores": """
def attention_scores(q, k):
    return np.einsum("...id,...jd->...ij", q, k) / q.shape[-1] ** 0.5
""",
    "self_attention": """
def softly(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)

def self_attention(x, w_q, w_k, w_v):
    weights = softly(attention_scores(x @ w_q, x @ w_k))
    return weights @ (x @ w_v), weights
""",
    "softmax_backward": """
def softmax_backward(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).sum(-1, keepdims=True))
""",
}
NO_SCALE = "def attention_scores(q, k):\n    return q @ np.swapaxes(k, -1, -2)\n"
NO_SUM = (
    "def softmax_backward(weights, grad_weights):\n    return weights * grad_weights\n"
)
ERROR = "def self_attention(x, w_q, w_k, w_v):\n    return x @ w_q.T @ missing\n"
NOTHING = "def softmax_backward(weights, grad_weights):\n    weights * grad_weights\n"
STUDENTS = {
    "right": RIGHT,
    "unwritten": dict.fromkeys(RIGHT, ""),
    "no_sum": {**RIGHT, "softmax_backward": NO_SUM},
    "an_error": {**RIGHT, "self_attention": ERROR},
    "no_return": {**RIGHT, "softmax_backward": NOTHING},
    "built_on_a_wrong_one": {**RIGHT, "attention_scores": NO_SCALE},
}


def test_nbgrader_gives_honest_submissions_the_same_points(tmp_path):
    points = {name: catalogue.exercise(name).points for name in RIGHT}
    course = tmp_path / "course"
    course.mkdir()
    notebooks = {
        student: nbgrader_course.exercise_notebook(answers, points)
        for student, answers in STUDENTS.items()
    }
    source = nbgrader_course.exercise_notebook(dict.fromkeys(RIGHT, ""), points)
    nbgrader_course.lay_out(course, source, notebooks)
    nbgrader_course.run(course, "generate_assignment", nbgrader_course.ASSIGNMENT)
    nbgrader_course.run(course, "autograde", nbgrader_course.ASSIGNMENT)
    theirs = nbgrader_course.scores(course, list(STUDENTS))
    ours = {
        report.name: {one.id: one.points for one in report.exercises if one.id in RIGHT}
        for report in graded(course / "submitted")
    }
    assert ours == theirs
