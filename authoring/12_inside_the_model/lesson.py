# %% [markdown]
r"""
# 12 · What do the heads do?

Nobody programmed the heads of a trained model. They start as noise, and something takes shape in them. In this lesson you train a small model, watch one of the best understood things
take shape, and take it apart to prove that it is what it seems. You will be able to

- read a map of attention, and measure what it seems to show,
- catch *induction heads* in the act of appearing, and see the loss fall with them,
- test an explanation by removing the part it names,
- say why a large weight is not, by itself, an explanation.

**Time:** about 50 minutes, of which the computer trains for less than one. **Before you start:** lessons 05, 06 and 08.
"""

# %%
import numpy as np
import torch

from minitransformer.model import CharTransformer, ModelConfig
from minitransformer.notebook import explore, plots, predict, reveal, show
from minitransformer.reference import head_importance, induction_score, softmax

# %% [markdown]
r"""
## What is there to learn in noise?

Our texts are random letters, so nothing can be predicted. Except that each text repeats itself: a word of 8 to 19 random letters, over and over. The word is new every time, and so is its length.
"""

# %%
LETTERS, LENGTH = 24, 40
ALPHABET = "abcdefghijklmnopqrstuvwx"


def texts(count, seed):
    rng = np.random.default_rng(seed)
    ids = np.empty((count, LENGTH + 1), dtype=np.int64)
    for row in ids:
        word = rng.integers(LETTERS, size=rng.integers(8, 20))
        row[:] = np.resize(word, LENGTH + 1)  # the word, over and over
    return torch.tensor(ids)  # (B, T + 1)


for row in texts(3, seed=1):
    print("".join(ALPHABET[i] for i in row))

# %% [markdown]
r"""
The first time round, one can only guess: $\ln 24 = 3.18$ nats of surprise for each letter. From the second time on, everything is known, if one can find where the word was read before. *Remembering cannot help*: no word ever comes back in another text. What
must be learned is a procedure.

**Predict**: at the letter *q*, you want to know what comes next. There was a *q* before. Which place do you want to look at?

<!-- numbers: 3.18 is ln 24; 19 the longest word, as below -->
"""

# %%
predict(
    "12.where_to_look",
    "the place to look at",
    choices=[
        "the earlier q",
        "the place before the earlier q",
        "the place after the earlier q",
    ],
)

# %%
reveal("12.where_to_look", "the place after the earlier q")

# %% [markdown]
r"""
There stands the answer. A head that does this is called an **induction head** (Elhage and others, 2021; Olsson and others, 2022). It is harder than it sounds. Attention compares a query with the *contents* of places, and the place after the earlier *q* does not contain a *q*. It would have to know
what stood *before* it. Keep that puzzle in mind.


How much does a head do that? For each place whose letter came before, add up the weights on the places right after the earlier ones; then take the mean. Try it on weights made by hand:
"""

# %%
ids = np.array([0, 1, 2, 0, 1])  # a b c a b
ideal = np.zeros((5, 5))
ideal[3, 1] = ideal[4, 2] = (
    1.0  # the second a looks after the first a, the second b after the first b
)
copying = np.zeros((5, 5))
copying[3, 0] = copying[4, 1] = 1.0  # looks at the same letter: not induction
print("looks after the earlier letter:", induction_score(ideal, ids))
print("looks at the earlier letter:   ", induction_score(copying, ids))

# %% [markdown]
r"""
## Can you watch it appear?

<!-- numbers: 13 letters of a word of middling length; 14 the same, as the mean is 13.5; 0.1 read off the picture; 0.6 read off the picture; 0.8 read off the picture; 3.2 is ln 24; 2.6 is ln 13.5, the letters of a word of middling length -->

Two layers, four heads each, ALiBi positions (lesson 05). While it trains, we stop now and then to ask two questions: how large is the loss on repeated letters, and what is the induction score of each of the eight heads?
"""

# %%
config = ModelConfig(
    vocab_size=LETTERS,
    context_length=LENGTH,
    width=64,
    num_heads=4,
    num_layers=2,
    hidden_width=256,
    positions="alibi",
)
test = texts(32, seed=777)


@torch.no_grad()
def loss_on_repeats(model, **options):
    logits = model(test[:, :-1], **options)[
        :, 20:
    ]  # from place 20 on, every word is known
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), test[:, 21:].flatten()
    ).item()


