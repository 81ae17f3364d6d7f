# %% [markdown]
r"""
# 01 · How alike are two lists of numbers?

Everything in this course rests on one small operation: multiply two lists of numbers entry by entry and add up. A
transformer does it millions of times to decide what to look at. After this lesson you will be able to

- work out a dot product on paper and say what its sign means,
- compare every query with every key in one line, and say which axis is which,
- choose between dot product and cosine, knowing what each of them ignores,
- predict how large a dot product of random vectors gets, before you run it.

**Time:** about 40 minutes. **Before you start:** Python functions and NumPy arrays; no linear algebra.
"""

# %%
import numpy as np
import torch

from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import cosine_similarity, dot_products, most_similar
from minitransformer.text import shakespeare

# %% [markdown]
r"""
## When do two days agree?

Five days of weather. Each is a list of two numbers: how much *warmer* than usual it was, and how much *wetter*.
A minus means colder, or drier.
"""

# %%
days = {
    "Mon": [2.0, 1.0],
    "Tue": [1.0, 3.0],
    "Wed": [-2.0, -1.0],
    "Thu": [4.0, 2.0],
    "Fri": [-1.0, 2.0],
}

# %% [markdown]
r"""
To compare two days, multiply warm with warm and wet with wet, and add:

$$\text{Mon}\cdot\text{Tue} = 2\times 1 + 1\times 3 = 5$$

Both were warmer than usual, so the first product is positive. Both were wetter, so the second one is too. Wherever two
lists agree in sign they push the sum up; wherever they disagree they pull it down.

**Predict**: Wednesday is colder and drier than usual. What is Mon · Wed?
"""

# %%
predict("01.monday_wednesday", "Mon · Wed", low=-10.0, high=10.0)


