"""What holds for every formula: inputs stay, types are kept, leading axes are free."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.calls import ARGUMENTS, KEEPS_INTEGERS, Sizes, arguments, outputs, sizes

every_formula = pytest.mark.parametrize("name", sorted(ARGUMENTS))
a_few = settings(max_examples=6)  # for each of some thirty formulas


@every_formula
@a_few
@given(s=sizes, seed=st.integers(0, 99))
def test_read_only_inputs_are_enough_and_stay_as_they_are(name, s, seed):
    positional, keywords = arguments(name, s, leading=(2,), seed=seed)
    arrays = [x for x in positional if isinstance(x, np.ndarray)]
    before = [x.copy() for x in arrays]
    for array in arrays:
        array.flags.writeable = False
    outputs(name, positional, keywords)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@every_formula
@a_few
@given(s=sizes, seed=st.integers(0, 99))
def test_where_the_numbers_lie_in_memory_makes_no_difference(name, s, seed):
    positional, keywords = arguments(name, s, leading=(2,), seed=seed)

    def scattered(x):
        if not isinstance(x, np.ndarray):
            return x
        wide = np.repeat(x, 2, axis=-1)[..., ::2]  # every other number
        return np.asfortranarray(wide) if x.ndim > 1 else wide

    wanted = outputs(name, positional, keywords)
    found = outputs(name, [scattered(x) for x in positional], keywords)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@every_formula
@a_few
@given(s=sizes, seed=st.integers(0, 99))
def test_leading_axes_are_a_batch_of_separate_computations(name, s, seed):
    positional, keywords = arguments(name, s, leading=(2, 3), seed=seed)
    single, _ = arguments(name, s, seed=seed)
    whole = outputs(name, positional, keywords)
    for place in np.ndindex(2, 3):

        def chosen(batched, alone, place=place):
            if not isinstance(batched, np.ndarray) or batched.ndim == alone.ndim:
                return batched
            return batched[place]

        part = [chosen(b, a) for b, a in zip(positional, single, strict=True)]
        for all_, one in zip(whole, outputs(name, part, keywords), strict=True):
            np.testing.assert_allclose(all_[place], one, rtol=1e-10, atol=1e-12)


@every_formula
@a_few
@given(s=sizes, dtype=st.sampled_from([np.float32, np.float64]))
def test_floats_keep_their_type(name, s, dtype):
    for array in outputs(name, *arguments(name, s, dtype=dtype)):
        assert array.dtype == dtype


@every_formula
@a_few
@given(s=sizes, dtype=st.sampled_from([np.int8, np.int64, np.uint8]))
def test_whole_numbers_are_computed_with_as_float64(name, s, dtype):
    positional, keywords = arguments(name, s, dtype=np.float64)
    whole = [
        np.abs(x).astype(dtype)
        if isinstance(x, np.ndarray) and np.issubdtype(x.dtype, np.floating)
        else x
        for x in positional
    ]
    floats = [
        x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype == dtype else x
        for x in whole
    ]
    found = outputs(name, whole, keywords)
    for array, wanted in zip(found, outputs(name, floats, keywords), strict=True):
        if name not in KEEPS_INTEGERS:
            assert array.dtype == np.float64
        np.testing.assert_allclose(array, wanted, rtol=1e-12)


def test_keys_and_values_may_be_shared_by_a_batch_of_queries():
    s = Sizes(Tq=3, Tk=4, D=2, Dv=5, H=1)
    (q, _, _), _ = arguments("attention", s, leading=(6,))
    (_, k, v), _ = arguments("attention", s)
    for name in ("attention", "online_softmax_attention", "tiled_attention"):
        options = {"block": 3} if name == "online_softmax_attention" else {}
        output = outputs(name, [q, k, v], options)[0]
        assert output.shape == (6, 3, 5)
        np.testing.assert_allclose(output[4], outputs("attention", [q[4], k, v], {})[0])
