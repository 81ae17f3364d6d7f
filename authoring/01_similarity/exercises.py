# %% [markdown]
r"""
# Exercises 01 · Similarity

Three functions, from the lesson [How alike are two lists of numbers?](../lessons/01_similarity.ipynb). Fill in a function, run
its cell, run the check below it. A check never runs out: use it as often as you like.

Shapes: queries lie in rows, `(…, Tq, D)`, and so do keys, `(…, Tk, D)`. The dots stand for any number of axes in
front: none, a batch, a batch and heads. Count axes from the end and you need not care.
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 1.1 · All against all

Write `dot_products(queries, keys)`: the dot product of every query with every key.

By hand: queries `[[2, 1]]` and keys `[[1, 3], [-2, -1], [0, 0]]` give `[[5, -5, 0]]`, one row because one query asked, three columns
because three keys were asked.

<details><summary>Hint 1</summary>
For one query and one key it is "multiply entry by entry, then add". Which operation of NumPy does that for all pairs?
</details>
<details><summary>Hint 2</summary>
A matrix product adds up over the last axis of the left array and the second to last of the right one. Which two axes of the keys
should change places first?
</details>
<details><summary>Hint 3</summary>
<code>.T</code> turns <em>all</em> axes round. Try <code>np.zeros((2, 3, 4)).T.shape</code>, then look up <code>swapaxes</code>.
</details>
"""


# %% exercise="dot_products"
def dot_products(queries, keys):
    """Compare every query with every key.

    queries: (..., Tq, D), keys: (..., Tk, D). Returns (..., Tq, Tk): row i, column j holds
    the dot product of query i with key j.

    >>> dot_products(np.array([[2.0, 1.0]]), np.array([[1.0, 3.0], [-2.0, -1.0]]))
    array([[ 5., -5.]])
    """
    # >>> solution
    return np.einsum("...id,...jd->...ij", queries, keys)
    # <<< solution


# %% check="dot_products"
check("dot_products", dot_products)

# %% [markdown]
r"""
## Exercise 1.2 · Only the direction

Write `cosine_similarity(queries, keys)`: the cosine of the angle between every query and every key. A vector of zeros has no
direction; its similarity to anything is 0, never `nan`.

By hand: `[3, 4]` with `[4, 3]` gives 24 / (5 · 5) = 0.96. With `[40, 30]` it gives 0.96 again.

<details><summary>Hint 1</summary>
Two lengths have to go: each query's own and each key's own. Which axis does a length add up over, and what is left of the shape?
</details>
<details><summary>Hint 2</summary>
<code>keepdims=True</code> keeps the axis, so that a (…, T, 1) array of lengths divides the rows of a (…, T, D) array.
</details>
<details><summary>Hint 3</summary>
For a zero vector, any divisor except 0 gives the wanted answer. Where is the length 0, and what could stand there instead?
</details>
"""


# %% exercise="cosine_similarity"
def cosine_similarity(queries, keys):
    """Compare directions only: 1 the same, 0 at a right angle, -1 opposite.

    queries: (..., Tq, D), keys: (..., Tk, D). Returns (..., Tq, Tk), with 0 wherever a
    query or a key is all zeros.

    >>> cosine_similarity(np.array([[3.0, 4.0]]), np.array([[40.0, 30.0], [0.0, 0.0]]))
    array([[0.96, 0.  ]])
    """

    # >>> solution
    def direction(vectors):
        length = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))  # (..., T, 1)
        return vectors / np.where(length > 0, length, 1.0)

    return direction(queries) @ np.swapaxes(direction(keys), -1, -2)
    # <<< solution


# %% check="cosine_similarity"
check("cosine_similarity", cosine_similarity)

# %% [markdown]
r"""
## Exercise 1.3 · The best k

Write `most_similar(query, keys, k)`: the places of the `k` keys with the largest dot product with one query, best first. Where two
keys are equally good, the one with the lower index comes first.

By hand: query `[1, 0]` and keys `[[1, 5], [3, 0], [1, -5], [2, 2]]` have dot products 1, 3, 1, 2. The best three are `[1, 3, 0]`: places 0
and 2 tie, and 0 comes first.

<details><summary>Hint 1</summary>
You want places, not values. Which NumPy function returns the <em>order</em> that would sort an array?
</details>
<details><summary>Hint 2</summary>
It sorts upwards. Turning the result round also turns the ties round: find another way to have the largest first.
</details>
<details><summary>Hint 3</summary>
Sorting algorithms may or may not keep equal values in their order. Look at the <code>kind</code> argument, and at what "stable" means.
</details>
"""


# %% exercise="most_similar"
def most_similar(query, keys, k):
    """Find the k keys that go furthest in the query's direction.

    query: (D,), keys: (Tk, D), k: a whole number up to Tk. Returns k places, by falling dot
    product; ties to the lower place.

    >>> most_similar(np.array([1.0, 0.0]), np.array([[1.0, 5.0], [3.0, 0.0], [2.0, 2.0]]), k=2)
    array([1, 2])
    """
    # >>> solution
    return np.argsort(-(keys @ query), kind="stable")[:k]
    # <<< solution


# %% check="most_similar"
check("most_similar", most_similar)

# %% [markdown]
r"""
Three checks passed? Then on to [lesson 02](../lessons/02_soft_lookup.ipynb), where the best k give way to something softer: a share for everyone.
"""
