# %% [markdown]
r"""
# Adding

You will be able to add two numbers. **Time**: 20 minutes. **Before**: nothing.
"""

# %%
import base64

from IPython.display import HTML


def predict(question):
    print(f"Predict: {question}")


def line(heights, alt):
    points = " ".join(f"{10 * place},{height}" for place, height in enumerate(heights))
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg"><polyline points="{points}"/></svg>'
    )
    data = base64.b64encode(drawing.encode()).decode()
    return HTML(f'<img alt="{alt}" src="data:image/svg+xml;base64,{data}">')


# %% [markdown]
r"""
## Twelve and thirteen

**Predict**: what is $12 + 13$?
"""

# %%
predict("the sum")

# %%
total = 12 + 13
print(f"total {total}")

# %%
line([0, 12, total], alt="A line that rises from 0 to 12 and on to the total, 25.")

# %% [markdown]
r"""
The total is 25.
"""

# %% tags=["once"] reason="adds to what is there: a second run would add again"
total += 100
int(total)

# %% [markdown]
r"""
## What is next

[Add yourself](../exercises/01_adding.ipynb). The total was 25.
"""
