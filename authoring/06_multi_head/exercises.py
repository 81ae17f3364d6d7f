# %% [markdown]
r"""
# Exercises 06 · Several heads

Five tasks from the lesson [One look is not enough](../lessons/06_multi_head.ipynb). $C = H\cdot D$; head $h$ owns features $hD$ to $(h+1)D-1$ of every token.
"""

# %%
import numpy as np
import torch
from torch import nn

from minitransformer import check
from minitransformer.reference import masked_softmax, softmax

# %% [markdown]
r"""
## Exercise 6.1 · Cut

Write `split_heads(x, num_heads)`: (…, T, C) becomes (…, H, T, D). If C is not a multiple of H, raise a `ValueError`.

By hand: one token `[[1, 2, 3, 4]]` and two heads give `[[[1, 2]], [[3, 4]]]`.

<details><summary>Hint 1</summary>
Two steps: reshape so that each token has H pieces of D, then exchange two axes. Which two, counted from the end?
</details>
<details><summary>Hint 2</summary>
Any number of axes may stand in front: <code>x.shape[:-1]</code> is all of the shape except C.
</details>
"""


# %% exercise="split_heads"
def split_heads(x, num_heads):
    """Cut the features of every token into heads.

    x: (..., T, C). Returns (..., H, T, D) with D = C / H; a ValueError if H does not divide C.

    >>> split_heads(np.array([[1, 2, 3, 4]]), 2)
    array([[[1, 2]],
    <BLANKLINE>
           [[3, 4]]])
    """
    # >>> solution
    if x.shape[-1] % num_heads:
        raise ValueError(
            f"width must be a multiple of num_heads; got {x.shape[-1]} and {num_heads}"
        )
    return np.stack(np.split(x, num_heads, axis=-1), axis=-3)
    # <<< solution


# %% check="split_heads"
check("split_heads", split_heads)

# %% [markdown]
r"""
## Exercise 6.2 · And join

Write `merge_heads(x)`, the inverse: (…, H, T, D) becomes (…, T, C).

By hand: `[[[1, 2]], [[3, 4]]]` gives `[[1, 2, 3, 4]]`.

<details><summary>Hint 1</summary>
Undo the steps in the opposite order.
</details>
<details><summary>Hint 2</summary>
Where must the head axis stand before the last two axes can be joined into one?
</details>
"""


# %% exercise="merge_heads"
def merge_heads(x):
    """Lay the heads of every token side by side again.

    x: (..., H, T, D). Returns (..., T, C) with C = H * D.

    >>> merge_heads(np.array([[[1, 2]], [[3, 4]]]))
    array([[1, 2, 3, 4]])
    """
    # >>> solution
    x = np.swapaxes(x, -2, -3)  # (..., T, H, D)
    return x.reshape(*x.shape[:-2], -1)
    # <<< solution


# %% check="merge_heads"
check("merge_heads", merge_heads)

# %% [markdown]
r"""
## Exercise 6.3 · All heads at once

Write `multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None)`, returning the output (…, T, C) and the weights (…, H, T, T). Each head divides its scores by the root of its own width. A mask broadcasts to (…, T, T), is shared by all heads, and a
row that may look at nothing gives zeros.

By hand: with one head and `w_o` the identity, this is the self-attention of lesson 03.

<details><summary>Hint 1</summary>
Project, split, attend, merge, project. The head axis is one more leading axis for the attention in the middle.
</details>
<details><summary>Hint 2</summary>
A mask of shape (B, T, T) meets scores of shape (B, H, T, T). Where does the mask need a new axis?
</details>
"""


# %% exercise="multi_head_attention"
def multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    """Let several heads look at the same tokens, and add up what they bring.

    x: (..., T, C); w_q, w_k, w_v, w_o: (C, C), multiplied from the right; mask: Boolean,
    broadcasts to (..., T, T), True = may look. Returns the output (..., T, C) and the weights
    (..., H, T, T).
    """
    # >>> solution
    q, k, v = (split_heads(x @ w, num_heads) for w in (w_q, w_k, w_v))  # (..., H, T, D)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., H, T, T)
    if mask is None:
        weights = softmax(scores)
    else:
        mask = np.asarray(mask)
        weights = masked_softmax(
            scores, mask[..., None, :, :] if mask.ndim > 2 else mask
        )
    return merge_heads(weights @ v) @ w_o, weights
    # <<< solution


