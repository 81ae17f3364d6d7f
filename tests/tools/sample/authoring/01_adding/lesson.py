# %% [markdown]
r"""
# Adding

You will be able to add two numbers. **Time**: 20 minutes. **Before**: nothing.
"""

# %%
import base64
import io

from IPython.display import HTML
from matplotlib.figure import Figure


def predict(question):
    print(f"Predict: {question}")


def shown(figure, alt):
    page = io.BytesIO()
    figure.savefig(page, format="png", metadata={"Software": None})
    data = base64.b64encode(page.getvalue()).decode()
    return HTML(f'<img alt="{alt}" src="data:image/png;base64,{data}">')


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
figure = Figure(figsize=(3, 2))
_ = figure.subplots().plot([0, 12, total])
shown(figure, alt="A line that rises from 0 to 12 and on to the total, 25.")

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
