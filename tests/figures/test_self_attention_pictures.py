import numpy as np
import pytest

from minitransformer.notebook import explore, plots
from minitransformer.notebook.explore.attending import attention_weights

TOKENS = ["dogs", "cat", "bark"]
X = np.array([[1.0, 0, 0, 1], [0, 1, 0, -1], [0, 0, 1, 1]])
W_Q = np.array([[0, 0], [0, 0], [1, 0], [0, 1]])
W_K = np.array([[1, 0], [1, 0], [0, 0], [0, 1]])


def test_explorer_weights_follow_queries_and_keys_of_their_own():
    weights = attention_weights(X, divide_by="1", w_q=W_Q, w_k=W_K)
    powers = np.exp([2.0, 0.0, 1.0])  # bark: scores 2, 0, 1, worked out on paper
    assert weights[2] == pytest.approx(powers / powers.sum(), abs=1e-12)


def test_explorer_of_named_features_redraws_when_one_is_edited():
    explorer = explore.attention(
        TOKENS, X, features=["dog", "cat", "verb", "number"], w_q=W_Q, w_k=W_K
    )
    before = explorer.picture.value
    numbers = explorer.controls["vectors"]
    (cell,) = (
        c for row in numbers._cells for c in row if c.description == "bark, number"
    )
    cell.value = -1.0
    assert explorer.picture.value != before
    assert "“bark” gives most to “cat”" in explorer.picture.value


def test_landings_draws_a_panel_for_each_cloud_with_the_values_as_corners():
    values = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    figure = plots.landings(values, {"one": values / 2, "two": values * 9})
    panels = figure.axes
    assert [panel.get_title(loc="left") or panel.get_title() for panel in panels] == [
        "one",
        "two",
    ]
    assert all(len(panel.patches) == 1 for panel in panels)


def test_landings_leaves_out_what_lies_beyond_its_panel():
    values = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    far = np.array([[50.0, 50.0], [0.2, 0.2]])
    cloud = plots.landings(values, {"far": far}).axes[0].lines[0]
    assert len(cloud.get_xdata()) == 1
