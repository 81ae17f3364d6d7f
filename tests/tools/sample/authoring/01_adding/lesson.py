# %% [markdown]
r"""
# Adding

You will be able to add two numbers. **Time**: 1 minute. **Before**: nothing.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
r"""
## Two and three

**Predict**: what is $2 + 3$?
"""

# %%
total = 2 + 3
print(f"total {total}")

# %%
figure, axes = plt.subplots(figsize=(3, 2))
_ = axes.plot([0, 1, 2], np.array([2.0, 2.5, 5.0]))

# %% [markdown]
r"""
The total is 5, and half of it 2.5.
"""

# %% tags=["once"] reason="adds to what is there: a second run would add again"
total += 100
int(total)
