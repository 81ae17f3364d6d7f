# %% [markdown]
r"""
# 07 · How does one text look into another?

So far a text has looked at itself. Here one text looks into *another*: while a translation is being written, each new word asks the original where to look next. This lesson builds that, and puts it to work on real
data twice. You will be able to

- say in one line what changes from self- to cross-attention, and what shape the weights have,
- put an encoder and a decoder together, and write with them until they say stop,
- train a reader of dates in sixteen languages, and see *where it looks* for each digit,
- judge a small model of English pronunciation beside published ones, with the right caveats.

**Time:** about 55 minutes, of which the computer trains for less than one. **Before you start:** lessons 03 to 06.
"""

# %%
import numpy as np
import torch

from minitransformer.model import (
    EncoderDecoder,
    PairTask,
    PairVocabulary,
    Trainer,
    pair_preset,
    pronunciation_model,
    share_exact,
    write_targets,
)
from minitransformer.notebook import explore, plots, predict, reveal, show, table, watch
from minitransformer.reference import (
    cross_attention,
    greedy_decode,
    self_attention,
    softmax,
)
from minitransformer.text import date_pairs, error_rates, pronunciations

# %% [markdown]
r"""
## How does one text look into another?

Somebody writes a date, "3 may", and we want it as numbers: month first, then day. Three words to *read*; two numbers to *write*. Give every word two made-up features: how much it is about a **d**ay and how much about a **m**onth.
"""

# %%
read = ["3", "of", "may"]
memory = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])  # (Tk, C): day, neither, month
write = ["month", "day"]
x = np.array(
    [[0.0, 3.0], [3.0, 0.0]]
)  # (Tq, C): what each place to be written is after

# %% [markdown]
r"""
The two that write ask; the three that were read answer. So **queries come from what is written, keys and values from what was read**. That is the whole change. The text that was read is called the *memory*.

**Predict**: what is the shape of the table of weights?
"""

# %%
predict(
    "07.shape_of_weights",
    "shape of the weights",
    choices=["(2, 2)", "(2, 3)", "(3, 2)", "(3, 3)"],
)

# %%
scores = np.zeros((len(x), len(memory)))
for i, asks in enumerate(x):
    for j, answers in enumerate(memory):
        scores[i, j] = asks @ answers / np.sqrt(2)
weights = softmax(scores)
reveal("07.shape_of_weights", str(weights.shape))

# %%
show(
    plots.alignment(
        weights, queries=write, keys=read, x="read (keys)", y="written (queries)"
    ),
    alt="Three words above, two below, with lines between them. The thickest line from 'month' goes to 'may', the thickest from 'day' to '3'; all others are thin.",
)

# %% [markdown]
r"""
A row for each place that writes, a column for each word that was read, and each row adds up to 1. The lengths have nothing to do with each other. With parameters, as in lesson 03:
"""

# %%
rng = np.random.default_rng(0)
x, memory = rng.normal(size=(2, 4)), rng.normal(size=(3, 4))  # (Tq, C), (Tk, C)
w_q, w_k, w_v = rng.normal(size=(3, 4, 4))
by_hand = softmax((x @ w_q) @ (memory @ w_k).T / np.sqrt(4)) @ (memory @ w_v)
output, weights = cross_attention(x, memory, w_q, w_k, w_v)
print("by hand = package:", np.allclose(by_hand, output), output.shape, weights.shape)

theirs = torch.nn.functional.scaled_dot_product_attention(
    *(torch.tensor(a) for a in (x @ w_q, memory @ w_k, memory @ w_v))
)
print("package = torch:  ", np.allclose(output, theirs.numpy()))
print(
    "self-attention is the case memory = x:",
    np.allclose(
        cross_attention(x, x, w_q, w_k, w_v)[0], self_attention(x, w_q, w_k, w_v)[0]
    ),
)

