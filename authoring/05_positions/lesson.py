# %% [markdown]
r"""
# 05 · How does attention know who came first?

It does not. Shuffle the words of a sentence, and plain attention gives the same answers, shuffled. That is a strange property for a machine that
reads. After this lesson you will be able to

- show the claim by running it, say why it holds, and what the property is called,
- build four ways to add order: learned, sinusoidal, rotary and ALiBi, each from a few lines of code,
- show in numbers that rotary scores depend on distance alone,
- run a fair comparison of the four, inside and beyond the length they were trained on, and say what it does and does not prove.

**Time:** about 60 minutes, of which the computer trains for about one. **Before you start:** lessons 03 and 04.
"""

# %%
import numpy as np
import torch

from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import (
    alibi_bias,
    attention,
    causal_mask,
    is_permutation_equivariant,
    masked_attention,
    rotary,
    sinusoidal_positions,
)

# %% [markdown]
r"""
## Who bit whom?

Three words, two made-up features each, and attention in its plainest form: the words themselves are queries, keys and values.
"""

# %%
words = ["dog", "bites", "man"]
x = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])  # (3, 2)
output, _ = attention(x, x, x)
table({"word": words, "feature 1": output[:, 0], "feature 2": output[:, 1]})

# %% [markdown]
r"""
Now "man bites dog": the first and the last word change places. Everything about the sentence has changed, except the words.

**Predict**: what happens to the row of *bites*?
"""

# %%
predict(
    "05.row_of_bites",
    "the output row of 'bites'",
    choices=["changes", "stays the same"],
)

# %%
order = np.array([2, 1, 0])
shuffled, _ = attention(x[order], x[order], x[order])
print(np.round(shuffled, 3))
reveal(
    "05.row_of_bites",
    "stays the same" if np.allclose(shuffled[1], output[1]) else "changes",
)

# %% [markdown]
r"""
To *bites*, "dog" before and "man" behind is the same crowd as "man" before and "dog" behind. The other two rows have swapped, and that is all. A function with this habit is called
**permutation equivariant**: permuting the rows of its input permutes the rows of its output in the same way, $f(x[\pi]) = f(x)[\pi]$.

Where does it come from? The score of a pair looks at two words and nothing else; the output adds up over all keys, and a sum does not care in which order it is added. Nowhere does a *place* enter the formula.
"""

# %%
rng = np.random.default_rng(0)
many = rng.normal(size=(50, 8))
order = rng.permutation(50)
print(
    "attention       ",
    is_permutation_equivariant(lambda x: attention(x, x, x)[0], many, order),
)
print(
    "running mean    ",
    is_permutation_equivariant(
        lambda x: np.cumsum(x, axis=0) / np.arange(1, 51)[:, None], many, order
    ),
)
print(
    "causal attention",
    is_permutation_equivariant(
        lambda x: masked_attention(x, x, x, causal_mask(50))[0], many, order
    ),
)

# %% [markdown]
r"""
The third line is worth a thought. A causal mask tells each place *how many* tokens came before it, so some order leaks in. That is why decoders without any positions work a little. But within what it
may see, a place still looks at a bag of words.

## What number says "third"?

The simplest idea is to add something to each word that depends on its place. But what? Try the obvious candidates on a sentence of four and one of twelve tokens.
"""

# %%
table(
    {
        "place": range(4),
        "the place itself": [0, 1, 2, 3],
        "share of a text of 4": [f"{t / 3:.2f}" for t in range(4)],
        "share of a text of 12": [f"{t / 11:.2f}" for t in range(4)],
        "binary": [f"{t:04b}" for t in range(4)],
    }
)

