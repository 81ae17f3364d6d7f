"""The card that a learner reads: in a notebook, in a terminal, in a report."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import minitransformer
from minitransformer.grader import card
from minitransformer.grader.catalogue import exercise as find_exercise
from minitransformer.grader.check import InProcess, check
from minitransformer.grader.diagnosis import judge


def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def right(q, k, v):
    weights = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights


def unscaled(q, k, v):
    weights = softmax(q @ k.swapaxes(-1, -2))
    return weights @ v, weights


def stub(q, k, v):
    raise NotImplementedError


@pytest.fixture(params=[right, unscaled, stub], ids=lambda one: one.__name__)
def result(request):
    return check("attention", request.param)


class Reader(HTMLParser):
    """Notes tags that are opened and not closed, and every attribute."""

    def __init__(self, page):
        super().__init__()
        self.open, self.attributes, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *one) for one in attrs]
        if tag not in ("br", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *one) for one in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_package_hands_out_check():
    assert minitransformer.check is check


def test_plain_text_is_the_points_as_a_plain_float(result):
    bundle = result._repr_mimebundle_()
    assert bundle["text/plain"] == repr(float(result))
    assert float(bundle["text/plain"]) == result.points
    assert type(result.points) is float


def test_the_card_is_well_formed_and_needs_nothing_from_outside(result):
    page = Reader(result._repr_mimebundle_()["text/html"])
    assert page.open == []
    for tag, name, value in page.attributes:
        assert name != "src"
        assert tag != "script"
        assert "://" not in (value or "")
        if name == "href":
            assert value.startswith("../lessons/03_self_attention.ipynb#")


def test_the_card_has_a_name_for_screen_readers(result):
    page = Reader(result._repr_mimebundle_()["text/html"])
    assert ("section", "aria-label", "Result of attention") in page.attributes


def test_right_says_what_was_verified():
    words = str(check("attention", right))
    assert words.startswith("✓ attention: right · 3 of 3 points")
    assert "Verified: plain, leading axes" in words


def test_wrong_says_the_mistake_the_input_what_came_what_was_needed_and_asks():
    words = str(check("attention", unscaled))
    assert "not divided by √D" in words
    assert "?" in words
    assert "q = [[" in words
    assert "came" in words
    assert "needed" in words
    assert "*" in words
    assert "Why divide by the root of D?" in words


def test_not_written_is_neutral():
    words = str(check("attention", stub))
    assert words.startswith("○ attention: not written yet")
    assert "✗" not in words


def test_differing_entries_are_marked_by_more_than_colour():
    page = check("attention", unscaled)._repr_mimebundle_()["text/html"]
    assert '<td class="differs" title="differs"><strong>' in page
    assert re.search(r'<svg role="img" aria-label="[^"]+differ and are framed"', page)


def test_what_an_answer_says_cannot_become_part_of_the_page():
    def mean(q, k, v):
        print("<b>x</b>")
        raise ValueError("<script>alert(1)</script>")

    page = check("attention", mean)._repr_mimebundle_()["text/html"]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_what_an_answer_prints_is_shown():
    def talks(q, k, v):
        print("scores", q.shape)
        return unscaled(q, k, v)

    assert "scores (2, 4)" in str(check("attention", talks))


def test_a_message_for_reports_is_one_short_printable_paragraph():
    def shouts(q, k, v):
        raise ValueError("\x1b[31m\n" + "a" * 5000)

    words = card.message(check("attention", shouts).verdict)
    assert len(words) <= 2000
    assert words.isprintable()


def test_messages_tell_nothing_about_hidden_inputs():
    def only_shown(scores, axis=-1):
        if np.all(np.round(scores, 1) == scores):
            return softmax(scores, axis)
        raise ValueError("secret" + str(scores.size))

    verdict = judge(find_exercise("softmax"), InProcess(only_shown), seed=3)
    assert verdict.fault.case.hidden
    assert verdict.status == "error"
    assert "secret1" not in card.message(verdict)

    def rounds(scores, axis=-1):
        weights = softmax(scores, axis)
        return weights if np.all(np.round(scores, 1) == scores) else weights * 1.1

    verdict = judge(find_exercise("softmax"), InProcess(rounds), seed=3)
    assert verdict.fault.case.hidden
    for words in (card.message(verdict), card.text(verdict)):
        assert "hidden" in words
        assert "the weights add up to 1" in words
        assert "[" not in words


def test_two_mistakes_are_both_told():
    def both(q, k, v):
        weights = softmax(q @ k.swapaxes(-1, -2), axis=-2)
        return weights @ v, weights

    words = str(check("attention", both))
    assert "not divided by √D" in words
    assert "softmax runs over the queries" in words


def test_a_call_in_place_of_the_function_is_explained():
    with pytest.raises(TypeError, match=r"check\('softmax', softmax\)"):
        check("softmax", softmax(np.ones(3)))


def test_a_check_answers_in_a_blink():
    def wrong_in_three_ways(q, k, v):
        weights = np.exp(q @ k.swapaxes(-1, -2))
        weights = weights / weights.sum(axis=-2, keepdims=True)
        return weights @ v, weights

    import time

    def seconds(answer):
        started = time.perf_counter()
        check("attention", answer)
        return time.perf_counter() - started

    assert min(seconds(right) for _ in range(5)) < 0.1
    assert min(seconds(wrong_in_three_ways) for _ in range(5)) < 0.1


def test_results_can_be_written_as_json_by_their_parts():
    found = check("attention", unscaled)
    told = json.dumps([found.status, found.points, found.mistakes])
    assert json.loads(told) == ["failed", 0.6, ["attention.no_scale"]]
