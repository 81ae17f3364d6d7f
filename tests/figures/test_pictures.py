"""What holds for every picture, whatever it shows."""

import re
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from minitransformer.notebook import display, plots


def axes_with_data(figure: Figure) -> list:
    return [at for at in figure.axes if at.axison and at.get_label() != "<colorbar>"]


def test_every_axis_says_what_it_is(drawn):
    with_data = axes_with_data(drawn.figure)
    assert all(at.get_xlabel() for at in with_data)
    assert all(at.get_ylabel() for at in with_data[:1])


def test_every_picture_gives_the_same_bytes_again_and_leaves_settings_alone(drawn):
    before = dict(mpl.rcParams)
    assert display.svg(drawn.again(), drawn.words) == drawn.source
    assert dict(mpl.rcParams) == before


def test_showing_a_picture_twice_moves_nothing(drawn):
    assert display.svg(drawn.figure, drawn.words) == drawn.source


def test_every_picture_holds_only_finite_coordinates(drawn):
    assert not re.search(r"[ \"(-](nan|inf)\b", drawn.source.lower())


def test_every_picture_fits_the_width_of_a_page(drawn):
    assert drawn.figure.get_figwidth() <= 7.25


def test_no_word_of_a_picture_lies_outside_of_it(drawn):
    drawn.figure.draw_without_rendering()
    page = drawn.figure.bbox
    for at in drawn.figure.axes:
        for text in at.texts:
            box = text.get_window_extent()
            inside = page.x0 - 1 <= box.x0 <= box.x1 <= page.x1 + 1
            assert inside, text.get_text()
            assert page.y0 - 1 <= box.y0 <= box.y1 <= page.y1 + 1, text.get_text()


def test_a_picture_carries_its_words_and_no_address_of_its_maker(drawn):
    assert "<title>Three rows of weights:</title>" in drawn.source
    assert f"<desc>{drawn.words}</desc>" in drawn.source
    assert 'role="img"' in drawn.source
    assert "matplotlib.org" not in drawn.source
    assert "<metadata>" not in drawn.source


def test_the_first_row_of_every_panel_is_on_top():
    figure = plots.heat_map({"one": np.eye(3), "two": np.eye(3)})
    for at in axes_with_data(figure):
        bottom, top = at.get_ylim()
        assert (bottom, top) == (2.5, -0.5)


def test_panels_of_a_heat_map_share_one_scale():
    figure = plots.heat_map(
        {"small": np.eye(2) / 10, "large": 5 * np.eye(2)}, kind="plain"
    )
    scales = {at.collections[0].get_clim() for at in axes_with_data(figure)}
    assert scales == {(0.0, 5.0)}


def test_weights_are_coloured_from_zero_to_one():
    figure = plots.heat_map(np.full((2, 2), 0.5))
    assert figure.axes[0].collections[0].get_clim() == (0.0, 1.0)


def test_what_is_no_weight_is_not_drawn_as_one():
    message = r"between 0 and 1; got values from -1 to 1: .*'plain'"
    with pytest.raises(ValueError, match=message):
        plots.heat_map(np.array([[1.0, -1.0]]), kind="weights")


def test_without_a_kind_values_below_zero_get_a_scale_with_a_sign():
    figure = plots.heat_map(np.array([[1.0, -2.0]]))
    assert figure.axes[0].collections[0].get_clim() == (-2.0, 2.0)


def test_values_without_a_sign_are_coloured_from_zero_up():
    figure = plots.heat_map(np.array([[1.0, 4.0]]), kind="plain")
    assert figure.axes[0].collections[0].get_clim() == (0.0, 4.0)


def test_a_logarithmic_axis_has_plain_numbers_where_the_points_are():
    figure = plots.curves(
        [24, 48, 96], {"": [1, 2, 3]}, x="length", y="share", log_x=True
    )
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["24", "48", "96"]


def test_a_logarithmic_axis_with_uneven_points_counts_one_two_five():
    figure = plots.curves([1, 2, 3, 20], {"": [1, 2, 3, 4]}, x="n", y="y", log_x=True)
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"1", "2", "5", "10", "20"} <= set(labels)


def test_many_narrow_bars_keep_their_numbers_to_themselves():
    crowded = {name: dict.fromkeys("abcdefghij", 1.0) for name in ("one", "two")}
    assert not plots.bars(crowded, x="place", y="share").axes[0].texts


