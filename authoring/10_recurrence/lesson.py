# %% [markdown]
r"""
# 10 · What did attention replace?

Before 2017, a machine that read text read it the way you do: one piece after the other, with a memory that changes. Then came a paper with the title *Attention is all you need*, and the older idea went out of fashion. This
lesson puts the two side by side and measures. Not everything that is said about them survives. You will be able to

- write a recurrent net in five lines and check it against torch,
- show where its memory fades, as a number,
- run a recall task on which attention succeeds and a recurrent net does not, with the same number of parameters,
- say honestly what "trains in parallel" is worth on your computer.

**Time:** about 45 minutes, of which the computer trains for about one. **Before you start:** lessons 03 to 06 and 09.
"""

# %%
import time

import numpy as np
import torch
from torch import nn

from minitransformer.model import CharTransformer, ModelConfig
from minitransformer.model.recurrent import (
    RecurrentModel,
    count_parameters,
    width_for_parameters,
)
from minitransformer.notebook import explore, plots, predict, reveal, show, table
from minitransformer.reference import path_length, recurrent_states
from minitransformer.text.synthetic import copy_sequences

# %% [markdown]
r"""
## How do you read with one state?

A **recurrent net** keeps a list of numbers, its *state*. Each new character changes it a little, and everything that was read has to fit in there:

$$h_t = \tanh(x_t W_x + h_{t-1} W_h + b), \qquad h_0 = 0$$

On paper, with a state of one number, $W_x = 1$, $W_h = 0.5$ and $b = 0$. The input is 1, then twice nothing:
"""

# %%
state, inputs = 0.0, [1.0, 0.0, 0.0]
for t, x in enumerate(inputs):
    state = np.tanh(x * 1.0 + state * 0.5)
    print(f"after step {t}: {state:.3f}")

# %% [markdown]
r"""
The 1 echoes through the later states, a little more than half as strong each time... or less? **Predict**: by which factor does the echo shrink from step 1 to step 2?
"""

# %%
predict(
    "10.echo",
    "state after step 2, divided by the state after step 1",
    low=0.0,
    high=1.0,
)

# %%
h_1 = np.tanh(0.5 * np.tanh(1.0))
h_2 = np.tanh(0.5 * h_1)
reveal("10.echo", float(h_2 / h_1))

# %% [markdown]
r"""
A little less than the 0.5 of $W_h$, because tanh bends. Would a larger $W_h$ keep the echo alive? Try three:
"""

# %%
echoes = {}
for weight in (0.5, 0.9, 1.5):
    state, trail = np.tanh(1.0), []
    for _ in range(16):
        trail.append(state)
        state = np.tanh(weight * state)
    echoes[f"weight {weight}"] = np.array(trail)
show(
    plots.curves(range(16), echoes, x="steps after the input", y="state"),
    alt="Three curves of the state over time, all from 0.76. With weight 0.5 it is gone after six steps, with 0.9 it fades slowly towards zero, with 1.5 it rises a little and stays at 0.86.",
)

# %%
state = np.tanh(0.1)  # a tenth of the input
for _ in range(16):
    state = np.tanh(1.5 * state)
print(f"weight 1.5, from an input of 1:   {echoes['weight 1.5'][-1]:.3f}")
print(f"weight 1.5, from an input of 0.1: {state:.3f}")

# %% [markdown]
r"""
Above 1 the state does not fade, but it goes to a place of its own, wherever it began: it remembers *that* something came, and forgets *what*. Below 1 it fades. Between the two there is not much room, and that is the trouble with a memory that has to pass through the same step again and again. Look for a better weight yourself:
"""

# %%
explore.echo()

# %% [markdown]
r"""

Now with four features and a state of three numbers. The loop over time is the whole program:
"""

# %%
rng = np.random.default_rng(0)
x = rng.normal(size=(5, 4))  # (T, C)
w_x, w_h, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)

h, states = np.zeros(3), []
for x_t in x:
    h = np.tanh(x_t @ w_x + h @ w_h + b)
    states.append(h)
print("loop = package:", np.allclose(states, recurrent_states(x, w_x, w_h, b)))

# %%
theirs = nn.RNN(4, 3, batch_first=True, dtype=torch.float64)
given = {
    "weight_ih_l0": w_x.T,
    "weight_hh_l0": w_h.T,
    "bias_ih_l0": b,
    "bias_hh_l0": np.zeros(3),
}
theirs.load_state_dict({name: torch.tensor(array) for name, array in given.items()})
with torch.no_grad():
    torch_states, _ = theirs(torch.tensor(x)[None])
