# %% [markdown]
r"""
# 06 · One look is not enough

A head of attention makes *one* decision about where to look and brings back *one* mixture. Language asks for more: the verb wants its subject,
and its object, and the word before. This lesson gives attention several looks at once. You will be able to

- construct a task that one head cannot do, and watch two heads do it,
- split a vector into heads and merge it again, and spot the reshape that scrambles them,
- check your own multi-head attention against torch's,
- count what several heads cost, and what they do not.

**Time:** about 50 minutes. **Before you start:** lessons 03 to 05.
"""

# %%
import time

import numpy as np
import torch

from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import (
    attention,
    merge_heads,
    multi_head_attention,
    split_heads,
)

# %% [markdown]
r"""
## What can a single look not bring home?

Eight letters in a row. At the end we want to know two things: which letter came **first**, and which came **just before the end**. One head may look at both places, half and half. What does it bring back? Give each letter its own
direction, so that nothing gets mixed up by accident:
"""

# %%
letter = dict(zip("ABC", np.eye(3), strict=True))
a_first = 0.5 * letter["A"] + 0.5 * letter["B"]  # A came first, B just before the end
b_first = 0.5 * letter["B"] + 0.5 * letter["A"]  # the other way round
print("A first, B before the end:", a_first)
print("B first, A before the end:", b_first)

# %% [markdown]
r"""
The same mixture. Which letters were seen is there, *where* is gone. An uneven mixture, 0.7 and 0.3, would keep the two apart; but reading the smaller share out of it takes more than a matrix.

**Predict**: a head is trained on both questions. Letters are drawn from an alphabet of 20, so a blind guess is right 5 % of the time. It learns one of the two questions well. How much of the *other* does it get right?

<!-- numbers: 0.7 an uneven share; 0.3 the rest of it; 20 letters, see below; 5 % is 1/20 -->
"""

# %%
predict(
    "06.one_head_worse_job",
    "share right on the worse of the two questions",
    choices=["about 5 %", "less than half", "nearly all"],
)

# %% [markdown]
r"""
Here is the model, bare so that the case is clean: *where* to look is decided by places alone, *what* is brought back by letters alone. The heads share the width of 32 among them: how `split` and `merge` cut it up is the next section's question, and `train` works as in lesson 04.
"""

# %%
LETTERS, LENGTH, WIDTH = 20, 8, 32


def texts(count, seed):
    ids = torch.tensor(
        np.random.default_rng(seed).integers(LETTERS, size=(count, LENGTH))
    )  # (B, T)
    return (
        ids,
        ids[:, 0],
        ids[:, -2],
    )  # the text, its first letter, the letter before its last


def new_parameters(seed):
    generator = torch.Generator().manual_seed(seed)
    square, readout = (WIDTH, WIDTH), (WIDTH, LETTERS)
    shapes = {
        "letter": (LETTERS, WIDTH),
        "place": (LENGTH, WIDTH),
        "q": square,
        "k": square,
        "v": square,
        "o": square,
        "first": readout,
        "previous": readout,
    }
    size = {"letter": 1.0, "place": 1.0, "q": 0.1 * WIDTH**-0.5, "k": 0.1 * WIDTH**-0.5}
    return {
        name: (
            size.get(name, WIDTH**-0.5) * torch.randn(shape, generator=generator)
        ).requires_grad_()
        for name, shape in shapes.items()
    }


def split(x, num_heads):  # (B, T, C) -> (B, H, T, D)
    return x.unflatten(-1, (num_heads, -1)).transpose(-2, -3)


def merge(x):  # (B, H, T, D) -> (B, T, C)
    return x.transpose(-2, -3).flatten(-2)


