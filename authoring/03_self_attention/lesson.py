# %% [markdown]
r"""
# Self-attention

At the end of this lesson you can

- work out self-attention for a short sentence with pencil and paper;
- say why scores are divided by $\sqrt D$, and show what happens if they are not;
- name what one layer of self-attention can do, and two things that it cannot;
- derive its backward pass, and test the derivation in two independent ways.

**Time**: about 75 minutes. **Before you start**: dot products (lesson 01), softmax and the soft look-up (lesson 02), matrix
products. For the backward pass, the chain rule.
"""

# %%
import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from minitransformer import reference
from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import softmax

# %% [markdown]
r"""
## Who barks?

> The dogs near the cat bark.

Who barks? You knew at once, and yet the noun right beside *bark* is *cat*. The form of the verb decided: *bark* goes with a plural.
So you looked back through the sentence, not for the nearest noun, but for the one that **fits**. Self-attention is arithmetic
that does this.

Three of the words are enough. Each becomes a row of numbers, chosen by hand for now: does the word speak of dogs, of a cat, is it
a verb, and is it plural (+1) or singular (−1)? A word that has become a row of numbers is called a **token**. All through the
course, $T$ is how many tokens there are, and $C$ how many features each has: here 3 and 4.
"""

# %%
tokens = ["dogs", "cat", "bark"]
x = np.array([[1, 0, 0, +1], [0, 1, 0, -1], [0, 0, 1, +1]])  # (3, 4): T, C
features = ["dog", "cat", "verb", "number"]
table({"token": tokens} | dict(zip(features, x.T, strict=True)))

# %% [markdown]
r"""
The token *bark* now does a soft look-up, as in lesson 02. Three things take part:

- its **query**, what it looks for. It looks for a noun, and for a plural: $(1, 1)$.
- a **key** for each token, what that token can be found by: noun or not, and its number. *dogs* is a noun and plural, $(1, 1)$;
  *cat* is a noun and singular, $(1, -1)$; *bark* is no noun, but plural, $(0, 1)$.
- a **value** for each token, what it hands to whoever finds it: which animal, dog or cat. $(1, 0)$ from *dogs*, $(0, 1)$ from
  *cat*, and $(0, 0)$ from *bark*, which knows of none.

How well a key fits a query is their dot product, the **score**. Softmax turns the three scores into three **weights** that add
up to 1.

**Predict**: take a pencil. Write down the three scores, then the weight that *bark* gives to *dogs*. ($e \approx 2.72$,
$e^2 \approx 7.39$.)
"""

# %%
predict("03.weight_on_dogs", "weight that bark gives to dogs", low=0.0, high=1.0)

# %%
bark_query = np.array([1, 1])
keys = np.array([[1, 1], [1, -1], [0, 1]])
values = np.array([[1, 0], [0, 1], [0, 0]])
for token, key in zip(tokens, keys, strict=True):
    print(f"{token:>4}: 1·({key[0]}) + 1·({key[1]}) = {bark_query @ key}")
bark_weights = softmax(keys @ bark_query)  # (3,)
reveal("03.weight_on_dogs", bark_weights[0])

# %% [markdown]
r"""
The scores are 2, 0 and 1, so the weights stand to each other as $e^2 : e^0 : e^1$. Two thirds of the look goes to *dogs*,
although *cat* stands nearer: nothing here asked how far away anything is.

What *bark* takes home is the **weighted mean of the values**.
"""

# %%
print("weights:", np.round(bark_weights, 3))
print("output :", np.round(bark_weights @ values, 3))
show(
    plots.look_up(bark_query, keys, values, tokens=tokens),
    alt="The look-up of bark, read from left to right: its query (1, 1); a bar for each "
    "score, 2 for dogs, 0 for cat, 1 for bark; a share for each weight, 0.67, 0.09 and "
    "0.24; the values; and the output, 0.67 dog and 0.09 cat.",
)

# %% [markdown]
r"""
The output, about $(0.67, 0.09)$, reads "dogs, quite surely". That is new: nothing in the four numbers of *bark* spoke of dogs. The
verb has found its subject.

## How does one token become three vectors?

Query, keys and values were chosen by hand, for this sentence only. Nobody could do that for every sentence. They have to come out
of the tokens themselves, by rules that are the same everywhere. So each token is asked the same three questions:

1. *What are you looking for?* The answer is its query.
2. *What can you be found by?* The answer is its key.
3. *What do you hand over?* The answer is its value.

Each question is one matrix, and each row of a matrix is a rule that can be read aloud. The answers have $D$ features, here 2.
"""

