"""The notebook's runner and the sandbox say the same, and neither rejects a right answer."""

import runpy
import sys
from pathlib import Path

import pytest
from grader.grading_room import graded, graded_text, statuses

from minitransformer.grader import card, catalogue
from minitransformer.grader.check import InProcess
from minitransformer.grader.diagnosis import judge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the locks are Linux's"),
]
ALTERNATIVES = sorted((Path(__file__).parent / "alternatives").glob("t*.py"))
SEED = 5  # that of the room


@pytest.mark.parametrize("path", ALTERNATIVES, ids=lambda path: path.stem)
def test_right_answers_are_right_where_they_are_locked_away_too(path):
    (report,) = graded(path)
    topic = path.stem[1:3]
    asked = [one for one in report.exercises if one.topic.startswith(topic)]
    assert asked
    wrong = {
        one.id: (one.status, one.message) for one in asked if one.status != "passed"
    }
    assert not wrong
    assert not [one.policy for one in asked if one.policy]


WRONG = {
    "attention_scores": "def attention_scores(q, k): return q @ np.swapaxes(k, -1, -2)",
    "attention": """
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    powers = np.exp(scores)
    return powers / powers.sum(-1, keepdims=True) @ v, powers / powers.sum(-1, keepdims=True)
""",
    "self_attention": """
def self_attention(x, w_q, w_k, w_v):
    scores = x @ w_q @ np.swapaxes(x @ w_q, -1, -2) / x.shape[-1]
    powers = np.exp(scores - scores.max(-2, keepdims=True))
    weights = powers / powers.sum(-2, keepdims=True)
    return weights @ (x @ w_v), weights
""",
    "softmax": "def softmax(scores, axis=-1): return np.exp(scores) / np.exp(scores).sum()",
    "soft_lookup": "def soft_lookup(query, keys, values, temperature=1.0): return values[0]",
    "entropy": "def entropy(weights): return -(weights * np.log2(weights)).sum(-1)",
    "dot_products": "def dot_products(queries, keys): return queries * keys",
    "causal_mask": "def causal_mask(length): return np.triu(np.ones((length, length), bool))",
    "softmax_backward": "def softmax_backward(weights, grad_weights): grad_weights *= weights",
}


@pytest.mark.parametrize(("name", "source"), WRONG.items(), ids=WRONG.keys())
def test_both_runners_say_the_same_of_a_wrong_answer(name, source, tmp_path):
    report = graded_text(tmp_path, source)
    (found,) = report.exercises
    names = runpy.run_path(str(tmp_path / "submission.py"))
    here = judge(catalogue.exercise(name), InProcess(names[name]), seed=SEED)
    assert found.status == here.status
    assert found.points == here.points
    assert list(found.mistakes) == here.mistakes
    assert found.message == card.message(here)


def test_an_answer_built_on_a_wrong_one_keeps_its_own_points(tmp_path):
    source = """
def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=0, keepdims=True))
    return powers / powers.sum(axis=0, keepdims=True)

def attention(q, k, v):
    weights = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights
"""
    report = graded_text(tmp_path, source)
    assert statuses(report) == {"softmax": "failed", "attention": "passed"}
    softmax, attention = report.exercises
    assert "softmax.wrong_axis" in softmax.mistakes[0]
    assert attention.points == attention.max_points


def test_an_answer_built_on_one_that_was_not_written_is_judged_on_its_own(tmp_path):
    source = """
def softmax(scores, axis=-1):
    raise NotImplementedError("softmax is not written yet")

def attention(q, k, v):
    weights = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights
"""
    report = graded_text(tmp_path, source)
    assert statuses(report) == {"softmax": "not_written", "attention": "passed"}


def test_a_check_of_checks_never_meets_the_bank(tmp_path):
    source = """
import gc, types

def detects_future_leak(attend):
    assert not isinstance(attend, types.FunctionType)
    assert not [one for one in gc.get_objects() if getattr(one, "__name__", "") == "attend"]
    x = np.random.default_rng(0).normal(size=(7, 4))
    before = attend(x)
    for t in range(6):
        changed = x.copy()
        changed[t + 1 :] += 1.0
        if not np.allclose(attend(changed)[: t + 1], before[: t + 1]):
            return True
    return False
"""
    report = graded_text(tmp_path, source)
    assert statuses(report) == {"detects_future_leak": "passed"}, report.exercises
