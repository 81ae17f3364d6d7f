"""Where the outputs of attention can land."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from minitransformer.notebook.plots.palette import (
    INK,
    ROLES,
    WIDTH,
    card,
    lettering,
    settle,
    tint,
)


def landings(
    values: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    *,
    x: str = "feature 1",
    y: str = "feature 2",
    reach: float = 1.0,
) -> Figure:
    """Draw clouds of outputs over the polygon that the values span, one panel each.

    Parameters
    ----------
    values : ndarray of shape (Tk, 2)
        The corners of the polygon, in order around it.
    outputs : mapping of str to ndarray of shape (N, 2)
        A cloud for each panel. Points beyond the panel are left out.
    x, y : str
        What the two features are.
    reach : float
        How far a panel goes beyond the values, as a share of their width.

    Returns
    -------
    Figure
    """
    role = ROLES["value"]
    low, high = values.min(axis=0), values.max(axis=0)
    margin = reach * (high - low).max() / 2
    with lettering():
        figure = card(0.45 + WIDTH / len(outputs))
        panels = figure.subplots(1, len(outputs), sharex=True, sharey=True)
        for panel, (title, cloud) in zip(
            np.atleast_1d(panels), outputs.items(), strict=True
        ):
            inside = ((cloud > low - margin) & (cloud < high + margin)).all(axis=-1)
            panel.fill(
                *values.T, facecolor=tint(role.colour, 0.08), edgecolor=role.colour
            )
            panel.plot(
                *cloud[inside].T, linestyle="", marker=".", markersize=2.5, color=INK
            )
            panel.plot(
                *values.T,
                linestyle="",
                marker=role.marker,
                markersize=8,
                color=role.colour,
            )
            panel.set(title=title, xlabel=x)
            panel.set_aspect("equal")
            panel.set_xlim(low[0] - margin, high[0] + margin)
            panel.set_ylim(low[1] - margin, high[1] + margin)
        np.atleast_1d(panels)[0].set_ylabel(y)
        return settle(figure)
