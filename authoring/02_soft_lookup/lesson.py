# %% [markdown]
r"""
# 02 · A dictionary that always answers

A Python dictionary is strict: it has your key, or it raises an error. Attention is a dictionary with the strictness
taken out. It compares your query with *every* key and returns a mixture of *all* values, the better the match, the larger
the share. After this lesson you will be able to

- derive softmax from what shares have to do, instead of taking it on faith,
- write it so that it survives scores of ten thousand,
- turn its temperature from "only the best" to "everyone the same", and measure where you are in nats,
- draw a smooth curve through points with nothing but a soft look-up.

**Time:** about 45 minutes. **Before you start:** lesson 01: dot products, queries and keys.
"""

# %%
import numpy as np
import torch

from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import entropy, soft_lookup, softmax

# %% [markdown]
r"""
## What would a softer dictionary say?

Three places on a map, two numbers each: how far east and how far north they lie. For each we know the temperature there.
"""

# %%
keys = np.array([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.0]])  # harbour, hill, valley: (3, 2)
values = np.array([18.0, 12.0, 8.0])  # degrees Celsius there
strict = {
    tuple(key): value for key, value in zip(keys.tolist(), values.tolist(), strict=True)
}
strict[2.0, 0.0]

# %% [markdown]
r"""
Ask for a place that is not in the dictionary, one step to the north of the harbour:
"""

# %%
query = np.array([2.0, 1.0])
strict.get(tuple(query.tolist()), "no such key")

# %% [markdown]
r"""
Nothing, although the harbour is next door. Lesson 01 has the tool for "next door": the dot product of the query with every key.
"""

# %%
scores = keys @ query  # (3,)
table({"place": ["harbour", "hill", "valley"], "score": scores, "temperature": values})

# %% [markdown]
r"""
The harbour matches best, the hill a little, the valley lies on the other side. We want an answer that is mostly harbour. So turn the three scores into
three **weights**, and mix: `weights @ values`. For a mixture to make sense, weights must be positive and add up to 1.

The first idea anyone has: divide each score by the sum of the scores.

**Predict**: which temperature comes out? The coldest of the three places has 8 degrees, the warmest 18.
"""

# %%
predict(
    "02.divide_by_sum",
    "temperature when scores are divided by their sum",
    low=0.0,
    high=60.0,
)

# %%
shares = scores / scores.sum()
print("shares", np.round(shares, 3))
reveal("02.divide_by_sum", float(shares @ values))

# %% [markdown]
r"""
Warmer than the warmest place on the map. The valley's share is negative: it is *subtracted*. And had the scores added up to 0, there would be no
answer at all. Dividing by the sum is the right last step, but something must first make every number positive.

## Which function makes shares?

Squares would do it, and absolute values; but then the valley, a bad match, would count as a good one. Let us ask for what we want instead
and see what is left.

1. Weights are positive and add up to 1. The plainest way: make every score positive with some $f$, then divide by the sum, $w_i = f(s_i)/\sum_j f(s_j)$.
2. Only *differences* of scores count: adding the same number to all scores changes nothing, since no key matches better than
before relative to the others.

The second wish means that the ratio of two weights, $f(s_i)/f(s_j)$, must stay the same when both scores rise by $c$:

$$\frac{f(s_i + c)}{f(s_j + c)} = \frac{f(s_i)}{f(s_j)}$$

So adding $c$ multiplies every $f$ by one and the same factor. A continuous function that turns sums into products is an exponential,
$f(s) = e^{s/\tau}$ for some $\tau$ (a constant factor in front would cancel in the fraction); a positive $\tau$ makes better matches larger. That is **softmax**, here with $\tau = 1$:

$$w_i = \frac{e^{s_i}}{\sum_j e^{s_j}}$$
"""

# %%
powers = np.exp(scores)
weights = powers / powers.sum()
table(
    {
        "place": ["harbour", "hill", "valley"],
        "score": scores,
        "e^score": powers,
        "weight": weights,
    }
)

# %%
print(f"sum of the weights  {weights.sum():.3f}")
print(f"the soft answer     {weights @ values:.2f} degrees")

# %% [markdown]
r"""
The answer lies inside what was measured, next to the harbour's 18.<!-- numbers: 18 measured at the harbour, see above --> Wish 2 can be checked: raise all scores by 3, and nothing happens.

**Predict**: and if all scores are *doubled*?
"""