# %%
# one row for each feature: dog, cat, verb, number
w_q = np.array([[0, 0], [0, 0], [1, 0], [0, 1]])  # a verb looks for a noun
w_k = np.array([[1, 0], [1, 0], [0, 0], [0, 1]])  # dog and cat show that they are one
w_v = np.array([[1, 0], [0, 1], [0, 0], [0, 0]])  # and hand over which animal
q, k, v = x @ w_q, x @ w_k, x @ w_v  # (3, 2) each
show(
    plots.projections(x, w_q, w_k, w_v, tokens=tokens),
    alt="Three matrix products, one below the other. The same three token rows stand on "
    "the left of each; times w_q they give queries, times w_k keys, times w_v values. "
    "The last query is (1, 1), and keys and values are those written by hand above.",
)

# %% [markdown]
r"""
The last row of queries, and all keys and values, are those we wrote by hand. The matrices are the only thing that a model has to
learn: they know nothing about this sentence, and serve every other.

**Predict**: change one letter. *The dogs near the cat bark**s***. Only the number of the last token turns from +1 to −1; the
matrices stay. Which token does *barks* give most of its weight to?
"""

# %%
predict("03.barks", "barks looks mostly at", choices=["dogs", "cat", "barks"])

# %%
barks = np.array([0, 0, 1, -1])
changed = np.array([x[0], x[1], barks])  # (3, 4)
weights_of_barks = softmax((changed @ w_k) @ (barks @ w_q))  # (3,)
print("scores :", (changed @ w_k) @ (barks @ w_q))
print("weights:", np.round(weights_of_barks, 3))
reveal("03.barks", ["dogs", "cat", "barks"][weights_of_barks.argmax()])

# %% [markdown]
r"""
One letter turned the look around. No rule was rewritten: the same matrices gave another query, and the query found another
key. The three weights are not stored anywhere in the model. They are worked out anew for each sentence. That is the difference between
attention and an ordinary layer, which mixes its inputs with the same numbers for every sentence, once it is trained.

## What if every token asks?

So far one token asked. In **self**-attention all of them do, each with its own query, all at once, of the very tokens they belong to.
That makes a square of scores: who asks, down the side; who is asked, along the top.

**Predict**: is the score that *cat* gives to *bark* the same as the score that *bark* gives to *cat*? The queries and keys in the picture
above are all you need.
"""

# %%
predict(
    "03.symmetric",
    "how the two scores compare",
    choices=["they are equal", "bark gives cat more", "cat gives bark more"],
)

# %%
scores = np.zeros((3, 3))
for i in range(3):  # who asks
    for j in range(3):  # who is asked
        scores[i, j] = q[i] @ k[j]
print(scores)
bark_to_cat, cat_to_bark = scores[2, 1], scores[1, 2]
print("bark to cat:", bark_to_cat, "  cat to bark:", cat_to_bark)
reveal("03.symmetric", "bark gives cat more" if bark_to_cat > cat_to_bark else "no")

# %% [markdown]
r"""
Scores are not symmetric, because asking and answering are different questions. A verb looks for a noun; a noun, here, does not look
for a verb.

The double loop is nine dot products. A matrix product does the same nine: row $i$ of $q$ against column $j$ of $k^\top$. A second one, `weights @ v`, takes
the weighted mean of the values for each row.
"""

# %%
print("loop = matrix product:", np.array_equal(scores, q @ k.T))  # (3, 2) @ (2, 3)
weights = softmax(scores)  # (3, 3), each row sums to 1
output = weights @ v  # (3, 3) @ (3, 2) -> (3, 2)
table({"token": tokens, "dog": output[:, 0], "cat": output[:, 1]}, caption="outputs")
show(
    plots.heat_map(
        weights, rows=tokens, columns=tokens, x="is looked at (key)", y="looks (query)"
    ),
    alt="Three rows of weights. The row of bark: 0.67 on dogs, 0.09 on cat, the rest on "
    "itself. The row of dogs is split evenly between dogs and bark, the two plurals. The "
    "row of cat: 0.79 on itself.",
)

# %% [markdown]
r"""
Read the picture by rows; each adds up to 1. *bark* has found *dogs*. *dogs* and *cat* had no rule that told them what kind of word to look for, only
a number, so they look at whatever has the same number, themselves included.

## Does each token really score every other token?

Glossaries say so. It is a claim, and a claim can be tested: **touch one token and see who notices.** Six random tokens, random
matrices, no hand-made meaning this time. We nudge one token, look which of the six outputs move, and do this for each of the six.

**Predict**: of the 36 pairs (token touched, output looked at), in how many does the output move?
"""

