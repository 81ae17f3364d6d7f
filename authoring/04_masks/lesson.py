# %% [markdown]
r"""
# 04 · What a token may not see

Attention looks everywhere. Sometimes it must not: a model that guesses the next character may not look at it, and the blanks that fill up a
short text are not text. After this lesson you will be able to

- recognise the symptom of a leak: results that are too good,
- mask scores in the one right place, and say what goes wrong in three others,
- keep a row that may look at nothing from turning a whole batch into `nan`,
- write a detector that finds a leak in any attention function, without reading its code.

**Time:** about 50 minutes. **Before you start:** lesson 03: scores, weights, `attention(q, k, v)`.
"""

# %%
import numpy as np
import torch

from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import (
    attention,
    causal_mask,
    masked_attention,
    masked_softmax,
    padding_mask,
    softmax,
)

# %% [markdown]
r"""
## How can a coin be predicted?

A coin is guessed right half the time, by luck alone. Take a die with ten sides instead: nobody can predict the next throw, and the best guess is right one time in ten. Here is a small attention
model that is asked to, trained in a few seconds. Each number has a row of its own in a table, and so has each place in the text; the two rows are added, the places attend to each other, and each guesses the *next* throw.

`train` changes all these tables a little at a time, so that the guesses fit better. How it does so is the subject of lesson 09; here only the outcome matters.
"""

# %%
SIDES, LENGTH, WIDTH = 10, 12, 32


def dice(count, seed):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.integers(SIDES, size=(count, LENGTH + 1)))  # (B, T + 1)


def new_parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "throw": (SIDES, WIDTH),
        "place": (LENGTH, WIDTH),
        "q": (WIDTH, WIDTH),
        "k": (WIDTH, WIDTH),
        "v": (WIDTH, WIDTH),
        "guess": (WIDTH, SIDES),
    }
    return {
        name: (
            torch.randn(shape, generator=generator) * shape[-1] ** -0.5
        ).requires_grad_()
        for name, shape in shapes.items()
    }


# %%
def guesses(p, throws, mask):
    x = p["throw"][throws] + p["place"][: throws.shape[1]]  # (B, T, C)
    scores = (x @ p["q"]) @ (x @ p["k"]).mT / WIDTH**0.5  # (B, T, T)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return (scores.softmax(dim=-1) @ (x @ p["v"])) @ p["guess"]  # (B, T, SIDES)


