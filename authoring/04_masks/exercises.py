# %% [markdown]
r"""
# Exercises 04 · Masks

Five tasks from the lesson [What a token may not see](../lessons/04_masks.ipynb). In all of them a mask is Boolean, and **True means "may look"**. A row that may look at nothing
gets weights and outputs of zero.

The last task turns the tables: you write the test, and it is tried on implementations that you have not seen.
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 4.1 · No looking ahead

Write `causal_mask(length)`: a Boolean square, True where the query (row) may look at the key (column): at itself and at all that came before.

By hand, for length 3: row 0 is True False False, row 2 is True three times.

<details><summary>Hint 1</summary>
Compare two ranges of numbers: when is column j allowed for row i?
</details>
<details><summary>Hint 2</summary>
<code>np.arange(length)[:, None]</code> is a column, <code>np.arange(length)</code> a row. Comparing them gives a square.
</details>
"""


# %% exercise="causal_mask"
def causal_mask(length):
    """Say who may look at whom when nobody may look ahead.

    Returns a Boolean array (T, T), True on and below the diagonal.

    >>> causal_mask(2)
    array([[ True, False],
           [ True,  True]])
    """
    # >>> solution
    place = np.arange(length)
    return place[None, :] <= place[:, None]
    # <<< solution


# %% check="causal_mask"
check("causal_mask", causal_mask)

# %% [markdown]
r"""
## Exercise 4.2 · Nobody looks at blanks

Write `padding_mask(lengths, length)` for a batch of texts padded to `length`: True where a real token stands. The shape is (B, 1, T), so that every query of a text gets the same row.

By hand: `lengths = [2, 0]` and `length = 3` give `[[[True, True, False]], [[False, False, False]]]`.

<details><summary>Hint 1</summary>
Place j of text b is real if j is smaller than … ?
</details>
<details><summary>Hint 2</summary>
Give the lengths two extra axes, (B, 1, 1), and compare with a range of T places.
</details>
"""


# %% exercise="padding_mask"
def padding_mask(lengths, length):
    """Say which places of each text in a batch hold a real token.

    lengths: B whole numbers; length: T. Returns a Boolean array (B, 1, T).

    >>> padding_mask(np.array([1, 2]), 2)
    array([[[ True, False]],
    <BLANKLINE>
           [[ True,  True]]])
    """
    # >>> solution
    return np.arange(length) < np.asarray(lengths)[:, None, None]
    # <<< solution


# %% check="padding_mask"
check("padding_mask", padding_mask)

# %% [markdown]
r"""
## Exercise 4.3 · Weights that respect a mask

Write `masked_softmax(scores, mask, axis=-1)`. The mask broadcasts to the shape of the scores. Allowed places share 1 among them along `axis`; forbidden places get exactly 0; where nothing is allowed, all
are 0. It must be exact for scores of ±10 000, allowed or forbidden.

By hand: scores `[0, 0, 1000]` with mask `[True, True, False]` give `[0.5, 0.5, 0]`.

<details><summary>Hint 1</summary>
Whose largest score should be subtracted: the largest of all, or the largest of those allowed?
</details>
<details><summary>Hint 2</summary>
A forbidden score of −inf becomes a weight of 0 by itself, except where a whole row is forbidden: −inf − (−inf). What could the largest score be replaced with there?
</details>
<details><summary>Hint 3</summary>
At the end you divide by the sum of the powers. When it is 0, every power is 0 as well: what may you divide by instead?
</details>
"""


# %% exercise="masked_softmax"
def masked_softmax(scores, mask, axis=-1):
    """Turn scores into weights that are zero wherever the mask forbids looking.

    scores: an array of any shape; mask: Boolean, broadcasts to that shape. Returns weights of
    the shape of scores; each slice along the axis adds up to 1, or is all zeros.

    >>> masked_softmax(np.zeros((1, 3)), np.array([[True, True, False]]))
    array([[0.5, 0.5, 0. ]])
    """
    # >>> solution
    allowed = np.where(mask, scores, -np.inf)
    largest = allowed.max(axis=axis, keepdims=True)
    powers = np.exp(allowed - np.where(np.isneginf(largest), 0.0, largest))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0.0, 1.0, total)
    # <<< solution


# %% check="masked_softmax"
check("masked_softmax", masked_softmax)

# %% [markdown]
r"""
## Exercise 4.4 · Attention that respects a mask

Write `masked_attention(q, k, v, mask)`, returning `(output, weights)`. Scores are divided by $\sqrt D$ as in lesson 03; the mask broadcasts to the shape of the scores.

By hand: one query, two keys, mask `[[False, True]]`: all the weight on the second key, and the output is the second value.

<details><summary>Hint 1</summary>
You have both halves: the scores from lesson 03, and the softmax from the exercise above.
</details>
<details><summary>Hint 2</summary>
What does the output of a row become when all its weights are 0? Is anything left to do?
</details>
"""


# %% exercise="masked_attention"
def masked_attention(q, k, v, mask):
    """Mix the values, looking only where the mask allows.

    q: (..., Tq, D), k: (..., Tk, D), v: (..., Tk, Dv); mask broadcasts to (..., Tq, Tk).
    Returns the output (..., Tq, Dv) and the weights (..., Tq, Tk).

    >>> output, weights = masked_attention(
    ...     np.ones((1, 2)), np.ones((2, 2)), np.array([[1.0], [5.0]]), np.array([[False, True]])
    ... )
    >>> output
    array([[5.]])
    """
    # >>> solution
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., Tq, Tk)
    weights = masked_softmax(scores, mask)
    return weights @ v, weights
    # <<< solution


# %% check="masked_attention"
check("masked_attention", masked_attention)

# %% [markdown]
r"""
## Exercise 4.5 · The leak detector

Write `detects_future_leak(attend)`. `attend` takes an array (T, C) to an array (T, C), for any T and C you choose. Return True if any row of its output depends on a *later* row of its input, else False.

It will be tried on honest functions and on leaky ones: some see everything, some one place ahead, some only the very last place. One leak missed costs a share of the points; one honest function accused costs
them all.

<details><summary>Hint 1</summary>
Make up an input. Change one row. Which rows of the output may move, and which may not?
</details>
<details><summary>Hint 2</summary>
Try every row in turn. A leak of one place shows only in the row just before.
</details>
<details><summary>Hint 3</summary>
Honest functions may differ by rounding: compare with a tolerance. And make the change large enough that a leak cannot hide below it.
</details>
"""


# %% exercise="detects_future_leak"
def detects_future_leak(attend):
    """Tell whether some output row depends on a later input row.

    attend: a function from (T, C) to (T, C). Returns True or False.

    >>> detects_future_leak(lambda x: x)
    False
    >>> detects_future_leak(lambda x: x + x.mean(axis=0))
    True
    """
    # >>> solution
    x = np.random.default_rng(0).normal(size=(7, 4))
    before = attend(x.copy())
    for later in range(1, len(x)):
        changed = x.copy()
        changed[later] += 3.0
        if not np.allclose(attend(changed)[:later], before[:later]):
            return True
    return False
    # <<< solution


# %% check="detects_future_leak"
check("detects_future_leak", detects_future_leak)

# %% [markdown]
r"""
Keep the detector. You will want it in lesson 09, when your own model's loss looks too good. On to [lesson 05](../lessons/05_positions.ipynb).
"""