# %% [markdown]
r"""
The place itself grows without bound: at place 5000 it drowns the word. A share of the length means something different in every text: "one step further" is 0.33 here and 0.09 there. Binary digits stay small and never repeat,
but they jump: from 1 to 2 two digits flip at once, from 3 to 4 three, and neighbours look like strangers.

<!-- numbers: 5000 an example -->

Look at the columns of a binary counter: each one switches on and off in a fixed rhythm, the last the fastest, each of the others half as fast as its neighbour on the right. Replace the switching by *waves* and you have the positions of
the 2017 paper (section 3.5):

$$p_{t,2i} = \sin\!\big(t\,/\,10000^{2i/C}\big) \qquad p_{t,2i+1} = \cos\!\big(t\,/\,10000^{2i/C}\big)$$
"""


# %%
def waves(length, width, base=10000.0):
    places = np.arange(length)[:, None]  # (T, 1)
    rates = base ** (-np.arange(0, width, 2) / width)  # (C/2,): radians per step
    angles = places * rates  # (T, C/2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, width)


print("by hand = package", np.allclose(waves(6, 4), sinusoidal_positions(6, 4)))
np.round(waves(4, 4), 3) + 0.0

# %%
show(
    plots.heat_map(
        sinusoidal_positions(64, 32),
        x="feature",
        y="place",
        title="sinusoidal positions",
    ),
    alt="A tall striped picture: 64 places down, 32 features across. On the left the stripes alternate every few places; to the right they get slower and slower, until the last "
    "columns hardly change at all.",
)

# %% [markdown]
r"""
Fast waves on the left say which of the next few places it is, slow ones on the right say roughly where in the text. Why a sine *and* a cosine of each? Take the dot product of two places. The pair at
rate $\omega$ contributes $\sin\omega s\,\sin\omega t + \cos\omega s\,\cos\omega t = \cos\omega(s-t)$: only the *distance* is left.

**Predict**: the dot product of places 3 and 8 is some number. What is the dot product of places 103 and 108?
"""

# %%
predict(
    "05.far_pair",
    "compared with places 3 and 8, the pair 103 and 108 gives",
    choices=["less", "the same", "more"],
)

# %%
p = sinusoidal_positions(200, 32)
for s, t in [(3, 8), (103, 108), (3, 9)]:
    print(f"places {s:3} and {t:3}: {p[s] @ p[t]:.3f}")
reveal(
    "05.far_pair",
    "the same" if np.isclose(p[3] @ p[8], p[103] @ p[108]) else "not the same",
)

# %% [markdown]
r"""
Only the distance counts, but nearer is not always more: six places apart score a little above five. The model has to learn to read these waves.

The other way to add order is to design nothing: give every place a row of parameters and let training fill it in. **Learned** positions are one line, `x + table[:T]`, and have an obvious weakness: a row beyond the longest training text
has never been trained. Keep that in mind for the experiment.

## Can the score itself know the distance?

Adding a position to the word mixes *what* and *where* into one vector, and the model must take them apart again. **Rotary** positions (Su and others, 2021) do not add anything. They *turn* queries and keys, by an angle that grows with the place.


In two dimensions, on paper. A query at place 1 is turned by one step (here a twelfth of a full turn, anticlockwise), a key at place 3 by three steps. A dot product depends on the angle between two arrows (lesson 01), and that angle has changed by two steps: the *difference* of the places.
"""


# %%
def turn(vector, steps, step=np.pi / 6):  # 30 degrees a step
    cos, sin = np.cos(steps * step), np.sin(steps * step)
    return np.array(
        [vector[0] * cos - vector[1] * sin, vector[0] * sin + vector[1] * cos]
    )


query, key = np.array([2.0, 0.0]), np.array([1.0, 1.0])
for m, n in [(1, 3), (4, 6), (3, 1), (0, 0)]:
    print(f"query at {m}, key at {n}: score {turn(query, m) @ turn(key, n):+.3f}")

# %% [markdown]
r"""
The first two lines agree, both are "two steps later". The third is "two steps earlier", and differs: direction matters.

With more features, take them in pairs, each pair turning at its own rate, the same rates as the waves above. That is all of rotary:
"""