# %%
predict(
    "02.doubled",
    "doubling every score makes the largest weight …",
    choices=["smaller", "the same", "larger"],
)

# %%
for name, changed in {
    "as they are": scores,
    "plus 3": scores + 3,
    "doubled": 2 * scores,
}.items():
    print(f"{name:12}", " ".join(f"{weight:.3f}" for weight in softmax(changed)))
reveal("02.doubled", "larger")

# %% [markdown]
r"""
Doubling doubles the differences, and differences sit in the exponent. Whoever scales the scores decides how sharply the look-up chooses.
Remember that sentence: it is the whole of lesson 03's $\sqrt D$.

## What happens at a score of 1000?

Nothing in the formula forbids large scores.
"""

# %%
large = np.array([1000.0, 999.0, 0.0])
with np.errstate(over="ignore", invalid="ignore"):
    plain = np.exp(large) / np.exp(large).sum()
plain

# %% [markdown]
r"""
$e^{1000}$ has more than four hundred digits. A float64 ends near $e^{709}$, beyond that NumPy says `inf`, and `inf / inf` is `nan`. In float32, which models use, the
end comes much earlier:

<!-- numbers: 709 the logarithm of the largest float64, in the table below -->
"""

# %%
table(
    {
        "type": ["float64", "float32", "float16"],
        "largest number": [
            f"{np.finfo(t).max:.1e}" for t in (np.float64, np.float32, np.float16)
        ],
        "largest exponent": [
            f"{np.log(float(np.finfo(t).max)):.1f}"
            for t in (np.float64, np.float32, np.float16)
        ],
    }
)

# %% [markdown]
r"""
But the true answer is harmless: the first two weights are as $e$ to 1. Wish 2 comes to the rescue. Adding a constant changes nothing, so *subtract the
largest score* first. Now the largest exponent is 0, every power lies between 0 and 1, and what underflows to 0 was going to be 0 anyway.

**Predict**: the weights of 1000, 999 and 0. How large is the first?
"""

# %%
predict(
    "02.first_of_1000", "weight of the score 1000 beside 999 and 0", low=0.0, high=1.0
)

# %%
shifted = np.exp(large - large.max())
reveal("02.first_of_1000", float((shifted / shifted.sum())[0]))

# %% [markdown]
r"""
Exactly what the scores 1, 0 and −999 would give, as it must be. One detail decides whether this works for many rows at once: *whose* largest score? Two queries,
one of them far below the other:
"""

# %%
two_rows = np.array([[1000.0, 999.0, 0.0], [-2.0, -3.0, -4.0]])  # (2, 3)
with np.errstate(invalid="ignore"):
    lowered = np.exp(two_rows - two_rows.max())  # one maximum for the whole array
    print(np.round(lowered / lowered.sum(axis=-1, keepdims=True), 3))

# %%
lowered = np.exp(
    two_rows - two_rows.max(axis=-1, keepdims=True)
)  # (2, 3): each row its own
np.round(lowered / lowered.sum(axis=-1, keepdims=True), 3)

# %% [markdown]
r"""
Lowered by the first row's 1000, the second row vanishes to 0/0. Each row needs its own maximum. The package's `softmax` does this along any axis, and agrees with torch:
"""

# %%
print(
    "package = by hand",
    np.allclose(softmax(two_rows), lowered / lowered.sum(axis=-1, keepdims=True)),
)
print(
    "package = torch  ",
    np.allclose(
        softmax(two_rows), torch.softmax(torch.tensor(two_rows), dim=-1).numpy()
    ),
)

# %% [markdown]
r"""
## How soft is soft?

The $\tau$ that we set to 1 is called the **temperature**: scores are divided by it before the softmax. The word comes from physics, where the same formula says how
particles share out over energies (Boltzmann, 1868).<!-- numbers: 1868 the year --> It has nothing to do with the degrees on our map, which are values that get mixed.

"""

# %%
temperatures = np.array([0.1, 0.5, 1.0, 5.0, 100.0])
rows = softmax(scores / temperatures[:, None])  # (5, 3): one row for each temperature
table(
    {
        "temperature τ": temperatures,
        "harbour": rows[:, 0],
        "hill": rows[:, 1],
        "valley": rows[:, 2],
        "answer, degrees": rows @ values,
    }
)

