# %% [markdown]
r"""
# 08 · What holds a stack together?

One layer of attention mixes tokens once. Models stack twelve, or a hundred. A bare stack does not work: numbers die out or explode, and nothing can be learned. Three plain ideas
make it work, and together with attention they are the *transformer block*. You will be able to

- derive layer norm from what it has to do, and avoid its two famous slips,
- say what a residual connection does for numbers on the way up and for gradients on the way down,
- build the block twice, with the norm after the sum (2017) and before it (today), and measure both,
- use a small encoder to sort text, and judge honestly what attention contributed.

**Time:** about 50 minutes. **Before you start:** lessons 03 to 06.
"""

# %%
import re
from collections import Counter
from functools import partial

import numpy as np
import torch
from torch import nn

from minitransformer.model import (
    Block,
    MultiHeadAttention,
    drawing_from,
    make_feed_forward,
)
from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import (
    feed_forward,
    layer_norm,
    multi_head_attention,
    pre_norm_block,
)
from minitransformer.text import plays, speeches

# %% [markdown]
r"""
## What happens in a bare stack?

Take twelve layers, each an attention and a small network (more on that soon), freshly started with random parameters in the usual way. Feed it numbers of size 1.

**Predict**: the output of the twelfth layer is of size …
"""

# %%
predict(
    "08.bare_stack",
    "size of the numbers after twelve bare layers",
    choices=["below 0.01", "about 1", "above 100"],
)

# %%
WIDTH, HEADS, LAYERS, TOKENS = 64, 4, 12, 16


def new_stack(seed=0):
    """Twelve attentions and twelve feed-forward networks, alternating."""
    with drawing_from(torch.Generator().manual_seed(seed)):
        parts = [
            part
            for _ in range(LAYERS)
            for part in (
                MultiHeadAttention(WIDTH, HEADS),
                make_feed_forward(WIDTH, 4 * WIDTH),
            )
        ]
        for part in parts:
            for parameter in part.parameters():
                nn.init.xavier_uniform_(
                    parameter
                ) if parameter.ndim == 2 else nn.init.zeros_(parameter)
    return parts


def through(step, seed=0):
    """Sizes of the numbers going up and of the gradients going down; what tokens differ by at the top."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, TOKENS, WIDTH, generator=generator).requires_grad_()
    target, stations = torch.randn(2, TOKENS, WIDTH, generator=generator), [x]
    for part in new_stack(seed):
        x = step(x, part)
        x.retain_grad()
        stations.append(x)
    (nn.functional.layer_norm(x, (WIDTH,)) * target).mean().backward()
    every_layer = stations[::2]  # after each pair
    top = x.detach()  # (B, T, C)
    own = top - top.mean(dim=1, keepdim=True)  # what a token does not share with all
    return (
        [s.detach().square().mean().sqrt().item() for s in every_layer],
        [s.grad.norm().item() for s in every_layer],
        (own.norm() / top.norm()).item(),
    )


# %%
sizes, gradients, _ = through(lambda x, part: part(x))
print("size of the numbers, layers 0, 6, 12:", [f"{sizes[i]:.0e}" for i in (0, 6, 12)])
reveal(
    "08.bare_stack",
    "below 0.01" if sizes[-1] < 0.01 else "about 1" if sizes[-1] < 100 else "above 100",
)

# %% [markdown]
r"""
They die out. Why? Watch the first six parts: by which factor does each change the size?
"""

# %%
numbers = torch.randn(2, TOKENS, WIDTH, generator=torch.Generator().manual_seed(0))
factors = []
with torch.no_grad():
    for part in new_stack()[:6]:
        before, numbers = numbers.norm(), part(numbers)
        factors.append((numbers.norm() / before).item())
table(
    {"part": ["attention", "feed-forward"] * 3, "size after / before": factors},
    digits=1,
)

# %% [markdown]
r"""
Each feed-forward network loses almost half. The first attention loses even more: it averages, and the mean of unlike things is smaller than the things. Later attentions lose less and less, for a reason that is no comfort: after some averaging the tokens are nearly alike, and the mean of like things is no smaller. With larger parameters they would explode instead; there is no setting that stays right for all depths. So the size has to be put right *inside* the stack, again and again.