# %%
def turn_pairs(x, places, base=10000.0):
    rates = base ** (-np.arange(0, x.shape[-1], 2) / x.shape[-1])  # (D/2,)
    angles = places[:, None] * rates  # (T, D/2)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [
        even * np.cos(angles) - odd * np.sin(angles),
        even * np.sin(angles) + odd * np.cos(angles),
    ]
    return np.stack(turned, axis=-1).reshape(x.shape)


rng = np.random.default_rng(1)
q, k = rng.normal(size=(2, 6, 8))  # two arrays (T, D)
print(
    "by hand = package",
    np.allclose(turn_pairs(q, np.arange(6)), rotary(q, np.arange(6))),
)

# %% [markdown]
r"""
**Predict**: move the whole text a thousand places to the right: every query and every key. By how much do the scores change?
"""

# %%
predict("05.shift_by_thousand", "largest change of a score", low=0.0, high=10.0)

# %%
here = rotary(q, np.arange(6)) @ rotary(k, np.arange(6)).T  # (6, 6)
far = rotary(q, np.arange(6) + 1000) @ rotary(k, np.arange(6) + 1000).T
print("scores equal to rounding:", np.allclose(here, far))
print(
    "lengths kept:            ",
    np.allclose(
        np.linalg.norm(rotary(q, np.arange(6)), axis=-1), np.linalg.norm(q, axis=-1)
    ),
)
reveal("05.shift_by_thousand", round(float(np.abs(here - far).max()), 6))

# %%
explore.positions()

# %%
distances = np.arange(0, 200)
agreement = [
    np.ones(32) @ rotary(np.ones((1, 32)), np.array([d]))[0] for d in distances
]
show(
    plots.curves(
        distances,
        {"score of equal query and key": np.array(agreement)},
        x="distance in places",
        y="score",
    ),
    alt="One curve: the score is 32 at distance 0, falls to about two thirds of that within the first ten places, and then wavers without a fixed period, on the whole sinking.",
)

# %% [markdown]
r"""
An equal query and key agree best when they stand at the same place. From there the score sinks with distance, on the whole: up close it wavers. Two warnings for the wild. Some code pairs feature $i$ with feature $i + D/2$ in place of its neighbour: both are right, but weights trained with one are useless with
the other ([rasbt/LLMs-from-scratch, issue 751](https://github.com/rasbt/LLMs-from-scratch/issues/751)). And values are never turned: the place decides who is looked at, not what is said.

## What if we just punish distance?

**ALiBi** (Press, Smith and Lewis, 2021) is the plainest of all. Subtract from each score a penalty for the distance. Nothing is learned, nothing is added to the words. How steep should the penalty be? Models run several attentions side by side, called **heads** (lesson 06), so ALiBi need not choose: it is steep in one head and gentle in another.

**Predict**: with four heads the slopes are $2^{-8h/4}$, h from 1 to 4. The steepest head takes how much off the score of a key two places back?

"""

# %%
predict(
    "05.alibi_two_back",
    "penalty of the first head for a key two places back",
    low=0.0,
    high=4.0,
)

# %%
bias = alibi_bias(num_heads=4, length=5)  # (H, T, T)
print("slopes", [f"{-bias[h, 1, 0]:.4f}" for h in range(4)])
print(np.round(bias[0], 2) + 0.0)
reveal("05.alibi_two_back", float(-bias[0, 2, 0]))

# %%
show(
    plots.heat_map(
        {
            f"head {h}": np.where(causal_mask(12), alibi_bias(4, 12)[h], np.nan)
            for h in range(4)
        },
        x="key",
        y="query",
        label="added to the score",
    ),
    alt="Four triangles, one for each head; above the diagonal, hatched, the causal mask rules. In head 0 the penalty grows quickly away from the diagonal; from head to head it gets gentler, and in head 3 it is hardly visible.",
)

