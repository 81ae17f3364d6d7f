"""torch inside, a stack of states; match with guards."""

import numpy as np
import torch


def recurrent_states(x, w_x, w_h, b):
    x, w_x, w_h, b = (torch.as_tensor(np.array(one)) for one in (x, w_x, w_h, b))
    h = torch.zeros(*x.shape[:-2], len(b), dtype=x.dtype)
    states = []
    for now in x.unbind(-2):
        h = torch.tanh(now @ w_x + h @ w_h + b)
        states.append(h)
    return torch.stack(states, dim=-2)


def path_length(kind, distance, window=None):
    match kind:
        case "recurrent":
            return distance
        case "attention":
            return int(distance > 0)
        case "window" if window >= 2:
            steps = 0
            while steps * (window - 1) < distance:
                steps += 1
            return steps
    raise ValueError((kind, window))