## How do you put the size right?

Take one token's features, and shift and scale them so that their mean is 0 and their variance is 1. On paper, with $x = [1, 2, 3, 6]$: the mean is 3. The differences are $-2, -1, 0, 3$, their squares $4, 1, 0, 9$ have the mean 3.5. Divide by $\sqrt{3.5}$:
"""

# %%
x = np.array([1.0, 2.0, 3.0, 6.0])
centred = x - x.mean()
variance = (centred**2).mean()
print(f"mean {x.mean():.1f}, variance {variance:.1f}")
np.round(centred / np.sqrt(variance), 3)

# %% [markdown]
r"""
Two additions make it **layer norm** (Ba, Kiros and Hinton, 2016). A row whose features are all equal has variance 0, and 0/0 is `nan`; so a small $\epsilon$ is added *inside* the root. And since "mean 0, variance 1" may not be what the next layer wants, two learned vectors, gain and bias, can undo it:

$$\text{LayerNorm}(x) = g\cdot\frac{x-\mu}{\sqrt{\sigma^2+\epsilon}} + b$$

"""

# %%
gain, bias = np.ones(4), np.zeros(4)
print(
    "by hand = package:",
    np.allclose(layer_norm(x, gain, bias), centred / np.sqrt(variance + 1e-5)),
)
print(
    "package = torch:  ",
    np.allclose(
        layer_norm(x, gain, bias),
        nn.functional.layer_norm(torch.tensor(x), (4,)).numpy(),
    ),
)
print("equal features:   ", layer_norm(np.full(4, 7.0), gain, bias))

# %% [markdown]
r"""
It works on the *last axis only*: each token by itself. Nothing of a neighbour or of another text in the batch comes in, which is why it works for texts of any length, one at a time.

**Predict**: multiply all features of a token by 1000. What does layer norm give, compared with before?
"""

# %%
predict(
    "08.times_thousand",
    "layer norm of 1000·x",
    choices=["1000 times as much", "practically the same", "nan"],
)

# %%
print(np.round(layer_norm(1000 * x, gain, bias), 3))
reveal("08.times_thousand", "practically the same")

# %% [markdown]
r"""
## In the wild: two slips of one character

