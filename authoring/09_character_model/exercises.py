# %% [markdown]
r"""
# Exercises: a character model

Everything between a text file and a model that writes, in seven pieces: two for the alphabet, one for the data, one for the loss, one for choosing, one for learning, and
the model itself. [Lesson 09](../lessons/09_character_model.ipynb) shows each of them at work.

The first five need NumPy at most, the last two need torch. Pieces that pass their check here are the ones that the last lesson builds its transformer from.
"""

# %%
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from minitransformer import check
from minitransformer.model import Block

# %% [markdown]
r"""
## Exercise 9.1 · Characters to numbers

Give every character its id: its place in the list of characters. A character that is not in the list is an error that says which one it is.

With the characters `"eht"`, `e` is 0, `h` is 1 and `t` is 2, so "the" becomes 2, 1, 0. And "then" is an error that names `n`.

<details><summary>Hint 1: looking up without searching</summary>

A text has a million characters. Build, once, a dictionary that answers "where does this character stand?" at once.
</details>

<details><summary>Hint 2: why insist on an error?</summary>

What would the model learn from a text in which every unknown sign had silently become an `e`? Raise a `ValueError`, and put the character into its message.
</details>
"""


# %% exercise="encode"
def encode(text, characters):
    """Turn a text into ids.

    text: a string of T characters
    characters: a string, or a list of single characters; not sorted, in general
    returns: T whole numbers, a list or an array; the id of a character is its place in `characters`
    raises: ValueError that names a character which is not in `characters`

    >>> list(encode("the", "eht"))
    [2, 1, 0]
    """
    # >>> solution
    place = {character: id_ for id_, character in enumerate(characters)}
    unknown = [character for character in text if character not in place]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is not one of the {len(place)} known characters"
        )
    return [place[character] for character in text]
    # <<< solution


# %% check="encode"
check("encode", encode)

# %% [markdown]
r"""
## Exercise 9.2 · Numbers to characters

The way back: ids to one piece of text.

With `"eht"`, the ids 2, 1, 0 are "the" again.

<details><summary>Hint: a list of characters is not yet a text</summary>

Strings have a method that puts a list of them together, with nothing in between.
</details>
"""


# %% exercise="decode"
def decode(ids, characters):
    """Turn ids back into the text.

    ids: T whole numbers, a list or an array
    characters: a string, or a list of single characters
    returns: a string of T characters

    >>> decode([2, 1, 0], "eht")
    'the'
    """
    # >>> solution
    return "".join(characters[id_] for id_ in ids)
    # <<< solution


# %% check="decode"
check("decode", decode)

# %% [markdown]
r"""
## Exercise 9.3 · Questions and answers from one text

Cut windows of `context_length` ids out of a long text, one at each given start. Beside each window, give the same window one place later: what the model should have guessed at each place.

From the text 10, 11, 12, 13, 14, 15 with starts 0 and 2 and three places each, the inputs are (10, 11, 12) and (12, 13, 14), the targets (11, 12, 13) and (13, 14, 15).

<details><summary>Hint 1: one cut is enough</summary>

Input and target overlap in all but one place. What if you cut a piece that is one longer than the window? Which part of it is the input?
</details>

<details><summary>Hint 2: the last target of a window</summary>

It is a character that the window itself does not contain. If yours is the window's own first character, you have rolled the window round in place of reading on.
</details>
"""


# %% exercise="next_character_windows"
def next_character_windows(ids, starts, context_length):
    """Cut windows out of a text, together with what comes one character later.

    ids: array of whole numbers, of shape (n,), the whole text
    starts: array of whole numbers, of shape (B,), where each window begins
    context_length: T, how many places a window has
    returns: inputs and targets, two arrays of whole numbers, each of shape (B, T)

    >>> inputs, targets = next_character_windows(np.arange(10, 16), np.array([0, 2]), 3)
    >>> inputs
    array([[10, 11, 12],
           [12, 13, 14]])
    >>> targets
    array([[11, 12, 13],
           [13, 14, 15]])
    """
    # >>> solution
    pieces = np.stack([ids[start : start + context_length + 1] for start in starts])
    return pieces[:, :-1], pieces[:, 1:]
    # <<< solution


