"""What the grader says about answers: kinds, places, mistakes, points, follow-through."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from minitransformer.grader.catalogue import exercise as find_exercise
from minitransformer.grader.check import InProcess, check
from minitransformer.grader.diagnosis import judge
from minitransformer.grader.exercise import Array, Exercise, Mistake, case


def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def attention(q, k, v):
    weights = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights


def verdict_of(exercise, answer, **options):
    return judge(find_exercise(exercise), InProcess(answer), **options)


def doubling(**changes) -> Exercise:
    """A small exercise: twice x."""
    fields = {
        "id": "double",
        "topic": "01_similarity",
        "title": "Twice",
        "points": 2.0,
        "minutes": 1,
        "difficulty": 1,
        "returns": Array("the double", "T"),
        "draw_cases": lambda draw: iter(
            (case("plain", draw.normal(3)), case("large", draw.normal(4, size=100.0)))
        ),
        "oracle": lambda x, *, factor=2.0, more=0.0: factor * x + more,
        "mistakes": (
            Mistake("tripled", {"factor": 3.0}, "It is tripled.", "How often?"),
            Mistake("one_more", {"more": 1.0}, "One is added.", "What is twice 0?"),
        ),
    }
    return Exercise(**{**fields, **changes})


# ---------------------------------------------------------------- kinds of values
def test_none_asks_about_return():
    verdict = verdict_of("softmax", lambda scores, axis=-1: None)
    assert verdict.status == "failed"
    assert "return" in verdict.fault.words
    assert "None" in verdict.fault.words


def test_one_array_where_two_are_asked_is_said_so():
    verdict = verdict_of("attention", lambda q, k, v: softmax(q @ k.swapaxes(-1, -2)))
    assert "two results" in verdict.fault.words
    assert "output, weights" in verdict.fault.words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a text", "A text"),
        ({"a": 1}, "dict"),
        (iter([1]), "list_iterator"),
        (np.array([1j]), "complex128"),
        (np.array(["a"]), "str"),
        ([[1.0], [1.0, 2.0]], "do not fit into one array"),
        (np.array([object()]), "objects"),
    ],
)
def test_values_of_a_foreign_kind_are_named(value, words):
    verdict = verdict_of("softmax", lambda scores, axis=-1: value)
    assert verdict.status == "failed"
    assert words in verdict.fault.words


def test_nested_lists_count_as_arrays():
    assert (
        verdict_of("softmax", lambda s, axis=-1: softmax(s, axis).tolist()).points == 2
    )


def test_an_array_is_never_taken_apart_for_two_results():
    def stacked(x, order=None):
        return np.stack([x, x])

    exercise = doubling(
        returns=(Array("one", "T"), Array("two", "T")),
        oracle=lambda x, *, factor=2.0, more=0.0: (x, x),
    )
    verdict = judge(exercise, InProcess(stacked))
    assert verdict.status == "failed"
    assert "One array" in verdict.fault.words


def test_a_wrong_shape_says_which_axis():
    verdict = verdict_of("attention", lambda q, k, v: (v, k))
    assert "axis −2 has 3, needed Tq = 2" in verdict.fault.words


def test_too_few_axes_are_counted():
    verdict = verdict_of("entropy", lambda w: w)
    assert "1 axis, not 0" in verdict.fault.words


# ---------------------------------------------------------------- errors
def test_an_error_is_told_with_the_learners_own_line():
    def broken(scores, axis=-1):
        return scores.no_such_thing

    verdict = verdict_of("softmax", broken)
    assert verdict.status == "error"
    assert "no_such_thing" in verdict.fault.words
    assert "return scores.no_such_thing" in verdict.fault.given.line


@pytest.mark.parametrize("error", [SystemExit, RecursionError, ZeroDivisionError])
def test_whatever_is_raised_is_an_error_of_the_answer(error):
    def broken(scores, axis=-1):
        raise error("stop")

    assert verdict_of("softmax", broken).status == "error"


def test_an_exception_that_cannot_be_printed_is_survived():
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    def broken(scores, axis=-1):
        raise MuteError

    assert verdict_of("softmax", broken).fault.words == "MuteError"


def test_an_interruption_reaches_the_person_at_the_keyboard():
    def slow(scores, axis=-1):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict_of("softmax", slow)


def test_where_an_error_is_asked_any_error_will_do_but_it_must_say_what():
    def with_key_error(text, characters):
        return [{one: i for i, one in enumerate(characters)}[one] for one in text]

    def with_find(text, characters):
        return ["".join(characters).index(one) for one in text]

    assert verdict_of("encode", with_key_error).status == "passed"
    assert verdict_of("encode", with_find).mistakes == ["encode.unknown_unnamed"]


def test_what_fails_everywhere_is_not_told_a_mistake():
    def broken(queries, keys):
        raise ValueError("matmul: shapes do not fit")

    assert verdict_of("dot_products", broken).mistakes == []


def test_a_part_that_is_not_written_is_a_failure_not_an_untouched_stub():
    def half(logits, temperature=1.0, top_k=None, top_p=None):
        if temperature == 0 or top_k or top_p:
            raise NotImplementedError
        return softmax(logits / temperature)

    verdict = verdict_of("sampling_probabilities", half)
    assert verdict.status == "failed"
    assert 0 < verdict.points < 3


# ---------------------------------------------------------------- numbers
def test_nan_is_traced_to_the_line_in_which_it_arises():
    def naive(scores, axis=-1):
        powers = np.exp(scores)
        return powers / powers.sum(axis=axis, keepdims=True)

    verdict = verdict_of("softmax", naive)
    assert verdict.fault.kind == "nan"
    assert "powers = np.exp(scores)" in verdict.fault.given.line
    assert "overflow" in verdict.fault.given.reason


def test_changed_inputs_pass_with_a_note():
    def in_place(scores, axis=-1):
        if scores.dtype.kind != "f":
            return softmax(scores, axis)
        scores -= scores.max(axis=axis, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=axis, keepdims=True)
        return scores

    verdict = verdict_of("softmax", in_place)
    assert verdict.status == "passed"
    assert "scores" in verdict.notes[0]
    assert "in place" in verdict.notes[0]


@pytest.mark.parametrize("noise", [1e-9, -5e-9])
def test_noise_within_the_tolerance_is_accepted(noise):
    assert (
        verdict_of("softmax", lambda s, axis=-1: softmax(s, axis) + noise).points == 2
    )


@pytest.mark.parametrize("noise", [1e-6, 3e-7])
def test_noise_beyond_the_tolerance_is_refused_in_float64(noise):
    verdict = verdict_of("softmax", lambda s, axis=-1: softmax(s, axis) * (1 + noise))
    assert verdict.status == "failed"


def test_what_an_answer_prints_or_sets_does_not_leak(capsys):
    before = np.geterr()

    def noisy(scores, axis=-1):
        print("here", scores.shape)
        print("there", file=sys.stderr)
        np.seterr(all="raise")
        return softmax(scores, axis)

    verdict = verdict_of("softmax", noisy)
    assert np.geterr() == before
    assert capsys.readouterr() == ("", "")
    assert verdict.points <= 2


# ---------------------------------------------------------------- mistakes
def test_one_mistake_is_named_with_its_words():
    verdict = judge(doubling(), InProcess(lambda x: 3.0 * x))
    assert verdict.mistakes == ["double.tripled"]
    assert verdict.recognised[0][0].plain == "It is tripled."


def test_two_mistakes_are_joined_in_alphabetical_order():
    verdict = judge(doubling(), InProcess(lambda x: 3.0 * x + 1.0))
    assert verdict.mistakes == ["double.one_more+double.tripled"]


def test_what_no_output_can_tell_apart_is_named_as_one_of():
    twins = (
        *doubling().mistakes,
        Mistake("thrice", {"factor": 3.0}, "Three times.", "How often?"),
    )
    verdict = judge(doubling(mistakes=twins), InProcess(lambda x: x + x + x))
    assert verdict.mistakes == ["double.thrice", "double.tripled"]


def test_a_mistake_is_named_only_if_it_agrees_on_every_case():
    def sometimes(x):
        return 3.0 * x if len(x) == 3 else 2.0 * x

    assert judge(doubling(), InProcess(sometimes)).mistakes == []


def test_another_form_of_a_mistake_has_its_name():
    also = replace(doubling().mistakes[0], also=({"factor": -3.0},))
    verdict = judge(doubling(mistakes=(also,)), InProcess(lambda x: -3.0 * x))
    assert verdict.mistakes == ["double.tripled"]


def test_a_mistake_in_float32_is_recognised_too():
    def naive(q, k, v):
        q, k, v = (one.astype(np.float32) for one in (q, k, v))
        weights = softmax(q @ k.swapaxes(-1, -2))
        return weights @ v, weights

    assert verdict_of("attention", naive).mistakes == ["attention.no_scale"]


def test_what_is_not_recognised_names_the_property_that_broke():
    def odd(q, k, v):
        output, weights = attention(q, k, v)
        return output, weights * 1.3

    verdict = verdict_of("attention", odd)
    assert verdict.mistakes == []
    assert verdict.broken == "each row of the weights adds up to 1"


# ---------------------------------------------------------------- points
def test_points_go_by_groups_that_are_all_right_and_are_never_all():
    verdict = judge(doubling(), InProcess(lambda x: np.clip(2 * x, -50, 50)))
    assert verdict.right == ("plain",)
    assert verdict.wrong == ("large",)
    assert verdict.points == 1.0


def test_right_shapes_alone_earn_nothing():
    assert (
        verdict_of(
            "attention", lambda q, k, v: (0 * q @ k.swapaxes(-1, -2) @ v, v)
        ).points
        == 0
    )


def test_an_error_that_was_asked_for_earns_nothing_by_itself():
    def always(text, characters):
        raise ValueError(text)

    verdict = verdict_of("encode", always)
    assert verdict.points == 0.0


def test_a_check_of_checks_is_paid_by_the_share_it_finds():
    def full_leaks_only(attend):
        x = np.arange(12.0).reshape(4, 3)
        changed = x.copy()
        changed[-1] += 1.0
        return not np.allclose(attend(x)[0], attend(changed)[0])

    verdict = verdict_of("detects_future_leak", full_leaks_only)
    assert verdict.mistakes == ["detects_future_leak.one_place"]
    assert 0 < verdict.points < 3


def test_accusing_a_right_implementation_costs_all_points():
    verdict = verdict_of("detects_future_leak", lambda attend: True)
    assert verdict.points == 0.0
    assert verdict.mistakes == ["detects_future_leak.always_true"]


# ---------------------------------------------------------------- memory
def test_memory_is_measured_where_a_case_limits_it():
    def cases(draw):
        yield case("plain", draw.normal(3))
        yield case("long", np.ones(10_000), peak_limit=200_000)

    exercise = doubling(draw_cases=cases)

    def wasteful(x):
        return (np.ones((40, 1)) * x)[0] * 2.0

    assert judge(exercise, InProcess(lambda x: x * 2.0)).status == "passed"
    verdict = judge(exercise, InProcess(wasteful))
    assert verdict.status == "failed"
    assert verdict.fault.kind == "peak"
    assert verdict.points == 1.0


# ---------------------------------------------------------------- follow-through
NOTEBOOK_OF_WRONG_SOFTMAX = """
import numpy as np