# %% [markdown]
r"""
## Which one is best?

Best *at what* is the honest answer, and a small experiment makes it concrete. The task: a text of blanks, and now and then a digit from 0 to 5. At every place, say **which digit came last**. The answer needs order and nothing else: the digits are all in sight, the question is which is the latest.
"""

# %%
DIGITS, BLANK, WIDTH, HEADS, TRAINED = 6, 6, 64, 8, 24


def texts(count, length, seed):
    rng = np.random.default_rng(seed)
    ids = np.where(
        rng.random((count, length)) < 0.25,
        rng.integers(DIGITS, size=(count, length)),
        BLANK,
    )
    ids[:, 0] = rng.integers(DIGITS, size=count)  # there always is a last digit
    latest = np.maximum.accumulate(np.where(ids < DIGITS, np.arange(length), 0), axis=1)
    return torch.tensor(ids), torch.tensor(np.take_along_axis(ids, latest, axis=1))


ids, last = texts(1, 12, seed=3)
print("text  ", " ".join("·" if i == BLANK else str(i) for i in ids[0].tolist()))
print("answer", " ".join(map(str, last[0].tolist())))

# %% [markdown]
r"""
The model is one causal attention layer with eight heads, the same for everyone. Only the positions differ. All are trained on texts of 24 places, by the same few lines as the dice of lesson 04. The long cell `answers` holds the four schemes in four `if`s; `reach`, how far back a place may look, is for later.
"""


# %%
def new_parameters(seed):
    generator = torch.Generator().manual_seed(seed)
    square = (WIDTH, WIDTH)
    shapes = {
        "word": (DIGITS + 1, WIDTH),
        "place": (4 * TRAINED, WIDTH),  # rows 24 and up are never trained
        "q": square,
        "k": square,
        "v": square,
        "o": square,
        "answer": (WIDTH, DIGITS),
    }
    sizes = {"word": 1.0, "place": 0.3} | dict.fromkeys(
        ("q", "k", "v", "o", "answer"), WIDTH**-0.5
    )
    return {
        name: (sizes[name] * torch.randn(shape, generator=generator)).requires_grad_()
        for name, shape in shapes.items()
    }


# %%
def answers(p, ids, scheme, reach=None):
    T = ids.shape[1]
    x = p["word"][ids]  # (B, T, C)
    if scheme == "learned":
        x = x + p["place"][:T]
    if scheme == "sinusoidal":
        x = x + torch.tensor(sinusoidal_positions(T, WIDTH), dtype=x.dtype)
    q, k, v = (
        (x @ p[name]).unflatten(-1, (HEADS, -1)).transpose(1, 2) for name in "qkv"
    )  # (B, H, T, D): eight heads
    if scheme == "rotary":
        q, k = turn_torch(q), turn_torch(k)
    scores = q @ k.mT / q.shape[-1] ** 0.5  # (B, H, T, T)
    if scheme == "ALiBi":
        scores = scores + torch.tensor(alibi_bias(HEADS, T), dtype=x.dtype)
    may_look = torch.tensor(causal_mask(T))
    if reach is not None:
        may_look = may_look.triu(1 - reach)  # itself and the reach - 1 places before
    scores = scores.masked_fill(~may_look, -torch.inf)
    mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(-2)  # (B, T, C)
    return (x + mixed @ p["o"]) @ p["answer"]  # (B, T, DIGITS)


def turn_torch(x, base=10000.0):
    T, D = x.shape[-2:]
    angles = torch.arange(T)[:, None] * base ** (-torch.arange(0, D, 2) / D)  # (T, D/2)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [
        even * angles.cos() - odd * angles.sin(),
        even * angles.sin() + odd * angles.cos(),
    ]
    return torch.stack(turned, dim=-1).flatten(-2)