# %%
predict("03.pairs_moved", "pairs in which the output moves", low=0, high=36)


# %%
def plain_attention(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v  # (T, D) each
    return softmax(q @ k.T) @ v  # (T, D)


rng = np.random.default_rng(1)
six, random_matrices = rng.normal(size=(6, 4)), rng.normal(size=(3, 4, 2)) / 2
before = plain_attention(six, *random_matrices)
moved = np.zeros((6, 6))
for j in range(6):
    touched = six.copy()
    touched[j] += 0.01
    after = plain_attention(touched, *random_matrices)
    moved[:, j] = np.abs(after - before).sum(axis=-1)
show(
    plots.heat_map(
        moved / moved.sum(axis=-1, keepdims=True),
        x="token that was touched",
        y="output that is looked at",
        kind="plain",
    ),
    alt="A square of 36 cells, each row scaled to add up to 1. No cell is zero, but they "
    "are far from equal: an output feels every token, and some of them only faintly.",
)
reveal("03.pairs_moved", int((moved > 0).sum()))

# %% [markdown]
r"""
All 36. The claim holds, and it is worth saying exactly how:

- each token scores every other token **and itself**;
- to be scored is not to be heard: some cells are faint, and the next section shows weights so small that nothing is left of them;
- the number of scores grows with the square of the length. That is the price, and lesson 11 is about it.

So a token hears everyone. What does it *not* hear? Put the words in another order, "bark dogs cat":
"""

# %%
order = [2, 0, 1]
as_before = plain_attention(x, w_q, w_k, w_v)
reordered = plain_attention(x[order], w_q, w_k, w_v)
print("the same outputs, reordered:", np.allclose(reordered, as_before[order]))
print("scores for 6 tokens:", f"{6**2:,}", "  for 1,024 tokens:", f"{1024**2:,}")

# %% [markdown]
r"""
Each word gets exactly what it got before. Self-attention sees a *set* of tokens; the order is invisible to it. In "The dogs chase the
cats", where both nouns are plural, nothing could tell it who chases whom. This is the first of two things that one layer
cannot do. Lesson 05 gives tokens a place.

## Why divide by the root of D?

Our queries and keys have $D = 2$ numbers. In real models they have 32, 64 or 128. The formula does not seem to care. Let us see
whether it does, among **strangers**: a query and eight keys, all numbers drawn at random with mean 0 and variance 1. No key has
any claim on the query, so a sensible look would be spread out: an even share is $1/8$.
"""


# %%
def strangers(D, divisor=1.0):
    """Give the weights of 500 random queries, each over its own eight random keys."""
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(500, 1, D))
    keys = rng.normal(size=(500, 8, D))
    scores = queries @ keys.swapaxes(-1, -2) / divisor  # (500, 1, 8)
    return softmax(scores)[:, 0]  # (500, 8)


largest = strangers(2).max(axis=-1)  # (500,)
print(f"D = 2: the largest of eight weights is {largest.mean():.3f} on average")

# %% [markdown]
r"""
Some favourites, as there will be among random things. **Predict**: the same with $D = 256$. How large is the largest of
the eight weights, on average?
"""

# %%
predict(
    "03.largest_weight_at_256",
    "average of the largest weight at D = 256",
    low=0.125,
    high=1.0,
)

# %%
reveal("03.largest_weight_at_256", strangers(256).max(axis=-1).mean())

# %% [markdown]
r"""
Nearly everything goes to one key, and the keys are as unrelated to the query as before. Whoever is ahead by accident takes
all. So something must be growing with $D$, and only the scores can be.

<details><summary>Work it out before you measure it</summary>

A score is a sum of $D$ products, $q \cdot k = q_1 k_1 + \dots + q_D k_D$. One product of two independent numbers of mean 0 and
variance 1 has mean 0 and variance $1 \cdot 1 = 1$. Variances of independent terms add up, so the score has variance $D$, and its
standard deviation, the typical size, is $\sqrt D$. And softmax compares scores in the *exponent*: a lead of 1 makes a factor of
2.7, a lead of 16 makes a factor of nine million.
<!-- numbers: 2.7 is e; 16 is the root of 256 -->
</details>
"""

# %%
widths = np.array([2, 8, 32, 128, 512])
rng = np.random.default_rng(1)
spread = []
for D in widths:
    queries, keys = rng.normal(size=(2, 4000, D))
    spread.append((queries * keys).sum(axis=-1).std())