# %% [markdown]
r"""
The last line settles one of the claims of lesson 00: cross-attention is not another mechanism. It is the same formula with two inputs; self-attention is what it becomes when both are the same text. A causal mask would make no sense here (all of the memory has been read), a padding mask does: it hides the blanks of a short text, from every query.

## In the wild: a decoder that never looks up

A notebook that builds the transformer from scratch took the keys and values of its second attention from `x`, what is written, and handed the encoder's output to nobody ([keitakurita/Practical_NLP_in_PyTorch, issue 1](https://github.com/keitakurita/Practical_NLP_in_PyTorch/issues/1)). The decoder then writes without ever looking at what it should translate. Nothing crashes, and the shapes
are right. Even the loss can fall, since a good deal can be learned about what answers look like in general.
<!-- no prediction: the section shows a known bug by running it -->
"""


# %%
def never_looks_up(x, _memory):
    return cross_attention(x, x, w_q, w_k, w_v)[0]


def looks_up(x, memory):
    return cross_attention(x, memory, w_q, w_k, w_v)[0]


another = rng.normal(size=(3, 4))  # another text to read
for name, attend in {"right": looks_up, "as in the notebook": never_looks_up}.items():
    print(
        f"{name:18} output changes with the memory: {not np.allclose(attend(x, memory), attend(x, another))}"
    )

# %% [markdown]
r"""
The test is one line: change the memory, and see whether the output changes.

## Can it read dates in sixteen languages?

Here is real data, from the tables that computers use to write dates everywhere (Unicode CLDR, by way of the package `babel`). Read the left side, write the right one.
"""

# %% holds="dates" reason="the dates are the data of this section"
pairs = date_pairs(20_000, np.random.default_rng(1))
unseen = date_pairs(1000, np.random.default_rng(2), part="test")
table({"read": [p.written for p in pairs[:6]], "write": [p.iso for p in pairs[:6]]})

# %% [markdown]
r"""
Month names must be learned, weekdays ignored, and the *order* turned round, differently in each language. The dates to be tested are other days than those trained on, in whatever language.

The model has two halves (Vaswani and others, 2017, section 3.1). An **encoder** reads: layers of self-attention in which every character sees every other (each with a little more around it, together called a *block*; lesson 08 takes one apart). A **decoder** writes: each of its blocks first looks at what is written so far (causal), then, by cross-attention, at what the encoder made of the text.
While training, the decoder is shown the right characters so far and has to guess the next one, all places at once.

**Predict**: after half a minute of training, what share of unseen dates is written without a single mistake?
"""

# %%
predict("07.dates_exact", "share of unseen dates written exactly", low=0.0, high=1.0)

# %% tags=["once"] reason="trains for about half a minute; a second run would train again"
vocabulary = PairVocabulary.of(pairs + unseen)
config, recipe = pair_preset("dates", vocabulary)
model = EncoderDecoder(config, generator=torch.Generator().manual_seed(0))
task = PairTask(pairs, unseen[:200], vocabulary, batch_size=recipe.batch_size)
trainer = Trainer(model, task, recipe, generator=torch.Generator().manual_seed(0))
records = watch(trainer.run(), steps=recipe.steps, unit="nats per character")

# %%
exact = share_exact(model, vocabulary, unseen)
print("above 97 %:", exact > 0.97)
reveal("07.dates_exact", round(exact, 2))

# %% [markdown]
r"""
Nobody wrote a rule. Where does it look? Take one date and draw, for each character written, which characters it looked at, averaged over the heads.
"""


# %%
def alignment(written):
    """Weights from each character of the answer to each character read, mean over heads."""
    answer = write_targets(model, vocabulary, [written], 12)[0]
    with torch.no_grad():
        trace = model.trace(
            torch.from_numpy(vocabulary.encode_sources([written])),
            torch.from_numpy(vocabulary.encode_targets([answer])[:, :-1]),
        )
    return answer, trace.alignments[-1, 0].mean(dim=0).numpy()[
        : len(answer)
    ]  # (Tq, Tk)


examples = {
    "Hungarian": "2090. január 25., szerda",
    "British English": "wednesday, 25 january 2090",
}

