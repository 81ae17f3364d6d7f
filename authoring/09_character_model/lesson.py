# %% [markdown]
r"""
# A character model

At the end of this lesson you can

- say what a language model does, in one sentence and in one number;
- measure how far mere counting gets, so that you know what a model is worth;
- train a small transformer on Shakespeare, here, while you watch, and let it write;
- steer its writing with temperature, top-k and top-p, and read its loss without fooling yourself.

**Time**: about 75 minutes, of which the machine works for one. **Before you start**: self-attention (lesson 03), masks (04),
positions (05), heads (06) and the block (08), at least by hearsay.
"""

# %%
import copy
import dataclasses

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn.functional import cross_entropy

from minitransformer import reference
from minitransformer.model import (
    CharTransformer,
    generate,
    preset,
    shakespeare_model,
    train,
    validation_loss,
    write_text,
)
from minitransformer.notebook import (
    explore,
    plots,
    predict,
    reveal,
    show,
    table,
    watch,
    watch_all,
)
from minitransformer.text import (
    decode,
    distinct_characters,
    encode,
    next_character_windows,
    shakespeare,
    split_text,
)

# %% [markdown]
r"""
## What comes next?

Somewhere in *The Taming of the Shrew* someone says

> I see you do not m▢

and we have covered the rest with a hand. **Predict**: which letter is under it?
"""

# %%
predict("09.next_letter", "the next letter", choices=["a", "e", "i", "o", "u", "y"])

# %%
text = shakespeare()  # nine plays, the speakers' names included
place = text.index("I see you do not m") + len("I see you do not m")
reveal("09.next_letter", text[place])

# %% [markdown]
r"""
You did not know, but you were not helpless either. You gave most of your belief to two or three letters and hardly any to the
rest, because you know English, and because of what stood there before. **A language model does this and nothing else**: it reads what is there so far and
says, for every character there is, how likely it is to be the next.

The course ships a small transformer, trained beforehand on nine tenths of this text. It has not seen this line. Its answer:
"""

# %%
trained = shakespeare_model()
read = encode("PETRUCHIO:\nI see you do not m", trained.characters)  # (T,)
with torch.no_grad():
    logits = trained.model(torch.from_numpy(read)[None])[0, -1]  # (V,)
chances = logits.softmax(dim=-1).numpy()  # (V,)
best = np.argsort(-chances)[:8]
show(
    plots.bars(
        {trained.characters[id_]: chances[id_] for id_ in best},
        x="next character",
        y="probability",
    ),
    alt="Bars for the eight likeliest letters. Five of them, y, a, e, o and u, share nearly "
    "everything, y ahead with 0.30 and e third with 0.16; the rest get next to nothing.",
)

# %% [markdown]
r"""
And a machine that guesses can write. Draw one character from such probabilities, put it at the end of the text, and ask again:
"""

# %%
exact = copy.deepcopy(trained.model).double()  # the same text on every machine
wrote_first = write_text(
    exact,
    trained.characters,
    "PETRUCHIO:\n",
    300,
    temperature=0.8,
    generator=torch.Generator().manual_seed(7),
)
print(wrote_first)

# %% [markdown]
r"""
Nobody told it what a word is, or a speech, or a name, or that a speaker comes with a colon. It has only ever been asked for the next character. The
rest of this lesson makes such a model from the beginning.

## How does a text become numbers?

Every different character gets a number, its **id**: its place in the list of all characters. The list is the **vocabulary**, $V$ its
size. The last tenth of the text is put aside. It is never trained on, and only serves to measure: the **held-out** text.
"""

# %%
text = shakespeare()
characters = distinct_characters(text)
V = len(characters)
train_text, held_out_text = split_text(text)
train_ids = encode(train_text, characters)
held_out_ids = encode(held_out_text, characters)
print("vocabulary:", repr(characters))
print("ids of 'To be':", encode("To be", characters))
table(
    {
        "text": ["all", "to learn from", "held out"],
        "characters": [len(text), len(train_ids), len(held_out_ids)],
    }
)

# %% [markdown]
r"""
The model reads pieces of fixed length, **windows**. Cut one of 8 characters out of the text, and beside it the same piece one place later.

**Predict**: how many guesses can the model practise on, in one such window?
"""

# %%
predict("09.guesses", "guesses in a window of 8 characters", low=1, high=64)