print("measured:", np.round(spread, 1))
print("√D      :", np.round(np.sqrt(widths), 1))
show(
    plots.growth(
        widths,
        {"measured": spread, "√D": np.sqrt(widths)},
        x="width D",
        y="standard deviation of a score",
    ),
    alt="Two curves that lie on each other: the measured spread of random scores and the root of D, both rising from 1.4 at width 2 "
    "to about 22.6 at width 512.",
)

# %% [markdown]
r"""
Measured and derived agree: scores spread like $\sqrt D$. Divide by $\sqrt D$, and the spread is 1 at every width. If smaller is
better, why not divide by $D$ itself? All three, side by side:
"""


# %%
def mean_largest(weights):
    return weights.max(axis=-1).mean()


three_widths = [4, 64, 1024]
table(
    {
        "D": three_widths,
        "undivided": [mean_largest(strangers(D)) for D in three_widths],
        "by √D": [mean_largest(strangers(D, np.sqrt(D))) for D in three_widths],
        "by D": [mean_largest(strangers(D, D)) for D in three_widths],
    },
    caption="largest of eight weights, on average (an even share is 0.125)",
)

# %% [markdown]
r"""
Undivided, attention hardens into "take the first and forget the rest". Divided by $D$ it softens into "everybody the same": it has
stopped choosing. $\sqrt D$ is not just some number that makes scores smaller; it is the one that leaves their spread alone.

A look that is too hard has a second fault, and for learning it is the worse one. To learn whom to look at, a model shifts its scores a
little and follows the change in its weights. The slope of a weight by its own score is $w(1 - w)$ (derived below): next to
nothing when $w$ is near 1, and next to nothing when it is near 0.
"""


# %%
def typical_slope(weights):
    eight_slopes = weights * (1 - weights)  # (500, 8)
    return np.median(eight_slopes.sum(axis=-1))


table(
    {
        "D": [4, 64, 1024],
        "undivided": [typical_slope(strangers(D)) for D in [4, 64, 1024]],
        "by √D": [typical_slope(strangers(D, np.sqrt(D))) for D in [4, 64, 1024]],
    },
    caption="slope of the weights by their scores, median of 500 queries",
)
print("weights of scores 800 apart:", softmax(np.array([0.0, 800.0])))

# %% [markdown]
r"""
At $D = 1024$ the undivided version has lost nearly all of its slope, and with scores far enough apart the weight is not small but
*exactly* zero: scored, and not heard at all. Divided by $\sqrt D$, the slope hardly depends on the width.

One caution. The argument needs independent numbers of variance 1. That describes a model when training **begins**, because
its parameters are drawn so. Afterwards queries and keys may grow as they like. Dividing by $\sqrt D$ gives learning a fair start, no more.

## Is this the attention that everybody uses?

With the divisor, the formula is complete:

$$\operatorname{attention}(q, k, v) = \operatorname{softmax}\!\left(\frac{q k^\top}{\sqrt D}\right) v$$

In a function it takes three lines. `swapaxes(-1, -2)` exchanges the last two axes only, so that any number of
axes may come before them: a batch of sentences, or several heads.
"""


# %%
def attention(q, k, v):
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])  # (..., Tq, Tk)
    weights = softmax(scores)
    return weights @ v, weights  # (..., Tq, Dv), (..., Tq, Tk)


# %% [markdown]
r"""
**Predict**: two sentences at once, 5 queries each, 7 keys and values, $D = 4$, and values with 3 features. What shape
is the output?
"""

# %%
predict(
    "03.shape",
    "shape of the output",
    choices=["(2, 5, 3)", "(2, 5, 4)", "(2, 7, 3)", "(2, 5, 7)"],
)

# %%
rng = np.random.default_rng(0)
two_q, two_k = rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 7, 4))
two_v = rng.normal(size=(2, 7, 3))
output_two, weights_two = attention(two_q, two_k, two_v)
print("weights:", weights_two.shape)
reveal("03.shape", str(output_two.shape))

# %% [markdown]
r"""
One output for each query, with as many features as the *values* have. The 7 is gone: it was averaged over. And the 4 is gone: it
only served to compare.

Now four ways to the same numbers: a loop that follows the words, our function, the package's, and torch's, which is what large models run.
"""

# %%
loop = np.zeros((3, 2))
for i in range(3):
    row = softmax(np.array([q[i] @ k[j] / np.sqrt(2) for j in range(3)]))
    loop[i] = sum(row[j] * v[j] for j in range(3))