# %%
def train(scheme, seed, steps=400):
    p = new_parameters(seed)
    optimizer = torch.optim.Adam(p.values(), lr=0.005)
    for step in range(steps):
        ids, last = texts(32, TRAINED, seed=100_000 * (seed + 1) + step)
        loss = torch.nn.functional.cross_entropy(
            answers(p, ids, scheme).flatten(0, 1), last.flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return p


@torch.no_grad()
def right(p, scheme, length, reach=None):
    """Share of right answers in the second half of new texts, where a blank stands."""
    ids, last = texts(200, length, seed=777)
    asked = (ids == BLANK) & (torch.arange(length) >= length // 2)
    return (
        (answers(p, ids, scheme, reach).argmax(dim=-1) == last) & asked
    ).sum().item() / asked.sum().item()


# %% [markdown]
r"""
Five schemes, three starts each, fifteen trainings. They are measured at the trained length, at twice and at four times that length.

**Predict**: all four schemes can learn the task at length 24. Which of them still gets nearly everything right at 96?
"""

# %%
predict(
    "05.beyond",
    "works at four times the trained length",
    choices=["learned", "sinusoidal", "rotary", "ALiBi", "none of them"],
)

# %% tags=["once"] reason="fifteen trainings take most of a minute, and would only be repeated"
schemes = ["no positions", "learned", "sinusoidal", "rotary", "ALiBi"]
lengths = [TRAINED, 2 * TRAINED, 4 * TRAINED]
models = {scheme: [train(scheme, seed) for seed in range(3)] for scheme in schemes}
shares = np.array(
    [
        [[right(p, scheme, length) for length in lengths] for p in models[scheme]]
        for scheme in schemes
    ]
)  # (scheme, seed, length)
print("trained", shares.shape[0] * shares.shape[1], "models")

# %% [markdown]
r"""
Here are the averages over the three starts. Trainings differ a little from machine to machine, so this page rounds to tenths; `shares` holds what yours gave.
"""

# %% tags=["nbval-ignore-output"] reason="tenths of live trainings may be rounded the other way on another machine"
tenths = np.round(shares.mean(axis=1), 1)  # (scheme, length)
table(
    {"scheme": schemes}
    | {f"length {length}": tenths[:, i] for i, length in enumerate(lengths)},
    digits=1,
)

# %%
spread = shares.max(axis=1) - shares.min(axis=1)  # (scheme, length)
print(
    "largest difference between two starts at length 24, all but 'no positions': below 0.1:",
    bool((spread[1:, 0] < 0.1).all()),
)

# %% tags=["nbval-ignore-output"] reason="the curves show live trainings, whose exact heights differ between machines"
show(
    plots.curves(
        np.array(lengths),
        {scheme: shares[i] for i, scheme in enumerate(schemes)},  # (seed, length) each
        x="length of the text",
        y="share of right answers",
        log_x=True,
    ),
    alt="Five lines over the text length. At length 24 all four schemes are near 1, and no positions is near 0.4. At 48 learned and sinusoidal have fallen to about 0.3, rotary to about 0.8. At 96 only "
    "ALiBi is still near 1; all others are near 0.2, little better than a blind guess.",
)

# %%
reveal(
    "05.beyond",
    "ALiBi" if tenths[4, 2] >= 0.9 and (tenths[:4, 2] < 0.5).all() else "see the table",
)

# %% [markdown]
r"""
Read it carefully.

- *No positions* does better than one in six at the trained length. It knows the crowd, and a digit that appears often is often the last.
- *Learned* and *sinusoidal* are perfect at home and lost abroad. For learned positions that was certain: rows 24 and up were never trained. For the waves it is an experience: nothing in the formula ends at 24, but the model has only learned to read the first 24.
- *Rotary* fades, although the digit it looks for is as near in a long text as in a short one. That asks for an explanation.
- *ALiBi* does not notice. Its rule "near beats far" *is* the rule of this task.

What goes wrong with rotary at 96? Its scores know distances only. Those up to 23 it has met in training; keys further away get scores that nobody ever corrected, and there are many of them. If that is the trouble, it should be enough to forbid them.

**Predict**: the same trained models, the same texts of 96, but every place may look at itself and the 23 before it, no further. What share does rotary get right? And does the cut help the waves as much?

<!-- numbers: 23 the largest distance in a text of 24 -->
"""

# %%
predict(
    "05.rotary_cut_short",
    "share right with rotary at length 96, looking back at most 23 places",
    low=0.0,
    high=1.0,
)

# %% tags=["nbval-ignore-output"] reason="tenths of live trainings may be rounded the other way on another machine"
cut = {
    scheme: np.mean([right(p, scheme, 96, reach=TRAINED) for p in models[scheme]])
    for scheme in ("sinusoidal", "rotary")
}
table(
    {
        "scheme": list(cut),
        "length 96": [tenths[schemes.index(scheme), 2] for scheme in cut],
        "length 96, last 24 places only": np.round(list(cut.values()), 1),
    },
    digits=1,
)

# %%
reveal("05.rotary_cut_short", round(float(cut["rotary"]), 1))

# %% [markdown]
r"""
Not one parameter has changed, and rotary is back. The waves are helped by the same cut, since fewer keys crowd in, but not cured: they name the *place*, and place 90 is as new to the model as before.
<!-- numbers: 90 an example -->

Now to ALiBi, which won. The task was chosen to need recency, and ALiBi was built for recency. Ask for the *first* digit, and "near beats far" is the wrong rule. What the table proves is that the scheme decides how a model behaves
beyond its training length, and that looking at the training length alone shows none of it.

## In the wild: a wave out of step
<!-- no prediction: the section shows a known bug by running it -->

A popular tutorial computed the sine with exponent $2i/C$ where its loop counter $i$ already went in steps of two, and the cosine with $2(i+1)/C$ ([SamLynnEvans/Transformer, issue 7](https://github.com/SamLynnEvans/Transformer/issues/7)). Sine and cosine of a pair now turn at different rates. The picture looks just as
striped, models train, and the slip was copied into a textbook ([YutaroOgawa/pytorch_advanced, issue 79](https://github.com/YutaroOgawa/pytorch_advanced/issues/79)). What is lost is the property that made the pairs worth having:
"""


# %%
def out_of_step(length, width, base=10000.0):
    positions = np.zeros((length, width))
    for t in range(length):
        for i in range(0, width, 2):
            positions[t, i] = np.sin(t / base ** (2 * i / width))
            positions[t, i + 1] = np.cos(t / base ** (2 * (i + 1) / width))
    return positions


wrong, good = out_of_step(200, 32), sinusoidal_positions(200, 32)
table(
    {
        "pair of places": ["3 and 8", "53 and 58", "103 and 108"],
        "right waves": [good[s] @ good[s + 5] for s in (3, 53, 103)],
        "out of step": [wrong[s] @ wrong[s + 5] for s in (3, 53, 103)],
    }
)

# %% [markdown]
r"""
Five places apart should be five places apart, wherever you stand. It takes a test of that sentence to find the bug; a picture or a loss curve will not.

## What you have now

- Attention without positions is permutation equivariant: a bag of words.
- Sinusoidal and learned positions are added to the words; rotary turns queries and keys; ALiBi lowers the scores of the distant.
- For waves and for rotary, what counts is the distance, because a sine and a cosine of the *same* rate go together.
- All four work at the trained length. Beyond it they differ more than anywhere else.

**Next:** [exercises 05](../exercises/05_positions.ipynb). In lesson 06, one look at the text is not enough.

**Further reading.** Vaswani and others (2017), section 3.5. Su and others, *RoFormer* (2021), section 3.2. Press, Smith and Lewis, *Train short, test long* (2021). Kazemnejad and others, *The impact of positional encoding on length generalization*
(2023), who find that decoders without any positions can do better than expected.
"""