# %%
def dot(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


reveal("01.monday_wednesday", dot(days["Mon"], days["Wed"]))

# %% [markdown]
r"""
As large as Monday's agreement with Tuesday, with the sign turned round: *opposite* is not the same as *unrelated*. Here is
Monday against all five.
"""

# %%
table(
    {
        "day": list(days),
        "warmer": [day[0] for day in days.values()],
        "wetter": [day[1] for day in days.values()],
        "Mon · day": [dot(days["Mon"], day) for day in days.values()],
    }
)

# %% [markdown]
r"""
Friday gets exactly 0. It was colder *and* wetter, and the two votes cancel: knowing that a day is like Monday tells you nothing
about whether it is like Friday.

## What does that look like?

A list of two numbers is an arrow on paper. The dot product can be read off the drawing.
"""

# %%
show(
    plots.vectors(
        {name: np.array(day) for name, day in days.items()},
        x="warmer than usual",
        y="wetter than usual",
    ),
    alt="Five arrows from one point. Thursday lies exactly on Monday's line and is twice as long; Wednesday points exactly "
    "backwards; Friday stands at a right angle to Monday; Tuesday leans 45 degrees away from Monday.",
)

# %% [markdown]
r"""
Positive for arrows that point the same way, negative for arrows that point apart, zero at a right angle. In a formula, with
$\theta$ the angle between the arrows and $|a|$ the length of $a$:

$$a\cdot b = |a|\,|b|\cos\theta$$

Both sides, computed separately, for Monday and Tuesday. The angle is measured from the drawing's own coordinates, without any
dot product:
"""

# %%
monday, tuesday = np.array(days["Mon"]), np.array(days["Tue"])
angle = np.arctan2(tuesday[1], tuesday[0]) - np.arctan2(monday[1], monday[0])
lengths = np.hypot(*monday) * np.hypot(*tuesday)
print(f"angle           {np.degrees(angle):.1f} degrees")
print(f"|a| |b| cos(θ)  {lengths * np.cos(angle):.3f}")
print(f"a · b           {dot(monday, tuesday):.3f}")

# %% [markdown]
r"""
Turn one arrow round the other and watch the number. **Predict**: at which angle does it cross zero, and does that depend on the lengths?
<!-- numbers: 180 half a turn; 270 three quarters of a turn -->
"""

# %%
predict(
    "01.zero_crossing",
    "angle at which the dot product crosses zero",
    low=0.0,
    high=180.0,
)

# %%
explore.similarity()

# %%
turn = np.linspace(0.0, 360.0, 181)  # degrees
show(
    plots.curves(
        turn,
        {f"length {length}": length * np.cos(np.radians(turn)) for length in (1, 2, 3)},
        x="angle between the arrows, degrees",
        y="dot product with an arrow of length 1",
        places={"90°": 90.0, "270°": 270.0},
    ),
    alt="Three cosine waves. All are largest at 0 degrees, cross zero at 90 and at 270 degrees whatever the length, and are most "
    "negative at 180 degrees; a longer arrow only stretches the wave.",
)

# %%
reveal("01.zero_crossing", float(turn[np.abs(np.cos(np.radians(turn))).argmin()]))

# %% [markdown]
r"""
The crossings do not move when the arrow gets longer. Length scales the answer; only the angle decides its sign.

## All against all, at once

A lookup asks several questions of several candidates. The ones that ask are called **queries**, the candidates **keys**. Take two
queries and all five days as keys, and fill a table the slow way.
"""

# %%
keys = np.array(list(days.values()))  # (5, 2), a key in each row
queries = keys[[0, 4]]  # (2, 2): Monday and Friday ask

by_loops = np.zeros((len(queries), len(keys)))
for i, query in enumerate(queries):
    for j, key in enumerate(keys):
        by_loops[i, j] = dot(query, key)
by_loops

# %% [markdown]
r"""
Row: who asks. Column: who is asked. We keep that order everywhere in the course: queries down, keys across.

**Predict**: this double loop is one matrix product. `queries` has shape (2, 2) and `keys` has shape (5, 2). Which of the lines gives the
table above?
"""

# %%
predict(
    "01.which_product",
    "the line that gives the table",
    choices=[
        "queries * keys",
        "queries @ keys",
        "queries @ keys.T",
        "keys @ queries.T",
    ],
)


# %%
def shape_of(product):
    try:
        return str(product().shape)
    except ValueError:
        return "shapes do not fit"


lines = {
    "queries * keys": lambda: queries * keys,
    "queries @ keys": lambda: queries @ keys,
    "queries @ keys.T": lambda: queries @ keys.T,
    "keys @ queries.T": lambda: keys @ queries.T,
}
table({"line": list(lines), "result": [shape_of(line) for line in lines.values()]})

# %%
reveal("01.which_product", "queries @ keys.T")

# %% [markdown]
r"""
The last line is not nonsense: it holds the same ten numbers, with those who ask lying down. Nothing will warn you. The first two
at least refuse, because two queries do not line up with five keys. Had there been *five* queries, `queries * keys` would
have run as well and given you garbage of a plausible shape. Test with sizes that differ.

With more axes (a batch, several heads) `.T` would turn all of them round. Only the last two should change places, and that is what the
package's function does:
"""

# %%
print("loop = matrix product  ", np.allclose(by_loops, queries @ keys.T))
print(
    "matrix product = package",
    np.allclose(queries @ keys.T, dot_products(queries, keys)),
)
print(
    "package = torch         ",
    np.allclose(by_loops, (torch.tensor(queries) @ torch.tensor(keys).mT).numpy()),
)

# %%
three_weeks = np.stack([keys, keys + 1.0, keys - 1.0])  # (3, 5, 2)
print("package     ", dot_products(three_weeks, three_weeks).shape)
print("transposed  ", three_weeks.T.shape, "is what .T makes of (3, 5, 2)")

# %% [markdown]
r"""
## Is longer the same as more alike?

Monday asks: which day is most like me? Monday itself should be hard to beat.

**Predict**: by dot product, which day wins?
"""

# %%
predict(
    "01.most_like_monday",
    "the day with the largest dot product with Monday",
    choices=list(days),
)

# %%
winner = list(days)[most_similar(keys[0], keys, k=1)[0]]
reveal("01.most_like_monday", winner)

# %% [markdown]
r"""
<details><summary>Why not Monday?</summary>

Thursday points where Monday points and is twice as long, so its product with Monday is twice Monday's product with itself. The dot
product answers "how far do you go in my direction?", not "are we the same?". An attention key can use that: a long key says
"look at me", whoever asks.
</details>

To compare directions only, divide the length of both arrows out. What is left is $\cos\theta$, the **cosine similarity**,
between −1 and 1:
"""

# %%
lengths = np.linalg.norm(keys, axis=-1, keepdims=True)  # (5, 1)
directions_of_days = keys / lengths  # (5, 2), every row of length 1
table(
    {
        "day": list(days),
        "length": lengths[:, 0],
        "dot with Mon": keys @ keys[0],
        "cosine with Mon": np.round(directions_of_days @ directions_of_days[0], 3)
        + 0.0,
    }
)

# %% [markdown]
r"""
Thursday ties with Monday now. But dividing has a price. A perfectly usual day is `[0, 0]`: an arrow without length, and without direction.
"""

# %%
usual_day = np.zeros(2)
with np.errstate(invalid="ignore"):
    direction = usual_day / np.linalg.norm(usual_day)
direction

# %% [markdown]
r"""
0/0 is `nan`, "not a number". It would not stay alone: one `nan` in a table of similarities turns every sum it enters into `nan`. So a
decision is needed, and ours is that a vector without direction is similar to nothing: 0.
"""

# %%
with_usual_day = np.vstack([keys[:2], usual_day])  # Mon, Tue, the usual day
np.round(cosine_similarity(with_usual_day, with_usual_day), 3) + 0.0

# %% [markdown]
r"""
Transformers use the plain dot product. They may: the vectors are learned, so the model decides how long a key should be. The price
of *that* choice is the next question.

## How big does a dot product get?

<!-- numbers: 10 from the first table; 64 a usual width -->

Two features gave us products up to 10. Models use 64 or more features. Suppose each entry of $q$ and $k$ is drawn
independently, with mean 0 and variance 1, so no entry is larger than another on average. The variance is the average square
here, and $E[\dots]$ stands for "on average, over many draws".

Each product $q_i k_i$ has mean 0 too, and variance $E[q_i^2 k_i^2] = E[q_i^2]\,E[k_i^2] = 1$: of independent numbers, the average of a
product is the product of the averages. The dot product adds $D$ of them, and
variances of independent terms add:

$$\operatorname{Var}(q\cdot k) = \sum_{i=1}^{D} \operatorname{Var}(q_i k_i) = D$$

**Predict**: the typical size of a random number is its *standard deviation*, the root of the variance. How large is a typical
$q\cdot k$ at $D = 1024$?
"""

# %%
predict("01.spread_at_1024", "typical size of q·k at D = 1024", low=0.0, high=1024.0)

# %%
widths = np.array([2, 8, 32, 128, 512, 1024])
rng = np.random.default_rng(1)
products = [
    (rng.normal(size=(4000, width)) * rng.normal(size=(4000, width))).sum(
        axis=-1
    )  # (4000,)
    for width in widths
]
spread = np.array([product.std() for product in products])
table(
    {
        "D": widths,
        "variance / D": spread**2 / widths,
        "standard deviation": spread,
        "√D": np.sqrt(widths),
    }
)

# %%
reveal("01.spread_at_1024", round(float(np.sqrt(widths[-1])), 1))

# %% [markdown]
r"""
The derivation says the variance over $D$ is 1 for every width; four thousand random pairs for each width agree to a few hundredths. On
axes that both run in powers, a square root is a straight line:
"""

# %%
show(
    plots.growth(
        widths,
        {"measured": spread, "√D": np.sqrt(widths)},
        x="width D",
        y="standard deviation of q·k",
    ),
    alt="Measured spread and the square root of D lie on one straight line on logarithmic axes, from 1.4 at width 2 to 32 at "
    "width 1024.",
)

# %% [markdown]
r"""
Cosine has the opposite habit. Its divisor $|q|\,|k|$ is about $\sqrt D\cdot\sqrt D = D$, so of a typical size $\sqrt D$ only
$1/\sqrt D$ is left. In many dimensions, two random directions are nearly at right angles:
"""

# %%
rng = np.random.default_rng(2)
cosines = [
    np.diagonal(
        cosine_similarity(
            rng.normal(size=(1000, width)), rng.normal(size=(1000, width))
        )
    )
    for width in (2, 32, 1024)
]
table(
    {
        "D": [2, 32, 1024],
        "typical |cosine|": [np.std(c) for c in cosines],
        "1/√D": [width**-0.5 for width in (2, 32, 1024)],
    }
)

# %% [markdown]
r"""
Keep both facts. Raw dot products grow like $\sqrt D$, and lesson 03 shows what that does to attention and how one division cures it.
The independence was an assumption: trained queries and keys are *not* independent, that is the point of training. The rule says
how a model starts, not how it ends.

## Which letters keep similar company?

Now something nobody wrote by hand. Take nine of Shakespeare's plays. For each letter, count which letters come right before
it and right after it. That gives every letter a list of 52 numbers, a portrait of the company it keeps.<!-- numbers: 52 is twice 26; 21 letters in the picture --> No one tells the computer what
a vowel is.
"""

# %%
letters = "abcdefghijklmnopqrstuvwxyz"
codes = np.array([letters.find(c) for c in shakespeare().lower()])  # -1: not a letter
before, after = codes[:-1], codes[1:]
both = (before >= 0) & (after >= 0)
follows = np.zeros((26, 26))
np.add.at(
    follows, (before[both], after[both]), 1
)  # follows[i, j]: how often j comes right after i
company = np.hstack([follows, follows.T])  # (26, 52): what follows, then what precedes

print(
    f"after q: {letters[follows[letters.index('q')].argmax()]}    after t: {letters[follows[letters.index('t')].argmax()]}"
)

# %% [markdown]
r"""
The computer has never heard of letters that sound alike. **Predict**: which letter is nearest to *b* by plain dot product of these
counts?
"""

# %%
predict(
    "01.nearest_to_b", "nearest to b by dot product of counts", choices=list("aehpt")
)


# %%
def nearest(portraits, letter, k=5):
    order = most_similar(
        portraits[letters.index(letter)], portraits, k=k + 1
    )  # (k + 1,)
    return " ".join(letters[i] for i in order if letters[i] != letter)[: 2 * k - 1]


table(
    {
        "letter": list("abdmnt"),
        "nearest by dot product": [nearest(company, c) for c in "abdmnt"],
    }
)

# %%
reveal("01.nearest_to_b", nearest(company, "b")[0])

# %% [markdown]
r"""
The same few letters win again and again. *e*, *t*, *h* and *r* are frequent, so their portraits are long, and a long key comes near the top
whoever asks: Thursday's trick, in real data. Divide the lengths out:
"""

# %%
directions = company / np.linalg.norm(company, axis=-1, keepdims=True)  # (26, 52)
table(
    {
        "letter": list("abdmnt"),
        "by dot product": [nearest(company, c) for c in "abdmnt"],
        "by cosine": [nearest(directions, c) for c in "abdmnt"],
    }
)

# %% [markdown]
r"""
Now *a* finds the other vowels, and *b* finds *p*, the letter that differs from it only in whether the voice joins in. The text never
says how letters sound. It shows who stands where, and letters that sound alike can stand in the same places. "You shall know a
word by the company it keeps", the linguist J. R. Firth wrote in 1957; a transformer's embeddings are learned from the same kind of evidence.

All pairs at once, vowels first:
"""

# %%
order = [letters.index(c) for c in "aeioutnshrdlmcfwgpbvk"]
similarity = cosine_similarity(company, company)[np.ix_(order, order)]  # (21, 21)
names = [letters[i] for i in order]
show(
    plots.heat_map(
        similarity,
        rows=names,
        columns=names,
        x="letter",
        y="letter",
        label="cosine",
    ),
    alt="Heat map of 21 letters against each other, vowels first. A dark square in the corner shows that a, e, i and o resemble each "
    "other; u stands apart from them. The rest of the vowels' rows is pale; among the consonants the similarities are uneven.",
)

# %%
vowels, consonants = slice(0, 4), slice(5, None)
among_vowels = (similarity[vowels, vowels].sum() - 4) / (
    4 * 3
)  # leave each letter with itself out
print(f"a, e, i, o with each other   {among_vowels:.2f}")
print(f"a, e, i, o with consonants   {similarity[vowels, consonants].mean():.2f}")

# %% [markdown]
r"""
It is not a clean split: look along the row of *u*, and find the pairs of consonants that are as close as two vowels. Similarity
is a question of degree, and of which features you chose to list.

## In the wild: half a cosine
<!-- no prediction: the section shows a known bug by running it -->

A search library that promised cosine normalised the *stored* vectors and forgot the *question*
([microsoft/SPTAG, issue 82](https://github.com/microsoft/SPTAG/issues/82)). A user noticed because a vector's distance to itself was not
0. Monday asks, with the keys normalised and the query left as it is:
"""

# %%
monday = np.array([2.0, 1.0])
half = directions_of_days @ monday
table(
    {
        "day": list(days),
        "half normalised": np.round(half, 3) + 0.0,
        "cosine": np.round(half / np.linalg.norm(monday), 3) + 0.0,
    }
)

# %% [markdown]
r"""
Values above 1, so it is no cosine. Yet the *order* of the days is right: one query's length multiplies its whole row, and ranking does not
see it. That is how such a slip survives. It shows when rows are compared with each other, or when softmax meets them,
in the next lesson.

## What you have now

- A dot product adds up agreements: positive for the same direction, negative for opposite ones, 0 at a right angle.
- `queries @ keys.swapaxes(-1, -2)` compares all with all: a row for each query, a column for each key.
- The dot product rewards length, cosine ignores it, and a vector of zeros needs a decision.
- For independent entries of variance 1, $q\cdot k$ has variance $D$: typical size $\sqrt D$.

**Next:** lesson 02 turns such scores into shares that add up to 1. First, write the three functions yourself:
[exercises 01](../exercises/01_similarity.ipynb).

**Further reading.** J. R. Firth, *A synopsis of linguistic theory* (1957). S. Deerwester and others, *Indexing by latent
semantic analysis* (1990), for counts turned into vectors. A. Vaswani and others, *Attention is all you need* (2017), footnote 4 of
section 3.2.1, for the variance argument in one sentence.
"""