in_torch = scaled_dot_product_attention(*torch.tensor(np.array([q, k, v]) * 1.0))
ways = {
    "loop": loop,
    "our function": attention(q, k, v)[0],
    "the package": reference.self_attention(x, w_q, w_k, w_v)[0],
    "torch": in_torch.numpy(),
}
table(
    {
        "way": list(ways),
        "output of bark": [output[2] for output in ways.values()],
        "equal in all rows": [np.allclose(output, loop) for output in ways.values()],
    }
)

# %% [markdown]
r"""
Four ways, one result. (Divided by $\sqrt 2$, *bark* is a little less sure of its dogs than before: 0.576 in place of 0.665.)<!-- numbers: 0.665 from the first section --> From here on,
`reference.attention` is a tool that you know from the inside. The whole of it in one picture:
"""

# %%
show(
    plots.attention_flow(q, k, v, tokens=tokens),
    alt="Two lines of matrices with their numbers. First: queries times transposed keys, "
    "divided by the root of D, are the scores. Second: the softmax of the scores, row by "
    "row, times the values is the output. The last row leads from bark's query (1, 1) to "
    "0.58 dog and 0.14 cat.",
)

# %% [markdown]
r"""
Follow one row from the left edge to the right: that is one token's look.

## Where can an output land?

Weights are never negative and add up to 1. A mean with such weights has a consequence that is easy to miss. Take five values, points in a
plane, and let 400 random queries ask for a mix of them. Their keys are random too.

**Predict**: the rightmost of the five values lies at 1.5. How many of the 400 outputs lie further right?
"""

# %%
predict("03.outside", "outputs further right than 1.5", low=0, high=400)

# %%
corners = [(-1.2, -0.6), (0.2, -1.0), (1.5, -0.2), (0.8, 1.1), (-0.9, 0.8)]
five_values = np.array(corners)  # (5, 2)
rng = np.random.default_rng(5)
five_keys, queries = rng.normal(size=(5, 4)), rng.normal(size=(400, 4))
landed, _ = attention(queries, five_keys, five_values)  # (400, 2)
sharper, _ = attention(6 * queries, five_keys, five_values)  # (400, 2)
scores_as_weights = (queries @ five_keys.T / 2) @ five_values  # (400, 2)
clouds = {
    "random queries": landed,
    "six times as long": sharper,
    "without softmax": scores_as_weights,
}
show(
    plots.landings(five_values, clouds),
    alt="Three clouds of 400 outputs, and the five values as corners of a polygon. The "
    "first cloud fills the middle of the polygon. With queries six times as long the "
    "outputs crowd into its corners and along its edges. Both stay inside. Without "
    "softmax the cloud spills far outside.",
)
reveal("03.outside", int((landed[:, 0] > 1.5).sum()))

# %% [markdown]
r"""
None. Every output lies inside the polygon that the values span, their **convex hull**, whatever the queries are. Long queries
only push outputs into its corners: attention then *selects* one value; short ones make it *average*. It can do nothing else. It brings
together what is there, and makes nothing new out of it.

That is the second thing that one layer cannot do. In a transformer the new is made by the layer after it, the feed-forward of lesson 08.

## How does it learn where to look?

Nobody writes $w_q$, $w_k$ and $w_v$ by hand for a real text. One measures how wrong the output is, the **loss**, and asks for each number on the
way: *if you rose a little, would the loss rise or fall, and how fast?* The answers are gradients, and one gets them by walking
through the formula backwards. torch does it for you, always. Do it once yourself, and two things will stop being
mysterious: what is passed back through a softmax, and why saturated attention cannot learn.

*bark* received about $(0.58, 0.14)$. Say it should have been told exactly $(1, 0)$: dogs, and no cat. Take as loss half the squared distance,
$L = \tfrac12 \lVert o - (1, 0) \rVert^2$. Its gradient by the output $o$ is $g = o - (1, 0)$.

**Step 1, through the mean.** $o = \sum_j w_j v_j$. Weight $j$ multiplies value $j$, so

$$\frac{\partial L}{\partial v_j} = w_j\, g, \qquad \frac{\partial L}{\partial w_j} = g \cdot v_j .$$

The second reads: *a weight is good if its value points against the error.*
"""

# %%
q, k, v = (array.astype(float) for array in (x @ w_q, x @ w_k, x @ w_v))
output, weights = attention(q, k, v)
w, g = weights[2], output[2] - np.array([1.0, 0.0])  # the row of bark: (3,), (2,)
grad_w = v @ g  # (3,)
table({"token": tokens, "weight": w, "gradient of the weight": grad_w})