print(
    "package = torch:",
    np.allclose(recurrent_states(x, w_x, w_h, b), torch_states[0].numpy()),
)

# %% [markdown]
r"""
No mask is needed, and no positions. The order is in the loop itself.

## How far does a memory have to travel?

For the first character to matter at the last one, it has to pass through every state in between. Attention takes one step, whatever the distance. That is the column "maximum path length" in table 1 of Vaswani and others (2017).

"""

# %%
distances = [1, 10, 100, 1000]
table(
    {
        "distance": distances,
        "recurrent net": [path_length("recurrent", d) for d in distances],
        "attention": [path_length("attention", d) for d in distances],
        "sliding window of 16": [
            path_length("window", d, window=16) for d in distances
        ],
    }
)

# %% [markdown]
r"""
What does a long path cost? Measure it. Take a plain recurrent net, an *LSTM* (a recurrent net with gates, which decide how much of the state to keep and how much to write) and an attention layer, freshly started, and ask how much the *last* output changes when the *first* input does: the size of that gradient, against the distance.

**Predict**: at distance 64, how much of the plain net's gradient at distance 1 is left?
"""

# %%
predict(
    "10.gradient_left",
    "share of the gradient left",
    choices=["about a half", "about a hundredth", "less than a millionth"],
)


# %%
WIDTH = 32


def first_to_last(layer, length, seed=0):
    """Size of the gradient of the last output with respect to the first input."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, length, WIDTH, generator=generator).requires_grad_()
    layer(x)[:, -1].sum().backward()
    return x.grad[0, 0].norm().item()


def attend(x):
    return (x @ x.mT / WIDTH**0.5).softmax(dim=-1) @ x


with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    plain, gated = (
        nn.RNN(WIDTH, WIDTH, batch_first=True),
        nn.LSTM(WIDTH, WIDTH, batch_first=True),
    )
layers = {
    "plain recurrent net": lambda x: plain(x)[0],
    "LSTM": lambda x: gated(x)[0],
    "attention": attend,
}
lengths = np.array([2, 3, 5, 9, 17, 33, 65])
sizes = {
    name: np.array(
        [
            np.median([first_to_last(layer, n, seed) for seed in range(9)])
            for n in lengths
        ]
    )
    for name, layer in layers.items()
}

# %%
show(
    plots.curves(
        lengths - 1,
        {name: size / size[0] for name, size in sizes.items()},
        x="distance in places",
        y="gradient, distance 1 = 1",
        log_x=True,
        log_y=True,
    ),
    alt="Three curves on logarithmic axes. The gradient of the plain recurrent net and of the LSTM drops ever faster with the distance and is below a millionth at 64 places, where the plain net has left the picture at the bottom; attention "
    "keeps more than half of it over the whole range.",
)

# %%
left = sizes["plain recurrent net"][-1] / sizes["plain recurrent net"][0]
print(f"attention, distance 64: {sizes['attention'][-1] / sizes['attention'][0]:.0e}")
print(f"LSTM, distance 64:      {sizes['LSTM'][-1] / sizes['LSTM'][0]:.0e}")
reveal(
    "10.gradient_left",
    "less than a millionth"
    if left < 1e-6
    else "about a hundredth"
    if left < 0.1
    else "about a half",
)

# %% [markdown]
r"""
The signal is multiplied by something below 1 at every step, and a product of many such numbers dies out (Bengio, Simard and Frasconi, 1994). The gates of the LSTM (Hochreiter and Schmidhuber, 1997) can learn to hold a value; *freshly started*, they are half open, and it forgets only a little later. Attention does not multiply along the way; it only shares its look
among more and more places.


## Who remembers over a distance?

