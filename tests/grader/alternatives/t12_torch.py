"""torch inside; a 0-d array as result."""

import numpy as np
import torch


def induction_score(weights, ids):
    weights, ids = torch.as_tensor(np.array(weights)), torch.as_tensor(np.array(ids))
    found = []
    for t in range(1, len(ids)):
        places = (ids[:t] == ids[t]).nonzero().flatten()
        if len(places):
            found.append(weights[t, places + 1].sum())
    return np.array(torch.stack(found).mean() if found else 0.0)


def head_importance(loss_without, num_heads):
    rises = torch.empty(num_heads)
    full = loss_without(None)
    for head in range(num_heads):
        rises[head] = loss_without(head) - full
    return rises
