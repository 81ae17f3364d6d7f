"""Explorers without a browser: a control moves, the number and the picture follow."""

import re

import ipywidgets as widgets
import numpy as np
import pytest

from minitransformer.notebook import display, explore
from minitransformer.notebook.explore.attending import attention_weights, windows_reach
from minitransformer.notebook.explore.inside import scores_by_place, sizes_through_depth

MAPS = np.tile(np.tril(np.ones((3, 3))) / np.arange(1, 4)[:, None], (2, 2, 1, 1))
MAPS[1, 1] = np.eye(3)
CROSS = np.array([[0.9, 0.1], [0.2, 0.8]])

# each explorer, and the control that is moved, with its new value
EXPLORERS = {
    "attention": (explore.attention, "temperature", 0.2),
    "attention by √D": (explore.attention, "divide_by", "D"),
    "similarity": (explore.similarity, "angle", 90.0),
    "soft_look_up": (explore.soft_look_up, "temperature", 4.0),
    "masks, causal": (explore.masks, "causal", False),
    "masks, padding": (explore.masks, "real", 0),
    "echo": (explore.echo, "weight", 1.5),
    "heads": (explore.heads, "num_heads", 4),
    "cross": (lambda: explore.cross(CROSS, queries="ab", keys="xy"), "place", 1),
    "attention_maps": (lambda: explore.attention_maps({"abc": MAPS}), "layer", 2),
    "windows": (explore.windows, "layers", 3),
    "positions": (explore.positions, "scheme", "sinusoidal"),
    "residuals": (explore.residuals, "residual", True),
    "sampling": (
        lambda: explore.sampling(np.array([2.0, 1.0, 0.0]), characters="abc"),
        "top_k",
        1,
    ),
}


def source(explorer) -> str:
    return re.search('src="([^"]*)"', explorer.picture.value)[1]


def controls(explorer):
    """Every single control, those of a grid included."""
    waiting = list(explorer.controls.values())
    while waiting:
        control = waiting.pop()
        inner = getattr(control, "children", ())
        if inner:
            waiting += inner
        else:
            yield control


@pytest.fixture(scope="module", params=EXPLORERS)
def moved(request):
    """An explorer, how it stood at the start, and how it stands after a control moved."""
    make, name, value = EXPLORERS[request.param]
    explorer = make()
    if request.param == "attention_maps":
        explorer.controls["head"].value = 2
    before = (explorer.marker.value, source(explorer))
    explorer.controls[name].value = value
    return explorer, before, (explorer.marker.value, source(explorer))


def test_number_and_picture_follow_the_control(moved):
    _, before, after = moved
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_the_line_that_changes_holds_a_number_and_is_read_out(moved):
    explorer, _, _ = moved
    assert re.search(
        r'class="explorer-marker" role="status">[^<]*\d', explorer.marker.value
    )


def test_the_picture_has_words_that_follow_too(moved):
    explorer, _, _ = moved
    assert re.match(r'<img alt="[^"]{30,}"', explorer.picture.value)
    assert explorer.picture.value.split('"')[1] != str(explorer)


def test_every_control_is_labelled_and_can_be_reached_by_keyboard(moved):
    explorer, _, _ = moved
    for control in controls(explorer):
        assert control.description
        assert isinstance(control, (widgets.ValueWidget, widgets.widget_bool._Bool))
        assert getattr(control, "tabbable", None) is not False


def test_the_stored_view_is_a_static_twin_with_the_same_words(moved):
    explorer, _, _ = moved
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", display.WIDGET_VIEW}
    assert bundle["text/plain"] == str(explorer)
    assert 'src="data:image/svg+xml;base64,' in bundle["text/html"]
    assert "explore" in bundle["text/html"].lower()
    assert bundle["text/html"] == explorer._repr_mimebundle_()["text/html"]


def test_an_explorer_reads_the_same_when_it_is_made_again():
    one, other = explore.attention(), explore.attention()
    assert (
        one._repr_mimebundle_()["text/html"] == other._repr_mimebundle_()["text/html"]
    )


def test_editing_one_feature_of_one_token_changes_the_weights():
    explorer = explore.attention()
    before = source(explorer)
    first = next(
        cell for cell in controls(explorer) if cell.description == "the, feature 1"
    )
    first.value = 5.0
    assert source(explorer) != before


def test_a_setting_that_cannot_be_computed_is_told_in_words():
    def view(n):
        if n < 0:
            raise ValueError("n must not be negative; got -1")
        return explore.View(
            figure=explore.attention().still(),
            alt="Weights of three tokens that look at each other.",
            marker=f"n is {n}",
        )

    explorer = explore.Explorer(view, {"n": explore.whole("n", 1, -1, 2)}, "what is n?")
    explorer.controls["n"].value = -1
    assert "n must not be negative; got -1" in explorer.marker.value


def test_dividing_by_nothing_or_by_d_changes_the_scores_as_it_says():
    vectors = np.array([[2.0, 0.0], [0.0, 2.0]])
    odds = {
        by: np.log(attention_weights(vectors, divide_by=by)[0]) @ [1, -1]
        for by in ("1", "√D", "D")
    }
    assert odds["1"] == pytest.approx(4)
    assert odds["√D"] == pytest.approx(4 / np.sqrt(2))
    assert odds["D"] == pytest.approx(2)


def test_a_window_reaches_one_less_than_its_width_further_with_each_layer():
    first = windows_reach(7, window=3, layers=2)
    assert first[6].tolist() == [0, 0, 2, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("scheme", "moves_along"), [("rotary", True), ("sinusoidal", False)]
)
def test_only_rotary_scores_depend_on_the_distance_alone(scheme, moves_along):
    near, far = scores_by_place(scheme, 10), scores_by_place(scheme, 30)
    assert np.allclose(near[5:20], far[25:40], atol=1e-10) is moves_along


def test_without_positions_every_place_scores_alike():
    assert np.ptp(scores_by_place("none", 10)) == pytest.approx(0)


def test_depth_kills_a_plain_stack_and_not_a_residual_one():
    plain = sizes_through_depth(residual=False, norm=False, gain=0.7)
    kept = sizes_through_depth(residual=True, norm=False, gain=0.7)
    assert plain[-1] < 0.01 < 1 < kept[-1]


def test_explore_hands_out_every_name_it_lists():
    assert all(hasattr(explore, name) for name in explore.__all__)
    with pytest.raises(AttributeError, match="no attribute 'everything'"):
        _ = explore.everything
