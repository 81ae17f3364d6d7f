"""Curves through measurements."""

import numpy as np

from minitransformer.notebook import plots


def test_each_measurement_is_a_dot_beside_the_curves():
    places = np.array([0.0, 1.0, 2.0])
    figure = plots.through_points(
        places,
        places**2,
        np.linspace(0, 2, 5),
        {"mean": np.ones(5)},
        x="place",
        y="height",
    )
    (dots,) = [one for one in figure.axes[0].collections if len(one.get_offsets()) == 3]
    np.testing.assert_allclose(
        dots.get_offsets(), np.stack([places, places**2], axis=1)
    )
    assert figure.axes[0].get_xlabel() == "place"
