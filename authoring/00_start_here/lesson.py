# %% [markdown]
r"""
# 00 · Start here

In this course you build the mechanism behind today's language models, **self-attention**, from the product of two numbers up to a small transformer that
learns Shakespeare on your own computer. At the end it runs on functions that *you* have written.

After this page you will be able to

- work through a lesson: predict, run, compare,
- have an answer checked, and read what the check says when the answer is wrong,
- find your way: what each lesson answers, and which claims about attention the course puts to the test.

**Time:** ten minutes. **Before you start:** Python as far as functions and lists; a little NumPy. Nothing here needs a graphics card, an account or a network.
"""

# %%
import numpy as np

from minitransformer import check
from minitransformer.notebook import explore, plots, predict, reveal, show, table

# %% [markdown]
r"""
## How does a page work?

Click into a cell with code and press **Shift + Enter**: the code runs, and the result appears below it. Work from top to bottom. Nothing breaks: *Kernel → Restart* starts afresh, and every page runs in about a minute.

The pages ask you to **predict** before you run. It takes ten seconds, and it is the part that people skip and should not: a result you have guessed at, rightly or wrongly, is remembered; one you have merely read is not. Wrong guesses cost nothing. They stay on your computer.


Try it. Two lists of three numbers are multiplied entry by entry, and the products are added up:

$$[1, 2, 3]\cdot[2, 0, -1] = 1\times 2 + 2\times 0 + 3\times(-1)$$

**Predict**: what comes out?
"""

# %%
predict("00.first_product", "the sum of the products", low=-10.0, high=10.0)

# %%
a = np.array([1.0, 2.0, 3.0])
b = np.array([2.0, 0.0, -1.0])
reveal("00.first_product", float((a * b).sum()))

# %% [markdown]
r"""
That was a **dot product**, and it is the only arithmetic that attention needs in large amounts. Drawn with arrows of two numbers each, it looks like this. Most pages have such an **explorer**: move a slider, or type a number beside it and press Enter, and the numbers and the picture follow.
"""

# %%
explore.similarity()

# %% [markdown]
r"""
What the two numbers mean is the subject of lesson 01. A question for a number comes with a slider, a choice with buttons. Later, `minitransformer progress` in a terminal shows how good your predictions are, and whether they get better.

## What does a wrong answer look like?

Every lesson has exercises. You write a function, then hand it to `check`. Here is the first function of exercises 01, written with a mistake that is easily made: it multiplies entry by entry and forgets to add up.
"""


# %%
def dot_products(queries, keys):
    """Compare every query (a row) with every key (a row): one number for each pair."""
    return queries * keys


check("dot_products", dot_products)

# %% [markdown]
r"""
Read the card from the top. If the check recognises a mistake, it names it first and asks a question that leads on. Then comes what happened: here two queries cannot be multiplied with three keys entry by entry, so NumPy stopped in line 3. A function that returns *something* gets its numbers
shown beside those that were needed. Below stand the points that are still open, the smallest input that shows the trouble, and the place in the lesson that helps. The solution is never shown.

Here is the same function put right. Change something in it, run the cell again, and see what the check makes of it.
"""


# %%
def dot_products(queries, keys):
    """Compare every query (a row) with every key (a row): one number for each pair."""
    return queries @ np.swapaxes(keys, -1, -2)


check("dot_products", dot_products)

# %% [markdown]
r"""
The check never looks at *how* you wrote it. Loops are as good as one clever line. It tries your function on inputs from gentle to nasty and compares results. You may check as often as you like.

<!-- no prediction: the section shows a wrong answer and a right one -->

## What will the lessons answer?
"""

# %%
lessons = {
    "01 similarity": "How alike are two lists of numbers?",
    "02 soft look-up": "What would a dictionary say that always answers?",
    "03 self-attention": "How does a token choose whom to listen to?",
    "04 masks": "What may a token not see, and how do leaks give themselves away?",
    "05 positions": "How does attention know who came first?",
    "06 multi-head": "Why is one look not enough?",
    "07 cross-attention": "How does one text look into another?",
    "08 transformer block": "What holds a stack of attention layers together?",
    "09 character model": "Can a small transformer learn Shakespeare while you watch?",
    "10 recurrence": "What did attention replace, and where does the older idea still win?",
    "11 long sequences": "What does a longer text cost, and who can make it cheaper?",
    "12 inside the model": "What do the heads of a trained model do?",
    "13 your transformer": "Does it run on your own functions?",
}
table({"lesson": list(lessons), "its question": list(lessons.values())})

# %% [markdown]
r"""
Each lesson takes 40 to 60 minutes, its exercises about as long again. They build on each other; 10, 11 and 12 can be read in any order.

<!-- numbers: 40 minutes, advice; 60 minutes, advice -->
<!-- no prediction: a list of what is to come -->

The one picture to have in mind: four **tokens**, which are the pieces a text is cut into, here words; and how much each of them listens to each of the others and to itself. By the end of lesson 03 you will have computed every number in a picture like this by hand.
"""

# %%
tokens = ["the", "cat", "sat", "down"]
listening = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],
        [0.3, 0.4, 0.2, 0.1],
        [0.1, 0.6, 0.2, 0.1],
        [0.1, 0.2, 0.4, 0.3],
    ]
)
show(
    plots.heat_map(
        listening,
        rows=tokens,
        columns=tokens,
        x="listens to",
        y="token",
        title="made-up weights of four tokens",
    ),
    alt="A four by four table of made-up weights. The row of 'sat' has its largest weight, 0.6, in the column of 'cat'; each row adds up to 1.",
)

# %% [markdown]
r"""
## Is it true what they say about attention?

Glossaries and brochures make claims. This course tests those that can be tested. Here they are, with the lesson that does it. The last column is for you: come back, write what you found between the empty quotation marks, and run the cell again. Lesson 13 compares.
"""

# %%
claims = [  # the claim, the lesson that tests it, and what you found
    ("Every token scores every other token", "03", ""),
    ("Attention replaced recurrence (Vaswani and others, 2017)", "10", ""),
    ("Attention trains in parallel, recurrence cannot", "10", ""),
    ("Attention captures long-range dependencies", "10", ""),
    ("Memory grows with the square of the length", "11", ""),
    ("Attention needs positional encoding", "05", ""),
    ("Long sequences need more efficient variants", "11", ""),
    ("Self-attention reads one text, cross-attention two", "07", ""),
    ("Multi-head attention looks several ways at once", "06", ""),
    ("Adopters gain 20 to 40 % efficiency", "13", ""),
    ("It cuts support tickets by 40 to 60 %", "13", ""),
]
claim, lesson, found = zip(*claims, strict=True)
table({"claim": claim, "tested in lesson": lesson, "what I found": found})

# %% [markdown]
r"""
The last two are of another kind. Nothing in the mechanism says anything about efficiency gained or tickets avoided; only a comparison of people who use it with people who do not could say. They stand here because you will meet such sentences, and lesson 13 asks what evidence they would need.

**Predict**: of the first nine, how many turn out to be true *without* an "it depends"?
"""

# %%
predict(
    "00.claims_without_but",
    "claims of the first nine that hold without an 'it depends'",
    low=0,
    high=9,
)

# %% [markdown]
r"""
That one is revealed in lesson 13.

## What you have now

- Shift + Enter runs a cell; predict first.
- `check("name", function)` tells you what is right, what is wrong and what it looks like.
- A table of claims to be tested.

What was simplified: the weights in the picture were made up. From lesson 03 on, they are computed.

**Next:** [lesson 01, How alike are two lists of numbers?](01_similarity.ipynb)
"""
