"""Dot products, cosine, and the nearest keys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.reference import cosine_similarity, dot_products, most_similar
from minitransformer.reference.inputs import as_float


def test_dot_products_add_up_products_of_features():
    products = dot_products(np.array([[1, 2], [0, 3]]), np.array([[4, 5], [6, -7]]))
    np.testing.assert_array_equal(products, [[14.0, -8.0], [15.0, -21.0]])


def test_cosine_does_not_see_lengths():
    similarity = cosine_similarity(np.array([[3.0, 4.0]]), np.array([[30.0, 40.0]]))
    np.testing.assert_allclose(similarity, [[1.0]])


@given(st.integers(0, 99))
def test_cosine_lies_between_minus_one_and_one(seed):
    rng = np.random.default_rng(seed)
    similarity = cosine_similarity(rng.normal(size=(4, 3)), rng.normal(size=(5, 3)))
    assert np.abs(similarity).max() <= 1.0 + 1e-12


def test_a_zero_vector_is_like_nothing():
    keys = np.array([[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(cosine_similarity(keys, keys), [[0, 0], [0, 1]])


def test_the_nearest_keys_come_by_falling_dot_product_then_by_place():
    keys = np.array([[1.0], [3.0], [2.0], [3.0]])
    assert most_similar(np.array([1.0]), keys, 3).tolist() == [1, 3, 2]
    assert most_similar(np.array([-1.0]), keys, 2).tolist() == [0, 2]
    assert most_similar(np.array([1.0]), keys, 0).tolist() == []


@pytest.mark.usefixtures("shapes_unchecked")
def test_vectors_of_different_width_are_refused():
    x, y = np.ones((3, 2)), np.ones((4, 5))
    told = (
        r"same width \(axis -1\); got queries of shape \(3, 2\), keys of shape \(4, 5\)"
    )
    with pytest.raises(ValueError, match=told):
        dot_products(x, y)
    with pytest.raises(ValueError, match=told):
        cosine_similarity(x, y)
    with pytest.raises(ValueError, match="same width"):
        most_similar(x[0], y, 1)


@pytest.mark.parametrize("k", [-1, 4])
def test_more_keys_than_there_are_cannot_be_asked_for(k):
    with pytest.raises(ValueError, match=f"between 0 and the 3 keys; got k={k}"):
        most_similar(np.ones(2), np.ones((3, 2)), k)


@pytest.mark.usefixtures("shapes_unchecked")
def test_words_are_no_numbers():
    with pytest.raises(TypeError, match="must hold real numbers; got dtype <U1"):
        as_float(np.array(["a"]))