def test_a_heat_map_writes_its_numbers_and_hatches_what_is_masked():
    figure = plots.heat_map(np.array([[1.0, -0.0]]), mask=np.array([[True, False]]))
    at = figure.axes[0]
    assert [text.get_text() for text in at.texts] == ["1.00"]
    assert [patch.get_hatch() for patch in at.patches] == ["////"]


def test_a_blank_in_a_token_can_be_seen():
    figure = plots.heat_map(np.eye(2), rows=[" ", "\n"], columns=["a", "$"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "␣",
        "↵",
    ]


def test_a_band_reaches_from_the_smallest_seed_to_the_largest():
    figure = plots.curves([0, 1], {"a": [[1, 1], [3, 5]]}, x="x", y="y")
    at = figure.axes[0]
    assert at.lines[0].get_ydata().tolist() == [2, 3]
    corners = at.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 1
    assert corners[:, 1].max() == 5


def test_names_at_the_ends_of_curves_do_not_touch():
    flat = {name: np.full(5, 1.0 + at / 1000) for at, name in enumerate("abcdef")}
    figure = plots.curves(np.arange(5), flat, x="x", y="y")
    figure.draw_without_rendering()
    boxes = sorted(
        (text.get_window_extent() for text in figure.axes[0].texts),
        key=lambda box: box.y0,
    )
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))


def test_curves_differ_in_more_than_colour():
    figure = plots.curves(
        np.arange(5), {name: np.arange(5) for name in "abc"}, x="x", y="y"
    )
    looks = {(line.get_linestyle(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(looks) == 3


def test_an_angle_is_written_in_degrees():
    figure = plots.vectors({"q": (1, 0), "k": (0, 2)}, angles=[("q", "k")])
    assert "90°" in [text.get_text() for text in figure.axes[0].texts]


def test_a_bar_of_several_seeds_stands_at_their_mean():
    figure = plots.bars({"a": [1.0, 3.0]}, x="x", y="y")
    assert figure.axes[0].patches[0].get_height() == 2.0


def test_attention_flow_shows_the_weights_that_attention_gives():
    q = np.array([[0.0, 0.0]])
    figure = plots.attention_flow(
        q, np.eye(2), np.eye(2), tokens=["a"], key_tokens=["x", "y"]
    )
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written.count("0.50") == 4  # two equal weights, and their mix of two values


def test_own_parts_are_ticked_and_borrowed_ones_dashed():
    figure = plots.built_from({"attention": {"softmax": True, "causal_mask": False}})
    at = figure.axes[0]
    written = [text.get_text() for text in at.texts]
    assert "✓ softmax" in written
    assert "causal_mask" in written
    assert "yours, 1 of 2" in written[-1]
    solid, dashed = at.patches
    assert solid.get_linestyle() == "-"
    assert dashed.get_linestyle() != "-"


@pytest.mark.parametrize(
    ("draw_it", "message"),
    [
        (
            lambda: plots.heat_map(np.zeros(3)),
            r"arrays of shape \(rows, columns\); got \(3,\)",
        ),
        (
            lambda: plots.heat_map(np.eye(2), rows=["a"]),
            "one label .* each of 2 lines; got 1",
        ),
        (
            lambda: plots.vectors({"q": (1, 2, 3)}),
            r"two features; 'q' has shape \(3,\)",
        ),
        (
            lambda: plots.head_split(np.zeros((2, 5)), 2),
            "multiple of num_heads; got C=5",
        ),
        (
            lambda: plots.alignment(np.eye(2), queries="abc", keys="ab"),
            r"\(3, 2\); got \(2, 2\)",
        ),
        (
            lambda: plots.stages({"x": np.eye(2)}, between=["f"]),
            "1 arrays .* 0 steps; got 1",
        ),
        (
            lambda: plots.cache_steps(np.eye(2), tokens="abc"),
            r"shape \(3, 3\).*got \(2, 2\)",
        ),
    ],
)
def test_a_picture_that_cannot_be_drawn_says_what_is_needed(draw_it, message):
    with pytest.raises(ValueError, match=message):
        draw_it()


def test_plots_hands_out_every_name_it_lists():
    assert all(hasattr(plots, name) for name in plots.__all__)
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        _ = plots.pie