# %% [markdown]
r"""
Cold: only the best match counts, and the look-up is strict again. Hot: the scores hardly matter any more, and the answer nears the plain mean of the three values, 12.667. To say
*how* undecided a row of weights is, there is a number, Shannon's **entropy**:

$$H(w) = -\sum_i w_i \ln w_i \quad\text{nats}$$

It is 0 when one weight is 1. It is largest when all are equal.<!-- numbers: 12.667 is (18 + 12 + 8) / 3; 20 read off the picture -->

**Predict**: the entropy of three equal weights, in nats?
"""

# %%
predict(
    "02.entropy_of_three", "entropy of three equal weights, in nats", low=0.0, high=3.0
)

# %%
reveal("02.entropy_of_three", float(entropy(np.full(3, 1 / 3))))

# %% [markdown]
r"""
That is $\ln 3$, and $e^H$ reads well: it is the number of keys among which the look-up is *effectively* undecided.
"""

# %%
grid = np.geomspace(0.05, 200.0, 200)
undecided = entropy(softmax(scores / grid[:, None]))  # (200,) in nats
show(
    plots.curves(
        grid,
        {"e^H": np.exp(undecided)},
        x="temperature",
        y="effective number of keys",
        log_x=True,
    ),
    alt="The effective number of keys against temperature: it stays at 1 while the temperature is below about a third, climbs from there to 20, "
    "most steeply around 2, and levels off at 3, the number of keys.",
)

# %%
explore.soft_look_up(query, keys, values[:, None], tokens=["harbour", "hill", "valley"])

# %% [markdown]
r"""
One trap: $0\cdot\ln 0$ is 0 in the limit, but `0 * np.log(0)` is `nan`. Weights that have underflowed to 0 are common, so an entropy must treat them apart:
"""

# %%
certain = np.array([1.0, 0.0, 0.0])
with np.errstate(divide="ignore", invalid="ignore"):
    naive = -(certain * np.log(certain)).sum()
print("naive  ", naive)
print("package", entropy(certain) + 0.0)

# %% [markdown]
r"""
## Can a look-up draw a curve?

Forty noisy measurements of a wave. We want the height anywhere, also between the measurements. Make it a look-up: the keys are the places where we measured, the
values what we measured, and the score says how *close* a place is to the query: minus half the squared distance, divided by a temperature.
"""

# %%
rng = np.random.default_rng(5)
places = np.sort(rng.uniform(0.0, 6.0, size=40))  # the keys
heights = np.sin(2 * places) + 0.3 * rng.normal(size=40)  # the values


def curve(at, temperature):
    scores = -0.5 * (at[:, None] - places[None, :]) ** 2  # (Tq, Tk)
    return softmax(scores / temperature) @ heights  # (Tq,)


# %% [markdown]
r"""
**Predict**: three temperatures, 0.0001, 0.05 and 10. Which one draws the most faithful wave, and what do the others draw?
"""

# %%
predict(
    "02.best_curve",
    "temperature of the most faithful curve",
    choices=["0.0001", "0.05", "10"],
)

# %%
at = np.linspace(0.0, 6.0, 300)
curves = {f"temperature {t:g}": curve(at, t) for t in (0.0001, 0.05, 10.0)}
show(
    plots.through_points(places, heights, at, curves, x="place", y="height"),
    alt="Forty scattered points and three curves. The coldest curve is a staircase that jumps from point to point; the middle one follows the "
    "wave smoothly; the hottest is nearly a straight flat line at the mean.",
)

# %%
errors = {
    name: float(np.sqrt(np.mean((drawn - np.sin(2 * at)) ** 2)))
    for name, drawn in curves.items()
}
table(
    {
        "curve": list(errors),
        "typical distance from the true wave": list(errors.values()),
    }
)

# %%
reveal("02.best_curve", "0.05")

# %% [markdown]
r"""
This is *kernel regression*, published by Nadaraya and by Watson in 1964, fifty years before anyone called it attention. Cold copies the nearest measurement, noise and
all. Hot forgets where you asked. In between, neighbours average their noise away.

Is closeness really the same thing as a dot product? Multiply out:

$$-\tfrac12 |q - k_i|^2 = q\cdot k_i - \tfrac12|q|^2 - \tfrac12|k_i|^2$$

The term $|q|^2$ is the same for every key, so softmax does not see it (wish 2). If all keys have the same length, it does not see the last term either, and the two scores
give the same weights. Keys on a circle:
"""

