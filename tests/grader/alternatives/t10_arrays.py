"""All inputs read at once, states written into an array; a table of kinds."""

import numpy as np


def recurrent_states(x, w_x, w_h, b):
    states = np.array(x @ w_x + b)
    for t in range(states.shape[-2]):
        if t > 0:
            states[..., t, :] += states[..., t - 1, :] @ w_h
        states[..., t, :] = np.tanh(states[..., t, :])
    return states


def path_length(kind, distance, window=None):
    steps = {
        "recurrent": lambda: distance,
        "attention": lambda: min(distance, 1),
        "window": lambda: -(-distance // (window - 1)),
    }
    if kind == "window" and not window > 1:
        raise ValueError("a window of 1 leads nowhere")
    return np.int64(steps[kind]())
