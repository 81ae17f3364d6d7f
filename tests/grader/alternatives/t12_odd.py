"""A dictionary of places, an object that is called, tuples and float32."""

from collections import defaultdict

import numpy as np


class Score:
    def __call__(self, weights, ids, nothing=0.0):
        places, sums = defaultdict(list), []
        for t, one in enumerate(np.asarray(ids).tolist()):
            if places[one]:
                sums.append(np.float32(sum(weights[t, s + 1] for s in places[one])))
            places[one].append(t)
        return np.mean(sums) if sums else nothing


induction_score = Score()


def head_importance(loss_without, num_heads):
    losses = {head: loss_without(head) for head in (None, *range(num_heads))}
    full = losses.pop(None)
    return tuple(np.float64(loss) - full for loss in losses.values())