@torch.no_grad()
def induction_scores(model):
    weights = model.trace(test[:, :-1]).weights.numpy()  # (L, B, H, T, T)
    return np.array(
        [
            [
                np.mean(
                    [
                        induction_score(w, row)
                        for w, row in zip(
                            layer[:, h], test[:, :-1].numpy(), strict=True
                        )
                    ]
                )
                for h in range(4)
            ]
            for layer in weights
        ]
    )  # (L, H)


# %%
def train(model, steps, every=20):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    history = []
    for step in range(steps + 1):
        if step % every == 0:
            history.append((step, loss_on_repeats(model), induction_scores(model)))
        batch = texts(32, seed=1_000_000 + step)
        logits = model(batch[:, :-1])
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), batch[:, 1:].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return history


# %% [markdown]
r"""
**Predict**: does the loss on repeated letters fall evenly, or in a rush?
"""

# %%
predict(
    "12.how_it_falls",
    "the loss on repeated letters falls …",
    choices=["evenly from the start", "late, in a rush"],
)

# %% tags=["once"] reason="the training takes half a minute; a second run would go on from the trained model"
model = CharTransformer.from_config(config, generator=torch.Generator().manual_seed(0))
history = train(model, steps=440)
steps = np.array([step for step, _, _ in history])
losses = np.array([loss for _, loss, _ in history])
scores = np.array([score for _, _, score in history])  # (time, L, H)
print("loss on repeats below 1.0 at the end:", losses[-1] < 1.0)

