# %% [markdown]
r"""
# 11 · What does a longer text cost?

Twice the text, four times the work: everyone repeats it. This lesson measures it, then goes through the ways out that people have found, builds each in a few lines, and asks each
of them the same question: *what can you no longer do?* You will be able to

- fit the exponent of memory against length, from your own measurements,
- compute attention exactly without ever holding the whole table of scores,
- say what a sliding window, linear attention and shared keys save, and what they give up,
- write text token by token with a cache that is equal to the full computation.

**Time:** about 55 minutes. **Before you start:** lessons 03 to 06.
"""

# %%
import time
import tracemalloc

import numpy as np

from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import (
    attention,
    attention_bytes,
    cached_attention,
    causal_mask,
    grouped_query_attention,
    linear_attention,
    masked_attention,
    online_softmax_attention,
    path_length,
    rotary,
    sliding_window_mask,
)
from minitransformer.text import play

# %% [markdown]
r"""
## Could a model read Hamlet in one go?

Every place scores every place: for $n$ characters, $n^2$ weights for each head, at four bytes each.

**Predict**: *Hamlet* as one text, four heads, one layer. How many gigabytes of weights?
"""

# %%
predict(
    "11.hamlet_gigabytes",
    "gigabytes of weights for Hamlet, four heads",
    low=0.0,
    high=1000.0,
)

# %%
hamlet = play("hamlet").text
print(f"{len(hamlet):,} characters")
reveal(
    "11.hamlet_gigabytes",
    round(attention_bytes(batch=1, heads=4, length=len(hamlet)) / 1e9),
)

# %% [markdown]
r"""
For *one* layer. The formula is a count; now measure. `peak` runs a function and reports the most memory that NumPy held at any moment beyond what was there before.
"""


# %%
def peak(function, *arguments):
    """Bytes at the highest point of a call, its second one: the first fills caches."""
    function(*arguments)
    tracemalloc.start()
    function(*arguments)
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest


def sample(length, width=32, seed=0):
    return (
        np.random.default_rng(seed).normal(size=(3, length, width)).astype(np.float32)
    )  # q, k, v


# %%
lengths = np.array([256, 512, 1024, 2048, 4096])
full = np.array([peak(attention, *sample(n)) for n in lengths])
exponent = np.polyfit(np.log(lengths[2:]), np.log(full[2:]), deg=1)[0]
table({"n": lengths, "MiB at the peak": np.round(full / 2**20, 1)}, digits=1)

# %% [markdown]
r"""
**Predict**: on doubly logarithmic axes, memory $\propto n^p$ is a straight line of slope $p$. Fitted to the last three lengths, what is $p$?
"""

# %%
predict("11.memory_exponent", "exponent of memory against length", low=0.0, high=3.0)

# %%
reveal("11.memory_exponent", round(float(exponent), 1))

# %% [markdown]
r"""
Measured, not quoted: two. (The peak is a few times the bytes of the weights alone, since the scores, their powers and the weights are in memory at the same moment.) Time takes the same road as soon as the tables are
large; how fast depends on your machine.
"""


# %%
def seconds(function, *arguments, repeats=3):
    runs = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        runs.append(time.perf_counter() - start)
    return min(runs)


# %% tags=["nbval-ignore-output"] reason="times differ between machines"
taken = np.array([seconds(attention, *sample(n)) for n in lengths])
slope = np.polyfit(np.log(lengths[2:]), np.log(taken[2:]), deg=1)[0]
print(f"exponent of time, last three lengths: {slope:.1f}")
table({"n": lengths, "milliseconds": 1000 * taken}, digits=1)

# %% [markdown]
r"""
## Must all the scores exist at once?

The output of a query is a weighted mean of the values, and a mean can be taken in passing: keep a running sum of $e^{s}v$ and a running sum of $e^{s}$, divide at the end. The trouble is the largest score, which softmax must
subtract first (lesson 02) and which we do not know until the end. So subtract the largest *so far*, and when a larger one turns up, correct what has been summed.

On paper, scores 1, 3, 2 with values 10, 20, 30:
"""

# %%
largest, weight_sum, value_sum = -np.inf, 0.0, 0.0
steps = {
    "score": [],
    "largest so far": [],
    "correction": [],
    "sum of powers": [],
    "answer so far": [],
}
for score, value in zip([1.0, 3.0, 2.0], [10.0, 20.0, 30.0], strict=True):
    new_largest = max(largest, score)
    correction = np.exp(
        largest - new_largest
    )  # 1 if nothing larger came, 0 at the very start
    weight_sum = weight_sum * correction + np.exp(score - new_largest)
    value_sum = value_sum * correction + np.exp(score - new_largest) * value
    largest = new_largest
    for column, number in zip(
        steps.values(),
        [score, largest, correction, weight_sum, value_sum / weight_sum],
        strict=True,
    ):
        column.append(number)