def train(mask, steps=400):
    p = new_parameters()
    optimizer = torch.optim.Adam(p.values(), lr=0.02)
    for step in range(steps):
        throws = dice(64, seed=step)
        loss = torch.nn.functional.cross_entropy(
            guesses(p, throws[:, :-1], mask).flatten(0, 1), throws[:, 1:].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return p


def accuracy(p, mask):
    throws = dice(500, seed=10_000)  # never trained on
    best = guesses(p, throws[:, :-1], mask).argmax(dim=-1)
    return (
        (best == throws[:, 1:])[:, :-1].float().mean().item()
    )  # the last place has no later one to peep at


# %% [markdown]
r"""
**Predict**: no mask. What share of the throws does the model get right, on throws that it has never seen?
"""

# %%
predict("04.dice_without_mask", "share of dice throws predicted", low=0.0, high=1.0)

# %%
peeping = train(mask=None)
reveal("04.dice_without_mask", round(accuracy(peeping, mask=None), 1))

# %% [markdown]
r"""
A model that predicts dice. It has not found a law of chance: the target of place $t$ is the throw at place $t + 1$, and that throw stands in the input,
one place to the right. The model has learned to look there. Now forbid it:
"""

# %%
lower = torch.tensor(causal_mask(LENGTH))  # (T, T), True where a place may look
honest = train(mask=lower)
print(
    "honest model, between 5 % and 15 %:          ",
    0.05 < accuracy(honest, lower) < 0.15,
)
print(
    "peeping model without later throws, the same:",
    0.05 < accuracy(peeping, lower) < 0.15,
)

# %% [markdown]
r"""
Both numbers are what luck gives. The second line is what the peeping model is worth in use: when it *writes*, the next throw does not exist
yet. On the test set it was nearly perfect.

> **In the wild.** An accuracy of 98 % from a tiny model, and translations that make no sense: a user of a translation program reported both, and suspected that the
> mask lets the model see the words it has to produce ([jadore801120/attention-is-all-you-need-pytorch, issue 19](https://github.com/jadore801120/attention-is-all-you-need-pytorch/issues/19)).
> Nothing in the loss curve warns you; it looks wonderful. Too good is a symptom.

<!-- numbers: 98 quoted from the thread -->

## Where does the mask go?

Four tokens, and scores small enough for paper. Row: who looks. Column: at whom.
"""

# %%
scores = np.array(
    [
        [2.0, 1.0, 3.0, 0.0],
        [0.0, 1.0, 1.0, 2.0],
        [1.0, 0.0, 2.0, 4.0],
        [0.0, 0.0, 1.0, 1.0],
    ]
)
mask = causal_mask(4)  # (4, 4)
words = ["the", "cat", "sat", "down"]
show(
    plots.masks({"causal": mask}, tokens=words),
    alt="A four by four table of who may look at whom. The first word may look at itself only, the second at the first two, and the last at all "
    "four; everything above the diagonal is hatched out.",
)

# %% [markdown]
r"""
The first row sees itself only; the last one sees all four words. Three ways to apply this come to mind. The first throws away what was not allowed, *after* the softmax.

**Predict**: what do the weights of row 0 add up to then?
"""

# %%
predict(
    "04.sum_after_softmax",
    "sum of row 0 when masked after the softmax",
    low=0.0,
    high=1.0,
)

# %%
after = softmax(scores) * mask
print(np.round(after, 3))
reveal("04.sum_after_softmax", float(after[0].sum()))

# %% [markdown]
r"""
The forbidden tokens get nothing, but they have *taken* their share before they left: row 0 keeps a quarter of itself. Its output shrinks by a factor that depends on tokens it may not see, so something still
leaks. Dividing each row by its sum again would repair that on paper. In floating point it fails exactly when the forbidden score is large:
"""

# %%
loud_future = np.array([[1.0, 2.0, 1000.0]])  # the third token may not be seen
allowed = np.array([[True, True, False]])
kept = softmax(loud_future) * allowed
with np.errstate(invalid="ignore"):
    print("softmax, mask, divide again:", kept / kept.sum(axis=-1, keepdims=True))
print("mask first, then softmax:   ", np.round(masked_softmax(loud_future, allowed), 3))

# %% [markdown]
r"""
The second way multiplies the *scores* by the mask. A forbidden score becomes 0. But 0 is not "never": softmax makes $e^0 = 1$ of it, which is more than many an
honest negative score gets. What we want is a score whose power is 0. There is one, $-\infty$, since $e^{-\infty} = 0$:
"""

# %%
multiplied = softmax(scores * mask)
minus_infinity = softmax(np.where(mask, scores, -np.inf))
table(
    {
        "row": range(4),
        "leaks, scores × mask": [
            f"{row[i + 1 :].sum():.3f}" for i, row in enumerate(multiplied)
        ],
        "leaks, −inf before softmax": [
            f"{row[i + 1 :].sum():.3f}" for i, row in enumerate(minus_infinity)
        ],
        "row sum, −inf before softmax": minus_infinity.sum(axis=-1),
    }
)

# %% [markdown]
r"""
So: **minus infinity, before the softmax**. This is what the 2017 paper does (section 3.2.3), and what `masked_softmax` does.

"""

# %%
show(
    plots.heat_map(
        {"no mask": softmax(scores), "masked": masked_softmax(scores, mask)},
        rows=words,
        columns=words,
    ),
    alt="Two four-by-four tables of weights. Without a mask every cell has a share. With the mask the cells above the diagonal are zero, each row still adds up to one, and the "
    "first row has all its weight on itself.",
)

# %%
explore.masks()

# %% [markdown]
r"""
In a running notebook the last picture has controls: allow looking ahead, or let fewer of the tokens be real. `<pad>` is a blank that fills up a short text; what to do about blanks, and about a row with nothing left to look at, comes below.

## Will a very negative number do?

<!-- numbers: −10,000 a usual fill -->

Much code fills forbidden places with a large negative number, −10,000 or $-10^9$, since infinities can make `nan`. Usually that is the same: $e^{-10000}$ is 0 in floating point. It is the same as long as
the number lies far below every *allowed* score.

**Predict**: a fill of −100. Two allowed scores of −200 and −201, one forbidden place. How much weight does the forbidden place get?
"""

# %%
predict("04.small_fill", "weight of the forbidden place", low=0.0, high=1.0)

# %%
low_scores = np.array([-200.0, -201.0, 0.0])
may_look = np.array([True, True, False])
filled = softmax(np.where(may_look, low_scores, -100.0))
print("filled with -100 ", np.round(filled, 3) + 0.0)
print("masked_softmax   ", np.round(masked_softmax(low_scores, may_look), 3))
reveal("04.small_fill", float(filled[2]))

# %% [markdown]
r"""
Everything. Scores that low are rare, and that is the trouble: a bug which waits. The fill should be $-\infty$ or the data type's own minimum.

## Whose blanks are they?

Texts have different lengths; a batch is a rectangle. The short ones are filled up with padding:
"""

# %%
texts = ["to be", "or", "not"]
lengths = np.array([len(text) for text in texts])  # (B,)
longest = lengths.max()
print([text.ljust(longest, "·") for text in texts])
padding_mask(lengths, longest).astype(int)  # (B, 1, T)

# %% [markdown]
r"""
True where a real character stands. The shape (B, 1, T) says on which side the mask works: one row for each text, *every* query of that text gets the same row, and the
columns are keys. So no one looks *at* padding. Random queries, keys and values, to see it:
"""

# %%
rng = np.random.default_rng(3)
q, k, v = rng.normal(size=(3, 3, longest, 4))  # three arrays (B, T, D)
_, weights = masked_attention(q, k, v, padding_mask(lengths, longest))
np.round(weights[1], 2)  # "or": five queries, two real keys

# %% [markdown]
r"""
Five rows, although "or" has two characters: the padded *queries* ask too, and get answers nobody will read. That is fine. They are thrown away at the end, when the loss counts
real places only.

**Predict**: change the *content* of the padding (rows 2 to 4 of text 1) wildly. Which rows of that text's output change?
"""

# %%
predict(
    "04.padding_changed",
    "rows of the output that change",
    choices=["none", "rows 0 and 1", "rows 2 to 4", "all"],
)

# %%
noisy_k, noisy_v = k.copy(), v.copy()
noisy_k[1, 2:] += 50.0
noisy_v[1, 2:] -= 50.0
output, _ = masked_attention(q, k, v, padding_mask(lengths, longest))
changed, _ = masked_attention(q, noisy_k, noisy_v, padding_mask(lengths, longest))
print("largest change:", np.abs(changed - output).max())
reveal("04.padding_changed", "none")

# %% [markdown]
r"""
Exactly nothing, not even a rounding error. Put the mask on the other side, (B, T, 1), and it forbids padded queries to *ask*, while everyone still
listens to the padding:
"""

# %%
query_side = padding_mask(lengths, longest).swapaxes(-1, -2)  # (B, T, 1)
output, _ = masked_attention(q, k, v, query_side)
changed, _ = masked_attention(q, noisy_k, noisy_v, query_side)
print(
    "change in the two real rows of text 1:",
    np.round(np.abs(changed - output)[1, :2].max(), 1),
)

# %% [markdown]
r"""
That slip is real, too ([hyunwoongko/transformer, pull request 40](https://github.com/hyunwoongko/transformer/pull/40)). It hid for years behind a fill of −10,000: a padded query's row, all scores equal, gave
harmless equal weights. The day someone wrote $-\infty$, the model returned `nan`. Which brings us to the next question.

<!-- numbers: −10,000 from the thread; 40 the number of the pull request -->

## What does a row see that may see nothing?

An empty text in the batch: length 0. Its mask row is all False, its scores all $-\infty$, and softmax divides 0 by 0.
"""

# %%
nothing = np.full((1, 3), -np.inf)
with np.errstate(invalid="ignore"):
    print("plain softmax ", softmax(nothing))
print("masked_softmax", masked_softmax(np.zeros((1, 3)), np.zeros((1, 3), dtype=bool)))

# %% [markdown]
r"""
One row of `nan` looks like a small accident in a corner, since nobody reads the output of an empty text. Let us train on it: three texts, the middle one empty, and a loss that *leaves the empty text out*.

**Predict**: after `backward()`, how many of the 16 entries of the value matrix have a gradient of `nan`?
"""

# %%
predict("04.nan_gradients", "nan entries among the 16 gradients", low=0, high=16)


# %%
def gradient_of_values(empty_row_is_zero):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 2, 4, generator=generator)  # (B, T, C)
    w_v = torch.randn(4, 4, generator=generator).requires_grad_()
    mask = torch.tensor([[True, True], [False, False], [True, False]])[
        :, None
    ]  # (B, 1, T)
    scores = (x @ x.mT).masked_fill(~mask, -torch.inf)
    if empty_row_is_zero:
        empty = ~mask.any(dim=-1, keepdim=True)  # (B, 1, 1)
        weights = scores.masked_fill(empty, 0.0).softmax(dim=-1).masked_fill(empty, 0.0)
    else:
        weights = scores.softmax(dim=-1)
    output = weights @ (x @ w_v)
    output[[0, 2]].square().mean().backward()  # text 1 is left out of the loss
    return w_v.grad


