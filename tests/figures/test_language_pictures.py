import numpy as np
import pytest

from minitransformer.notebook import plots


def drawn(T=4, L=2):
    rng = np.random.default_rng(0)
    weights = [
        np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None] for _ in range(L)
    ]
    return plots.guesses(
        "ab\nd"[:T],
        "b\nde"[:T],
        stream=(rng.normal(size=(T, 6)), rng.normal(size=(T, 6))),
        weights=weights,
        probabilities=np.linspace(0, 1, T),
    )


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_guesses_writes_each_character_and_its_probability():
    told = words(drawn())
    assert told.count("↵") == 2  # once read, once to come
    assert {"0.00", "0.33", "0.67", "1.00"} <= set(told)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_guesses_keeps_every_word_on_the_page(layers):
    figure = drawn(L=layers)
    figure.canvas.draw()
    wide = figure.bbox.width
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= wide, text.get_text()