table(steps)

# %% [markdown]
r"""
**Predict**: is the last answer *equal* to softmax over all three, or an approximation?
"""

# %%
predict(
    "11.online_is_exact",
    "the answer after the last key is",
    choices=["equal", "an approximation"],
)

# %%
powers = np.exp(np.array([1.0, 3.0, 2.0]))
print(f"all at once {powers @ [10.0, 20.0, 30.0] / powers.sum():.3f}")
reveal("11.online_is_exact", "equal")

# %% [markdown]
r"""
This is **online softmax** (Milakov and Gimelshein, 2018). Taken a block of keys at a time, it never holds more than Tq × block scores. On graphics cards the same idea, with blocks made to fit the fast memory, is called FlashAttention (Dao and others, 2022).

"""

# %%
q, k, v = sample(4096)
print(
    "equal to the full table:",
    np.allclose(
        online_softmax_attention(q, k, v, 128), attention(q, k, v)[0], atol=1e-5
    ),
)
online = np.array([peak(online_softmax_attention, *sample(n), 128) for n in lengths])
show(
    plots.growth(
        lengths,
        {
            "full table": np.round(full / 2**20, 1),
            "blocks of 128": np.round(online / 2**20, 1),
        },
        x="length n",
        y="MiB at the peak",
    ),
    alt="Two lines on logarithmic axes. The full table rises with slope two; the version in blocks rises with slope one: it needs a little less at the left end and about a twentieth at the right.",
)

# %%
print(f"memory saved at n = 4096: {full[-1] / online[-1]:.0f} times")
fitted = np.polyfit(np.log(lengths[2:]), np.log(online[2:]), deg=1)[0]
print(f"exponent of memory in blocks: {fitted:.1f}")

# %% [markdown]
r"""
Memory is down to a straight line, and nothing was given up: the numbers are the same. What has *not* changed is the amount of arithmetic. Every query still meets every key. From here on, each saving costs something.

## Must everybody look at everybody?

A **sliding window** lets a place look at itself and at the $w-1$ places before it. The work is $n\cdot w$. To see the price, we need a task with a right answer. *Recall*: a list of pairs, a key and one of ten symbols; at the end one of the keys is shown
again, and its symbol is asked for. No training: keys are random directions, and the queries are made to match.
"""

# %%
WIDTH, SYMBOLS = 16, 10


def recall(pairs, seed):
    rng = np.random.default_rng(seed)
    keys = rng.normal(size=(pairs, WIDTH))
    keys *= 8.0 / np.linalg.norm(
        keys, axis=-1, keepdims=True
    )  # long enough to choose sharply
    symbols, asked = rng.integers(SYMBOLS, size=pairs), rng.integers(pairs)
    k = np.vstack([keys, np.zeros(WIDTH)])  # (pairs + 1, D): the last place asks
    q = np.vstack([np.zeros((pairs, WIDTH)), keys[asked]])
    v = np.vstack([np.eye(SYMBOLS)[symbols], np.zeros(SYMBOLS)])
    return q, k, v, symbols[asked]


def share_right(attend, pairs, trials=200):
    hits = 0
    for seed in range(trials):
        q, k, v, answer = recall(pairs, seed)
        hits += attend(q, k, v)[-1].argmax() == answer
    return hits / trials


# %% [markdown]
r"""
**Predict**: full attention recalls from 128 pairs without an error. A window of 16 sees only the last 15 pairs. What share does it get right? (A blind guess is right one time in ten.)

<!-- numbers: 15 is 16 − 1, since the asking place sees itself -->
"""

# %%
predict(
    "11.window_recall",
    "share right with a window of 16 and 128 pairs",
    low=0.0,
    high=1.0,
)


# %%
def full_attention(q, k, v):
    return masked_attention(q, k, v, causal_mask(len(q)))[0]


def window_of_16(q, k, v):
    return masked_attention(q, k, v, sliding_window_mask(len(q), 16))[0]


print(f"full attention  {share_right(full_attention, 128):.2f}")
print(f"to be expected of the window: {15 / 128 + (1 - 15 / 128) / SYMBOLS:.2f}")
reveal("11.window_recall", share_right(window_of_16, 128))

# %% [markdown]
r"""
About what is to be expected: in 15 cases of 128 the answer lies in the window, otherwise it guesses. (Two hundred trials leave a few hundredths to chance.) One layer cannot see further than its window. Several can pass things on, a window at a time:
"""

# %%
distances = [1, 15, 100, 1000]
table(
    {
        "distance": distances,
        "layers needed, full attention": [
            path_length("attention", d) for d in distances
        ],
        "layers needed, window of 16": [
            path_length("window", d, window=16) for d in distances
        ],
        "steps of a recurrent net": [path_length("recurrent", d) for d in distances],
    }
)

