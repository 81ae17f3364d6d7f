# %% [markdown]
r"""
# Exercises: self-attention

Five functions, each building on the one before; [lesson 03](../lessons/03_self_attention.ipynb) has derived all of them. At the end you will have
written the forward and the backward pass of self-attention, and the model of the last lesson can run on your code.

Write your answer in place of the line that raises `NotImplementedError`, run the cell, then run the check below it. A check may be run as often as you
like. If it finds a mistake that it knows, it says which one.

Shapes in words: "(…, Tq, D)" means any number of axes in front, none included; then one row for each of the Tq queries, with D
features. Count axes from the end, and it works for all of them.
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 3.1 · Who fits whom?

Score every key for every query: the dot product of the two, divided by $\sqrt D$.

One query, two keys, $D = 4$: the dot products are $1 + 2 + 3 + 4 = 10$ and $2$, the divisor is $\sqrt 4 = 2$, and the scores are $5$ and $1$.

<details><summary>Hint 1: from one pair to all pairs</summary>

One score is a sum over features. A matrix product is a table of such sums, each row of the left against each *column* of the right. Your keys are rows.
</details>

<details><summary>Hint 2: if it works for one sentence and fails for a batch</summary>

`.T` turns *all* axes round, those of the batch included. What exchanges just the last two?
</details>

<details><summary>Hint 3: which size to divide by</summary>

The root of the number of products that each dot product adds up. Which axis is summed over, and is therefore gone from the result?
</details>
"""


# %% exercise="attention_scores"
def attention_scores(q, k):
    """Score every key for every query.

    q: array of shape (..., Tq, D), one row for each query
    k: array of shape (..., Tk, D), one row for each key
    returns: array of shape (..., Tq, Tk); row i, column j is the score of key j for query i

    >>> attention_scores(np.array([[1, 2, 3, 4]]), np.array([[1, 1, 1, 1], [2, 0, 0, 0]]))
    array([[5., 1.]])
    """
    # >>> solution
    D = q.shape[-1]
    return np.einsum("...id,...jd->...ij", q, k) / np.sqrt(D)
    # <<< solution


# %% check="attention_scores"
check("attention_scores", attention_scores)

# %% [markdown]
r"""
## Exercise 3.2 · A weighted mean for each query

Turn the scores into weights, one softmax for each query, and mix the values with them. Return the output **and** the weights.

A query of zeros scores every key 0, so it weighs them all alike, and its output is the plain mean of the values: of $(0, 10)$ and $(4, 20)$ that is $(2, 15)$.

<details><summary>Hint 1: along which axis?</summary>

Each *query* has one whole look to share out. So what adds up to 1 is a row, and a row runs along the axis of the keys.
</details>

<details><summary>Hint 2: if large scores give nan</summary>

$e^{800}$ is too large for a float. Take the largest score of the row away from every score of that row before you take powers: why does that leave the
weights as they are? (Lesson 02 shows it. You may write softmax anew, or import it with `from minitransformer.reference import softmax`.)
</details>

<details><summary>Hint 3: the last step</summary>

Output $i$ is $\sum_j w_{ij}\, v_j$: row $i$ of the weights against the columns of the values. No transpose is needed. Can you see from the shapes why not?
</details>
"""


# %% exercise="attention"
def attention(q, k, v):
    """Let every query take a weighted mean of all values.

    q: array of shape (..., Tq, D)
    k: array of shape (..., Tk, D)
    v: array of shape (..., Tk, Dv), one row for each key, with Dv features
    returns: output of shape (..., Tq, Dv), and weights of shape (..., Tq, Tk)

    >>> attention(np.zeros((1, 2)), np.array([[3, 1], [5, 2]]), np.array([[0, 10], [4, 20]]))
    (array([[ 2., 15.]]), array([[0.5, 0.5]]))
    """
    # >>> solution
    scores = attention_scores(q, k)  # (..., Tq, Tk)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return weights @ v, weights
    # <<< solution


# %% check="attention"
check("attention", attention)

# %% [markdown]
r"""
## Exercise 3.3 · Three questions to the same token

Make queries, keys and values from the tokens, and attend. This is the function that gives self-attention its name.

If `w_q` is all zeros, nobody looks for anything in particular, and every token gets the mean of all values. For `x` below the values are 2 and 4, so both outputs are 3.

<details><summary>Hint 1: one line</summary>

You have a function that attends. It only needs to be given the right three arrays.
</details>

<details><summary>Hint 2: on which side does the matrix stand?</summary>

A token is a *row* of `x`, and a matrix has one row for each feature of the token. Write the shapes under each other, (T, C) and (C, D): which product gives (T, D)?
</details>
"""


# %% exercise="self_attention"
def self_attention(x, w_q, w_k, w_v):
    """Let every token look at every token of its own sequence.

    x: array of shape (..., T, C), one row for each token
    w_q, w_k: arrays of shape (C, D), which make queries and keys
    w_v: array of shape (C, Dv), which makes values
    returns: output of shape (..., T, Dv), and weights of shape (..., T, T)

    >>> x = np.array([[1, 0], [0, 1]])
    >>> output, weights = self_attention(x, np.zeros((2, 3)), np.ones((2, 3)), np.array([[2], [4]]))
    >>> output
    array([[3.],
           [3.]])
    """
    # >>> solution
    return attention(x @ w_q, x @ w_k, x @ w_v)
    # <<< solution