poisoned = gradient_of_values(empty_row_is_zero=False)
reveal("04.nan_gradients", int(poisoned.isnan().sum()))

# %% [markdown]
r"""
All of them. The loss does not use the empty text, so the gradient that arrives there is 0. On its way back to the values it is multiplied by the weights of that row, which are `nan`, and 0 · `nan` is `nan`. The value matrix is *shared* by all texts: one `nan` in its sum, and the next step of training makes every entry of it `nan`. People have met this
since 2020 ([pytorch, issue 41508](https://github.com/pytorch/pytorch/issues/41508)).


The cure is a decision, made *before* the softmax: **a row that may look at nothing gets weights of zero**, and so an output of zero.
"""

# %%
healthy = gradient_of_values(empty_row_is_zero=True)
print("all finite:", bool(healthy.isfinite().all()))

# %%
q, k, v = (
    torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(seed))
    for seed in (1, 2, 3)
)
mask = torch.tensor(
    [[[True, False], [False, False]]]
)  # the second query may see nothing
fused = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
ours, _ = masked_attention(q.numpy(), k.numpy(), v.numpy(), mask.numpy())
print("torch's fused attention, empty row:", fused[0, 1].tolist())
print(
    "same as ours:                      ", np.allclose(fused.numpy(), ours, atol=1e-6)
)