A gradient is a promise. What about the result? The task: 16 kinds of symbols, a few of them at random, a separator, and then the same symbols again, to be predicted one by one. The fifth symbol of the copy stands as many places after the fifth of the original as there are symbols, plus one.
"""

# %%
KINDS = 16
example = copy_sequences(1, 6, KINDS, np.random.default_rng(1))[0]
print(" ".join("|" if i == KINDS else "abcdefghijklmnop"[i] for i in example))

# %% [markdown]
r"""
Both models get about the same number of parameters: two attention layers against one LSTM layer, so that all it has goes into one wide state. Both see the same batches.
"""


# %%
def new_models(symbols, seed):
    config = ModelConfig(
        vocab_size=KINDS + 1,
        context_length=2 * symbols,
        width=64,
        num_heads=2,
        num_layers=2,
        hidden_width=128,
    )
    attention = CharTransformer.from_config(
        config, generator=torch.Generator().manual_seed(seed)
    )
    width = width_for_parameters(count_parameters(attention), KINDS + 1, 1, "lstm")
    lstm = RecurrentModel(
        KINDS + 1, width, 1, "lstm", generator=torch.Generator().manual_seed(seed)
    )
    return {"attention": attention, "LSTM": lstm}


def share_copied(model, symbols, steps, seed):
    """Train to copy; give the share of symbols copied rightly in new sequences."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.0)
    for step in range(steps):
        ids = torch.tensor(
            copy_sequences(
                32, symbols, KINDS, np.random.default_rng(1000 * seed + step)
            )
        )
        logits = model(ids[:, :-1])[:, symbols:]  # only the copy counts
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), ids[:, symbols + 1 :].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    ids = torch.tensor(
        copy_sequences(64, symbols, KINDS, np.random.default_rng(999_999))
    )
    with torch.no_grad():
        guesses = model(ids[:, :-1])[:, symbols:].argmax(dim=-1)
    return (guesses == ids[:, symbols + 1 :]).float().mean().item()


table(
    {
        "model": list(new_models(24, 0)),
        "parameters": [count_parameters(m) for m in new_models(24, 0).values()],
    }
)

# %% [markdown]
r"""
**Predict**: 24 symbols to copy, distance 25. Attention gets 150 steps of training, the LSTM 400. What share does the LSTM get right? (A blind guess is right one time in sixteen.)

<!-- numbers: 25 is 24 + 1 -->
"""

# %%
predict("10.lstm_copies", "share of 24 symbols that the LSTM copies", low=0.0, high=1.0)

# %% tags=["once"] reason="six trainings take most of half a minute"
STEPS = {"attention": 150, "LSTM": 400}
far = {
    name: [
        share_copied(new_models(24, seed)[name], 24, steps, seed) for seed in range(3)
    ]
    for name, steps in STEPS.items()
}
print("attention, all three starts above 0.9:", min(far["attention"]) > 0.9)
print("LSTM, all three starts below 0.15:   ", max(far["LSTM"]) < 0.15)

# %%
reveal("10.lstm_copies", round(float(np.mean(far["LSTM"])), 1))

# %% [markdown]
r"""
The LSTM hardly does better than a guess, after nearly three times as many steps. Is it simply no good? Ask for *three* symbols:
"""

# %% tags=["once"] reason="one more training of a few seconds"
near = share_copied(new_models(3, 0)["LSTM"], 3, STEPS["LSTM"], seed=0)
print("LSTM, three symbols, above 0.9:", near > 0.9)

# %% [markdown]
r"""
So it can copy; what it cannot do, with this much training, is to hold on over a distance. With far more steps, or a task that begins short and grows, LSTMs learn longer copies too. The claim *attention captures long-range dependencies* has survived its test here; *recurrent nets cannot* would be too much.

## Who is faster?

Now the claim that everybody repeats: attention trains in parallel, a recurrent net must go step by step. Both halves are true. Count the steps that have to wait for each other in one pass over a text: the recurrent net needs one for each character, attention one for each layer. On a machine with ten thousand arithmetic units that decides everything. Yours has a few.

**Predict**: the same number of parameters, one thread, forward and backward, texts of 512 characters. Which one handles more characters per second?

"""

# %%
predict(
    "10.faster_at_512",
    "more characters per second at length 512, on a processor",
    choices=["attention", "LSTM"],
)