# %% check="next_character_windows"
check("next_character_windows", next_character_windows)

# %% [markdown]
r"""
## Exercise 9.4 · How surprised?

The mean surprise over all places: minus the natural logarithm of the probability that softmax gives to the character that really came.

A model that scores four characters alike gives each ¼. Whatever comes, its surprise is $-\ln \tfrac14 = 1.386$ nats.

<details><summary>Hint 1: two differences in place of one softmax</summary>

$-\ln \dfrac{e^{z_t}}{\sum_c e^{z_c}}$ can be written without a fraction. What is the logarithm of a quotient? And of $e^{z_t}$?
</details>

<details><summary>Hint 2: logits of a thousand</summary>

Subtract the largest logit of each place before you take powers. One of your two terms changes by it; so does the other.
</details>

<details><summary>Hint 3: picking out one number at each place</summary>

You want entry `targets[b, t]` of row `logits[b, t]`, for all b and t. `np.take_along_axis` does it, or indexing with three arrays that broadcast to (B, T).
</details>
"""


# %% exercise="next_character_loss"
def next_character_loss(logits, targets):
    """Measure how surprised the model is by the characters that really came.

    logits: array of shape (B, T, V), scores of each character, before softmax
    targets: array of whole numbers, of shape (B, T), the characters that came
    returns: one number, the mean over all B·T places, in nats per character

    >>> round(float(next_character_loss(np.zeros((1, 1, 4)), np.array([[2]]))), 3)
    1.386
    """
    # >>> solution
    B, T = targets.shape
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    came = log_probabilities[np.arange(B)[:, None], np.arange(T), targets]  # (B, T)
    return -came.mean()
    # <<< solution


# %% check="next_character_loss"
check("next_character_loss", next_character_loss)

# %% [markdown]
r"""
## Exercise 9.5 · Daring or careful?

Turn the scores of the next character into the probabilities to draw it from. First divide by the temperature (0 means: only the best is left); then, if asked, keep the `top_k` most likely; then, if
asked, of these keep the most likely ones that together reach `top_p`. What is left adds up to 1, and every character keeps its own place in the array.

Take probabilities 0.1, 0.25, 0.5, 0.15 and `top_p=0.6`. In falling order: 0.5 is not yet 0.6, so the next one, 0.25, comes in too; that crosses 0.6, and it is enough. 0.5 and 0.25 remain,
divided by 0.75.

<details><summary>Hint 1: a rank for everyone</summary>

`np.argsort(-probabilities)` lists ids from likely to unlikely. With it you can go *to* the order of ranks and, by assigning through it, back *from* it.
</details>

<details><summary>Hint 2: who stays under top_p?</summary>

Ask each character, in falling order: how much did those *before* me have together? If that is still below `top_p`, it stays. So the best one always stays. Why?
</details>

<details><summary>Hint 3: temperature 0</summary>

Nothing can be divided by 0. Treat it before everything else.
</details>
"""


# %% exercise="sampling_probabilities"
def sampling_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    """Say how likely each character is to be drawn next.

    logits: array of shape (V,), scores before softmax, in any order
    temperature: 0 or more; the logits are divided by it, and 0 leaves only the best
    top_k: keep so many of the most likely; None keeps all
    top_p: of these, keep the most likely ones that together reach this probability; None keeps all
    returns: array of shape (V,) that adds up to 1

    >>> sampling_probabilities(np.log([0.1, 0.2, 0.5, 0.2]), temperature=0)
    array([0., 0., 1., 0.])
    >>> np.round(sampling_probabilities(np.log([0.1, 0.3, 0.5, 0.1]), top_k=2), 3)
    array([0.   , 0.375, 0.625, 0.   ])
    """
    # >>> solution
    if temperature == 0:
        return np.eye(len(logits))[np.argmax(logits)]
    powers = np.exp((logits - logits.max()) / temperature)
    order = np.argsort(-powers, kind="stable")  # from likely to unlikely
    ranked = powers[order] / powers.sum()
    if top_k is not None:
        ranked = np.where(np.arange(len(ranked)) < top_k, ranked, 0.0)
        ranked = ranked / ranked.sum()
    if top_p is not None:
        before = np.cumsum(ranked) - ranked
        ranked = np.where(before < top_p, ranked, 0.0)
    probabilities = np.zeros_like(ranked)
    probabilities[order] = ranked / ranked.sum()
    return probabilities
    # <<< solution


