# %% [markdown]
r"""
# Exercises 11 · Long sequences

Seven tasks from the lesson [What does a longer text cost?](../lessons/11_long_sequences.ipynb). Two of them are also *measured*: the check looks at how much memory your function takes.
"""

# %%
import numpy as np

from minitransformer import check
from minitransformer.reference import softmax

# %% [markdown]
r"""
## Exercise 11.1 · Count the bytes

Write `attention_bytes(batch, heads, length, bytes_per_number=4)`: how many bytes the weights of plain attention fill, for queries and keys of the same length.

By hand: one text of 1000 tokens, one head, four bytes a number: 4 000 000.

<details><summary>Hint</summary>
What is the shape of the weights?
</details>
"""


# %% exercise="attention_bytes"
def attention_bytes(batch, heads, length, bytes_per_number=4):
    """Count the bytes of the array of attention weights (B, H, T, T).

    >>> attention_bytes(1, 1, 1000)
    4000000
    """
    # >>> solution
    return batch * heads * length * length * bytes_per_number
    # <<< solution


# %% check="attention_bytes"
check("attention_bytes", attention_bytes)

# %% [markdown]
r"""
## Exercise 11.2 · A window that slides

Write `sliding_window_mask(length, window)`: Boolean (T, T), causal; a place sees itself and the window − 1 places before it.

By hand: with a window of 2, row 2 of length 3 is False True True.

<details><summary>Hint 1</summary>
Two conditions on the difference i − j. One of them you know from the causal mask.
</details>
<details><summary>Hint 2</summary>
A window of 1 must leave the diagonal and nothing else.
</details>
"""


# %% exercise="sliding_window_mask"
def sliding_window_mask(length, window):
    """Let every place see itself and the window - 1 places before it.

    Returns a Boolean array (T, T).

    >>> sliding_window_mask(3, 2).astype(int)
    array([[1, 0, 0],
           [1, 1, 0],
           [0, 1, 1]])
    """
    # >>> solution
    return np.tri(length, dtype=bool) & ~np.tri(length, k=-window, dtype=bool)
    # <<< solution


# %% check="sliding_window_mask"
check("sliding_window_mask", sliding_window_mask)

# %% [markdown]
r"""
## Exercise 11.3 · Softmax in passing

Write `online_softmax_attention(q, k, v, block)`: the output of attention (with $1/\sqrt D$, without a mask), computed from `block` keys at a time. Never hold more than (Tq, block) scores; the check measures memory. The last block may be shorter, and a block may be longer than all keys.

By hand: the table of the lesson, scores 1, 3, 2.

<details><summary>Hint 1</summary>
Carry three things from block to block for every query: the largest score so far, the sum of powers, and the sum of powers times values.
</details>
<details><summary>Hint 2</summary>
When the largest rises from m to m′, everything summed so far has been divided by e^m and should have been divided by e^m′. Which factor corrects it?
</details>
<details><summary>Hint 3</summary>
Start with a largest of −inf: the first correction is then e^(−inf) = 0, and the empty sums vanish by themselves.
</details>
"""


# %% exercise="online_softmax_attention"
def online_softmax_attention(q, k, v, block):
    """Compute attention's output from a few keys at a time.

    q: (..., Tq, D), k: (..., Tk, D), v: (..., Tk, Dv); block: keys at a time. Returns
    (..., Tq, Dv), equal to attention's output.
    """
    # >>> solution
    lead = (*q.shape[:-1], 1)  # (..., Tq, 1)
    largest, total = np.full(lead, -np.inf), np.zeros(lead)
    output = np.zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block):
        keys, values = (
            k[..., start : start + block, :],
            v[..., start : start + block, :],
        )
        scores = (
            q @ np.swapaxes(keys, -1, -2) / np.sqrt(q.shape[-1])
        )  # (..., Tq, block)
        raised = np.maximum(largest, scores.max(axis=-1, keepdims=True))
        correction, powers = np.exp(largest - raised), np.exp(scores - raised)
        total = total * correction + powers.sum(axis=-1, keepdims=True)
        output = output * correction + powers @ values
        largest = raised
    return output / total
    # <<< solution


# %% check="online_softmax_attention"
check("online_softmax_attention", online_softmax_attention)

# %% [markdown]
r"""
## Exercise 11.4 · One table for the whole past

Write `linear_attention(q, k, v)` for q and k of shape (T, D) and v of shape (T, Dv): causal, with the feature map $\varphi(x) = \text{elu}(x)+1$, that is $x + 1$ for positive $x$ and $e^x$ otherwise. Memory must grow in proportion to T; the check measures it.

By hand: at the first place only one key has been seen, so the first row of the output is the first value.

<details><summary>Hint 1</summary>
Go through the places in order. What has to be remembered of the past, to answer any query?
</details>
<details><summary>Hint 2</summary>
A table (D, Dv) for the numerator and a vector (D,) for the denominator. Add the new key before you answer the query of the same place.
</details>
"""


