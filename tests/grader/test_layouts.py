"""Right answers stay right however their inputs lie in memory, and for any shapes."""

import contextlib
import warnings

import numpy as np
import pytest
from grader.answers_at_hand import IDS, alternatives
from hypothesis import given, settings
from hypothesis import strategies as st

import minitransformer.reference as reference
from minitransformer.grader.catalogue import exercise as find_exercise
from minitransformer.grader.comparison import Misfit, alike, read, single
from minitransformer.grader.exercise import Text
from minitransformer.grader.outcome import plain

# data that share leading axes; the others, parameters say, have none
LEADING = {
    "dot_products": (0, 1),
    "cosine_similarity": (0, 1),
    "softmax": (0,),
    "entropy": (0,),
    "attention_scores": (0, 1),
    "attention": (0, 1, 2),
    "self_attention": (0,),
    "softmax_backward": (0, 1),
    "attention_backward": (0, 1, 2, 3),
    "masked_softmax": (0, 1),
    "masked_attention": (0, 1, 2, 3),
    "rotary": (0,),
    "split_heads": (0,),
    "merge_heads": (0,),
    "multi_head_attention": (0,),
    "cross_attention": (0, 1),
    "layer_norm": (0,),
    "feed_forward": (0,),
    "recurrent_states": (0,),
    "online_softmax_attention": (0, 1, 2),
}


def holds_arrays_only(exercise):
    spec = find_exercise(exercise)
    first = spec.cases()[0]
    held = (*first.data, *first.options.values())
    return not spec.needs_torch and not any(map(callable, held))


def strided(x):
    """The same numbers with gaps between them."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def turned(x):
    """The same numbers, columns first."""
    return np.asfortranarray(x)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {"strided": strided, "turned": turned, "read only": read_only}


def laid_out(value, layout):
    if isinstance(value, np.ndarray) and value.ndim:
        return LAYOUTS[layout](value)
    return value


def one_more_axis(case, places, copies):
    """Repeat what has leading axes along a new one, by broadcasting."""
    return tuple(
        np.broadcast_to(value, (copies, *value.shape)) if place in places else value
        for place, value in enumerate(case.data)
    )


def called(answer, data, options):
    """Call without the runner's copies, so that layouts reach the answer."""
    with (
        np.errstate(all="ignore"),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(None),
    ):
        warnings.simplefilter("ignore")
        return plain(answer(*data, **options))


@pytest.mark.parametrize("exercise", [one for one in IDS if holds_arrays_only(one)])
@settings(max_examples=12)
@given(data=st.data())
def test_right_answers_do_not_mind_layout_shapes_and_dtypes(exercise, data):
    spec = find_exercise(exercise)
    cases = [
        one
        for one in spec.cases(data.draw(st.integers(0, 50), label="seed"))
        if one.peak_limit is None
    ]
    case = data.draw(st.sampled_from(cases), label="case")
    answers = {"the oracle": spec.oracle, **alternatives()[exercise]}
    if hasattr(reference, exercise) and spec.returns != Text():
        answers["the reference"] = getattr(reference, exercise)
    name = data.draw(st.sampled_from(sorted(answers)), label="answer")
    layout = data.draw(st.sampled_from(sorted(LAYOUTS)), label="layout")
    inputs = case.data
    if data.draw(st.booleans(), label="one more leading axis"):
        places = LEADING.get(exercise, ())
        mine = [p for p in places if np.ndim(inputs[p]) >= 2]
        if mine == list(places) and case.options.get("axis", -1) == -1:
            inputs = one_more_axis(case, places, 2)
    inputs = tuple(laid_out(value, layout) for value in inputs)

    try:
        needed = called(spec.oracle, inputs, case.options)
    except ValueError:
        with pytest.raises(Exception) as error:  # noqa: PT011 - an error of any kind
            called(answers[name], inputs, case.options)
        assert case.must_say in str(error.value)
        return
    given = called(answers[name], inputs, case.options)
    one, two = read(spec.returns, given), read(spec.returns, needed)
    assert not isinstance(one, Misfit)
    assert not isinstance(two, Misfit)
    assert alike(one, two, single(1e4))
