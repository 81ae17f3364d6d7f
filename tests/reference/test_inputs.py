"""Words for arrays that do not fit together: what is needed, then what came."""

import numpy as np
import pytest

from minitransformer.reference.inputs import (
    as_float,
    broadcast_mask,
    check_multiplies,
    check_same_length,
    check_same_width,
)

x, y = np.ones((2, 3)), np.ones((4, 5))


@pytest.mark.usefixtures("shapes_unchecked")
def test_floats_stay_the_same_array_and_whole_numbers_become_floats():
    assert as_float(x) is x
    assert as_float(np.array([1, 2], np.int8)).dtype == np.float64
    assert as_float([[1, 2]]).tolist() == [[1.0, 2.0]]


@pytest.mark.usefixtures("shapes_unchecked")
def test_truth_is_no_number():
    with pytest.raises(TypeError, match="must hold real numbers; got dtype bool"):
        as_float(np.array([True]))


def test_both_arrays_are_named_with_their_shapes():
    told = (
        r"x and y must have the same width \(axis -1\); got x of shape \(2, 3\), y of"
    )
    with pytest.raises(ValueError, match=told):
        check_same_width(x=x, y=y)
    with pytest.raises(ValueError, match=r"x, y and z must have the same length"):
        check_same_length(x=x, y=y, z=y)
    check_same_width(x=x, y=x)
    check_same_length(y=y, z=y)


def test_parameters_need_a_row_for_each_feature():
    with pytest.raises(ValueError, match=r"w must have one row for each of the 3 feat"):
        check_multiplies(x, w=y)
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        check_multiplies(x, w=np.ones(3))
    check_multiplies(x, w=np.ones((3, 7)))


@pytest.mark.usefixtures("shapes_unchecked")
def test_masks_are_boolean_and_spread_over_the_scores():
    assert broadcast_mask(np.array([True, False]), (3, 2)).shape == (3, 2)
    with pytest.raises(TypeError, match="True where a query may look; got dtype int64"):
        broadcast_mask(np.array([1, 0]), (3, 2))
    with pytest.raises(ValueError, match=r"scores' shape \(3, 2\); got \(3,\)"):
        broadcast_mask(np.ones(3, bool), (3, 2))