# %% exercise="linear_attention"
def linear_attention(q, k, v):
    """Read once from left to right, keeping one table in place of all keys and values.

    q, k: (T, D), v: (T, Dv). Returns (T, Dv).
    """

    # >>> solution
    def positive(x):
        return np.where(x > 0, x + 1.0, np.exp(np.minimum(x, 0.0)))

    table = np.zeros((k.shape[-1], v.shape[-1]))  # (D, Dv)
    total = np.zeros(k.shape[-1])  # (D,)
    rows = []
    for query, key, value in zip(positive(q), positive(k), v, strict=True):
        table += key[:, None] * value
        total += key
        rows.append(query @ table / (query @ total))
    return np.array(rows)
    # <<< solution


# %% check="linear_attention"
check("linear_attention", linear_attention)

# %% [markdown]
r"""
## Exercise 11.5 · Shared keys

Write `grouped_query_attention(q, k, v)` for q of shape (B, Hq, T, D), k and v of shape (B, Hkv, T, D), without a mask: query head h reads key–value head h // (Hq/Hkv). Return output and weights. If Hkv does not divide Hq, raise a `ValueError`.

By hand: with Hq = 4 and Hkv = 2, query heads 0 and 1 read head 0, heads 2 and 3 read head 1.

<details><summary>Hint 1</summary>
<code>np.repeat</code> and <code>np.tile</code> repeat in two different orders. Which one gives 0 0 1 1?
</details>
<details><summary>Hint 2</summary>
Or give the queries one more axis, (B, Hkv, groups, T, D), and let broadcasting do the sharing.
</details>
"""


# %% exercise="grouped_query_attention"
def grouped_query_attention(q, k, v):
    """Let groups of query heads share the keys and values of one head.

    q: (B, Hq, T, D), k, v: (B, Hkv, T, D). Returns the output (B, Hq, T, D) and the weights
    (B, Hq, T, T).
    """
    # >>> solution
    if q.shape[1] % k.shape[1]:
        raise ValueError(f"Hkv must divide Hq; got Hq={q.shape[1]}, Hkv={k.shape[1]}")
    share = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, share, axis=1), np.repeat(v, share, axis=1)
    weights = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights
    # <<< solution


# %% check="grouped_query_attention"
check("grouped_query_attention", grouped_query_attention)

# %% [markdown]
r"""
## Exercise 11.6 · Remember the past

Write `cached_attention(q, k, v, past)`. It gets the *new* tokens only, (…, t, D), one or several, and `past`: None at the start, later the pair (k, v) that the previous call returned. It returns `(output, (k, v))`: the output of the new tokens under causal attention, and the grown cache.

However a text is cut into pieces, the outputs must be those of causal attention over all of it.

<details><summary>Hint 1</summary>
First append, then attend. A new token sees the whole past, itself, and the new tokens before it.
</details>
<details><summary>Hint 2</summary>
The mask is a causal triangle that is wider than high: (t, past + t). Which diagonal does it follow?
</details>
"""


# %% exercise="cached_attention"
def cached_attention(q, k, v, past):
    """Attend from new tokens only; the keys and values of the old ones are remembered.

    q, k, v: (..., t, D) of the new tokens; past: None or (k, v) of all before. Returns the
    output (..., t, Dv) and the grown (k, v).
    """
    # >>> solution
    if past is not None:
        k = np.concatenate([past[0], k], axis=-2)
        v = np.concatenate([past[1], v], axis=-2)
    new, seen = q.shape[-2], k.shape[-2]
    mask = np.tri(new, seen, seen - new, dtype=bool)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    return softmax(np.where(mask, scores, -np.inf)) @ v, (k, v)
    # <<< solution


# %% check="cached_attention"
check("cached_attention", cached_attention)

# %% [markdown]
r"""
## Exercise 11.7 · Catch the stale cache

Write `detects_stale_cache(step)`. `step` promises what `cached_attention` promises. Return True if feeding tokens one at a time, or in pieces, ever gives anything else than feeding them all at once.

It will meet caches that are overwritten, that do not grow, that forget, that look ahead within a piece, and right ones.

<details><summary>Hint 1</summary>
You need no reference: the function is compared with itself. All at once is one call with <code>past=None</code>.
</details>
<details><summary>Hint 2</summary>
Some slips show only from the third call on, some only when a piece has more than one token. Try several ways of cutting. And is the all-at-once result causal at all?
</details>
"""


# %% exercise="detects_stale_cache"
def detects_stale_cache(step):
    """Tell whether a cached attention gives something else in pieces than all at once.

    step(q, k, v, past) returns (output, (k, v)). Returns True or False.
    """
    # >>> solution
    q, k, v = np.random.default_rng(0).normal(size=(3, 7, 4))
    at_once, _ = step(q, k, v, None)
    for pieces in ([1] * 7, [3, 4], [2, 1, 4], [1, 5, 1]):
        past, outputs, start = None, [], 0
        for size in pieces:
            part = slice(start, start + size)
            output, past = step(q[part], k[part], v[part], past)
            outputs.append(output)
            start += size
        together = np.concatenate(outputs)
        if together.shape != at_once.shape or not np.allclose(together, at_once):
            return True
    return False
    # <<< solution


# %% check="detects_stale_cache"
check("detects_stale_cache", detects_stale_cache)

# %% [markdown]
r"""
On to [lesson 12](../lessons/12_inside_the_model.ipynb).
"""