# %% [markdown]
r"""
More weight on *dogs* would lower the loss, more on *cat* would raise it. But weights cannot move one at a time: they add up to 1.

**Step 2, through the softmax.** Raise score $i$ by a little. Its own weight grows, and since the whole stays 1, all others shrink:

$$\frac{\partial w_i}{\partial s_i} = w_i (1 - w_i), \qquad \frac{\partial w_j}{\partial s_i} = -\, w_j w_i \quad (j \ne i).$$

Add up the effects on the loss, and it falls into a form that can be said in words:

$$\frac{\partial L}{\partial s_i} = \sum_j \frac{\partial L}{\partial w_j}\frac{\partial w_j}{\partial s_i}
  = w_i \Bigl( \frac{\partial L}{\partial w_i} - \underbrace{\sum_j w_j \frac{\partial L}{\partial w_j}}_{\text{weighted mean}} \Bigr).$$

*A score should fall if its token does worse than the present mix, and rise if it does better; and it is heard in proportion to the weight it has.*

<details><summary>The algebra in between, and where the two slopes come from</summary>

$w_i = e^{s_i} / Z$ with $Z = \sum_j e^{s_j}$. By the quotient rule $\partial w_i / \partial s_i = (e^{s_i} Z - e^{s_i} e^{s_i}) / Z^2 = w_i - w_i^2$, and for
$j \ne i$ only $Z$ depends on $s_i$: $\partial w_j / \partial s_i = - e^{s_j} e^{s_i} / Z^2 = - w_j w_i$.

Write $a_j$ for $\partial L / \partial w_j$. Then $\sum_j a_j\, \partial w_j / \partial s_i = a_i w_i - a_i w_i w_i - \sum_{j \ne i} a_j w_j w_i
= w_i \bigl( a_i - \sum_j a_j w_j \bigr)$: the middle term is just the one that was missing from the sum.
</details>

**Predict**: three numbers come out, one for each score. What is their sum?
"""

# %%
predict("03.sum_of_gradients", "sum of the three gradients", low=-1.0, high=1.0)


# %%
def softmax_backward(weights, grad_weights):
    mean = (weights * grad_weights).sum(axis=-1, keepdims=True)  # (..., 1)
    return weights * (grad_weights - mean)


grad_s = softmax_backward(w, grad_w)  # (3,)
table({"token": tokens, "gradient of the score": grad_s})
reveal("03.sum_of_gradients", abs(round(grad_s.sum(), 6)))

# %% [markdown]
r"""
<details><summary>Why exactly 0?</summary>

Add the same number to all three scores, and the weights do not change at all (lesson 02). So in that direction the loss is flat,
and the slope in that direction is the sum of the three gradients. A handy test: whoever forgets the weighted mean gets a sum
that is not 0.
</details>

Look at the signs: a step *against* the gradient raises the score of *dogs* and lowers those of *cat* and of *bark* itself. And look at the
factor $w_i$ in front: a token with weight 0 gets gradient 0, and if one weight is 1, its gradient *is* the weighted mean, and the bracket is 0. **A saturated row hardly
learns**, in either direction.

**Step 3, through the dot products.** $s_{ij} = q_i \cdot k_j / \sqrt D$. The query meets every key of its row, a key meets every query of
its column:

$$\frac{\partial L}{\partial q_i} = \frac{1}{\sqrt D}\sum_j \frac{\partial L}{\partial s_{ij}}\, k_j, \qquad
\frac{\partial L}{\partial k_j} = \frac{1}{\sqrt D}\sum_i \frac{\partial L}{\partial s_{ij}}\, q_i .$$

Sums over a shared index are matrix products, and the shapes tell which side to transpose. All three steps for all rows at once:
"""


# %%
def attention_backward(q, k, v, grad_output):
    _, weights = attention(q, k, v)
    grad_v = weights.swapaxes(-1, -2) @ grad_output  # (..., Tk, Tq) @ (..., Tq, Dv)
    grad_weights = grad_output @ v.swapaxes(-1, -2)  # (..., Tq, Dv) @ (..., Dv, Tk)
    grad_scores = softmax_backward(weights, grad_weights) / np.sqrt(q.shape[-1])
    grad_q = grad_scores @ k  # (..., Tq, Tk) @ (..., Tk, D)
    grad_k = grad_scores.swapaxes(-1, -2) @ q  # (..., Tk, Tq) @ (..., Tq, D)
    return grad_q, grad_k, grad_v


# %% [markdown]
r"""
Is it right? Ask two witnesses who do not know each other. The first knows no calculus: nudge each number up and down by a
millionth, and see what the loss does.
"""