# %% check="multi_head_attention"
check("multi_head_attention", multi_head_attention)

# %% [markdown]
r"""
## Exercise 6.4 · The same as a torch module

Write the class `MultiHeadAttention(width, num_heads)` with four `nn.Linear` layers without bias, called `query`, `key`, `value` and `output`, each from width to width. `forward(x, memory=None, mask=None)`: keys and values come from `memory`, or from `x` where there is
none. It returns (B, Tq, C). The mask is as above: Boolean, True = may look, broadcast to (B, Tq, Tk), empty rows give zeros.

The check puts its own weights into your layers, so how you start them does not matter.

<details><summary>Hint 1</summary>
torch has what NumPy has under slightly other names: <code>unflatten</code> and <code>flatten</code>, <code>transpose</code>, <code>masked_fill</code>, <code>softmax(dim=-1)</code>.
</details>
<details><summary>Hint 2</summary>
After a softmax over a row of −inf there is <code>nan</code>. Fill such rows before the softmax, or with zeros afterwards; in training, only one of the two is safe (lesson 04).
</details>
"""


# %% exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    """Several heads of attention, from a text to itself or to another one (`memory`).

    forward(x, memory=None, mask=None): x (B, Tq, C), memory (B, Tk, C), mask broadcasts to
    (B, Tq, Tk), True = may look. Returns (B, Tq, C).
    """

    def __init__(self, width, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x, memory=None, mask=None):
        # >>> solution
        memory = x if memory is None else memory

        def split(y):  # (B, T, C) -> (B, H, T, D)
            return y.unflatten(-1, (self.num_heads, -1)).transpose(-2, -3)

        q, k, v = (
            split(self.query(x)),
            split(self.key(memory)),
            split(self.value(memory)),
        )
        scores = q @ k.mT / q.shape[-1] ** 0.5  # (B, H, Tq, Tk)
        if mask is not None:
            shared = mask.unsqueeze(-3) if mask.ndim > 2 else mask  # one for all heads
            allowed = shared.expand_as(scores)
            empty = ~allowed.any(dim=-1, keepdim=True)
            scores = scores.masked_fill(~allowed, -torch.inf).masked_fill(empty, 0.0)
            weights = scores.softmax(dim=-1).masked_fill(empty, 0.0)
        else:
            weights = scores.softmax(dim=-1)
        return self.output((weights @ v).transpose(-2, -3).flatten(-2))
        # <<< solution


# %% check="MultiHeadAttention"
check("MultiHeadAttention", MultiHeadAttention)

# %% [markdown]
r"""
## Exercise 6.5 · Catch the scrambler

Write `detects_scrambled_heads(split, merge)`. `split(x, num_heads)` should take (T, C) to (H, T, D), `merge(heads)` should take it back. Return True if either does anything else: if head h does not hold features $hD\dots(h+1)D-1$ of every token in order, or if merging does not bring x back.

It will meet reshapes without a transpose, features dealt out in turn, and pairs of mistakes that undo each other.

<details><summary>Hint 1</summary>
Give every entry of x its own number, as the lesson did. Then you know where each one has to be.
</details>
<details><summary>Hint 2</summary>
Let T, H and D all be different. With equal sizes, some wrong axes look right. What if the shape is wrong already?
</details>
"""


# %% exercise="detects_scrambled_heads"
def detects_scrambled_heads(split, merge):
    """Tell whether a pair of functions splits or merges heads wrongly.

    Returns True if something is wrong, False for a right pair.
    """
    # >>> solution
    T, H, D = 5, 3, 2
    x = np.arange(T * H * D, dtype=float).reshape(T, H * D)
    heads = np.asarray(split(x.copy(), H))
    if heads.shape != (H, T, D):
        return True
    for h in range(H):
        if not np.array_equal(heads[h], x[:, h * D : (h + 1) * D]):
            return True
    return not np.array_equal(merge(heads), x)
    # <<< solution


# %% check="detects_scrambled_heads"
check("detects_scrambled_heads", detects_scrambled_heads)

# %% [markdown]
r"""
Your `MultiHeadAttention` already has a door for a second text, `memory`. [Lesson 07](../lessons/07_cross_attention.ipynb) goes through it.
"""