# %% tags=["nbval-ignore-output"] reason="the weights of a live training differ a little between machines"
answer, weights = alignment(examples["Hungarian"])
show(
    plots.heat_map(
        weights,
        rows=list(answer),
        columns=list(examples["Hungarian"]),
        x="read",
        y="written",
    ),
    alt="Weights of the answer's characters over the letters of a Hungarian date. The digits of the day look at the day in the text, the last digits of the year at the end of the year, and the second "
    "digit of the month at letters of the month's name.",
)

# %% [markdown]
r"""
The digits of the day look at the day, and the last digits of the year at the year's end: copied from about where they stand. (About: in one run the look lands on the digit itself, in another on the sign beside it, which the encoder has let look at the digit.) The century is 19 or 20, so little needs looking up.<!-- numbers: 19 a century; 20 a century --> The month has to be *read*: its second digit looks at letters of its name, which ones differs from run to run. By itself such a letter would fit other months too; but what stands there after the encoder is no longer a bare letter, it has looked at its neighbours. So a map tells you where something was fetched, not what. The hyphens are always the same and look anywhere. In English the year stands at the end.

**Predict**: for the British date, where in the text does the *first* character written look?
"""

# %%
predict(
    "07.first_looks",
    "the first digit written, for 'wednesday, 25 january 2090', looks at",
    choices=["the beginning", "the middle", "the end"],
)

# %%
answer, weights = alignment(examples["British English"])
place = int(weights[0].argmax()) / (len(examples["British English"]) - 1)
reveal(
    "07.first_looks",
    "the beginning" if place < 1 / 3 else "the middle" if place < 2 / 3 else "the end",
)

# %% tags=["nbval-ignore-output"] reason="the weights of a live training differ a little between machines"
explore.cross(weights, queries=list(answer), keys=list(examples["British English"]))

# %% [markdown]
r"""
That is why attention beats a fixed diagonal here: each language has its own order, and each character finds its place by content.

## How does it know when to stop?

An answer has no fixed length. So there is one more symbol, *stop*, and the model writes until the likeliest next symbol is that one. Always taking the likeliest is called **greedy decoding**:
"""


# %%
def next_logits(ids):
    """A model of four symbols that wants to write 2, 3 and then stop (1)."""
    wanted = {1: 2, 2: 3}.get(len(ids), 1)
    return np.where(np.arange(4) == wanted, 5.0, 0.0)


ids, start, stop = [], 0, 1
while len(ids) < 10:
    likeliest = int(next_logits([start, *ids]).argmax())
    if likeliest == stop:
        break
    ids.append(likeliest)
print("by hand", ids, "  package", greedy_decode(next_logits, start, stop, 10))

# %% [markdown]
r"""
**Predict**: a model that never says stop, and a longest length of 4. How many symbols come back, the start not counted?
"""

# %%
predict("07.never_stops", "symbols written", low=0, high=10)


# %%
def never_stops(ids):
    return np.array([0.0, 0.0, float(len(ids))])  # wants symbol 2, more and more


reveal("07.never_stops", len(greedy_decode(never_stops, 0, 1, 4)))

# %% [markdown]
r"""
Greedy is simple and can be short-sighted: a likely first symbol may lead into a corner. *Beam search* keeps several beginnings at once; for our dates and words, greedy is good enough.

## Can it say words it has never seen?

Spelling to sound is a real job: every voice that reads to you has to guess at names. The CMU Pronouncing Dictionary lists 126,052 English words in 39 sounds; we take those of 2 to 12 letters and leave out the marks of stress. One word in twenty is kept for testing, chosen by the word's own hash, so that the split is the same everywhere.

<!-- numbers: 126,052 the words of the dictionary; 39 its sounds; 12 letters, the longest word taken -->
"""