# %%
def answers(p, ids, num_heads, split=split, merge=merge, keep=None):
    where = p["place"].expand(len(ids), LENGTH, WIDTH)  # (B, T, C)
    q, k = (
        split(where @ p["q"], num_heads),
        split(where @ p["k"], num_heads),
    )  # (B, H, T, D)
    v = split(p["letter"][ids] @ p["v"], num_heads)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)  # (B, H, T, T)
    mixed = weights @ v
    if keep is not None:  # switch heads off
        mixed = mixed * torch.tensor(keep, dtype=mixed.dtype)[:, None, None]
    end = (merge(mixed) @ p["o"])[:, -1]  # (B, C): the last place answers
    return end @ p["first"], end @ p["previous"], weights


def train(num_heads, seed=0, steps=300, jobs=(1.0, 1.0), **parts):
    p = new_parameters(seed)
    optimizer = torch.optim.Adam(p.values(), lr=0.005)
    for step in range(steps):
        ids, first, previous = texts(128, seed=10_000 * (seed + 1) + step)
        guess_first, guess_previous, _ = answers(p, ids, num_heads, **parts)
        loss = jobs[0] * torch.nn.functional.cross_entropy(guess_first, first)
        loss = loss + jobs[1] * torch.nn.functional.cross_entropy(
            guess_previous, previous
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return p


@torch.no_grad()
def right(p, num_heads, **parts):
    ids, first, previous = texts(2000, seed=1)
    guess_first, guess_previous, _ = answers(p, ids, num_heads, **parts)
    return [
        (guess.argmax(-1) == truth).float().mean().item()
        for guess, truth in ((guess_first, first), (guess_previous, previous))
    ]


# %% tags=["once"] reason="six trainings of a second or two each"
one = np.array([right(train(1, seed), 1) for seed in (0, 2, 4)])  # (start, question)
two = np.array([right(train(2, seed), 2) for seed in (0, 2, 4)])


def in_words(shares):
    if shares.min() > 0.9:
        return "above 0.9, each time"
    return "below 0.5, each time" if shares.max() < 0.5 else "mixed"


table(
    {
        "heads": [1, 2],
        "better question": [in_words(shares.max(axis=1)) for shares in (one, two)],
        "worse question": [in_words(shares.min(axis=1)) for shares in (one, two)],
    }
)

# %%
questions = np.array(["first", "previous"])
print("one head answers, start by start:", ", ".join(questions[one.argmax(axis=1)]))
reveal(
    "06.one_head_worse_job",
    "less than half" if one.min(axis=1).max() < 0.5 else "nearly all",
)

# %% [markdown]
r"""
Three starts each. One head learns one of the questions and gives up most of the other; *which* one depends on the start. (From other starts it ends in between, with an uneven mixture that serves both questions less well.) Two heads, at the same total width, learn both every time. Look at where they look, from the last place:
"""

# %%
p = train(2, seed=0)
_, _, weights = answers(p, texts(1, seed=5)[0], 2)
looks = np.round(weights[0, :, -1].detach().numpy(), 1)  # (H, T)
looks = looks[
    np.argsort(looks.argmax(axis=1))
]  # which head took which job is chance: sort them
show(
    plots.heat_map(
        looks,
        rows=["one head", "the other"],
        columns=[f"{t}" for t in range(LENGTH)],
        x="place looked at",
        y="head",
        digits=1,
        title="weights of the last place",
    ),
    alt="Two rows of eight weights. One head has its whole weight on place 0, the first letter; the other has its whole weight on place 6, the letter before the last.",
)

# %% [markdown]
r"""
Nobody told them to divide the work.

## How do you cut a vector into heads?

The width $C$ is cut into $H$ pieces of $D = C/H$ features. Head 0 gets the first $D$ features of *every* token, head 1 the next $D$. To see every single number arrive, make them tell where they come from: the tens digit is the
token, the ones digit the feature, so 23 is feature 3 of token 2.<!-- numbers: 23 an entry of the array below -->
"""

# %%
x = np.array([[10 * t + c for c in range(6)] for t in range(4)])  # (T, C) = (4, 6)
x

# %% [markdown]
r"""
Two steps. First give each token's row a second axis, heads by features. Then let tokens and heads change places, so that attention, which works on the last two axes, finds tokens at −2.
"""

# %%
in_pieces = x.reshape(4, 2, 3)  # (T, H, D)
heads = in_pieces.swapaxes(0, 1)  # (H, T, D)
print("head 0\n", heads[0])
print("head 1\n", heads[1])

# %% [markdown]
r"""
Four tokens (the tens), three features each (the ones). As a picture, with the numbers as colours:
"""

# %%
show(
    plots.head_split(
        x.astype(float),
        2,
        tokens=["token 0", "token 1", "token 2", "token 3"],
        name="x",
    ),
    alt="A matrix of four tokens and six features is cut along its features into two heads of four tokens and three features each, and put together "
    "again unchanged.",
)

# %% [markdown]
r"""
It is tempting to save the second step: `x.reshape(2, 4, 3)` has the wanted shape already.

**Predict**: what is the first row of head 0 then, and what the *second*?
"""

# %%
predict(
    "06.second_row",
    "second row of head 0 after the direct reshape",
    choices=["0 1 2", "3 4 5", "10 11 12", "20 21 22"],
)

# %%
scrambled = x.reshape(2, 4, 3)  # (H, T, D) in name only
print(scrambled[0])
reveal("06.second_row", " ".join(map(str, scrambled[0, 1])))

# %% [markdown]
r"""
Head 0 now holds *both halves* of tokens 0 and 1, as if they were four tokens, and has never heard of tokens 2 and 3. The shape is right. No error, no warning.
"""

# %%
colours = np.broadcast_to(
    np.arange(4)[:, None], (4, 6)
)  # which token an entry belongs to
show(
    plots.heat_map(
        {
            "head 0, right": colours.reshape(4, 2, 3).swapaxes(0, 1)[0],
            "head 0, scrambled": colours.reshape(2, 4, 3)[0],
        },
        x="feature",
        y="row",
        digits=0,
        label="token",
    ),
    alt="Two tables whose numbers name the token that an entry comes from. The right head 0 has a row for each token, 0 to 3. In the scrambled head 0 the four rows are token 0 twice and token 1 twice.",
)

# %%
explore.heads()

# %% [markdown]
r"""
Four words, eight features each, cut into two heads: each head has a table of weights of its own, and *down* looks mostly at itself in one and at *cat* in the other. In a running notebook you can cut the same numbers into one head or four.

Merging is the same two steps backwards, and the package's functions do it for any number of leading axes:
"""

# %%
batch = np.random.default_rng(0).normal(size=(5, 4, 6))  # (B, T, C)
print("split      ", split_heads(batch, 2).shape)
print("round trip ", np.array_equal(merge_heads(split_heads(batch, 2)), batch))
print(
    "head 1 has features 3 to 5:",
    np.array_equal(split_heads(batch, 2)[:, 1], batch[..., 3:]),
)

# %% [markdown]
r"""
## What is multi-head attention, all together?

Vaswani and others (2017, section 3.2.2) write it as a loop: each head has its own small projections, attends on its own, and the results are laid side by side and multiplied by $W_O$.
"""

# %%
rng = np.random.default_rng(2)
T, C, H = 5, 6, 3
D = C // H
x = rng.normal(size=(T, C))
w_q, w_k, w_v, w_o = rng.normal(size=(4, C, C)) / np.sqrt(C)

results = []
for h in range(H):
    own = slice(h * D, (h + 1) * D)  # the columns that belong to head h
    output, _ = attention(x @ w_q[:, own], x @ w_k[:, own], x @ w_v[:, own])  # (T, D)
    results.append(output)
by_loop = np.concatenate(results, axis=-1) @ w_o  # (T, C)

# %% [markdown]
r"""
The small projections are columns of the large ones. So project once, split, let *all heads attend at the same time* (the head axis is just another leading axis), and merge:
"""

# %%
q, k, v = (split_heads(x @ w, H) for w in (w_q, w_k, w_v))  # (H, T, D)
output, weights = attention(q, k, v)
by_split = merge_heads(output) @ w_o
packaged, packaged_weights = multi_head_attention(x, w_q, w_k, w_v, w_o, H)
print("loop = split  ", np.allclose(by_loop, by_split))
print("split = package", np.allclose(by_split, packaged))
print("weights        ", packaged_weights.shape)

# %%
theirs = torch.nn.MultiheadAttention(
    C, H, bias=False, batch_first=True, dtype=torch.float64
)
with torch.no_grad():
    theirs.in_proj_weight.copy_(
        torch.tensor(np.concatenate([w_q.T, w_k.T, w_v.T]))
    )  # torch stores transposes
    theirs.out_proj.weight.copy_(torch.tensor(w_o.T))
    torch_output, _ = theirs(*[torch.tensor(x)[None]] * 3)
print("package = torch", np.allclose(packaged, torch_output[0].numpy()))

# %% [markdown]
r"""
Notice $\sqrt D$: each head divides by the root of *its own* width, 2 here, not of the model's 6. And what does $W_O$ do, at the end? Rows $hD \dots (h+1)D-1$ of it meet the results of head $h$ and of no other.

**Predict**: is `merge(heads) @ w_o` the same as the *sum* over heads of `head @ (its rows of w_o)`?
"""

# %%
predict(
    "06.sum_of_heads",
    "the output is a sum over heads",
    choices=["yes, exactly", "only approximately", "no"],
)

# %%
total = sum(result @ w_o[h * D : (h + 1) * D] for h, result in enumerate(results))
reveal("06.sum_of_heads", "yes, exactly" if np.allclose(total, by_loop) else "no")

# %% [markdown]
r"""
So each head *adds* its own contribution to the output, and heads can be switched off one at a time. Do that to the trained model with its two jobs:
"""

# %%
everything, without_0, without_1 = (
    right(p, 2, keep=keep) for keep in ([1, 1], [0, 1], [1, 0])
)
first_lost = [without[0] < 0.5 for without in (without_0, without_1)]
previous_lost = [without[1] < 0.5 for without in (without_0, without_1)]
print("with both heads, both answers above 90 %:       ", min(everything) > 0.9)
print("heads without which the first letter is lost:   ", sum(first_lost))
print("heads without which the previous letter is lost:", sum(previous_lost))
print("it is the same head:                            ", first_lost == previous_lost)

# %% [markdown]
r"""
Each question hangs on exactly one head, and not on the same one. Real models are less tidy. Voita and others (2019) took away most heads of a translation model's encoder, and Michel, Levy and Neubig (2019) found layers in which a single head was enough after training: not every head that is there is needed.

## In the wild: heads in the wrong order, and the test passed

A widely read implementation merged its heads without changing the axes back. Its training test passed. When the bug was reported, the question was: why? ([jsbaan/transformer-from-scratch, pull request 6](https://github.com/jsbaan/transformer-from-scratch/pull/6): "the copy task is too easy".) The same with our model, scrambled on both sides, and asked
for the previous letter only:

**Predict**: does the scrambled model learn the previous letter?
"""


# %%
def scrambled_split(x, num_heads):
    B, T, C = x.shape
    return x.reshape(B, num_heads, T, C // num_heads)  # no transpose


def scrambled_merge(x):
    B, H, T, D = x.shape
    return x.reshape(B, T, H * D)  # no transpose back


parts = {"split": scrambled_split, "merge": scrambled_merge}
some = torch.randn(2, LENGTH, WIDTH, generator=torch.Generator().manual_seed(0))
print(
    "merge undoes split:", torch.equal(scrambled_merge(scrambled_split(some, 2)), some)
)
predict(
    "06.scrambled_learns",
    "share of previous letters the scrambled model gets right",
    low=0.0,
    high=1.0,
)

# %% tags=["once"] reason="two trainings of a second or two each"
easy = right(train(2, jobs=(0.0, 1.0), **parts), 2, **parts)
both = right(train(2, **parts), 2, **parts)
print("asked for the previous letter only: above 0.95:", easy[1] > 0.95)
print("asked for both, the first letter:   below 0.15:", both[0] < 0.15)
reveal("06.scrambled_learns", round(easy[1], 1))

# %% [markdown]
r"""
Perfect on the easy task, blind on the other one: scrambled head 1 holds the second half of the text, both halves of each vector, and the last place is merged from its rows alone. The first letter is out of reach. The round trip test is no help, because two wrong reshapes undo each other. Success in training does not prove a program right, and neither does one test of it. Check *which features of which
tokens* sit in a head, as you will in the exercises.

## What does it cost?

Count the multiplications for a text of $T$ tokens. Projections: four times $T C^2$, whatever $H$ is. Scores: $H$ heads, each $T^2 D$; together $T^2 C$. Mixing the values: the same again.

**Predict**: sixteen heads in place of one, at the same width. How many parameters?
"""

# %%
predict(
    "06.parameters",
    "parameters of sixteen heads, compared with one",
    choices=["sixteen times as many", "four times as many", "the same"],
)

# %%
T, C = 128, 512
counts = {"heads": [], "parameters": [], "multiplications": [], "powers e^x": []}
for H in (1, 2, 4, 8, 16):
    counts["heads"].append(H)
    module = torch.nn.MultiheadAttention(C, H, bias=False)
    counts["parameters"].append(sum(p.numel() for p in module.parameters()))
    counts["multiplications"].append(4 * T * C * C + 2 * H * T * T * (C // H))
    counts["powers e^x"].append(H * T * T)
table(counts)

# %%
reveal(
    "06.parameters",
    "the same" if len(set(counts["parameters"])) == 1 else "sixteen times as many",
)

# %% [markdown]
r"""
Parameters and multiplications do not know how many heads there are. What grows is the softmax: each head has its own $T\times T$ table of weights, and each of its powers is worth many multiplications. With wide vectors and short texts the projections hide that; with narrow ones and long texts it shows. How much is felt depends on the machine; here is yours, against one head.
"""

# %% tags=["nbval-ignore-output"] reason="times differ between machines"
x, parameters = (
    np.random.default_rng(3).normal(size=(T, C)),
    np.random.default_rng(4).normal(size=(4, C, C)),
)
seconds = {}
for H in (1, 4, 16):
    runs = []
    for _ in range(7):
        start = time.perf_counter()
        multi_head_attention(x, *parameters, H)
        runs.append(time.perf_counter() - start)
    seconds[H] = np.median(runs)
table(
    {
        "heads": list(seconds),
        "time, one head = 1": [s / seconds[1] for s in seconds.values()],
    },
    digits=1,
)

# %% [markdown]
r"""
## What you have now

- One head brings back one mixture, and a mixture forgets who stood where. Several heads, at the same width, bring several.
- Split: reshape to (T, H, D), *then* swap to (H, T, D). The direct reshape has the right shape and the wrong content.
- The output is a sum of the heads' contributions; each divides by the root of its own width.
- Parameters and multiplications are the same for any number of heads; the tables of weights are not.

What was simplified: our two questions could be answered by place alone. In a language model, heads mix content and place, and their jobs are seldom so clean; lesson 12 looks inside one.

**Next:** [exercises 06](../exercises/06_multi_head.ipynb), then lesson 07, where the keys and values come from *another* text.

**Further reading.** Vaswani and others (2017), section 3.2.2. Voita and others, *Analyzing multi-head self-attention* (2019). Michel, Levy and Neubig, *Are sixteen heads really better than one?* (2019).
"""
