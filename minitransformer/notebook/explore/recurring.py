"""An explorer of recurrence: how long one state remembers."""

import numpy as np

from minitransformer.notebook import plots
from minitransformer.notebook.explore.shell import Explorer, View, slider
from minitransformer.reference import recurrent_states

_STEPS = 20


def echo(weight: float = 0.8) -> Explorer:
    """Set how much of the old state is carried on; the echo of one input follows.

    Parameters
    ----------
    weight : float
        The single entry of W_h at the start.

    Returns
    -------
    Explorer
    """
    return Explorer(
        echo_view,
        {
            "weight": slider("W_h, what is carried on", weight, -1.5, 1.5, 0.1),
            "size": slider("Size of the first input", 1.0, 0.1, 3.0, 0.1),
        },
        "for which W_h does the state still know of the first input after twenty steps?",
    )


def echo_view(*, weight: float, size: float) -> View:
    """Draw the states of one number that has read one input and then only zeros."""
    x = np.zeros((_STEPS + 1, 1))
    x[0] = size
    one = np.ones((1, 1))
    states = recurrent_states(x, one, np.array([[weight]]), np.zeros(1))[:, 0]
    told = f"W_h = {weight:.1f}: the state starts at {states[0]:.2f} and is "
    told += f"{states[-1] + 0.0:.3f} after {_STEPS} steps"
    return View(
        figure=plots.curves(
            np.arange(_STEPS + 1),
            {"state": states},
            x="steps after the input",
            y="state",
            lines={"nothing left": 0.0},
        ),
        alt=f"The echo of one input in a state of one number. {told}.",
        marker=f"{told}.",
    )
