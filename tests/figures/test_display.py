"""What a shown thing leaves in the notebook."""

import base64
import html
import re

import numpy as np
import pytest
from IPython.display import display
from matplotlib.figure import Figure

from minitransformer.notebook import display as room
from minitransformer.notebook import plots, show, table


@pytest.fixture
def shown(monkeypatch):
    """Collect what is handed to IPython, as (mime type: content)."""
    bundles = []
    monkeypatch.setattr(
        room, "display", lambda thing: bundles.append(thing._repr_mimebundle_())
    )
    return bundles


def test_a_picture_is_one_image_whose_alt_is_its_plain_text(shown):
    show(plots.heat_map(np.eye(2)), alt="Each token looks at itself, and “only” there.")
    (bundle,) = shown
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == "Each token looks at itself, and “only” there."
    alt, source = re.fullmatch(
        r'<img alt="(.*)" src="(.*)">', bundle["text/html"]
    ).groups()
    assert html.unescape(alt) == bundle["text/plain"]
    head, data = source.split(",", maxsplit=1)
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(data).startswith(b"<svg")


def test_any_figure_of_matplotlib_can_be_shown(shown):
    figure = Figure()
    figure.subplots().plot([0, 1])
    show(figure, alt="A line that rises from zero to one.")
    assert shown[0]["text/plain"].startswith("A line that rises")


@pytest.mark.parametrize("alt", ["", "heat map", "   \n weights of   three tokens"])
def test_words_that_say_nothing_are_refused(alt):
    with pytest.raises(
        ValueError, match="alt must say what there is to see, in at least 6 words"
    ):
        show(Figure(), alt=alt)


@pytest.mark.parametrize("opening", ["A picture of", "Diagram:", "the plot shows"])
def test_words_that_only_announce_a_picture_are_refused(opening):
    with pytest.raises(ValueError, match="begin with what there is to see, not with"):
        show(Figure(), alt=f"{opening} three tokens that look at each other.")


def test_words_outside_a_notebook_stand_for_the_picture(capsys):
    show(plots.heat_map(np.eye(2)), alt="Each token looks at itself and nowhere else.")
    assert capsys.readouterr().out == "Each token looks at itself and nowhere else.\n"


def test_a_table_is_aligned_text_and_a_table_with_headings(shown):
    table({"scheme": ["none", "rotary"], "n": [5, 1000], "loss": [2.0, -0.0]})
    (bundle,) = shown
    assert bundle["text/plain"].splitlines() == [
        "scheme      n   loss",
        "──────  ─────  ─────",
        "none        5  2.000",
        "rotary  1,000  0.000",
    ]
    assert bundle["text/html"].count('<th scope="col"') == 3
    assert '<th scope="row" style="text-align: left">none</th>' in bundle["text/html"]


def test_a_tables_text_is_escaped_in_html(shown):
    table({"<b>": ["<pad>"]}, caption="a < b")
    assert "<pad>" not in shown[0]["text/html"]
    assert "<caption>a &lt; b</caption>" in shown[0]["text/html"]


def test_a_table_knows_booleans_gaps_and_arrays(shown):
    table({"x": [True, None, np.array([0.5, 1.25])]}, digits=1)
    assert shown[0]["text/plain"].splitlines()[2:] == ["yes", "–", "[0.5, 1.2]"]


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}])
def test_columns_of_different_length_are_refused(columns):
    with pytest.raises(ValueError, match="columns must have one length; got"):
        table(columns)


def test_a_live_view_keeps_words_and_a_fallback_for_readers_without_a_kernel():
    import ipywidgets as widgets

    bundle = room.widget_bundle(widgets.HTML(), words="w", fallback="<p>f</p>").bundle
    assert bundle["text/plain"] == "w"
    assert bundle["text/html"] == "<p>f</p>"
    assert bundle[room.WIDGET_VIEW]["model_id"]


def test_display_is_the_one_module_that_talks_to_ipython():
    from pathlib import Path

    import minitransformer

    rooms = Path(minitransformer.__file__).parent
    talking = {
        path.name
        for path in rooms.rglob("*.py")
        if re.search(
            r"^\s*(from|import) IPython", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert talking == {"display.py"}
    assert room.display is display