# %% check="sampling_probabilities"
check("sampling_probabilities", sampling_probabilities)

# %% [markdown]
r"""
## Exercise 9.6 · One step downhill

Take one training step with torch, and return the loss from *before* the step, as a plain number.

Four things happen in a step: old gradients are forgotten, the loss is computed, gradients flow back, the optimizer moves the parameters. They can be put in an order that looks right, runs without
an error and does not learn.

<details><summary>Hint 1: the loss in torch</summary>

`cross_entropy` wants one row of logits for each target: (B·T, V) and (B·T,). `flatten` makes both.
</details>

<details><summary>Hint 2: where do gradients live?</summary>

In the parameters, and `backward()` *adds* to what is there. When must they be cleared, so that the step follows this batch alone, and still has something to follow?
</details>
"""


# %% exercise="training_step"
def training_step(model, inputs, targets, optimizer):
    """Take one step downhill.

    model: a torch module that gives logits (B, T, V) for ids (B, T)
    inputs, targets: tensors of whole numbers, each of shape (B, T)
    optimizer: a torch optimizer that holds the model's parameters
    returns: the mean loss on this batch before the step, a float, in nats per character
    """
    # >>> solution
    logits = model(inputs)  # (B, T, V)
    loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    # <<< solution


# %% check="training_step"
check("training_step", training_step)

# %% [markdown]
r"""
## Exercise 9.7 · The whole machine

Put the character transformer together: characters and their positions become vectors, a stack of causal blocks works on them, a last norm, and a head that scores every character as the next one.

`Block(width, num_heads, hidden_width)` is the block of lesson 08, called as `block(x, mask)`; give it `4 * width` as hidden width. The mask is the Boolean triangle of lesson 04: True where a place may look. The
model must take any sequence up to `context_length`, and refuse a longer one.

For `CharTransformer(64, 8, 12, 3, 2)` and ids of shape (5, 7), the logits have shape (5, 7, 64): one row of 64 scores after each of the 7 places.

<details><summary>Hint 1: what to make in __init__</summary>

Two tables that are looked up by number (one for characters, one for positions: `nn.Embedding`), a list of blocks that torch knows about (`nn.ModuleList`), a norm, a linear map without bias. How many rows has each table?
</details>

<details><summary>Hint 2: sequences shorter than the context</summary>

T is read from the ids. Positions are 0 … T−1, and the mask is T by T.
</details>

<details><summary>Hint 3: "later characters change earlier logits"</summary>

That is the sign of a missing mask. It must reach *every* block.
</details>
"""


# %% exercise="CharTransformer"
class CharTransformer(nn.Module):
    """Guess the next character from those before it.

    vocab_size: V, how many characters there are
    context_length: the longest sequence that fits
    width, num_heads, num_layers: C, H and L

    forward(ids): whole numbers of shape (B, T), with T at most context_length, to logits of shape (B, T, V);
    a longer sequence is a ValueError
    """

    def __init__(self, vocab_size, context_length, width, num_heads, num_layers):
        super().__init__()
        # >>> solution
        self.characters = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(context_length, width)
        self.blocks = nn.ModuleList(
            Block(width, num_heads, 4 * width) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size, bias=False)
        # <<< solution

    def forward(self, ids):
        # >>> solution
        longest = self.positions.num_embeddings
        if ids.shape[-1] > longest:
            raise ValueError(f"at most {longest} characters fit; got {ids.shape[-1]}")
        places = torch.arange(ids.shape[-1])
        x = self.characters(ids) + self.positions(places)  # (B, T, C)
        for block in self.blocks:
            x = block(x, places[:, None] >= places)  # may look back, and at itself
        return self.head(self.norm(x))  # (B, T, V)
        # <<< solution


# %% check="CharTransformer"
check("CharTransformer", CharTransformer)

# %% [markdown]
r"""
Seven pieces: text in, text out. [The solutions](../solutions/09_character_model.ipynb) show one way to write them. [Lesson 10](../lessons/10_recurrence.ipynb) asks what came before attention, and
where it still wins.
"""