def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=0, keepdims=True))
    return powers / powers.sum(axis=0, keepdims=True)

def attention(q, k, v):
    weights = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights

def unscaled(q, k, v):
    weights = softmax(q @ k.swapaxes(-1, -2))
    return weights @ v, weights
"""


@pytest.fixture
def notebook():
    names = {}
    exec(NOTEBOOK_OF_WRONG_SOFTMAX, names)
    return names


def test_an_answer_keeps_its_points_if_only_an_earlier_one_is_wrong(notebook):
    verdict = check("attention", notebook["attention"]).verdict
    assert verdict.status == "passed"
    assert verdict.points == 3.0
    assert verdict.stock == ("softmax",)


def test_an_answers_own_mistake_is_named_behind_a_wrong_earlier_one(notebook):
    verdict = check("attention", notebook["unscaled"]).verdict
    assert verdict.mistakes == ["attention.no_scale"]
    assert verdict.stock == ("softmax",)


def test_the_learners_own_names_are_back_afterwards(notebook):
    own = notebook["softmax"]
    check("attention", notebook["attention"])
    assert notebook["softmax"] is own


# ---------------------------------------------------------------- hidden cases
def test_hidden_cases_catch_what_knows_the_shown_ones_by_heart():
    shown = find_exercise("softmax").cases()
    table = {
        one.data[0].tobytes(): softmax(one.data[0], **one.options) for one in shown
    }

    def by_heart(scores, axis=-1):
        return table.get(scores.tobytes(), np.zeros(scores.shape))

    assert verdict_of("softmax", by_heart).status == "passed"
    verdict = verdict_of("softmax", by_heart, seed=7)
    assert verdict.status == "failed"
    assert verdict.fault.case.hidden
