# %% [markdown]
r"""
# Exercises: adding
"""


# %%
def check(name, answer):
    """Stand in for the grader: two points for a right sum."""
    try:
        return 2.0 * (answer(2, 3) == 5)
    except NotImplementedError as error:
        print(error)
        return 0.0


# %% [markdown]
r"""
## Exercise 1.1 · Add two numbers

Write `add`.

<details><summary>Hint 1</summary>

There is a sign for it.
</details>
"""


# %% exercise="add"
def add(a, b):
    """Add two numbers: `add(2, 3)` is 5."""
    # >>> solution
    return a + b
    # <<< solution


# %% check="add"
check("add", add)