# %%
inputs, targets = next_character_windows(train_ids, np.array([0]), 8)  # (1, 8) each
for t in range(8):
    so_far = decode(inputs[0, : t + 1], characters)
    print(f"after {so_far!r:<11} comes {decode(targets[0, t : t + 1], characters)!r}")
reveal("09.guesses", targets.size)

# %% [markdown]
r"""
Eight, one after each character, with one, two, … eight characters to go by. All eight are answered in one pass, because the causal mask
(lesson 04) keeps each place from seeing what comes after it. Real batches hold
dozens of longer windows: thousands of questions at once.

## How surprised is a guesser?

A guess is a set of probabilities, so it cannot simply be right or wrong. It is **surprised**: by $-\ln p$, where $p$ is what it
gave to the character that came. Had it been certain, $-\ln 1 = 0$. Half sure costs $-\ln \tfrac12 = 0.69$, one in four $-\ln \tfrac14 = 1.39$. The mean over a
whole text is the **loss**, in nats per character ("nats" because the logarithm is the natural one).

Who knows nothing gives $1/V$ to everything and pays $\ln V$. That is the top of our scale. Now for the simplest knowledge there is: which letters are frequent, and which letter follows which. Both are tables, made by
counting. **Predict**: a table that looks at one character and says what follows it. What is its loss on the held-out text, if knowing nothing costs 4.16?
"""

# %%
predict("09.bigram", "loss when looking at one character, in nats", low=0.0, high=4.16)

# %%
letters = np.bincount(train_ids, minlength=V) / len(train_ids)  # (V,)
pairs = np.ones((V, V))  # each pair once to begin with: nothing is impossible
np.add.at(pairs, (train_ids[:-1], train_ids[1:]), 1)
follows = pairs / pairs.sum(axis=-1, keepdims=True)  # (V, V), each row sums to 1
nothing, frequent = np.log(V), -np.log(letters[held_out_ids]).mean()
bigram = -np.log(follows[held_out_ids[:-1], held_out_ids[1:]]).mean()
table(
    {
        "what it knows": ["nothing", "which are frequent", "which follow which"],
        "loss": [nothing, frequent, bigram],
    }
)
reveal("09.bigram", bigram)

# %% [markdown]
r"""
The loss of the package, and of torch, is this same number. They take **logits**, scores before the softmax, in place of probabilities, and here
$\ln p$ will do as a score:
"""

# %%
scores = np.log(follows[held_out_ids[:-1]])  # (n, V)
came = held_out_ids[1:]  # (n,)
table(
    {
        "way": ["by hand", "the package", "torch"],
        "loss": [
            bigram,
            reference.next_character_loss(scores[None], came[None]),
            cross_entropy(torch.from_numpy(scores), torch.from_numpy(came)).item(),
        ],
    }
)

# %% [markdown]
r"""
One character is little to go by. Why not count what follows two, three, six? Then most combinations have never been seen, and a table must know when to trust
itself: below, each table of $k$ characters leans on the table of $k - 1$, the more so, the fewer times it has seen the case (Witten and Bell, 1991).
"""


# %%
def how_often(asked, seen):
    values, times = np.unique(seen, return_counts=True)
    places = np.searchsorted(values, asked).clip(max=len(values) - 1)
    return np.where(values[places] == asked, times[places], 0)