# %%
tested = pronunciations("test")
listed = pronunciations("train") | pronunciations("validation") | tested
print(f"{len(tested):,} test words of {len(listed):,}")
examples_of_words = ["knights", "photograph", "tough"]
table(
    {
        "word": examples_of_words,
        "sounds": [" ".join(listed[word][0]) for word in examples_of_words],
    }
)

# %% [markdown]
r"""
The model has three encoder blocks and two decoder blocks of width 96. It was trained on the other words with the command `minitransformer train pronunciation`, five minutes on two fast cores, and comes with the package.

**Predict**: of words never seen, what share is *wrong somewhere*? (A word counts as right if it matches any listed pronunciation exactly.)

<!-- numbers: 96 as in the recipe -->
"""

# %%
predict("07.words_wrong", "share of unseen words with any mistake", low=0.0, high=1.0)

# %% tags=["once"] reason="writes several thousand words, which takes some seconds"
speaker, letters_and_phones = pronunciation_model()
words = sorted(tested)
guesses = dict(
    zip(words, write_targets(speaker, letters_and_phones, words, 20), strict=True)
)
phone_errors, word_errors = error_rates(guesses, tested)
print(f"sounds wrong {100 * phone_errors:.0f} %, words wrong {100 * word_errors:.0f} %")
reveal("07.words_wrong", round(word_errors, 2))

# %% [markdown]
r"""
Three words in ten wrong somewhere, though more than nine sounds in ten are right. Is that good? Published figures for the same dictionary, in its recent version and without stress (as reported by the project cmusphinx/g2p-seq2seq): 33.89 % of words wrong for a classic system of weighted automata, about 31 % for a transformer of two layers and more than twice this width. Theirs is another random test set, and ours leaves out long words, so the comparison
is of the same kind, not of the same test. Figures around 20 to 24 % that you will find belong to an older list of 2007.

And words which stand in no part of the list, two of them made up altogether:

<!-- numbers: 33.89 % published, see the text; 31 % published, see the text; 20 published; 24 % published; 2007 the year of the older list -->
"""

# %%
unlisted = ["blorf", "wugs", "tokenizer", "phlegmatism", "shakespearean"]
sounds = write_targets(speaker, letters_and_phones, unlisted, 20)
print("any of them in the list:", any(word in listed for word in unlisted))
table({"word": unlisted, "it says": [" ".join(s) for s in sounds]})

# %%
word = "thought"
said = write_targets(speaker, letters_and_phones, [word], 20)[0]
with torch.no_grad():
    trace = speaker.trace(
        torch.from_numpy(letters_and_phones.encode_sources([word])),
        torch.from_numpy(letters_and_phones.encode_targets([said])[:, :-1]),
    )
show(
    plots.heat_map(
        trace.alignments[-1, 0].mean(dim=0).numpy()[: len(said)],
        rows=list(said),
        columns=list(word),
        x="letter",
        y="sound",
    ),
    alt="Three sounds against the seven letters of 'thought'. The looks move from the left of the word to its right, one sound taking in several letters.",
)

# %% [markdown]
r"""
Letters and sounds keep their order, so the looks move from left to right, one sound to several letters. No one told the model that either.

## What you have now

- Cross-attention: queries from what is written, keys and values from what was read; weights (Tq, Tk). Self-attention is the special case of one text.
- An encoder reads without a causal mask; a decoder looks back at itself and across at the memory.
- Change the memory and see whether the output changes: the test for a decoder that never looks up.
- Greedy decoding takes the likeliest until *stop*.

What was simplified: one seed, small models, the mean over heads in the pictures. And a large weight says where something came from, not yet that it mattered (lesson 12).

**Next:** [exercises 07](../exercises/07_cross_attention.ipynb). Then lesson 08 looks at what holds a stack of such layers together.

**Further reading.** Bahdanau, Cho and Bengio, *Neural machine translation by jointly learning to align and translate* (2014), where this began. Vaswani and others (2017), sections 3.1 and 3.2.3. Yolchuyeva, Németh and Gyires-Tóth, *Transformer based grapheme-to-phoneme conversion* (2019).
"""