Layer norm looks too simple to get wrong. A well-known exercise course has a help box for people whose parts agree with GPT-2 to 100 % up to some point, and to about 90 % after it. The cause it names: $\epsilon$ added to the standard deviation, *outside* the root ([ARENA](https://github.com/callummcdougall/ARENA_3.0), chapter 1.1). The second slip is `torch.std` or `x.std(ddof=1)`,
which divide by $C-1$ in place of $C$. Both pass a glance at ordinary numbers:

<!-- numbers: 100 % from the help box; 90 % from the help box -->
<!-- no prediction: the section shows two known slips by running them -->
"""


# %%
def eps_outside(x, eps=1e-5):
    return (x - x.mean(axis=-1, keepdims=True)) / (x.std(axis=-1, keepdims=True) + eps)


def divides_by_one_less(x, eps=1e-5):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(
        x.var(axis=-1, ddof=1, keepdims=True) + eps
    )


def error_of(slip, row):
    right = layer_norm(row, np.ones(row.size), np.zeros(row.size))
    return f"{np.abs(slip(row) - right).max():.5f}"


x = np.array([1.0, 2.0, 3.0, 6.0])
wide, quiet = np.random.default_rng(0).normal(size=(2, 768))
quiet = 0.003 * quiet  # a token with small features
table(
    {
        "largest error on": ["4 features", "768 features", "768 quiet features"],
        "eps outside the root": [
            error_of(eps_outside, row) for row in (x, wide, quiet)
        ],
        "C − 1": [error_of(divides_by_one_less, row) for row in (x, wide, quiet)],
    }
)

# %% [markdown]
r"""
On wide rows the $C-1$ hardly shows; on ordinary rows the misplaced $\epsilon$ hardly shows. It takes a *quiet* row to see it. Test a formula where its parts matter.

## Where does the gradient get through?

The second idea is even simpler. Do not replace $x$ by $f(x)$. *Add*: $x + f(x)$ (He and others, 2015, for images). Then the layer only has to learn a correction, and the stack becomes a stream to which everyone adds: the **residual stream**. And the derivative of $x + f(x)$ is $1 + f'(x)$: even if $f'$
is nothing, a gradient of 1 gets through.


Five ways to use norm and sum, each through the same twelve layers:

| | one step |
|---|---|
| neither | $f(x)$ |
| norm only | $f(\text{norm}(x))$ |
| residual only | $x + f(x)$ |
| post-norm (2017) | $\text{norm}(x + f(x))$ |
| pre-norm (today) | $x + f(\text{norm}(x))$ |

**Predict**: in which of the five do the numbers *explode* on the way up?

"""

# %%
predict(
    "08.which_explodes",
    "the way in which numbers explode",
    choices=["norm only", "residual only", "post-norm", "pre-norm"],
)

# %%
norm = partial(nn.functional.layer_norm, normalized_shape=(WIDTH,))
ways = {
    "neither": lambda x, f: f(x),
    "norm only": lambda x, f: f(norm(x)),
    "residual only": lambda x, f: x + f(x),
    "post-norm": lambda x, f: norm(x + f(x)),
    "pre-norm": lambda x, f: x + f(norm(x)),
}
measured = {name: through(step) for name, step in ways.items()}
table(
    {
        "way": list(measured),
        "size after 12 layers": [f"{sizes[-1]:.2g}" for sizes, *_ in measured.values()],
        "gradient, bottom / top": [
            f"{gradients[0] / gradients[-1]:.1g}"
            for _, gradients, _ in measured.values()
        ],
        "what tokens differ by": [f"{own:.2f}" for *_, own in measured.values()],
    }
)

# %%
reveal("08.which_explodes", max(list(ways)[1:], key=lambda name: measured[name][0][-1]))

# %%
show(
    plots.curves(
        range(LAYERS + 1),
        {
            name: np.array(gradients) / gradients[-1]
            for name, (_, gradients, _) in measured.items()
        },
        x="after layer",
        y="gradient, top = 1",
        log_y=True,
    ),
    alt="Five curves over the layers on a logarithmic axis, all 1 at the top, layer 12. Going down, 'neither' falls below a thousandth, 'residual only' rises above ten thousand; "
    "'norm only', post-norm and pre-norm stay within a factor of ten of 1.",
)

# %% [markdown]
r"""
Without norm and sum the gradient fades away: the first layer would learn thousands of times more slowly than the last. With the sum alone everything explodes, each layer adding to a larger stream. Norm and sum together keep numbers and gradients in bounds, and at twelve layers both orders do.

"Norm only" seems to do that too. Look at the last column: the share of the numbers in which tokens differ from their common mean. Without the sum it is nothing. Each layer *replaces* the tokens by averages of tokens, and after twelve of them every place holds the same vector, of a perfectly healthy size. Only the sum lets a token keep what it was.

So why does everybody put the norm *before* now? Look at the two formulas again. Pre-norm leaves each token a path from bottom to top that consists of additions only; post-norm sends the stream itself through every norm. Xiong and others (2020) show that post-norm models have large gradients near the top at the start and need a slow warm-up of the learning
rate; pre-norm models do not. *That part is not measured here.* What you measured is that both are healthy at birth, and that the tokens stay further apart in the pre-norm stack.

In the explorer a deeper stack of simpler layers stands ready. Switch sum and norm on and off, and change the size of the parameters.
"""

# %%
explore.residuals()

# %% [markdown]
r"""
## What does the other half of the block do?

Attention only ever *averages* values. The third idea is a small network that works on each token alone: widen, bend, narrow again.

$$\text{FFN}(x) = \max(0,\ x W_1 + b_1)\,W_2 + b_2$$

**Predict**: leave the bend, $\max(0,\cdot)$, out. What is lost?
"""

# %%
predict(
    "08.no_bend",
    "without the bend, the two matrices together are",
    choices=[
        "one matrix could do the same",
        "slower, but as good",
        "better with more width",
    ],
)

# %%
rng = np.random.default_rng(1)
x, w_1, b_1, w_2, b_2 = (
    rng.normal(size=shape) for shape in ((5, 4), (4, 16), (16,), (16, 4), (4,))
)
two_steps = (x @ w_1 + b_1) @ w_2 + b_2
one_step = x @ (w_1 @ w_2) + (b_1 @ w_2 + b_2)
print("two affine maps = one:", np.allclose(two_steps, one_step))
print(
    "with the bend, not:   ",
    not np.allclose(feed_forward(x, w_1, b_1, w_2, b_2), one_step),
)
reveal("08.no_bend", "one matrix could do the same")

# %% [markdown]
r"""
It is also where most of a block's parameters live. At the usual four-fold width, the feed-forward has $8C^2$ of them and attention $4C^2$.

## The block, all together

Two steps, each: normalise a copy, let a sublayer think about it, add what it found.

**Predict**: suppose both sublayers have learned nothing and answer with zeros. What does the block give for $x$?
"""

# %%
predict(
    "08.silent_block",
    "output of a block whose sublayers give zeros",
    choices=["x itself", "the norm of x", "zeros"],
)

# %%
C, H, F, T = 8, 2, 32, 5
rng = np.random.default_rng(2)
w = [rng.normal(size=(C, C)) / np.sqrt(C) for _ in range(4)]
w_1, b_1, w_2, b_2 = (
    rng.normal(size=(C, F)) / 3,
    rng.normal(size=F),
    rng.normal(size=(F, C)) / 6,
    rng.normal(size=C),
)
gain_1, bias_1, gain_2, bias_2 = rng.normal(size=(4, C))
x = rng.normal(size=(T, C))

after_attention = (
    x + multi_head_attention(layer_norm(x, gain_1, bias_1), *w, H)[0]
)  # (T, C)
by_hand = after_attention + feed_forward(
    layer_norm(after_attention, gain_2, bias_2), w_1, b_1, w_2, b_2
)

packaged = pre_norm_block(
    x,
    attend=lambda y: multi_head_attention(y, *w, H)[0],
    feed_forward=lambda y: feed_forward(y, w_1, b_1, w_2, b_2),
    norm_1=lambda y: layer_norm(y, gain_1, bias_1),
    norm_2=lambda y: layer_norm(y, gain_2, bias_2),
)
print("by hand = package:", np.allclose(by_hand, packaged))

# %%
silent = pre_norm_block(x, np.zeros_like, np.zeros_like, np.tanh, np.tanh)
reveal("08.silent_block", "x itself" if np.array_equal(silent, x) else "the norm of x")

# %%
theirs = nn.TransformerEncoderLayer(
    C, H, F, dropout=0.0, norm_first=True, batch_first=True, dtype=torch.float64
)
given = {
    "self_attn.in_proj_weight": np.concatenate([m.T for m in w[:3]]),
    "self_attn.in_proj_bias": np.zeros(3 * C),
    "self_attn.out_proj.weight": w[3].T,
    "self_attn.out_proj.bias": np.zeros(C),
    "linear1.weight": w_1.T,
    "linear1.bias": b_1,
    "linear2.weight": w_2.T,
    "linear2.bias": b_2,
    "norm1.weight": gain_1,
    "norm1.bias": bias_1,
    "norm2.weight": gain_2,
    "norm2.bias": bias_2,
}
theirs.load_state_dict({name: torch.tensor(array) for name, array in given.items()})
with torch.no_grad():
    print(
        "package = torch:  ",
        np.allclose(packaged, theirs(torch.tensor(x)[None])[0].numpy()),
    )

# %% [markdown]
r"""
## Can it sort the mail?

One of the promises about attention is that it *routes text*: this message to accounts, that one to support. Here is an honest small version. From one speech, at most 32 words, say whether it stands in one of Shakespeare's comedies or histories.

Some *plays* are held out completely: four whose speeches no one trains on. Of the others, one speech in ten is held out.
"""

# %%
NEVER_SEEN = {"as-you-like-it", "twelfth-night", "henry-v", "richard-ii"}
WORDS = 32


def words_of(speech):
    return re.findall(r"[a-z']+", speech.text.lower())[:WORDS]


corpus = [
    s
    for s in speeches(p for p in plays() if p.genre in ("comedies", "histories"))
    if len(s.text) >= 60
]
is_history = np.array([s.genre == "histories" for s in corpus])
new_play = np.array([s.play in NEVER_SEEN for s in corpus])
held_out = (np.random.default_rng(0).random(len(corpus)) < 0.1) & ~new_play
train = np.flatnonzero(~new_play & ~held_out)
table(
    {
        "part": ["train", "held-out speeches of known plays", "speeches of new plays"],
        "speeches": [len(train), held_out.sum(), new_play.sum()],
        "share of histories": [
            is_history[part].mean() for part in (train, held_out, new_play)
        ],
    }
)

# %% [markdown]
r"""
First a rival from 1961 (Maron, *Automatic indexing*), which knows no order and has no layers: count how often each word stands in comedies and in histories, and add up the evidence of a speech's words (*naive Bayes*).

"""

# %%
counts = [Counter(), Counter()]
for i in train:
    counts[int(is_history[i])].update(words_of(corpus[i]))
known = set(counts[0]) | set(counts[1])
share = [
    {word: (c[word] + 1) / (c.total() + len(known)) for word in known} for c in counts
]


def by_counting(speech):
    return (
        sum(
            np.log(share[1][word] / share[0][word])
            for word in words_of(speech)
            if word in known
        )
        > 0
    )


def fairness(guesses, part):
    """Mean of the shares right among comedies and among histories: 0.5 for guessing."""
    return np.mean(
        [
            (guesses[part & (is_history == kind)] == kind).mean()
            for kind in (False, True)
        ]
    )


counted = np.array([by_counting(s) for s in corpus])
print(
    f"known plays {fairness(counted, held_out):.2f}, new plays {fairness(counted, new_play):.2f}"
)


def evidence(word):
    return np.log(share[1][word] / share[0][word])


often = sorted((w for w in known if counts[0][w] + counts[1][w] >= 100), key=evidence)
print("most evidence for a comedy: ", ", ".join(often[:8]))
print("most evidence for a history:", ", ".join(often[:-9:-1]))

# %% [markdown]
r"""
Now a small encoder: embeddings of words and places, one block that may look both ways (a padding mask, no causal mask), the mean over the words, and a linear reading. While it trains, *dropout* sets three tenths of the numbers to zero, others each time, so that nothing leans on a single one. The same again *without* the block, to see what attention adds.

**Predict**: on speeches of new plays, how much better is the encoder with attention than counting words?
"""

# %%
predict(
    "08.encoder_wins_by",
    "advantage of the encoder on new plays, in shares",
    low=-0.2,
    high=0.4,
)


# %%
class Encoder(nn.Module):
    def __init__(self, vocabulary, width=32, num_blocks=1):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(WORDS, width)
        self.blocks = nn.ModuleList(
            Block(width, 2, 2 * width) for _ in range(num_blocks)
        )
        self.norm, self.read = nn.LayerNorm(width), nn.Linear(width, 2)
        nn.init.normal_(self.words.weight, std=0.1)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(self, ids):  # (B, T), 0 = padding
        real = ids > 0
        x = nn.functional.dropout(
            self.words(ids) + self.places.weight, 0.3, self.training
        )  # (B, T, C)
        for block in self.blocks:
            x = block(x, real[:, None, :])  # keys: real words only
        share = real / real.sum(dim=-1, keepdim=True)  # (B, T)
        return self.read((self.norm(x) * share[..., None]).sum(dim=1))


common = Counter(word for i in train for word in words_of(corpus[i])).most_common(3000)
number = {
    word: n for n, (word, _) in enumerate(common, start=2)
}  # 0 padding, 1 any other word
ids = torch.zeros(len(corpus), WORDS, dtype=torch.long)
for row, speech in zip(ids, corpus, strict=True):
    row[: len(words_of(speech))] = torch.tensor(
        [number.get(word, 1) for word in words_of(speech)]
    )
kinds = torch.tensor(is_history).long()


# %%
def trained(num_blocks, steps=240):
    with drawing_from(torch.Generator().manual_seed(0)):
        model = Encoder(len(number) + 2, num_blocks=num_blocks)
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
        rng = np.random.default_rng(1)
        of_kind = [train[is_history[train] == kind] for kind in (False, True)]
        for _ in range(steps):
            batch = np.concatenate(
                [rng.choice(rows, 32) for rows in of_kind]
            )  # as many of each kind
            loss = nn.functional.cross_entropy(model(ids[batch]), kinds[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return np.concatenate(
            [model(part).argmax(dim=-1).numpy() for part in ids.split(500)]
        ).astype(bool)


# %% tags=["once"] reason="two trainings of a few seconds each"
guesses = {
    "counting words": counted,
    "encoder without attention": trained(0),
    "encoder with attention": trained(1),
}
scores = {
    name: (fairness(guess, held_out), fairness(guess, new_play))
    for name, guess in guesses.items()
}
print(
    "all above chance by a wide margin:",
    min(min(pair) for pair in scores.values()) > 0.6,
)
print(
    "all within 0.1 of counting words: ",
    all(abs(new - scores["counting words"][1]) < 0.1 for _, new in scores.values()),
)

# %% tags=["nbval-ignore-output"] reason="shares of a live training differ a little between machines"
advantage = scores["encoder with attention"][1] - scores["counting words"][1]
table(
    {
        "method": list(scores),
        "known plays": [a for a, _ in scores.values()],
        "new plays": [b for _, b in scores.values()],
    },
    digits=2,
)

# %%
reveal("08.encoder_wins_by", round(advantage, 1) + 0.0, digits=1)

# %% [markdown]
r"""
It does not win. Counting words is at least as good, and the encoder without attention is about as good as the one with it. Whether a speech comes from a history shows in *which* words stand there, as the two lists above show, not in how they are arranged, and five thousand examples are few for learning more. Everyone loses several points on plays they have not seen: part
of what looked like skill was knowing the plays.

So for "attention routes text", the finding reads: on this task, with this little data, nothing is gained over counting. Before you believe a claim of the kind, ask for the rival that counts words, and for a test on cases of a *new* kind.

## What you have now

- Layer norm: each token by itself, variance over $C$, $\epsilon$ inside the root.
- A residual step adds a correction to a stream; gradients pass along the sum. Norm *and* sum keep a deep stack healthy.
- The feed-forward bends; without the bend, two matrices are one.
- Pre-norm block: $x + \text{attention}(\text{norm}(x))$, then $x + \text{FFN}(\text{norm}(x))$.

What was simplified: the gradients were measured at the start of training, on random data.

**Next:** [exercises 08](../exercises/08_transformer_block.ipynb). Then lesson 09 stacks the blocks and learns Shakespeare.

**Further reading.** Ba, Kiros and Hinton, *Layer normalization* (2016). He and others, *Deep residual learning* (2015). Vaswani and others (2017), section 3.3. Xiong and others, *On layer normalization in the transformer architecture* (2020).
"""