# %%
def loss_of_bark(q, k, v):
    return 0.5 * ((attention(q, k, v)[0][2] - np.array([1.0, 0.0])) ** 2).sum()


def slopes(loss, array, step=1e-6):
    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        up, down = array.copy(), array.copy()
        up[place] += step
        down[place] -= step
        found[place] = (loss(up) - loss(down)) / (2 * step)
    return found


grad_output = np.array([[0.0, 0.0], [0.0, 0.0], g])  # only the output of bark counts
by_hand = attention_backward(q, k, v, grad_output)
by_nudging = (
    slopes(lambda a: loss_of_bark(a, k, v), q),
    slopes(lambda a: loss_of_bark(q, a, v), k),
    slopes(lambda a: loss_of_bark(q, k, a), v),
)

# %% [markdown]
r"""
The second witness is torch, which differentiates whatever it has computed.
"""

# %%
leaves = [torch.tensor(array, requires_grad=True) for array in (q, k, v)]
torch_output = scaled_dot_product_attention(*leaves)
(0.5 * ((torch_output[2] - torch.tensor([1.0, 0.0])) ** 2).sum()).backward()
by_torch = [leaf.grad.numpy() for leaf in leaves]
table(
    {
        "gradient of": ["q", "k", "v"],
        "row of bark": [grad[2] for grad in by_hand],
        "nudging agrees": [
            np.allclose(*pair, atol=1e-9)
            for pair in zip(by_hand, by_nudging, strict=True)
        ],
        "torch agrees": [
            np.allclose(*pair, atol=1e-12)
            for pair in zip(by_hand, by_torch, strict=True)
        ],
    }
)

# %% [markdown]
r"""
Both agree with the derivation. Now put it to work, and settle the question of $\sqrt D$ for good. A query among eight random keys is to
learn to fetch one given value out of eight, by small steps against its gradient, with nothing but `attention_backward`. One hundred random starts; the share
that has learned it, with a weight above 0.8 on the right key, after 200 steps. To be fair to both sides, each may use the step size, out of four, that suits it best.
"""


# %%
def share_that_learns(D, divisor):
    eight, wanted = np.eye(8), np.eye(8)[:1]  # eight values, and the first of them
    shares = []
    for step_size in (0.03, 0.3, 3.0, 30.0):
        rng = np.random.default_rng(0)
        query, keys = rng.normal(size=(100, 1, D)), rng.normal(size=(100, 8, D))
        keys = (
            keys * np.sqrt(D) / divisor
        )  # so that √D in attention gives way to divisor
        for _ in range(200):
            fetched, _ = attention(query, keys, eight)  # (100, 1, 8)
            grad_q, _, _ = attention_backward(query, keys, eight, fetched - wanted)
            query = query - step_size * grad_q
        shares.append((fetched[:, 0, 0] > 0.8).mean())
    return max(shares)


# %% tags=["nbval-ignore-output"] reason="long steps magnify the last digit of a sum, and processors differ in it: a start in a hundred may end otherwise"
learning_widths = np.array([4, 16, 64, 256])
show(
    plots.curves(
        learning_widths,
        {
            "by √D": [share_that_learns(D, np.sqrt(D)) for D in learning_widths],
            "undivided": [share_that_learns(D, 1.0) for D in learning_widths],
        },
        x="width D",
        y="share that learns where to look",
        log_x=True,
    ),
    alt="Two curves over the width D, 4 to 256. Divided by the root of D, nearly every start learns at every width. Undivided, nine in ten learn "
    "at widths 4 and 16, about half at 64, and one in six at 256.",
)

# %% [markdown]
r"""
At $D = 4$ both learn. At $D = 256$ nearly every undivided query is stuck on whichever key was ahead by chance: the one that it should find has a weight
of nearly 0, and with it a gradient of nearly 0. None of the four step sizes helps. Divided by $\sqrt D$, it learns at every width.

## What can it still not tell?

The three tokens again, live: change a feature of a token, the divisor or the temperature, and the weights follow. Try, for a start, to turn
the number of *bark* from 1 to −1 in small steps: where does the look tip over?

**Predict**, before you try it: make *cat* a plural too, number +1. The dogs near the cats bark. What weight does *bark* give to *dogs* now?
"""

# %%
predict("03.two_plurals", "weight that bark gives to dogs", low=0.0, high=1.0)

