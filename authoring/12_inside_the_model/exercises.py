# %% [markdown]
r"""
# Exercises 12 · Inside the model

Two measures from the lesson [What do the heads do?](../lessons/12_inside_the_model.ipynb). Both are short; both are easy to get subtly wrong.
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 12.1 · Does it look after the earlier one?

Write `induction_score(weights, ids)` for the weights (T, T) of one head and the ids (T,) of the text. For each place $t$ whose character came before, add up the weights `weights[t, s + 1]` over all earlier places $s < t$ with the same character; return the mean over those places $t$. (A twin right before $t$ counts like any other: the place after it is $t$ itself.) If no character comes twice, return 0.

By hand: ids `[0, 1, 0]`. Only place 2 has an earlier twin, at place 0, so the score is `weights[2, 1]`.

<details><summary>Hint 1</summary>
Two loops are perfectly fine here. Which places does the outer one count, and which does it pass over?
</details>
<details><summary>Hint 2</summary>
The mean is over the places that <em>have</em> an earlier twin, not over all T.
</details>
"""


# %% exercise="induction_score"
def induction_score(weights, ids):
    """Measure how much a head looks right after earlier places with the same character.

    weights: (T, T), ids: (T,). Returns a number from 0 to 1.

    >>> induction_score(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.7, 0.1]]), np.array([0, 1, 0]))
    0.7
    """
    # >>> solution
    found = []
    for t in range(len(ids)):
        earlier = [s for s in range(t) if ids[s] == ids[t]]
        if earlier:
            found.append(sum(weights[t][s + 1] for s in earlier))
    return float(np.mean(found)) if found else 0.0
    # <<< solution


# %% check="induction_score"
check("induction_score", induction_score)

# %% [markdown]
r"""
## Exercise 12.2 · What is lost without it?

Write `head_importance(loss_without, num_heads)`. `loss_without(None)` is the loss of the whole model, `loss_without(h)` the loss without head h, h = 0 … H − 1. Return an array (H,): how much the loss *rises* when each head is removed.

By hand: a full loss of 1.0, and 1.5 without head 0: its importance is 0.5.

<details><summary>Hint</summary>
Which of the two losses is larger when a head matters? That decides the order of the subtraction.
</details>
"""


# %% exercise="head_importance"
def head_importance(loss_without, num_heads):
    """Measure how much the loss rises without each head.

    loss_without: called with None for the full loss, with h for the loss without head h.
    Returns (H,).

    >>> head_importance({None: 1.0, 0: 1.5, 1: 1.0}.get, 2)
    array([0.5, 0. ])
    """
    # >>> solution
    full = loss_without(None)
    return np.array([loss_without(head) - full for head in range(num_heads)])
    # <<< solution


# %% check="head_importance"
check("head_importance", head_importance)

# %% [markdown]
r"""
One lesson is left: [yours](../lessons/13_your_transformer.ipynb).
"""