# %% [markdown]
r"""
## How do you catch a leak without reading the code?

Back to the future. Given any function from (T, C) to (T, C), can you tell whether a row of its output depends on a *later* row of its input? You need not look inside. Change a later row, and see whether an
earlier output moves. Here are three leaks to be caught: one function sees everything, one sees one place ahead, and one sees what it may and the very last place besides.

**Predict**: it is tempting to change the last row only and look at the first. Which of these three would such a test miss?
"""

# %%
predict(
    "04.missed_leak",
    "the leak that 'change the last, look at the first' misses",
    choices=["sees everything", "sees one place ahead", "also sees the last place"],
)


# %%
def attend_with(mask):
    return lambda x: masked_attention(x, x, x, mask(len(x)))[0]


def one_ahead(length):
    return np.tril(np.ones((length, length), dtype=bool), k=1)


def and_the_last(length):
    return causal_mask(length) | (np.arange(length) == length - 1)


suspects = {
    "honest": attend_with(causal_mask),
    "sees everything": lambda x: attention(x, x, x)[0],
    "sees one place ahead": attend_with(one_ahead),
    "also sees the last place": attend_with(and_the_last),
}


# %%
def moved(attend, changed_row, length=6):
    """Which output rows change when one input row does."""
    x = np.random.default_rng(0).normal(size=(length, 3))
    y = x.copy()
    y[changed_row] += 1.0
    return np.any(attend(x) != attend(y), axis=-1)  # (T,)


table(
    {
        "function": list(suspects),
        "first row moves when the last is changed": [
            bool(moved(f, -1)[0]) for f in suspects.values()
        ],
    }
)

# %%
reveal("04.missed_leak", "sees one place ahead")

# %% [markdown]
r"""
And a leak of one place is the slip that is made most easily: an off-by-one. So change *every* row in turn and look at every row before it. The whole answer is a picture: column, what was changed; row, what moved.
"""

# %%
show(
    plots.heat_map(
        {
            name.replace("sees ", ""): np.stack(
                [moved(attend, row) for row in range(6)], axis=1
            ).astype(float)
            for name, attend in suspects.items()
        },
        rows=[str(t) for t in range(6)],
        columns=[str(t) for t in range(6)],
        x="row changed",
        y="row that moved",
        label="1: it moved",
    ),
    alt="Four squares. For the honest function only the lower triangle with its diagonal is filled. The one that sees everything fills the whole square; the one that sees one place ahead fills "
    "one diagonal too many; the last one fills the lower triangle and the last column.",
)

# %% [markdown]
r"""
Anything above the diagonal is a leak: a row moved although only a later one was changed. In the exercises you write this detector, and it will be let loose on attention functions that you have not seen, right and wrong ones.

What was simplified: here a place's output may use its own input. Whether that is right depends on what you predict; in a language model, the targets are shifted by one, so place $t$ knows character $t$ and guesses
$t + 1$.

## What you have now

- Results that are too good are a symptom; a perturbation test finds the cause.
- Masks are Boolean, True = may look. Forbidden scores become $-\infty$ before the softmax; not 0, not −100, not afterwards.
- A padding mask acts on keys: (B, 1, T).
- A row that may see nothing gets zeros; otherwise one empty row poisons every parameter behind it.

**Next:** [exercises 04](../exercises/04_masks.ipynb). Then lesson 05: so far, attention has no idea which token came first.

**Further reading.** Vaswani and others, *Attention is all you need* (2017), section 3.2.3. The three threads above, each a short detective story.
"""
