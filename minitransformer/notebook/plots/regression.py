"""Measurements as dots, and the curves that are drawn through them."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from minitransformer.notebook.plots.charts import Curve, curves
from minitransformer.notebook.plots.palette import QUIET, lettering


def through_points(
    places: np.ndarray,
    heights: np.ndarray,
    positions: np.ndarray,
    series: Mapping[str, Curve],
    *,
    x: str,
    y: str,
) -> Figure:
    """Draw measurements as dots and curves through them.

    Parameters
    ----------
    places, heights : ndarray of shape (N,)
        The measurements.
    positions : ndarray of shape (M,)
        Where the curves have values.
    series : mapping of str to array
        The curves, as for `curves`.
    x, y : str
        Labels of the axes.

    Returns
    -------
    Figure
    """
    figure = curves(positions, series, x=x, y=y)
    with lettering():
        figure.axes[0].scatter(
            places, heights, s=16, color=QUIET, alpha=0.8, linewidths=0, zorder=1
        )
    return figure
