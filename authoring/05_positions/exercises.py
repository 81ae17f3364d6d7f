# %% [markdown]
r"""
# Exercises 05 · Positions

Four tasks from the lesson [How does attention know who came first?](../lessons/05_positions.ipynb).
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 5.1 · Waves for places

Write `sinusoidal_positions(length, width, base=10000.0)`, an array (T, C). Feature $2i$ of place $t$ is $\sin(t/\text{base}^{2i/C})$, feature $2i+1$ the cosine of the same angle: sine and cosine interleaved. Places count from 0. An odd width
cannot be filled with pairs and is an error (`ValueError`).

By hand: place 0 is `[0, 1, 0, 1, …]` at any width.

<details><summary>Hint 1</summary>
There are C/2 rates. Compute them first, in an array; then all angles at once, as an outer product of places and rates.
</details>
<details><summary>Hint 2</summary>
Interleaving: assign to every second column, <code>[:, 0::2]</code> and <code>[:, 1::2]</code>.
</details>
"""


# %% exercise="sinusoidal_positions"
def sinusoidal_positions(length, width, base=10000.0):
    """Give every place a row of waves, from fast to slow.

    Returns (T, C), sine and cosine interleaved. An odd width is a ValueError.

    >>> sinusoidal_positions(1, 4)
    array([[0., 1., 0., 1.]])
    """
    # >>> solution
    if width % 2:
        raise ValueError(f"width must be even; got width={width}")
    exponents = np.arange(0, width, 2) / width  # (C/2,)
    angles = np.arange(length)[:, None] / base**exponents  # (T, C/2)
    positions = np.empty((length, width))
    positions[:, 0::2] = np.sin(angles)
    positions[:, 1::2] = np.cos(angles)
    return positions
    # <<< solution


# %% check="sinusoidal_positions"
check("sinusoidal_positions", sinusoidal_positions)

# %% [markdown]
r"""
## Exercise 5.2 · Turn, don't add

Write `rotary(x, positions, base=10000.0)`. Features $2i$ and $2i+1$ of the row at place $t$ are turned, as a pair, by the angle $t/\text{base}^{2i/D}$ anticlockwise:

$$(a, b)\ \to\ (a\cos\varphi - b\sin\varphi,\ \ a\sin\varphi + b\cos\varphi)$$

`x` is (…, T, D) with D even, `positions` holds T numbers, which need not start at 0 or be consecutive.

By hand: a place of 0 changes nothing. With D = 2 and place $\pi/2$, `[1, 0]` becomes `[0, 1]`.

<details><summary>Hint 1</summary>
Angles have the shape (T, D/2), one for each place and pair. They broadcast against any leading axes.
</details>
<details><summary>Hint 2</summary>
Both halves of the result need both halves of the <em>old</em> pair. Take the old ones out before you write anything.
</details>
<details><summary>Hint 3</summary>
Or let complex numbers do the turning: a + ib times $e^{i\varphi}$.
</details>
"""


# %% exercise="rotary"
def rotary(x, positions, base=10000.0):
    """Turn neighbouring pairs of features by an angle that grows with the place.

    x: (..., T, D) with D even; positions: (T,). Returns the shape of x.

    >>> np.round(rotary(np.array([[1.0, 0.0]]), np.array([np.pi / 2])), 3)
    array([[0., 1.]])
    """
    # >>> solution
    D = x.shape[-1]
    angles = np.asarray(positions)[:, None] / base ** (
        np.arange(0, D, 2) / D
    )  # (T, D/2)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)
    # <<< solution


# %% check="rotary"
check("rotary", rotary)

# %% [markdown]
r"""
## Exercise 5.3 · A penalty for distance

Write `alibi_bias(num_heads, length)`, an array (H, T, T) that is added to the scores. For head $h = 1…H$, query $i$ and key $j \le i$, the entry is $-2^{-8h/H}\,(i-j)$. Above the diagonal, where the causal mask rules anyway, it is 0.

By hand: with 8 heads the first slope is 1/2, so the row of query 2 in the first head is `[-1, -0.5, 0]`.

<details><summary>Hint 1</summary>
One square of distances, one list of slopes, and a product of the two with three axes.
</details>
<details><summary>Hint 2</summary>
i − j is negative above the diagonal. What does <code>np.maximum</code> do with it?
</details>
"""


# %% exercise="alibi_bias"
def alibi_bias(num_heads, length):
    """Lower the scores of distant keys, steeply in some heads and gently in others.

    Returns (H, T, T): zero on and above the diagonal, negative below it.

    >>> alibi_bias(8, 3)[0]
    array([[ 0. ,  0. ,  0. ],
           [-0.5,  0. ,  0. ],
           [-1. , -0.5,  0. ]])
    """
    # >>> solution
    slopes = 2.0 ** (-8 * np.arange(1, num_heads + 1) / num_heads)  # (H,)
    place = np.arange(length)
    distance = np.maximum(place[:, None] - place[None, :], 0)  # (T, T)
    return 0.0 - slopes[:, None, None] * distance
    # <<< solution


# %% check="alibi_bias"
check("alibi_bias", alibi_bias)

# %% [markdown]
r"""
## Exercise 5.4 · Is it a bag of words?

Write `is_permutation_equivariant(function, x, order)`: True if permuting the rows of `x` by `order` permutes the rows of the result in the same way. `function` takes (T, C) to (T, …).

It will be tried on functions of both kinds. A sum over all rows, repeated in each row, counts too: its rows are all equal, so permuting them changes nothing.

<details><summary>Hint 1</summary>
There are two ways round: first permute, then apply; or first apply, then permute. When are they the same?
</details>
<details><summary>Hint 2</summary>
Rounding may differ when sums are taken in another order. Compare with a tolerance.
</details>
"""


# %% exercise="is_permutation_equivariant"
def is_permutation_equivariant(function, x, order):
    """Tell whether permuting the rows of x permutes the rows of the result.

    function: takes (T, C) to (T, ...); order: a permutation of 0 ... T - 1.

    >>> is_permutation_equivariant(np.sin, np.array([[1.0], [2.0], [3.0]]), [2, 0, 1])
    True
    """
    # >>> solution
    return bool(np.allclose(function(x[order]), function(x)[order]))
    # <<< solution


# %% check="is_permutation_equivariant"
check("is_permutation_equivariant", is_permutation_equivariant)

# %% [markdown]
r"""
On to [lesson 06](../lessons/06_multi_head.ipynb): several looks at once.
"""
