# %% [markdown]
r"""
# Exercises 07 · Cross-attention

Two tasks from the lesson [How does one text look into another?](../lessons/07_cross_attention.ipynb).
"""

# %%
import numpy as np

from minitransformer import check
from minitransformer.reference import masked_softmax, softmax

# %% [markdown]
r"""
## Exercise 7.1 · One text asks, the other answers

Write `cross_attention(x, memory, w_q, w_k, w_v, memory_mask=None)`: queries from x (…, Tq, C), keys and values from the memory (…, Tk, C); scores divided by the root of the width of q. Return the output (…, Tq, Dv) and the weights (…, Tq, Tk). A mask is Boolean, True = may look, and broadcasts to (…, Tq, Tk); a row that may look at
nothing gives zeros.

By hand: a memory of one token. Every weight is 1, and every row of the output is that token's value, whatever x is.

<details><summary>Hint 1</summary>
Self-attention with two of its three projections taken from somewhere else. Which two?
</details>
<details><summary>Hint 2</summary>
<code>softmax</code> where there is no mask, <code>masked_softmax</code> where there is one. Test for None, not for truth: an array has no single truth value.
</details>
"""


# %% exercise="cross_attention"
def cross_attention(x, memory, w_q, w_k, w_v, memory_mask=None):
    """Let one text look into another.

    x: (..., Tq, C), memory: (..., Tk, C), w_q, w_k: (C, D), w_v: (C, Dv); memory_mask:
    Boolean, broadcasts to (..., Tq, Tk). Returns the output (..., Tq, Dv) and the weights
    (..., Tq, Tk).

    >>> one = np.eye(1)
    >>> output, weights = cross_attention(np.ones((2, 1)), np.array([[7.0]]), one, one, one)
    >>> output
    array([[7.],
           [7.]])
    """
    # >>> solution
    q, k, v = x @ w_q, memory @ w_k, memory @ w_v
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., Tq, Tk)
    weights = (
        softmax(scores) if memory_mask is None else masked_softmax(scores, memory_mask)
    )
    return weights @ v, weights
    # <<< solution


# %% check="cross_attention"
check("cross_attention", cross_attention)

# %% [markdown]
r"""
## Exercise 7.2 · Until it says stop

Write `greedy_decode(next_logits, start, stop, max_length)`. `next_logits` is given the list of all ids so far, the start id included, and returns one logit for each symbol of the vocabulary. Take the likeliest, again and again, until that is `stop` or `max_length` ids have been written. Return the list of ids after the start, without the stop.

By hand: a model that always wants symbol 2, with `max_length` 3, gives `[2, 2, 2]`; one that wants to stop at once gives `[]`.

<details><summary>Hint 1</summary>
Keep one list of everything so far, start included, for the model, and return the part that was written.
</details>
<details><summary>Hint 2</summary>
Look at the symbol before you append it: the stop sign is not part of the answer.
</details>
"""


# %% exercise="greedy_decode"
def greedy_decode(next_logits, start, stop, max_length):
    """Write the likeliest id again and again, until it is the stop.

    next_logits: from a list of ids to (V,). Returns a list of at most max_length ids.

    >>> greedy_decode(lambda ids: [0.0, 0.0, 1.0], start=0, stop=1, max_length=3)
    [2, 2, 2]
    """
    # >>> solution
    ids = [start]
    for _ in range(max_length):
        likeliest = int(np.argmax(next_logits(ids)))
        if likeliest == stop:
            break
        ids.append(likeliest)
    return ids[1:]
    # <<< solution


# %% check="greedy_decode"
check("greedy_decode", greedy_decode)

# %% [markdown]
r"""
On to [lesson 08](../lessons/08_transformer_block.ipynb).
"""
