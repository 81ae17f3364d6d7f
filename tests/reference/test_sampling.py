"""From logits to the next character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import (
    draw,
    greedy_decode,
    sampling_probabilities,
    softmax,
)
from minitransformer.reference.sampling import check_sampling

SHARES = np.array([0.1, 0.4, 0.2, 0.3])
LOGITS = np.log(SHARES)
options = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.0, 0.3, 1.0, 2.5]),
        "top_k": st.one_of(st.none(), st.integers(1, 9)),
        "top_p": st.one_of(st.none(), st.floats(0.01, 1.0)),
    }
)


@given(st.integers(0, 99), options)
def test_probabilities_sum_to_one_and_the_best_always_stays(seed, chosen):
    logits = 5 * np.random.default_rng(seed).normal(size=7)
    probabilities = sampling_probabilities(logits, **chosen)
    assert probabilities.sum() == pytest.approx(1.0)
    assert probabilities.argmax() == logits.argmax()
    assert np.count_nonzero(probabilities) <= (chosen["top_k"] or 7)


def test_without_options_it_is_the_softmax():
    np.testing.assert_allclose(sampling_probabilities(LOGITS), SHARES)


def test_temperature_divides_the_logits():
    cold = sampling_probabilities(LOGITS, temperature=0.5)
    np.testing.assert_allclose(cold, SHARES**2 / (SHARES**2).sum())


def test_at_temperature_zero_only_the_best_is_left():
    frozen = sampling_probabilities(LOGITS, temperature=0.0, top_k=3, top_p=0.5)
    np.testing.assert_array_equal(frozen, [0, 1, 0, 0])


def test_top_k_keeps_the_likeliest_and_shares_out_again():
    kept = sampling_probabilities(LOGITS, top_k=2)
    np.testing.assert_allclose(kept, [0, 4 / 7, 0, 3 / 7])
    np.testing.assert_allclose(sampling_probabilities(LOGITS, top_k=99), SHARES)


def test_the_character_that_crosses_top_p_stays():
    kept = sampling_probabilities(LOGITS, top_p=0.5)
    np.testing.assert_allclose(kept, [0, 4 / 7, 0, 3 / 7])
    np.testing.assert_allclose(sampling_probabilities(LOGITS, top_p=0.3), [0, 1, 0, 0])
    np.testing.assert_allclose(sampling_probabilities(LOGITS, top_p=1.0), SHARES)


def test_top_p_is_a_share_of_what_top_k_left():
    kept = sampling_probabilities(LOGITS, top_k=3, top_p=0.75)  # 4/9 + 3/9 = 0.78
    np.testing.assert_allclose(kept, [0, 4 / 7, 0, 3 / 7])


@given(st.integers(0, 99))
def test_drawing_follows_the_probabilities(seed):
    rng = np.random.default_rng(seed)
    probabilities = np.array([0.5, 0.0, 0.3, 0.2])
    ids = draw(np.broadcast_to(probabilities, (2000, 4)), rng)
    counted = np.bincount(ids, minlength=4) / 2000
    assert counted[1] == 0.0
    np.testing.assert_allclose(counted, probabilities, atol=0.06)  # over 5 deviations


@given(st.integers(0, 99))
def test_a_batch_is_drawn_as_its_rows_would_be(seed):
    probabilities = softmax(np.random.default_rng(seed).normal(size=(3, 5)))
    together = draw(probabilities, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    assert together.tolist() == [int(draw(row, rng)) for row in probabilities]


def test_greedy_decoding_sees_all_that_was_written_and_stops_at_stop():
    seen = []

    def next_logits(ids):
        seen.append(list(ids))
        return np.eye(9)[len(ids) + 4]

    assert greedy_decode(next_logits, start=3, stop=7, max_length=9) == [5, 6]
    assert seen == [[3], [3, 5], [3, 5, 6]]


def test_greedy_decoding_writes_no_more_than_it_may():
    assert greedy_decode(lambda ids: np.eye(3)[1], 0, 2, max_length=4) == [1] * 4
    assert greedy_decode(lambda ids: np.eye(3)[1], 0, 2, max_length=0) == []


def test_settings_from_which_nothing_can_be_drawn_are_refused():
    with pytest.raises(ValueError, match=r"temperature must be 0 or more.* got -0\.1"):
        sampling_probabilities(LOGITS, temperature=-0.1)
    with pytest.raises(ValueError, match="top_k must be at least 1; got 0"):
        sampling_probabilities(LOGITS, top_k=0)
    for top_p in (0.0, 1.01):
        with pytest.raises(ValueError, match=f"above 0 and at most 1; got {top_p}"):
            sampling_probabilities(LOGITS, top_p=top_p)


def test_settings_can_be_refused_before_there_are_logits():
    with pytest.raises(ValueError, match="top_k must be at least 1; got -3"):
        check_sampling(1.0, -3, None)


def test_no_text_has_a_negative_length():
    with pytest.raises(ValueError, match="max_length must not be negative; got -1"):
        greedy_decode(lambda ids: np.ones(3), 0, 2, -1)
