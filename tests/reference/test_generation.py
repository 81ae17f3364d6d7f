"""Writing with a cache says what whole forward passes say."""

import itertools

import numpy as np
import pytest
from reference.untrained import CONTEXT, V, arrays, settings

from minitransformer.reference import forward, generate, sliding_window_mask

START = np.array([[1, 2, 3], [7, 5, 0]])
FORMS = [
    dict(zip(("positions", "norm", "activation", "qk_norm"), choice, strict=True))
    for choice in itertools.product(
        ("learned", "sinusoidal", "rotary", "alibi", "none"),
        ("layer", "rms"),
        ("relu", "squared_relu", "gelu"),
        (False, True),
    )
]


def written(length, *, start=START, seed=0, rng_seed=0, temperature=0.0, **choices):
    options = {
        name: choices.pop(name) for name in ("top_k", "top_p") if name in choices
    }
    rng = np.random.default_rng(rng_seed)
    model = arrays(seed, **choices), settings(**choices)
    ids = list(
        generate(*model, start, length, temperature=temperature, rng=rng, **options)
    )
    return np.stack(ids, axis=1) if ids else np.empty((len(start), 0), int)


def by_whole_passes(length, form):
    """Write greedily, computing everything anew for each character."""
    model = arrays(**form), settings(**form)
    text = START
    for _ in range(length):
        if form["positions"] in ("learned", "sinusoidal"):
            logits = forward(text[:, -CONTEXT:], *model)
        else:
            mask = sliding_window_mask(text.shape[1], CONTEXT)
            logits = forward(text, *model, mask=mask)
        text = np.concatenate([text, logits[:, -1:].argmax(axis=-1)], axis=1)
    return text[:, START.shape[1] :]


@pytest.mark.parametrize(
    "form", FORMS, ids=lambda form: "-".join(map(str, form.values()))
)
def test_within_the_context_and_past_it_the_same_text_is_written(form):
    np.testing.assert_array_equal(written(14, **form), by_whole_passes(14, form))


def test_each_text_of_a_batch_is_written_as_if_alone():
    together = written(12, positions="rotary")
    for row in range(2):
        alone = written(12, start=START[row : row + 1], positions="rotary")
        np.testing.assert_array_equal(alone[0], together[row])


def test_one_seed_writes_one_text():
    texts = [written(12, temperature=1.5, rng_seed=seed) for seed in (4, 4, 5)]
    np.testing.assert_array_equal(texts[0], texts[1])
    assert (texts[0] != texts[2]).any()


def test_drawing_only_the_best_is_writing_greedily():
    greedy = written(10)
    np.testing.assert_array_equal(written(10, temperature=1.0, top_k=1), greedy)
    np.testing.assert_array_equal(written(10, temperature=1.0, top_p=1e-9), greedy)


def test_of_a_long_beginning_the_end_is_read():
    long = np.random.default_rng(0).integers(V, size=(1, CONTEXT + 4))
    last = long[:, -CONTEXT:]
    for positions in ("learned", "rotary"):
        np.testing.assert_array_equal(
            written(6, start=long, positions=positions),
            written(6, start=last, positions=positions),
        )


def test_characters_come_one_by_one():
    ids = generate(arrays(), settings(), START, 10**9, rng=np.random.default_rng(0))
    assert next(ids).shape == next(ids).shape == (2,)
    assert written(0).shape == (2, 0)


def test_what_cannot_be_written_is_refused_before_the_first_character():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="length must not be negative; got -1"):
        generate(arrays(), settings(), START, -1, rng=rng)
    with pytest.raises(ValueError, match=r"with T >= 1; got shape \(2, 0\)"):
        generate(arrays(), settings(), START[:, :0], 1, rng=rng)
    with pytest.raises(ValueError, match="settings must give context_length"):
        generate(arrays(), {"num_heads": 3, "num_layers": 2}, START, 1, rng=rng)
    with pytest.raises(
        ValueError, match=r"top_p must be above 0 and at most 1; got 2\.0"
    ):
        generate(arrays(), settings(), START, 1, top_p=2.0, rng=rng)
    with pytest.raises(ValueError, match="ids must lie between 0 and 10"):
        generate(arrays(), settings(), START + V, 1, rng=rng)