# %%
cats = np.array([0, 1, 0, 1])
two_plurals = np.array([x[0], cats, x[2]])  # (3, 4)
weights_of_bark = reference.self_attention(two_plurals, w_q, w_k, w_v)[1][2]
table({"token": ["dogs", "cats", "bark"], "weight in the row of bark": weights_of_bark})
reveal("03.two_plurals", weights_of_bark[0])

# %%
explore.attention(
    tokens, x.astype(float), features=["dog", "cat", "verb", "number"], w_q=w_q, w_k=w_k
)

# %% [markdown]
r"""
Two nouns that fit equally get the same weight, and *bark* takes home half of each. By content alone it cannot do better; you can, because you know
that the first noun is the subject. For that, a token must know where it stands.

If you read this without a kernel: here is the first experiment as a picture, the number of the verb run through from singular to plural.
"""

# %%
numbers = np.linspace(-2, 2, 41)
rows_of_verb = []
for number in numbers:
    altered = np.array([x[0], x[1], [0, 0, 1, number]])  # (3, 4)
    rows_of_verb.append(reference.self_attention(altered, w_q, w_k, w_v)[1][2])
show(
    plots.curves(
        numbers,
        dict(zip(["dogs", "cat", "the verb"], np.transpose(rows_of_verb), strict=True)),
        x="number of the verb (−1 singular, +1 plural)",
        y="weight in the row of the verb",
    ),
    alt="Three curves. At number −1 the verb looks mostly at cat, at +1 mostly at dogs; the two cross at 0, where both nouns get the same. "
    "Towards both ends the weight on the verb itself rises.",
)

# %% [markdown]
r"""
There is no switch in it anywhere. The look tips over smoothly, and that is what makes it possible to learn by small steps.

## A bug from the wild

A widely watched lecture on building a GPT divided its scores by $\sqrt C$, with $C = 384$ the width of the *token*, where the width
of the *query* was meant, $D = 64$. A viewer noticed, and the author answered "you're right :( ty"
([karpathy/ng-video-lecture, pull request 6](https://github.com/karpathy/ng-video-lecture/pull/6)). The model had trained, and what it wrote
looked fine. Three years later the same line was found in a course on proteins, with $C = 64$ and $D = 16$
([Graylab/DL4Proteins-notebooks, issue 12](https://github.com/Graylab/DL4Proteins-notebooks/issues/12)).

**Predict**: how many times too small were the lecture's scores?
"""

# %%
predict("03.times_too_small", "times too small", low=1.0, high=10.0)

# %%
for C, D in ((384, 64), (64, 16)):
    meant, written = strangers(D, np.sqrt(D)), strangers(D, np.sqrt(C))
    print(f"C = {C:3}, D = {D}: among strangers, the largest weight is", end=" ")
    print(f"{mean_largest(written):.3f} in place of {mean_largest(meant):.3f}")
reveal("03.times_too_small", np.sqrt(384 / 64))

# %% [markdown]
r"""
The look is softer than it should be, and no more than that. Nothing crashes, and training can even make up for it by growing
the queries. That is why the slip lives on: **a model that trains is no proof of a formula.** A comparison of numbers is, and one
with $C \ne D$ would have shown it at once. When $C = D$ both lines say the same, and no test can tell.

## Summary

- Each token is asked three questions by three matrices: what it looks for (query), what it can be found by (key), what it hands over (value).
- Scores $q k^\top / \sqrt D$, weights by softmax along each row, output $=$ weights $\times$ values. Each token scores every token, itself included, in one matrix product.
- $\sqrt D$ is the standard deviation of a dot product of $D$ independent unit-variance pairs. Without it, wide attention starts out saturated, and what is saturated hardly learns.
- Outputs stay in the convex hull of the values: attention selects and averages. It does not see the order of the tokens.
- Backwards: a score is pushed by how much better its value does than the present mix, times its weight.

## Further reading

- Vaswani et al., *Attention Is All You Need*, 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762). Equation 1 is this lesson; footnote 4 is the variance argument.
- Bahdanau, Cho and Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, 2014, [arXiv:1409.0473](https://arxiv.org/abs/1409.0473). Attention before it was self-attention.
- Henry et al., *Query-Key Normalization for Transformers*, 2020, [arXiv:2010.04245](https://arxiv.org/abs/2010.04245). What to do when queries and keys grow in training all the same.
- Jain and Wallace, *Attention is not Explanation*, 2019, [arXiv:1902.10186](https://arxiv.org/abs/1902.10186). A large weight need not be the reason for an output; lesson 12 takes it up.

**Now it is your turn**: [the exercises of this lesson](../exercises/03_self_attention.ipynb) ask for the five functions that you have just read, in
your own words and your own code.
"""
