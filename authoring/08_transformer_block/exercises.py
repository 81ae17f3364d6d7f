# %% [markdown]
r"""
# Exercises 08 · The transformer block

Four tasks from the lesson [What holds a stack together?](../lessons/08_transformer_block.ipynb).
"""

# %%
import numpy as np
from torch import nn

from minitransformer import check
from minitransformer.model import MultiHeadAttention

# %% [markdown]
r"""
## Exercise 8.1 · Put the size right

Write `layer_norm(x, gain, bias, eps=1e-5)` over the last axis: subtract the mean, divide by $\sqrt{\sigma^2+\epsilon}$ with the variance taken over C (not C − 1), multiply by the gain, add the bias.

By hand: `[1, 3]` has mean 2 and variance 1. With gain 10 and bias 5 it becomes `[-5, 15]`, nearly.

<details><summary>Hint 1</summary>
Mean and variance are one number for each token. How do you keep the axis, so that they can be subtracted from and divide (…, C)?
</details>
<details><summary>Hint 2</summary>
By default, NumPy's variance divides by C and torch's by C − 1. Where does ε go: to the variance, or to its root?
</details>
"""


# %% exercise="layer_norm"
def layer_norm(x, gain, bias, eps=1e-5):
    """Give every token mean 0 and variance 1 over its features, then gain and bias.

    x: (..., C), gain and bias: (C,). Returns (..., C).

    >>> np.round(layer_norm(np.array([1.0, 3.0]), np.array([10.0, 10.0]), np.array([5.0, 5.0])), 2)
    array([-5., 15.])
    """
    # >>> solution
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return gain * centred / np.sqrt(variance + eps) + bias
    # <<< solution


# %% check="layer_norm"
check("layer_norm", layer_norm)

# %% [markdown]
r"""
## Exercise 8.2 · Widen, bend, narrow

Write `feed_forward(x, w_1, b_1, w_2, b_2)`: an affine map, ReLU, another affine map, the same for every token.

By hand: with `w_1 = [[1, -1]]`, `w_2 = [[1], [1]]` and no biases it is the absolute value: 3 gives 3, and −3 gives 3.

<details><summary>Hint 1</summary>
ReLU is <code>np.maximum(0, …)</code>. It stands between the two maps, after the first bias.
</details>
"""


# %% exercise="feed_forward"
def feed_forward(x, w_1, b_1, w_2, b_2):
    """Work on every token alone: widen, bend with ReLU, narrow.

    x: (..., C), w_1: (C, F), b_1: (F,), w_2: (F, C), b_2: (C,). Returns (..., C).

    >>> one, zero = np.array([[1.0, -1.0]]), np.zeros(2)
    >>> feed_forward(np.array([[3.0], [-3.0]]), one, zero, np.ones((2, 1)), np.zeros(1))
    array([[3.],
           [3.]])
    """
    # >>> solution
    return np.maximum(x @ w_1 + b_1, 0.0) @ w_2 + b_2
    # <<< solution


# %% check="feed_forward"
check("feed_forward", feed_forward)

# %% [markdown]
r"""
## Exercise 8.3 · Two steps

Write `pre_norm_block(x, attend, feed_forward, norm_1, norm_2)`. All four are functions from (…, T, C) to (…, T, C). Normalise a copy, let the sublayer work on it, add the result to the stream; once with attention and norm_1, once with the feed-forward and norm_2.

By hand: if `attend` and `feed_forward` return zeros, x comes out unchanged.

<details><summary>Hint 1</summary>
What is added to, x or the normalised x? Which of the two keeps the path from bottom to top free?
</details>
<details><summary>Hint 2</summary>
The second step starts from the result of the first, in both of its places.
</details>
"""


# %% exercise="pre_norm_block"
def pre_norm_block(x, attend, feed_forward, norm_1, norm_2):
    """Take two residual steps: attention, then feed-forward, each on a normalised copy.

    x: (..., T, C). Returns (..., T, C).

    >>> pre_norm_block(np.array([[1.0, 2.0]]), np.zeros_like, np.zeros_like, np.sign, np.sign)
    array([[1., 2.]])
    """
    # >>> solution
    x = x + attend(norm_1(x))
    return x + feed_forward(norm_2(x))
    # <<< solution


# %% check="pre_norm_block"
check("pre_norm_block", pre_norm_block)

# %% [markdown]
r"""
## Exercise 8.4 · The block as a torch module

Write the class `Block(width, num_heads, hidden_width)` with the parts `norm_1` and `norm_2` (`nn.LayerNorm`), `attention` (the `MultiHeadAttention` imported above, or your own from lesson 06) and `feed_forward` (`nn.Sequential` of `nn.Linear`, `nn.ReLU`, `nn.Linear`, with biases). `forward(x, mask=None)` takes the two pre-norm steps; the mask goes to the attention.

<details><summary>Hint 1</summary>
Make the parts in the order in which they are named; the check puts its own parameters into them by name.
</details>
<details><summary>Hint 2</summary>
<code>self.attention(…, mask=mask)</code>. A mask that is not passed on is the easiest mistake to make here, and training will not complain.
</details>
"""


# %% exercise="Block"
class Block(nn.Module):
    """Attention, then a feed-forward, each normed before and added after.

    forward(x, mask=None): x (B, T, C), mask Boolean, broadcasts to (B, T, T). Returns (B, T, C).
    """

    def __init__(self, width, num_heads, hidden_width):
        super().__init__()
        # >>> solution
        self.norm_1 = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, num_heads)
        self.norm_2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden_width), nn.ReLU(), nn.Linear(hidden_width, width)
        )
        # <<< solution

    def forward(self, x, mask=None):
        # >>> solution
        x = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.feed_forward(self.norm_2(x))
        # <<< solution


# %% check="Block"
check("Block", Block)

# %% [markdown]
r"""
A stack of these, an embedding below and a reading above, is all that [lesson 09](../lessons/09_character_model.ipynb) needs.
"""