# %%
def characters_per_second(model, length, total=4096):
    ids = torch.zeros(total // length, length, dtype=torch.long)
    runs = []
    for _ in range(3):
        start = time.perf_counter()
        model(ids).square().mean().backward()
        runs.append(time.perf_counter() - start)
    return total / min(runs)


# %% tags=["once", "nbval-ignore-output"] reason="speeds differ between machines and from run to run"
speeds = {"attention": [], "LSTM": []}
for length in (32, 128, 512):
    config = ModelConfig(
        vocab_size=64,
        context_length=length,
        width=96,
        num_heads=4,
        num_layers=2,
        hidden_width=384,
    )
    attention = CharTransformer.from_config(config)
    lstm = RecurrentModel(
        64, width_for_parameters(count_parameters(attention), 64, 2, "lstm"), 2, "lstm"
    )
    for name, model in {"attention": attention, "LSTM": lstm}.items():
        speeds[name].append(characters_per_second(model, length))
table(
    {
        "length": [32, 128, 512],
        "LSTM / attention, characters per second": np.array(speeds["LSTM"])
        / np.array(speeds["attention"]),
    },
    digits=1,
)

# %%
reveal(
    "10.faster_at_512",
    "LSTM" if speeds["LSTM"][-1] > speeds["attention"][-1] else "attention",
)

# %% [markdown]
r"""
On a processor the recurrent net wins at that length, clearly. It has to wait for each step, but a step is little work, and the work grows with the length, not with its square. So the honest sentence is: attention *can* be computed in parallel, which pays on hardware that has room for it; on a laptop it pays in what it can *learn*, as the copy task showed, not in characters per second.

## Who replaced whom?

Attention was not invented to replace recurrence. Bahdanau, Cho and Bengio (2014) added it *to* a recurrent translator, because squeezing a whole sentence into one state did not work for long ones. How much squeezing that is can be counted:

<!-- no prediction: the section tells a story; its one number is counted in the cell -->
"""

# %%
state_numbers, width = (
    1000,
    1000,
)  # their recurrent state; the width of a token in the count
table(
    {
        "length of the sentence": [10, 50, 200],
        "numbers to remember it in, one state": [state_numbers] * 3,
        "numbers to look back at, with attention": [n * width for n in (10, 50, 200)],
    }
)

# %% [markdown]
r"""
The 2017 paper kept the attention and dropped the recurrence. Since then the older idea has come back in new clothes: state-space models (Gu, Goel and Ré, 2021; Gu and Dao, 2023) and gated linear recurrences have a state of fixed size and a step simple enough to be computed in parallel over the whole text. Lesson 11 builds the simplest relative of them, linear attention, and finds what a fixed state costs.


## In the wild: a state that never ends

A recurrent net may carry its state from one batch to the next, and with it the history of everything that was computed. A learner commented out the odd-looking line `h_state = h_state.data` from a tutorial, and torch answered "Trying to backward through the graph a second time"
([MorvanZhou/PyTorch-Tutorial, issue 57](https://github.com/MorvanZhou/PyTorch-Tutorial/issues/57)). The line cuts the state off from its past; today it is written `detach()`. The tempting way out that the message offers, `retain_graph=True`, silences the error and makes every step walk back through all steps before it. Here are both versions:

<!-- no prediction: the section shows a known bug by running it -->
"""

# %%
net, state = nn.RNN(4, 4, batch_first=True), None
outcome = []
for cut_off in (False, True):
    state = None
    try:
        for step in range(3):
            output, state = net(torch.ones(1, 5, 4) * step, state)
            if cut_off:
                state = state.detach()
            output.sum().backward()
        outcome.append("three backward passes, no error")
    except RuntimeError as error:
        told = "a second time" in str(error)
        outcome.append("error: backward a second time" if told else "another error")
table({"state cut off from the past": ["no", "yes"], "what happens": outcome})

# %% [markdown]
r"""
A transformer has no such state. What it has in its place is the cache of lesson 11, with bugs of its own.

## What you have now

- A recurrent net is a loop: one state, changed by every character.
- Its gradient fades with the distance, multiplied at every step; attention's path has length 1.
- On a copy task at a distance, attention succeeds and an LSTM of the same size does not, in more steps; at a short distance it does.
- On a processor, the LSTM handles long texts faster. "Trains in parallel" is a statement about hardware with room.

What was simplified: small models, one task, one optimizer. Gates, tricks of starting and more training help recurrent nets; so do larger models help attention.

**Next:** [exercises 10](../exercises/10_recurrence.ipynb). Then lesson 11: the price of looking at everything.

**Further reading.** Hochreiter and Schmidhuber, *Long short-term memory* (1997). Bahdanau, Cho and Bengio, *Neural machine translation by jointly learning to align and translate* (2014). Vaswani and others (2017), section 4 and table 1. Gu and Dao, *Mamba* (2023).
"""