# %%
show(
    plots.heat_map(
        {
            "full, causal": causal_mask(24).astype(float),
            "window of 6": sliding_window_mask(24, 6).astype(float),
            "window of 6, two layers": (
                np.linalg.matrix_power(sliding_window_mask(24, 6).astype(int), 2) > 0
            ).astype(float),
        },
        x="place seen",
        y="place that looks",
    ),
    alt="Three squares. The first is filled below the diagonal. The second has a band of six along the diagonal. In the third, what two layers can pass on, the band is eleven wide.",
)

# %% [markdown]
r"""
In the explorer, widen the window or add layers. The number in a cell is the layer after which news from that place has arrived; hatched cells are never reached. How many layers does a window of three need for ten places?
"""

# %%
explore.windows()

# %% [markdown]
r"""
## Can the whole past fit into one table?

Softmax is what makes the table necessary: $e^{q\cdot k}$ does not come apart into something of $q$ times something of $k$. **Linear attention** (Katharopoulos and others, 2020) replaces it by a product that does, $\varphi(q)\cdot\varphi(k)$ with $\varphi(x) = \text{elu}(x) + 1$: that is $x + 1$ for positive $x$ and $e^x$ for the rest, so never negative. Then

$$\frac{\sum_{s\le t}\varphi(q_t)\cdot\varphi(k_s)\,v_s}{\sum_{s\le t}\varphi(q_t)\cdot\varphi(k_s)} = \frac{\varphi(q_t)^\top\big(\sum_{s\le t}\varphi(k_s)\,v_s^\top\big)}{\varphi(q_t)\cdot\sum_{s\le t}\varphi(k_s)}$$

The bracket is a table of $D\times D_v$ numbers, the same size for a sentence or a library. Read once from left to right, add to the table, ask it. That makes it a recurrent net.

"""

# %%
q, k, v = np.random.default_rng(4).normal(size=(3, 6, 4))  # (T, D) each


def phi(x):
    return np.where(x > 0, x + 1.0, np.exp(np.minimum(x, 0.0)))


past, total, outputs = np.zeros((4, 4)), np.zeros(4), []
for t in range(6):
    past += np.outer(phi(k[t]), v[t])  # (D, Dv): everything so far
    total += phi(k[t])
    outputs.append(phi(q[t]) @ past / (phi(q[t]) @ total))
print("by hand = package:", np.allclose(outputs, linear_attention(q, k, v)))

scores = (phi(q) @ phi(k).T) * causal_mask(6)
print(
    "= the quadratic form:",
    np.allclose(
        scores / scores.sum(axis=-1, keepdims=True) @ v, linear_attention(q, k, v)
    ),
)

# %% [markdown]
r"""
The price, in the same coin. <!-- numbers: 10 kinds of symbols, see above -->

The table has 16 × 10 numbers, and everything ever read lies on top of each other in it.

**Predict**: how much does linear attention recall from only *eight* pairs?
"""

# %%
predict("11.linear_recall", "share right, linear attention, 8 pairs", low=0.0, high=1.0)

# %%
reveal("11.linear_recall", share_right(linear_attention, 8))

# %%
pairs = np.array([2, 4, 8, 16, 32, 64, 128])
shares = {
    name: np.array([share_right(attend, n) for n in pairs])
    for name, attend in {
        "full attention": full_attention,
        "window of 16": window_of_16,
        "linear attention": linear_attention,
    }.items()
}
show(
    plots.curves(
        pairs,
        shares,
        x="pairs to remember",
        y="share recalled",
        log_x=True,
        lines={"blind guess": 1 / SYMBOLS},
    ),
    alt="Share recalled against the number of pairs. Full attention stays at 1. The window of 16 holds until 8 pairs and then falls. Linear attention falls from the start, is a little above one half at 8 pairs and "
    "not far above a blind guess at 128.",
)

# %% [markdown]
r"""
This is the plainest form with random keys; trained models choose keys that disturb each other less, and newer ones (gated and delta-rule variants, state-space models) decide what to forget. The limit they work against is the one in the picture: a state of fixed size can hold a fixed amount.

## What does it cost to *write*?

A model writes one character at a time. Done plainly, each new character recomputes all of the past. But the keys and values of the past do not change: keep them. This is the **key–value cache**. In the picture below each row is one step of writing *Hamlet*; a cell is filled if its key and value are computed in that step.
"""

# %%
q, k, v = np.random.default_rng(5).normal(size=(3, 50, 8))  # (T, D)
at_once, _ = masked_attention(q, k, v, causal_mask(50))
cache, pieces = None, []
for t in range(50):
    output, cache = cached_attention(q[t : t + 1], k[t : t + 1], v[t : t + 1], cache)
    pieces.append(output)
print("one at a time = all at once:", np.allclose(np.concatenate(pieces), at_once))