# %%
fallen = losses[0] - losses
first_fifth = fallen[len(steps) // 5] / fallen[-1]
reveal(
    "12.how_it_falls",
    "late, in a rush" if first_fifth < 0.3 else "evenly from the start",
)

# %% tags=["nbval-ignore-output"] reason="the curve of a live training differs a little between machines"
best = scores[:, 1].max(axis=-1)  # the best head of the second layer
show(
    plots.curves(
        steps,
        {
            "loss on repeats, share of the start": losses / losses[0],
            "best induction score, second layer": best,
            "best induction score, first layer": scores[:, 0].max(axis=-1),
        },
        x="training step",
        y="share",
    ),
    alt="Three curves on one time axis. The loss falls slowly at first, to about 0.8 of its start, and then drops steeply; in the same steps the best induction score of the second layer rises from about 0.1 "
    "to above 0.6. The score of the first layer stays near 0.1.",
)

# %% [markdown]
r"""
For a while the model learns little more than that only letters come which this text has shown already. That helps a bit: a guess among the 13 or 14 letters of a word costs 2.6 nats in place of 3.2, the 0.8 of the start from which the loss then drops. For then, in a small part of the training, heads of the second layer turn into induction heads, and *in the same steps* the loss falls. In large language models the same moment shows as a bump in the loss curve of the whole training (Olsson and others, 2022).

## Is that really what they do?

Two curves that move together are a coincidence until proven otherwise. Three further looks. First: look.
"""


# %%
def word_length(row):
    return next(n for n in range(1, LENGTH) if (row[n:] == row[:-n]).all())


shown = test[
    [np.argmin([word_length(row) for row in test])]
]  # (1, T + 1), a short word
with torch.no_grad():
    trace = model.trace(shown[:, :-1])
heads = scores[-1, 1].argsort()[::-1]  # heads of the second layer, best first
text = [ALPHABET[i] for i in shown[0, :24]]

# %% tags=["nbval-ignore-output"] reason="the weights of a live training differ a little between machines"
show(
    plots.heat_map(
        trace.weights[1, 0, heads[0], :24, :24].numpy().round(1),
        rows=text,
        columns=text,
        x="looks at",
        y="letter",
    ),
    alt="The weights of the best induction head over 24 letters. In the first round, the first eight rows, nearly every letter looks at itself. In the second round bright cells run along a diagonal further left: each letter looks at the place right after its earlier occurrence. In the third round there are two such diagonals, paler.",
)

# %% [markdown]
r"""
The word has eight letters here. In its first round there is nothing to find, and the letters look at themselves. Then the diagonal jumps to the left: each letter looks back by the length of the word, less one. In the third round there are two earlier places to choose from, and the weight is shared. Second: *remove* them. The model can multiply what each head found by a number; 0 takes the head away. `head_importance` reports by how much the loss rises without each head.

**Predict**: the eight heads of the model, one removed at a time. In which layer is the head that hurts most?
"""

# %%
predict(
    "12.most_important_layer",
    "where the head sits whose removal hurts most",
    choices=["the first layer", "the second layer"],
)


# %%
def without(heads):
    gains = torch.ones(2, 4)
    for layer, head in heads:
        gains[layer, head] = 0.0
    return loss_on_repeats(model, head_gains=gains)


importance = np.stack(
    [
        head_importance(
            lambda h, layer=layer: without([] if h is None else [(layer, h)]), 4
        )
        for layer in (0, 1)
    ]
)
print(
    "rises above 1 nat when removed, heads of the first layer: ",
    int((importance[0] > 1).sum()),
)
print(
    "rises above 1 nat when removed, heads of the second layer:",
    int((importance[1] > 1).sum()),
)
reveal(
    "12.most_important_layer",
    ["the first layer", "the second layer"][importance.max(axis=1).argmax()],
)

# %% [markdown]
r"""
The induction heads sit in the second layer, and the head whose loss hurts most sits in the first. Removing it costs more than a nat, although the picture above shows that no head of the first layer ever looked after the earlier letter more than at the start. Time to solve the puzzle.

## How can a place know what stood before it?

Look at the head of the first layer that hurts most. That is the third look. Where does its weight go?
"""

# %%
partner = int(importance[0].argmax())
weights = trace.weights[0, 0].numpy()  # (H, T, T), first layer
back = np.array(
    [[np.diagonal(head, offset=-n)[5:].mean() for n in range(6)] for head in weights]
)  # (H, 6): mean weight on the place itself, on the one before it, and so on
print(f"the partner is head {partner} of the first layer, counted from 0")
print(
    "it gives the place before it more weight than any other head does:",
    int(np.argmax(back[:, 1])) == partner,
)
print(
    "and more weight than it gives to any other place:                 ",
    int(np.argmax(back[partner])) == 1,
)

# %% [markdown]
r"""
Head 0 has the steepest ALiBi slope (lesson 05): it looks at what is near, and most of all at the letter before, though not at it alone. Blurred as it is, that will do. What it finds it *adds* to its place (residual stream, lesson 08). So after the first layer, the place after a *q* does contain a trace of *q*, put there by this head, and the keys of the second layer can carry
it. Two heads in two layers, one procedure: *previous-letter head* writes, *induction head* reads. The explorer begins with the first of the two; it counts layers and heads from 1. Find the induction heads in its second layer:
"""

# %% tags=["nbval-ignore-output"] reason="the weights of a live training differ a little between machines"
explore.attention_maps(
    {"".join(text): trace.weights[:, 0, :, :24, :24].numpy().round(1)}
)

# %% [markdown]
r"""
If that is the mechanism, then removing the partner must not merely raise the loss. It must blind the induction heads, although nothing in their own layer is touched.

**Predict**: without the partner, what becomes of the induction score of the best head in the second layer? (It was above 0.6.)

"""

# %%
predict(
    "12.score_without_partner", "induction score without the partner", low=0.0, high=1.0
)


# %%
@torch.no_grad()
def best_score_without(layer, head):
    gains = torch.ones(2, 4)
    gains[layer, head] = 0.0
    weights = model.trace(test[:, :-1], head_gains=gains).weights.numpy()[
        1
    ]  # (B, H, T, T)
    rows = test[:, :-1].numpy()
    return max(
        np.mean(
            [
                induction_score(w, row)
                for w, row in zip(weights[:, h], rows, strict=True)
            ]
        )
        for h in range(4)
    )


print("score before, above 0.6:", scores[-1, 1].max() > 0.6)
reveal("12.score_without_partner", round(best_score_without(0, partner), 1))

# %%
others = [best_score_without(0, h) for h in range(4) if h != partner]
print("without any other head of the first layer, still above 0.4:", min(others) > 0.4)

# %% [markdown]
r"""
The prediction of the mechanism comes true, and removing any other head of that layer does little. This is what separates an explanation from a picture: it says what will happen when you interfere, and could have been wrong.

## Does a large weight mean that it mattered?

In the second layer there are usually several heads with high induction scores. Compare what their maps say with what their removal does:
"""

# %%
similar = scores[-1, 1] > 0.5  # heads of the second layer with nearly the same map
print("heads of the second layer with a score above 0.5:", int(similar.sum()))
print(
    "removing one of them costs more than 1 nat:      ",
    bool(importance[1][similar].max() > 1.0),
)
print(
    "removing another one costs less than 0.5 nat:    ",
    bool(importance[1][similar].min() < 0.5),
)

# %% [markdown]
r"""
Heads with nearly the same map can matter a great deal or hardly at all, because a weight says *where from*, not *what*, and not what happens to it afterwards. And there is a deeper reason to be careful. The output is a weighted mean of values. Different weights can have the *same* mean.

**Predict**: three values, 1, 2 and 3 (one feature). Weights (0.5, 0, 0.5) give 2. Which of these gives exactly the same output?
"""

# %%
predict(
    "12.same_output",
    "weights with the same output",
    choices=["(0, 1, 0)", "(1, 0, 0)", "(0.2, 0.2, 0.6)"],
)

# %%
values = np.array([1.0, 2.0, 3.0])
for weights in ([0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.2, 0.2, 0.6]):
    print(weights, "gives", round(float(np.array(weights) @ values), 3))
reveal("12.same_output", "(0, 1, 0)")

# %% [markdown]
r"""
"It looked at the first and the last" and "it looked only at the middle one": both stories fit, and no later part of the model could tell. That was constructed. But whenever there are more places than features plus one, such alternatives *always* exist: the weights have more freedom than the output has numbers.
Take ten places with values of four features and walk from given weights in directions that change nothing, until some weight reaches 0, and keep the farthest end:
"""

# %%
rng = np.random.default_rng(3)
v = rng.normal(size=(10, 4))  # (T, Dv)
given = softmax(rng.normal(size=10))
unseen = np.linalg.svd(np.vstack([v.T, np.ones(10)]))[2][
    5:
]  # directions that change neither output nor sum

others = []
for direction in rng.normal(size=(2000, len(unseen))) @ unseen:
    falling = direction < 0
    reach = (given[falling] / -direction[falling]).min()  # until a weight reaches 0
    others.append(given + reach * direction)
other = max(others, key=lambda weights: np.abs(given - weights).sum())

print("the same output:", np.allclose(given @ v, other @ v))
print(f"weight that changed hands: {np.abs(given - other).sum() / 2:.2f}")

# %%
show(
    plots.bars(
        {
            "weights": dict(zip(map(str, range(10)), given, strict=True)),
            "other weights": dict(zip(map(str, range(10)), other, strict=True)),
        },
        x="place",
        y="weight",
    ),
    alt="Two bars for each of ten places. The two sets of weights differ visibly at most places, one place even drops to zero, and yet both give the same output.",
)

# %% [markdown]
r"""
Jain and Wallace (2019) found the same in trained models and called their paper *Attention is not explanation*; Wiegreffe and Pinter (2019) answered with *Attention is not not explanation*: not every alternative is one that training could have found. Both are right about this much: a map is a hypothesis. Removing, replacing and predicting are
tests.

"""

# %% [markdown]
r"""
## In the wild: rows or columns?
<!-- no prediction: the section shows a known confusion by running it -->

"Are key and query swapped in the visualization?" someone asks below a much used explorer of transformers ([poloclub/transformer-explainer, issue 19](https://github.com/poloclub/transformer-explainer/issues/19)). It matters. Read a previous-letter head with the axes exchanged, and it becomes something impossible:
"""

# %%
weights = trace.weights[0, 0, partner].numpy()
for name, map_read in {"as it is": weights, "axes exchanged": weights.T}.items():
    before, after = (
        np.diagonal(map_read, offset=-1).mean(),
        np.diagonal(map_read, offset=1).mean(),
    )
    print(
        f"{name:15} looks at the place before: {before > 0.1!s:5}   looks at the place after: {after > 0.1}"
    )

# %% [markdown]
r"""
A causal model that looks at the *next* letter: if a map ever tells you that, it is the map. Label the axes, and check one row by its sum: rows of weights add up to 1, columns need not.

## What you have now

- On texts that repeat, a two-layer model forms induction heads, in a rush, and the loss falls in the same steps.
- The mechanism takes two layers: a previous-letter head writes what an induction head's keys need.
- Removing the partner blinds the induction heads: an explanation predicts what interference does.
- Different weights can give one output. A map of attention is where an explanation starts.

What was simplified: random letters and two layers. In larger models such heads exist too, among hundreds that nobody has explained.

**Next:** [exercises 12](../exercises/12_inside_the_model.ipynb), two short ones. Then lesson 13: the transformer that is yours.

**Further reading.** Elhage and others, *A mathematical framework for transformer circuits* (2021). Olsson and others, *In-context learning and induction heads* (2022). Jain and Wallace (2019); Wiegreffe and Pinter (2019).
"""
