"""Characters to ids and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.text import decode, distinct_characters, encode


@given(st.text(min_size=1))
def test_decoding_brings_back_what_was_encoded(text):
    characters = distinct_characters(text)
    ids = encode(text, characters)
    assert ids.dtype.kind == "i"
    assert decode(ids, characters) == text


@given(st.text(min_size=1))
def test_a_vocabulary_has_each_character_once_in_order(text):
    characters = distinct_characters(text)
    assert set(characters) == set(text)
    assert list(characters) == sorted(set(characters))


def test_an_id_is_the_place_in_the_vocabulary_as_it_is_given():
    assert encode("cab", "bca").tolist() == [1, 2, 0]
    assert decode([1, 2, 0], ["b", "c", "a"]) == "cab"


def test_an_empty_text_has_no_ids_and_no_vocabulary():
    assert encode("", "ab").tolist() == []
    assert decode([], "ab") == ""
    with pytest.raises(ValueError, match="needs a text with at least 1 character"):
        distinct_characters("")


def test_an_unknown_character_is_named_with_its_place():
    with pytest.raises(ValueError, match=r"one of the 2 .*; got 'é' at place 1"):
        encode("aéb", "ab")


@pytest.mark.parametrize("id_", [-1, 2])
def test_an_unknown_id_is_named(id_):
    with pytest.raises(ValueError, match=f"between 0 and 1; got {id_}"):
        decode([0, id_], "ab")
