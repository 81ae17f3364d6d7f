# %% [markdown]
r"""
# Exercises 10 · Recurrence

Two tasks from the lesson [What did attention replace?](../lessons/10_recurrence.ipynb).
"""

# %%
import numpy as np

from minitransformer import check

# %% [markdown]
r"""
## Exercise 10.1 · One state, carried on

Write `recurrent_states(x, w_x, w_h, b)`: $h_t = \tanh(x_t W_x + h_{t-1} W_h + b)$ from a state of zeros, for x of shape (…, T, C). Return all states, (…, T, S): the first one has seen the first input already.

By hand: with all parameters 0, every state is 0. With `w_h = 0` the states are tanh of an affine map, and no place knows of another.

<details><summary>Hint 1</summary>
A loop over time is right here. Which axis is time, counted from the end?
</details>
<details><summary>Hint 2</summary>
Collect the states in a list, and stack them along the axis where time was.
</details>
"""


# %% exercise="recurrent_states"
def recurrent_states(x, w_x, w_h, b):
    """Read a sequence from left to right into one state that is carried on.

    x: (..., T, C), w_x: (C, S), w_h: (S, S), b: (S,). Returns the states (..., T, S).

    >>> ones, half = np.ones((1, 1)), np.full((1, 1), 0.5)
    >>> np.round(recurrent_states(np.array([[1.0], [0.0]]), ones, half, np.zeros(1)), 3)
    array([[0.762],
           [0.363]])
    """
    # >>> solution
    state = np.zeros((*x.shape[:-2], w_h.shape[0]))
    states = []
    for t in range(x.shape[-2]):
        state = np.tanh(x[..., t, :] @ w_x + state @ w_h + b)
        states.append(state)
    return np.stack(states, axis=-2)
    # <<< solution


# %% check="recurrent_states"
check("recurrent_states", recurrent_states)

# %% [markdown]
r"""
## Exercise 10.2 · How far does it travel?

Write `path_length(kind, distance, window=None)`: the whole number of steps that a piece of information takes from one place to another, `distance` places away.

- `"recurrent"`: one step for each place.
- `"attention"`: one step, whatever the distance.
- `"window"`: a place sees itself and the window − 1 places before it; so each step covers window − 1 places, and a rest takes one more step.

Distance 0 takes 0 steps, always. A window below 2 gets nowhere and is an error (`ValueError`), and so is an unknown kind.

By hand: distance 7 with a window of 4: three places a step, so 3, 6, and a third step for the last one: 3.

<details><summary>Hint 1</summary>
Dividing and rounding up: <code>math.ceil</code>, or <code>-(-a // b)</code>.
</details>
<details><summary>Hint 2</summary>
Look at the two special cases before you compute anything.
</details>
"""


# %% exercise="path_length"
def path_length(kind, distance, window=None):
    """Count the steps between two places.

    kind: "recurrent", "attention" or "window"; distance: 0 or more. Returns a whole number.

    >>> path_length("window", 7, window=4)
    3
    """
    # >>> solution
    if kind == "recurrent":
        return distance
    if kind == "attention":
        return min(distance, 1)
    if kind == "window":
        if window is None or window < 2:
            raise ValueError(f"window must be 2 or more; got {window}")
        return -(-distance // (window - 1))
    raise ValueError(f"kind must be recurrent, attention or window; got {kind!r}")
    # <<< solution


# %% check="path_length"
check("path_length", path_length)

# %% [markdown]
r"""
On to [lesson 11](../lessons/11_long_sequences.ipynb).
"""