def losses_by_counting(longest):
    chances, losses = np.full(len(held_out_ids), 1 / V), []
    for k in range(longest + 1):  # characters looked back on
        as_one_number = V ** np.arange(k, -1, -1)
        seen = sliding_window_view(train_ids, k + 1) @ as_one_number
        asked = sliding_window_view(held_out_ids, k + 1) @ as_one_number
        both, before = how_often(asked, seen), how_often(asked // V, seen // V)
        kinds = how_often(asked // V, np.unique(seen) // V)  # different followers
        mixed = (both + kinds * chances[k:]) / np.maximum(before + kinds, 1)
        chances[k:] = np.where(before > 0, mixed, chances[k:])
        losses.append(-np.log(chances).mean())
    return losses


counted = losses_by_counting(6)
show(
    plots.curves(
        np.arange(7),
        {"counting": counted},
        x="characters looked back on",
        y="loss on the held-out text, nats per character",
        lines={"knowing nothing": np.log(V)},
    ),
    alt="One curve over the number of characters looked back on. It falls steeply at "
    "first, from none to two, reaches its lowest point at four, 1.67, and rises again. "
    "Knowing nothing, a level at 4.16, lies far above all of it.",
)
print("characters looked back on:", dict(enumerate(np.round(counted, 2).tolist())))

# %% [markdown]
r"""
This is worth a pause. Looking back four characters, mere counting reaches 1.67, in a second or two. And then the curve turns: with more to go by, the guesses get worse. Look up how often the tables have met what they are asked about:
"""


# %%
def times_met(k):
    as_one_number = V ** np.arange(k)
    asked = sliding_window_view(held_out_ids, k) @ as_one_number
    return how_often(asked, sliding_window_view(train_ids, k) @ as_one_number)


met = {k: times_met(k) for k in (2, 4, 6)}
table(
    {
        "characters looked back on": list(met),
        "never met": [np.mean(times == 0) for times in met.values()],
        "met five times at most": [np.mean(times <= 5) for times in met.values()],
    },
    caption="share of the cases in the held-out text",
)

# %% [markdown]
r"""
Of the cases of six characters, one in five is new, and nearly half have been met five times at most. From so few nobody can tell what follows, and our tables believe them too readily. How well does counting do if it is more careful? The best-known way
(Kneser and Ney, 1995) takes a little off every count and gives it to the shorter table. And it asks the shorter table not how *often* a character came, but after how many *different* ones. (The cell is a variation of the one above. You lose nothing if you skip
it and look at the curve.)
"""


# %%
def losses_by_kneser_ney(longest, off=0.75):
    shorter, losses = np.full(len(held_out_ids), 1 / V), []
    for k in range(longest + 1):  # characters looked back on
        as_one_number = V ** np.arange(k + 1, -1, -1)
        asked = sliding_window_view(held_out_ids, k + 1) @ as_one_number[1:]
        every = sliding_window_view(train_ids, k + 1) @ as_one_number[1:]
        with_one_before = np.unique(
            sliding_window_view(train_ids, k + 2) @ as_one_number
        )
        once = with_one_before % V ** (k + 1)  # once for each character before it
        for seen in (every, once):  # the table asked first, then the one it leans on
            both, before = how_often(asked, seen), how_often(asked // V, seen // V)
            kinds = how_often(asked // V, np.unique(seen) // V)
            kept, given = np.maximum(both - off, 0), off * kinds * shorter[k:]
            mixed = (kept + given) / np.maximum(before, 1)
            chances = np.where(before > 0, mixed, shorter[k:])
            if seen is every:
                losses.append(-np.log(chances).mean())
        shorter[k:] = chances
    return losses


careful = losses_by_kneser_ney(6)
show(
    plots.curves(
        np.arange(1, 7),
        {"counting": counted[1:], "Kneser and Ney": careful[1:]},
        x="characters looked back on",
        y="loss on the held-out text, nats per character",
    ),
    alt="Two curves over the number of characters looked back on, one to six. They start together. Plain counting is lowest at four and turns up; Kneser and Ney's "
    "goes on falling to five, 1.54, and is level from there.",
)
print("characters looked back on:", dict(enumerate(np.round(careful, 2).tolist())))

# %% [markdown]
r"""
The same counts, used with more care, reach 1.54 with five characters, and a sixth adds nothing. **Any model has to be measured against that**, and not against knowing nothing. Yet a table treats "my lord" and
"my lady" as strangers; it cannot carry over what it knows of one to the other. That is where a model that *computes* has its chance.

## What is inside the model?

All of it is known to you. A vector for each character; blocks of causal self-attention and feed-forward; a last norm; and a head that gives a score to each of the
$V$ characters as the next. One line of the picture is one place:
"""

# %%
line = "ROMEO:\nWhat s"
ids = torch.from_numpy(encode(line, characters))[None]  # (1, T + 1)
with torch.no_grad():
    seen = exact.trace(ids[:, :-1])
expected = seen.logits[0].softmax(dim=-1).gather(-1, ids[0, 1:, None])[:, 0]
show(
    plots.guesses(
        line[:-1],
        line[1:],
        stream=(seen.embedded[0].numpy(), seen.normed[0].numpy()),
        weights=[weights[0].mean(dim=0).numpy() for weights in seen.weights],
        probabilities=expected.numpy(),
    ),
    alt="Twelve lines, one for each character of ROMEO, colon, line break, and What. From "
    "left to right: the character read, its vector, in three blocks the triangle of places "
    "that it looks back on, its vector after the last block, and the character that came "
    "with its probability. After R the O is a surprise; from ROM on, the rest of the name, "
    "the colon and the line break are nearly certain.",
)

# %% [markdown]
r"""
Nobody looks ahead: above the diagonal there is nothing. After "ROM" the model is as good as certain, because it has met the name. At a word's first letter it is not, and cannot be. (The weights drawn
are means over heads, and a large weight is not yet an explanation: lesson 12.)

Now make a new one, smaller, with two blocks. **Predict**: its parameters are fresh, and it has read nothing. What is its loss?
"""

# %%
predict("09.untrained", "loss of the untrained model, in nats", low=0.0, high=10.0)

# %%
settings, recipe = preset("seconds", vocab_size=V)
seed = torch.Generator().manual_seed(0)
model = CharTransformer.from_config(settings, generator=seed)
sizes = dict.fromkeys(["embedding", "attention", "feed_forward", "head"], 0)
for name, parameter in model.named_parameters():
    (part,) = (part for part in sizes if part in name)
    sizes[part] += parameter.numel()
table({"part": list(sizes), "parameters": list(sizes.values())})
at_first = validation_loss(model, held_out_ids[:4000], settings.context_length)
reveal("09.untrained", at_first)

# %% [markdown]
r"""
$\ln 64$, exactly. This recipe starts the head at zero, so that all characters get the same score. In any case, a fresh model should start *near* $\ln V$: at 3 it would already know something (a
leak!), and at 10 it would be sure of nonsense. Look at this number before you look at any other.

## Does it learn?

One training step is four lines. Here they are, on a tiny model and one small batch, again and again:
"""

# %%
tiny = CharTransformer(V, 8, 32, 4, 1, generator=torch.Generator().manual_seed(0))
optimizer = torch.optim.AdamW(tiny.parameters(), lr=1e-2)
eight = next_character_windows(train_ids, np.arange(0, 800, 100), 8)  # (8, 8) each
inputs, targets = (torch.from_numpy(ids) for ids in eight)
for step in range(31):
    loss = cross_entropy(tiny(inputs).flatten(0, 1), targets.flatten())
    optimizer.zero_grad()  # forget the gradients of the step before
    loss.backward()  # find those of this one
    optimizer.step()  # move every parameter a little against them
    if step % 10 == 0:
        print(f"step {step:>2}: loss {loss.item():.1f}")

# %% [markdown]
r"""
One batch is soon known by heart. That a model can do this with one batch is a good sign, and no more: it shows that gradients flow. To learn the language, it has to meet new windows at every step, from random places.
The recipe takes a few hundred such steps.

**Predict**: where will the held-out loss end, on the ladder of plain counting? How many characters would a table have to look back on, to be as good?
"""

# %%
predict(
    "09.ladder",
    "it beats the tables of up to …",
    choices=[
        "0 characters",
        "1 character",
        "2 characters",
        "3 characters",
        "4 characters",
    ],
)

# %% tags=["once"] reason="trains the model for some seconds; run twice, it would train on from where it was"
records = watch(
    train(
        model,
        train_ids,
        held_out_ids,
        recipe,
        generator=torch.Generator().manual_seed(0),
    ),
    steps=recipe.steps,
    target=1.88,
)

# %%
batch = recipe.batch_size * recipe.window_length
print(f"read in training: {recipe.steps * batch / len(train_ids):.2f} times the text")
final = validation_loss(model, held_out_ids, settings.context_length)
beaten = sum(final < loss for loss in counted[:5]) - 1
reveal(
    "09.ladder",
    ["0 characters", "1 character", "2 characters", "3 characters", "4 characters"][
        beaten
    ],
)

# %% [markdown]
r"""
A model that started with nothing has overtaken the tables of none, one and two characters; not those of three and four, made from the whole text, of which it has read about
two fifths so far. Let it write:
"""

# %% tags=["nbval-ignore-output"] reason="what a live training has learned differs a little between machines, and so does what it writes"
yours_wrote = write_text(
    model,
    characters,
    "\n",
    200,
    temperature=0.8,
    generator=torch.Generator().manual_seed(0),
)
print(yours_wrote.strip())

# %% [markdown]
r"""
Half-way to English, after some seconds. Is that all? The shipped model is of the same kind, but larger, with three blocks, and was trained on for longer (`python -m tools.shakespeare_model`). These are its losses on the way, and what it wrote at five points of the way, the first before any training:
"""

# %%
told = [point for point in trained.losses if point[0] not in (0, 800)]
steps, losses = np.array(told).T
show(
    plots.curves(
        steps,
        {
            "the shipped model": losses,
            "Kneser and Ney": (steps[[0, -1]], [min(careful)] * 2),
        },
        x="training step",
        y="loss on the held-out text, nats per character",
        log_x=True,
        lines={f"counting, {k} back": counted[k] for k in (1, 2, 4)},
    ),
    alt="A falling curve over training steps on a logarithmic axis. It crosses the level of counting one character back, then that of two, and towards the end "
    "that of four. It stops just above the lowest level, that of Kneser and Ney's table.",
)
for step, wrote in trained.samples:
    print(f"—— after {step} steps\n{wrote[:150]}\n")

# %% [markdown]
r"""
Watch in which order things come. First which letters are frequent, and how long a word is. Then short words. Then the shape of the page, names in capitals, a colon, a line break; then longer words and phrases. Each is
what pays next, and nobody set the order. In the end the model is below all the plain tables, and just above the
careful one. A thousand steps of a small transformer are worth about as much as the best counting: no more, so far. But its curve is still falling, and nobody told it what to count.

## What did each choice buy?

The recipe differs from the transformer of 2017 in several ways, and each is a claim. So switch them off, one at a time. Four short runs from the same first parameters:

- **the recipe** as it is;
- **AdamW throughout**: the usual optimizer for everything, at a rate that suits it. The recipe uses Muon for the matrices of the blocks, which moves all directions of a matrix by the same amount
  (Jordan et al. 2024);
- **longer windows**: from the start as long as those the model is measured on, and half as many, so just as many characters. The recipe's own are half as long for the first three fifths of a run;
- **learned positions**, on the longer windows: a table of positions, added at the entrance, in place of rotary ones (lesson 05). On the short windows half of the table would never be trained.

**Predict**: one of the three changes costs hardly anything after 60 steps. Which one?
"""

# %%
predict(
    "09.ablation",
    "the change that costs hardly anything",
    choices=["AdamW throughout", "longer windows", "learned positions"],
)


# %% tags=["once"] reason="trains four models for some seconds each; a second run would say the same"
def short_run(settings, recipe):
    seed = torch.Generator().manual_seed(0)
    fresh = CharTransformer.from_config(settings, generator=seed)
    recipe = dataclasses.replace(recipe, steps=60)
    return train(fresh, train_ids, held_out_ids[:20_000], recipe, generator=seed)


usual = dataclasses.replace(recipe, optimizer="adamw")
longer = dataclasses.replace(recipe, batch_size=24, window_length=64)
tabled = dataclasses.replace(settings, positions="learned")
runs = watch_all(
    {
        "the recipe": short_run(settings, recipe),
        "AdamW throughout": short_run(settings, usual),
        "longer windows": short_run(settings, longer),
        "learned positions": short_run(tabled, longer),
    },
    steps=60,
)

# %%
after_60 = {name: run[-1].validation_loss for name, run in runs.items()}
costs = {name: loss - after_60["the recipe"] for name, loss in after_60.items()}
del costs["the recipe"]
for name, cost in costs.items():
    print(f"{name}: costs more than 0.1 nats: {cost > 0.1}")
reveal("09.ablation", min(costs, key=costs.get))

# %% [markdown]
r"""
The optimizer and the positions earn their place, at this length of run. The short windows do not learn better. They only cost less time for each character, since every place has fewer others to look at; and
because rotary positions depend on distances alone, most of what is learned on short windows holds on longer ones. What they cannot show, the distances beyond their length, is what the last two fifths of the run are for.

Take it for what it is. 60 steps are a sprint, and a choice that wins a sprint need not win an hour's run; each was switched off alone, with one seed, and other rates might suit it better. That is how far such a comparison reaches, here and in papers.

## Which character to write?

The model gives probabilities. Choosing is another matter, and it is not the model's. Always the best (**greedy**)? Drawn as they are? Three controls lie in between: the **temperature** divides the scores before the softmax, as in lesson 02; **top-k** keeps the $k$ likeliest; **top-p** keeps the
likeliest that together reach a probability $p$, however many these are.

**Predict**: after "PETRUCHIO:⏎I see you do not m", how many of the 64 characters does `top_p=0.9` leave?
"""

# %%
predict("09.top_p", "characters left at top_p = 0.9", low=1, high=64)

# %%
read = torch.from_numpy(encode("PETRUCHIO:\nI see you do not m", characters))[None]
with torch.no_grad():
    logits = exact(read)[0, -1].numpy()  # (V,)
kept = reference.sampling_probabilities(logits, top_p=0.9)
print("left:", " ".join(characters[id_] for id_ in np.flatnonzero(kept)))
reveal("09.top_p", int((kept > 0).sum()))

# %%
explore.sampling(logits, characters=list(characters))

# %% [markdown]
r"""
What does daring do to a text? Write 16 passages at each of four temperatures, and look up every word in the plays. A word that is not there is a misspelling, an invention, or the last of a passage, cut short.
"""

# %%
known_words = set("".join(c if c.isalpha() else " " for c in text.lower()).split())


def passages(temperature):
    start = torch.from_numpy(encode("\n\n", characters)).expand(16, 2)  # (B, 2)
    generator = torch.Generator().manual_seed(0)
    drawn = generate(exact, start, 120, temperature=temperature, generator=generator)
    return [
        decode(row.tolist(), characters) for row in torch.stack(list(drawn), dim=-1)
    ]


daring = [0.2, 0.6, 1.0, 1.5]
written = [" ".join(passages(temperature)) for temperature in daring]
words = [
    "".join(c if c.isalpha() else " " for c in some.lower()).split() for some in written
]
table(
    {
        "temperature": daring,
        "words": [len(some) for some in words],
        "different ones": [len(set(some)) for some in words],
        "share in the plays": [
            np.mean([word in known_words for word in some]) for some in words
        ],
    }
)
for temperature, some in zip(daring, written, strict=True):
    print(f"—— temperature {temperature}\n{some[:110].strip()}\n")

# %% [markdown]
r"""
Cold, it repeats itself and spells well. Hot, it has ideas and cannot spell. There is no right temperature, only a purpose.

And is this still the attention of lesson 03? The package holds a second forward pass, in NumPy alone: `reference.forward`, made of the very functions that you write in the
exercises. Give it the trained parameters and let both write greedily.
"""

# %%
arrays, model_settings = exact.reference_arrays(), dataclasses.asdict(exact.config)
by_numpy = list(encode("ROMEO:\n", characters))
for _ in range(56):
    scores_of_all = reference.forward(
        np.array([by_numpy]), arrays, model_settings
    )  # (1, T, V)
    by_numpy.append(int(scores_of_all[0, -1].argmax()))
by_torch = write_text(
    exact, characters, "ROMEO:\n", 56, temperature=0.0, generator=torch.Generator()
)
print(decode(by_numpy, characters))
print(
    "\nletter for letter what torch writes:", decode(by_numpy, characters) == by_torch
)

# %% [markdown]
r"""
## What does the number mean?

A loss of 1.6 nats means that the model hesitates, on average, as if between $e^{1.6} \approx 5$ equally likely characters. It began with 64. (This $e^{\text{loss}}$ is called *perplexity*.)

Where does it gain over counting? Take the held-out text in windows, and average the surprise at each *place* of the window. At the first place the model has one character to go by, at the last it has 64.
"""

# %%
starts = np.arange(0, len(held_out_ids) - 64, 64)
inputs, targets = next_character_windows(held_out_ids, starts, 64)  # (B, 64) each
with torch.no_grad():
    batches = torch.from_numpy(inputs).split(64)
    scores_at_places = torch.cat([trained.model(batch) for batch in batches])
surprise = cross_entropy(
    scores_at_places.mT, torch.from_numpy(targets), reduction="none"
)  # (B, 64)
by_place = surprise.mean(dim=0).numpy()  # (64,)
places = np.array([1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64])
near = [by_place[n - n // 4 - 1 : n].mean() for n in places]  # with some neighbours
show(
    plots.curves(
        places,
        {
            "the shipped model": near,
            "counting": (np.arange(1, 7), counted[1:]),
            "Kneser and Ney": (
                np.array([1, 2, 3, 4, 5, 64]),
                [*careful[1:6], careful[5]],  # five are enough for it
            ),
        },
        x="characters to go by",
        y="loss, nats per character",
        log_x=True,
    ),
    alt="Three curves over the number of characters to go by, from one to 64. Plain counting falls "
    "until four and turns up; Kneser and Ney's goes on to five and is drawn flat from there. The model is above both at "
    "three and four, below the plain one from five on, and level with the other from eight on, where it is flat to the end of its window.",
)

# %% [markdown]
r"""
Up to four characters counting is as good or better. Then the plain tables drown in cases they have hardly met, while the model goes on gaining, and at eight characters it has caught up with Kneser and Ney, too. **That is what it has over a table: it can use context that never came before in just this form.**
But look at the right half too. From about eight characters on the curve is flat, up to the noise of the measurement. This small model, after this little training, lives on a dozen characters, though it could see 64. That it *may* look far back does not mean that it has learned to.

One number is missing, and without it every loss is suspect. A small loss is no merit if it comes from learning the text by heart. **Predict**: train a model on the first 2,000 characters only, over and over, until its loss on *them* is below 1. What does
its loss on the held-out text do in that time?
"""

# %%
predict(
    "09.by_heart",
    "the held-out loss",
    choices=[
        "falls to below 1 too",
        "falls and stays at its lowest",
        "falls, then rises again",
    ],
)

# %% tags=["once"] reason="trains a small model for some seconds; run twice, it would train another"
page = dataclasses.replace(recipe, steps=120, batch_size=16, validations=8, decay=0.0)
learner = CharTransformer.from_config(
    settings, generator=torch.Generator().manual_seed(0)
)
by_heart = watch(
    train(
        learner,
        train_ids[:2000],
        held_out_ids[:10_000],
        page,
        generator=torch.Generator().manual_seed(0),
    ),
    steps=120,
)

# %%
on_held_out = [record.validation_loss for record in by_heart if record.validation_loss]
lowest = min(on_held_out)
print("loss on the page below 1:", by_heart[-1].loss < 1.0)
rises = on_held_out[-1] > lowest + 0.1
reveal(
    "09.by_heart",
    "falls, then rises again" if rises else "falls and stays at its lowest",
)

# %% [markdown]
r"""
The loss on the page goes on falling, and says nothing any more. What is learned by heart is of no use elsewhere, and makes the model sure of itself where it should not be: **overfitting**. The shipped model had a text five hundred times as long to learn from. Does it overfit?
"""

# %%
table(
    {
        "measured on": ["text it was trained on", "held-out text"],
        "loss": [trained.training_loss, trained.validation_loss],
        "as if between": np.exp([trained.training_loss, trained.validation_loss]),
    }
)

# %% [markdown]
r"""
Yes: it does better on what it has read. Part of its skill is memory, and only the held-out loss says what it can do with a text that it has not seen. On that it is ahead of every plain table and level with the best one, so it is not memory alone. Whether more
text narrows the gap is easy to try: `shakespeare("all")` is four times as long.

## A bug from the wild

Inputs and targets differ by one place: the shift. Who does it? In a popular library, the loss function shifts. In July 2026 someone noticed that one of its models shifted *as well*: `GitForCausalLM`
was trained to guess the character **after** the next, and had been in every release for a year and a half
([huggingface/transformers, issue 47394](https://github.com/huggingface/transformers/issues/47394), repaired by [pull request 47395](https://github.com/huggingface/transformers/pull/47395)). No error was raised: the shapes
were right. Surely the loss looked terrible?

**Predict**: make the mistake with our table. Count which character comes *two* places later, and measure the loss on that very task. Knowing nothing costs 4.16, the proper table 2.48. And this one?
<!-- numbers: 2.48 measured above; 47395 the name of a thread -->
"""

# %%
predict(
    "09.two_ahead",
    "loss of the table that looks two ahead, in nats",
    low=0.0,
    high=4.16,
)

# %%
two_ahead = np.ones((V, V))
np.add.at(two_ahead, (train_ids[:-2], train_ids[2:]), 1)
two_ahead /= two_ahead.sum(axis=-1, keepdims=True)
on_its_task = -np.log(two_ahead[held_out_ids[:-2], held_out_ids[2:]]).mean()
on_the_next = -np.log(two_ahead[held_out_ids[:-1], held_out_ids[1:]]).mean()
print(f"used for the next character, as when writing: {on_the_next:.3f}")
reveal("09.two_ahead", on_its_task)

# %%
rng = np.random.default_rng(0)
for name, chances_after in {
    "the proper table": follows,
    "two ahead": two_ahead,
}.items():
    ids_written = [characters.index("T")]
    for _ in range(70):
        ids_written.append(rng.choice(V, p=chances_after[ids_written[-1]]))
    print(f"{name:>16}: {decode(ids_written, characters)!r}")

# %% [markdown]
r"""
Nothing terrible about it: well below 4.16, and below what it costs to know which letters are frequent. Only when the table is used for what it was wanted for, the next character, does it show: 3.78, worse than those frequencies. **A curve that falls proves that something is learned, not that it is the right thing.** Two habits would have
shown it. Compare the loss with one worked out by hand on three characters, as the check of your exercise does. And read what the model writes.

## Does it only copy?

A model that writes like Shakespeare might simply be reciting him. That can be looked up too: take what it wrote in the first section, and find the longest passage that stands in the text it was trained on, letter for letter.

**Predict**: how many characters long is it?
"""

# %%
predict(
    "09.copied", "characters in the longest passage that is copied", low=1, high=300
)


# %%
def longest_copy(wrote, source):
    longest = ""
    for start in range(len(wrote)):
        while (more := wrote[start : start + len(longest) + 1]) in source:
            if len(more) <= len(longest):  # the end of what was written
                break
            longest = more
    return longest


copied = longest_copy(wrote_first.removeprefix("PETRUCHIO:\n"), train_text)
print(repr(copied))
reveal("09.copied", len(copied))

# %% [markdown]
r"""
A few letters in a row, no more than common phrases. It recites hardly anything, and it does not know anything either. What it writes has the sound of the plays and no sense: nobody in it wants something, and no line follows from the one before. It reads
64 characters at a time, so it has forgotten the speaker after two lines.<!-- numbers: 64 its context, see above --> Words it spells by habit, and invents some. Large language models get much further, with far more text, by the same one question: what comes next?

## Your own text

Everything above follows from one line. Replace `text = shakespeare()` at the top of the second section by

```python
text = corpora.text("my_letters.txt")  # from minitransformer.text import corpora
```

and run the cells from there to the one in which your new model writes. Leave out the picture of what is inside: it shows the shipped model, which knows the 64 characters of the plays and no others. A few hundred kilobytes of plain text are enough: letters, code, recipes, chess games. With less, expect what happened to the page above. From the terminal, `minitransformer train --text my_letters.txt` does the same and keeps the model.

## Summary

- A language model gives a probability to every next character. Its loss is its mean surprise, in nats per character; $\ln V$ for knowing nothing.
- Measure a model against counting, not against nothing.
- One window of $T$ characters is $T$ questions, answered in one pass under the causal mask.
- Watch the first loss (near $\ln V$), the held-out loss (against learning by heart), and what it writes (against learning the wrong thing).
- Writing is choosing: temperature, top-k and top-p trade variety for safety.

## Further reading

- Shannon, *Prediction and Entropy of Printed English*, Bell System Technical Journal 30, 1951. The guessing game of the first section, played with people.
- Karpathy, *The Unreasonable Effectiveness of Recurrent Neural Networks*, 2015, [karpathy.github.io](https://karpathy.github.io/2015/05/21/rnn-effectiveness/). Where this corpus became famous.
- Witten and Bell, *The Zero-Frequency Problem*, IEEE Transactions on Information Theory 37, 1991.<!-- numbers: 37 the volume --> How a table can know when to trust itself.
- Kneser and Ney, *Improved Backing-off for M-gram Language Modeling*, ICASSP 1995. The careful table.
- Holtzman et al., *The Curious Case of Neural Text Degeneration*, 2020, [arXiv:1904.09751](https://arxiv.org/abs/1904.09751). Why greedy writing is dull, and top-p.
- Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024, [kellerjordan.github.io](https://kellerjordan.github.io/posts/muon/).

**Now it is your turn**: [the exercises of this lesson](../exercises/09_character_model.ipynb) build every piece of what you have just used.
"""