# %% check="self_attention"
check("self_attention", self_attention)

# %% [markdown]
r"""
## Exercise 3.4 · Back through the softmax

Given the weights, and how the loss changes with each weight, find how it changes with each *score*.

Two equal weights, $(\tfrac12, \tfrac12)$, with gradients $(1, 3)$. Their mean under the weights is 2. The first does better than the mean by 1, the second worse by
1, and each counts by its weight: $(-\tfrac12, +\tfrac12)$.

<details><summary>Hint 1: say it in words first</summary>

"How much does this weight's gradient differ from the average gradient, and how much weight does it have?" Which average?
</details>

<details><summary>Hint 2: a test that needs no reference</summary>

Raising all scores of a row together changes nothing. So what must each row of your result add up to? Try it with a row that is *not* evenly split.
</details>

<details><summary>Hint 3: if the shapes do not fit</summary>

The average is one number for each row. Keep its axis (`keepdims=True`), and it is subtracted from the whole row.
</details>
"""


# %% exercise="softmax_backward"
def softmax_backward(weights, grad_weights):
    """Turn the gradient of the weights into the gradient of the scores.

    weights: array of shape (..., Tk), what softmax gave; sums to 1 along the last axis
    grad_weights: array of the same shape, the slope of the loss by each weight
    returns: array of the same shape, the slope of the loss by each score

    >>> softmax_backward(np.array([0.5, 0.5]), np.array([1.0, 3.0]))
    array([-0.5,  0.5])
    """
    # >>> solution
    pull = weights * grad_weights
    return pull - weights * pull.sum(axis=-1, keepdims=True)
    # <<< solution


# %% check="softmax_backward"
check("softmax_backward", softmax_backward)

# %% [markdown]
r"""
## Exercise 3.5 · Back through attention

Given the gradient of the output, find those of the queries, the keys and the values.

In the example below the query is zero, so both weights are ½. Each value gets half of the gradient 1. The gradients of the weights are the values, 1 and 3, and those of the scores
$-\tfrac12$ and $+\tfrac12$, as in 3.4. The query gathers the keys with them: $(-\tfrac12 \cdot 1 + \tfrac12 \cdot (-1)) / \sqrt 4 = -\tfrac12$ in the first feature.
The keys gather the query, which is zero.

<details><summary>Hint 1: a route in four stops</summary>

Write down what the forward pass does: scores, weights, output. Now walk back. What does the output depend on directly? (Two things.) Then the weights, then the scores.
</details>

<details><summary>Hint 2: let the shapes choose the transposes</summary>

A gradient has the shape of what it belongs to. `grad_v` is (Tk, Dv), made of weights (Tq, Tk) and `grad_output` (Tq, Dv): which axis is summed over, and so which array has to be turned?
</details>

<details><summary>Hint 3: if grad_v is right and the other two are too large by one common factor</summary>

The forward pass divides. What does a division by a constant do to the slopes of everything that stands before it?
</details>
"""


# %% exercise="attention_backward"
def attention_backward(q, k, v, grad_output):
    """Find how the loss changes with each query, key and value.

    q: array of shape (..., Tq, D)
    k: array of shape (..., Tk, D)
    v: array of shape (..., Tk, Dv)
    grad_output: array of shape (..., Tq, Dv), the slope of the loss by each output
    returns: grad_q, grad_k, grad_v, of the shapes of q, k and v

    >>> q, k = np.zeros((1, 4)), np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    >>> grad_q, grad_k, grad_v = attention_backward(q, k, np.array([[1.0], [3.0]]), np.array([[1.0]]))
    >>> grad_q, grad_v
    (array([[-0.5,  0. ,  0. ,  0. ]]), array([[0.5],
           [0.5]]))
    """
    # >>> solution
    _, weights = attention(q, k, v)  # (..., i, j): query i looks at key j
    grad_weights = np.einsum("...ie,...je->...ij", grad_output, v)
    grad_scores = softmax_backward(weights, grad_weights) / np.sqrt(q.shape[-1])
    grad_q = np.einsum("...ij,...jd->...id", grad_scores, k)
    grad_k = np.einsum("...ij,...id->...jd", grad_scores, q)
    grad_v = np.einsum("...ij,...ie->...je", weights, grad_output)
    return grad_q, grad_k, grad_v
    # <<< solution


# %% check="attention_backward"
check("attention_backward", attention_backward)

# %% [markdown]
r"""
All five green? Then you have written what a framework hides, and tested it against an oracle that you did not write. Compare your code with
[the solutions](../solutions/03_self_attention.ipynb): they sum with `einsum`, which names the axes in place of transposing them. Next,
[lesson 04](../lessons/04_masks.ipynb) tells the tokens where they may *not* look.
"""