# %%
rng = np.random.default_rng(6)
angles = rng.uniform(0.0, 2 * np.pi, size=7)
ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (7, 2), all of length 1
asked = rng.normal(size=(4, 2))
by_distance = softmax(
    -0.5 * ((asked[:, None] - ring[None]) ** 2).sum(axis=-1)
)  # (4, 7)
by_product = softmax(asked @ ring.T)
print("same weights, keys of length 1     ", np.allclose(by_distance, by_product))

stretched = ring * np.arange(1, 8)[:, None]
by_distance = softmax(-0.5 * ((asked[:, None] - stretched[None]) ** 2).sum(axis=-1))
print(
    "same weights, keys of many lengths ",
    np.allclose(by_distance, softmax(asked @ stretched.T)),
)

# %% [markdown]
r"""
So dot-product attention is kernel regression in which keys may also shout.

## What did we buy, and what did it cost?

A strict dictionary touches one entry. The soft one touches all of them, for every query: that is the price, and lesson 11 is about it. What it buys is a *slope*. Nudge a key
and the soft answer moves a little; a strict winner takes no notice until it suddenly jumps. Learning by gradients needs the first kind.

**Predict**: move the harbour's key by 0.001 to the east. By how much does the *strict* answer (the value of the best key) change?
"""

# %%
predict("02.strict_slope", "change of the strict answer", low=-1.0, high=1.0)

# %%
nudged = keys + np.array([[0.001, 0.0], [0.0, 0.0], [0.0, 0.0]])
strict_change = values[(nudged @ query).argmax()] - values[(keys @ query).argmax()]
soft_change = soft_lookup(query, nudged, values[:, None]) - soft_lookup(
    query, keys, values[:, None]
)
print(f"soft change per unit of movement  {soft_change[0] / 0.001:.3f}")
reveal("02.strict_slope", float(strict_change))

# %% [markdown]
r"""
The harbour is still the best match, so the strict answer has not noticed: its slope is 0, and nothing tells a learner which way to move the key. The soft answer says it: one step further east and the reading
rises, at 1.271 degrees a step.

`soft_lookup(query, keys, values, temperature)` is this whole lesson in one function, with a row of any width as value:
"""

# %%
both = np.stack(
    [values, [1013.0, 1009.0, 1018.0]], axis=-1
)  # (3, 2): temperature and air pressure
np.round(soft_lookup(query, keys, both, temperature=2.0), 2)

# %% [markdown]
r"""
## In the wild: shares for the wrong side
<!-- no prediction: the section shows a known bug by running it -->

With a table of scores, queries down and keys across, each *row* must add up to 1. A library for language models took the softmax along axis number 2
([fastNLP, issue 254](https://github.com/fastnlp/fastNLP/issues/254)). For scores of three axes, text by query by key, that is the last one, and right. Put one more axis in front, as lesson 06 will, and axis 2 counts the *queries*: the *columns* add up to 1, and every key
hands out exactly one unit of attention among all who ask. What that does to our map, asked at three places at once:
"""

# %%
asked = np.array([[2.0, 1.0], [1.5, 0.5], [0.0, 0.1]])
table_of_scores = asked @ keys.T  # (3, 3)
wrong = softmax(table_of_scores, axis=0)
table(
    {
        "asked at": ["(2, 1)", "(1.5, 0.5)", "(0, 0.1)"],
        "right answer": softmax(table_of_scores, axis=-1) @ values,
        "sum of wrong weights": wrong.sum(axis=-1),
        "wrong answer": wrong @ values,
    }
)

# %% [markdown]
r"""
The second place is given too little weight, the first too much: it is told of more degrees than there are anywhere on the map. No shape gives it away: softmax leaves a table's shape alone, whichever axis it takes, so here even sizes that differ do not help. Count axes from the end, `axis=-1`,
and add up a row.

## What you have now

- Softmax is what is left when scores are made positive, divided by their sum, and only their differences may count.
- Subtract each row's own largest score first; the result is the same and cannot overflow.
- Temperature slides between "the best only" and "the plain mean"; entropy in nats says where you are.
- A soft look-up over places is kernel regression; with keys of equal length, dot products do the same.

**Next:** in lesson 03 every token brings its own query, key and value. First, write the functions: [exercises 02](../exercises/02_soft_lookup.ipynb).

**Further reading.** E. A. Nadaraya, *On estimating regression*, and G. S. Watson, *Smooth regression analysis* (both 1964). J. S. Bridle, *Training stochastic model recognition
algorithms as networks* (1989), which named softmax. C. Shannon, *A mathematical theory of communication* (1948), section 6, for entropy.
"""
