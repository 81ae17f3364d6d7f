# %% [markdown]
r"""
# Exercises 02 · Soft look-up

Three functions from the lesson [A dictionary that always answers](../lessons/02_soft_lookup.ipynb). The first one is the most used function of the whole course: take your
time over it.
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 2.1 · Scores to weights

Write `softmax(scores, axis=-1)`: positive weights that add up to 1 along `axis`. It must be exact for scores of ±10 000, give weight 0 to a score of −inf, and
return floats for whole numbers.

By hand: `softmax([0, ln 3])` is `[0.25, 0.75]`, since $e^0 = 1$ and $e^{\ln 3} = 3$.

<details><summary>Hint 1</summary>
Adding the same number to all scores of a row changes nothing. Which number, subtracted from all, makes the largest exponent 0?
</details>
<details><summary>Hint 2</summary>
Every row has its own largest score, and rows lie along <code>axis</code>. What does <code>keepdims=True</code> do to <code>max</code> and <code>sum</code>?
</details>
"""


# %% exercise="softmax"
def softmax(scores, axis=-1):
    """Turn scores into weights that add up to one along an axis.

    scores: an array of any shape, -inf allowed (but never a whole row of it). Returns an
    array of floats of the same shape.

    >>> softmax(np.array([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    # >>> solution
    largest = np.max(scores, axis=axis, keepdims=True)
    powers = np.exp(scores - largest)
    return powers / powers.sum(axis=axis, keepdims=True)
    # <<< solution


# %% check="softmax"
check("softmax", softmax)

# %% [markdown]
r"""
## Exercise 2.2 · A dictionary that always answers

Write `soft_lookup(query, keys, values, temperature=1.0)`: compare the query with every key by dot product, divide by the temperature, turn the scores into weights, and
mix the values. There is no $\sqrt D$ here yet.

By hand: with a query of zeros all scores are 0, all weights equal, and the answer is the mean of the values.

<details><summary>Hint 1</summary>
Three lines: scores of shape (Tk,), weights of shape (Tk,), and a mixture of shape (Dv,).
</details>
<details><summary>Hint 2</summary>
Where does the temperature go: before or after the softmax? Weights have to add up to 1 at every temperature.
</details>
"""


# %% exercise="soft_lookup"
def soft_lookup(query, keys, values, temperature=1.0):
    """Mix the values, each with a share that says how well its key matches the query.

    query: (D,), keys: (Tk, D), values: (Tk, Dv). Returns (Dv,).

    >>> soft_lookup(np.zeros(2), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0], [20.0]]))
    array([15.])
    """
    # >>> solution
    weights = softmax(keys @ query / temperature)  # (Tk,)
    return weights @ values
    # <<< solution


# %% check="soft_lookup"
check("soft_lookup", soft_lookup)

# %% [markdown]
r"""
## Exercise 2.3 · How undecided?

Write `entropy(weights)`: $-\sum_i w_i \ln w_i$ along the last axis, in nats, where $0\cdot\ln 0$ counts as 0.

By hand: `[0.5, 0.5]` gives $\ln 2 \approx 0.693$; `[1, 0]` gives 0.

<details><summary>Hint 1</summary>
<code>np.log(0)</code> is −inf, and 0 · −inf is <code>nan</code>. Where the weight is 0, what could stand inside the logarithm without changing the sum?
</details>
<details><summary>Hint 2</summary>
<code>np.where(condition, a, b)</code> chooses entry by entry, but computes both sides first. Choose the number <em>before</em> the logarithm is taken.
</details>
"""


# %% exercise="entropy"
def entropy(weights):
    """Measure how undecided rows of weights are, in nats.

    weights: (..., T), each row non-negative and adding up to 1. Returns (...): 0 for a row that
    has chosen, ln T for equal weights.

    >>> round(float(entropy(np.array([0.5, 0.5]))), 3)
    0.693
    """
    # >>> solution
    logarithms = np.log(np.where(weights > 0, weights, 1.0))
    return -(weights * logarithms).sum(axis=-1)
    # <<< solution


# %% check="entropy"
check("entropy", entropy)

# %% [markdown]
r"""
All three passed? Then you have everything that attention is made of. On to [lesson 03](../lessons/03_self_attention.ipynb).
"""