# %%
_, weights = masked_attention(q[:6], k[:6], v[:6], causal_mask(6))
show(
    plots.cache_steps(weights, tokens=list("Hamlet")),
    alt="Two triangles, a row for each of six steps. Without a cache every cell is filled: each step computes the keys and values of all letters so far, 21 in all. With a cache only the last cell of each row is filled, 6 in all; the others are kept from earlier steps.",
)

# %% [markdown]
r"""
The picture counts keys and values. The scores save more: without a cache, step $t$ computes the whole causal triangle of $t$ rows again, with a cache its last row only.

**Predict**: writing 1000 characters, counted in scores. How many times fewer with a cache than when each step recomputes the whole causal triangle?
"""

# %%
predict("11.cache_saving", "times fewer scores with a cache", low=1, high=1000)

# %%
steps = np.arange(1, 1001)
plain, cached = (steps * (steps + 1) // 2).sum(), steps.sum()
print(f"without a cache {plain:,} scores, with a cache {cached:,}")
reveal("11.cache_saving", round(plain / cached))

# %% [markdown]
r"""
The cache is paid for in memory, two rows for each character, layer and head. **Grouped queries** (Ainslie and others, 2023) let several query heads share the keys and values of one head; with a single shared one, it is *multi-query* attention (Shazeer, 2019).

"""

# %%
rng = np.random.default_rng(6)
q = rng.normal(size=(1, 8, 20, 4))  # (B, Hq, T, D)
k, v = rng.normal(size=(2, 1, 2, 20, 4))  # (B, Hkv, T, D): two heads for eight
output, _ = grouped_query_attention(q, k, v)
repeated, _ = attention(q, np.repeat(k, 4, axis=1), np.repeat(v, 4, axis=1))
print("the same as repeating each key head four times:", np.allclose(output, repeated))

layers, width, text = 32, 4096, 100_000
table(
    {
        "key–value heads": [32, 8, 1],
        "gigabytes of cache": [
            2 * layers * text * width * kv / 32 * 2 / 1e9 for kv in (32, 8, 1)
        ],
    }
)

# %% [markdown]
r"""
That is for a large model, 32 layers of width 4096 with 32 heads at two bytes a number, and a text of 100,000 tokens. What is given up: different query heads can no longer look for *different kinds of keys* within a group. Whether that hurts is a matter of training, not of arithmetic.

"""

# %% [markdown]
r"""
## In the wild: every new word is the first
<!-- no prediction: the section shows a known bug by running it -->

A cache also has to remember *where* it is. In a well-kept library a small Shakespeare model wrote English without the cache, and with it "Were'e tondove ture ture.see tove t" ([lucidrains/x-transformers, issue 219](https://github.com/lucidrains/x-transformers/issues/219)). Training uses no cache, so it never sees such a slip. The reporter found it by comparing: the logits were not the same with
and without. That is the whole test, *piece by piece must equal all at once*.

Here is one way to get there. With rotary positions, every new key is turned by its place. The piece at hand is one token long, so its places are counted from 0, each time anew:
"""

# %%
q, k, v = np.random.default_rng(7).normal(size=(3, 12, 8))
places = np.arange(12)
truth, _ = masked_attention(rotary(q, places), rotary(k, places), v, causal_mask(12))


def write(place_of):
    cache, rows = None, []
    for t in range(12):
        here = np.array([place_of(t)])
        row, cache = cached_attention(
            rotary(q[t : t + 1], here), rotary(k[t : t + 1], here), v[t : t + 1], cache
        )
        rows.append(row)
    return np.concatenate(rows)


print("each at its own place:", np.allclose(write(lambda t: t), truth))
print("each at place 0:      ", np.allclose(write(lambda t: 0 * t), truth))

# %% [markdown]
r"""
## What you have now

| way out | memory | work | what it gives up |
|---|---|---|---|
| full table | n² | n² | nothing |
| online softmax, in blocks | n | n² | nothing |
| sliding window w | n·w | n·w | what lies further back than w, in one layer |
| linear attention | one table | n | recall of more than a few things |
| key–value cache | n | n for each new token | nothing; it only helps writing |
| grouped queries | n/groups | n for each new token | separate keys for each head |

So "memory grows with the square of the length" is true of the textbook form and not of the one everybody runs. The *work* of exact attention does grow with the square. And "long sequences need efficient variants" depends on what you must remember.

**Next:** [exercises 11](../exercises/11_long_sequences.ipynb). Then lesson 12 looks inside a trained model.

**Further reading.** Milakov and Gimelshein, *Online normalizer calculation for softmax* (2018). Dao and others, *FlashAttention* (2022). Beltagy, Peters and Cohan, *Longformer* (2020). Katharopoulos and others, *Transformers are RNNs* (2020). Shazeer, *Fast transformer decoding* (2019). Ainslie and others, *GQA* (2023).
"""
