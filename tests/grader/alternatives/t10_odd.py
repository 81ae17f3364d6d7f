"""One matrix for both products, tanh from exponentials; float and partial."""

from functools import partial

import numpy as np


def _states(step, x, w_x, w_h, b):
    both = np.concatenate([w_x, w_h], axis=0)
    h = np.broadcast_to(np.zeros_like(b), (*x.shape[:-2], len(b)))
    rows = []
    for t in range(x.shape[-2]):
        h = step(np.concatenate([x[..., t, :], h], axis=-1) @ both + b)
        rows.append(h)
    return np.moveaxis(np.array(rows), 0, -2)


recurrent_states = partial(
    _states, lambda z: 1 - 2 / (1 + np.exp(np.minimum(2 * z, 700)))
)


def path_length(kind, distance, window=None, **extra):
    reach = {"recurrent": 1, "attention": float("inf"), "window": (window or 1) - 1}
    if kind == "window" and reach[kind] < 1:
        raise RuntimeError("nothing but itself in sight")
    return (
        int(np.ceil(distance / reach[kind])) if kind != "attention" else bool(distance)
    )
