import base64
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_output
from PIL import Image

from tools.pictures import (
    Picture,
    difference,
    images,
    lettering,
    pictures,
    without_pictures,
)

DRAWING = (
    '<svg><defs><clipPath id="p1a2b"><rect x="0.5"/></clipPath></defs>'
    '<g clip-path="url(#p1a2b)"><path d="M 1.25 2.50"/></g><text>T</text></svg>'
)


def drawing(text=DRAWING):
    return Picture("image/svg+xml", text.encode())


def pixels(array):
    page = io.BytesIO()
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(page, format="png")
    return Picture("image/png", page.getvalue())


def test_equal_drawings_do_not_differ():
    assert difference(drawing(), drawing()) == ""


@pytest.mark.parametrize("text", [DRAWING.replace("2.50", "2.51")])
def test_a_last_digit_may_differ(text):
    assert difference(drawing(), drawing(text)) == ""


def test_an_id_made_from_coordinates_may_differ():
    assert difference(drawing(), drawing(DRAWING.replace("p1a2b", "p9f8e"))) == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2.50", "3.50", "a number in it moved by 1"),
        ("<text>T", "<text>Q", "its shapes or words differ"),
        ("M 1.25 2.50", "M 1.25 2.50 L 1 1", "its shapes or words differ"),
        ("url(#p1a2b)", "url(#other)", "its shapes or words differ"),
    ],
)
def test_another_drawing_is_told(old, new, words):
    assert difference(drawing(), drawing(DRAWING.replace(old, new))) == words


def test_an_image_inside_a_drawing_is_compared_by_its_pixels():
    def with_image(array):
        data = base64.b64encode(pixels(array).content).decode()
        return drawing(f'<svg><image href="data:image/png;base64,{data}"/></svg>')

    grey = np.full((4, 4), 100)
    assert difference(with_image(grey), with_image(grey)) == ""
    told = difference(with_image(grey), with_image(grey + 90))
    assert told.startswith("an image in it: its pixels differ by")


def test_pixels_may_differ_by_what_nobody_sees():
    grey = np.full((20, 20), 100)
    edge = grey.copy()
    edge[0, 0] += 40
    assert difference(pixels(grey), pixels(edge)) == ""
    assert "shades of 255" in difference(pixels(grey), pixels(grey + 20))
    assert "its size went from" in difference(pixels(grey), pixels(grey[:10]))


def test_what_is_written_in_a_drawing_is_read_except_along_its_axes():
    axes = Figure().subplots()
    axes.set_title("spread 22.6")
    axes.set_xticks([0, 1], ["0.25", "0.75"])
    page = io.StringIO()
    axes.figure.savefig(page, format="svg")
    assert "spread 22.6" in lettering(page.getvalue())
    assert "0.25" not in lettering(page.getvalue())


def test_another_kind_of_picture_is_told():
    told = difference(drawing(), pixels(np.zeros((2, 2))))
    assert told == "image/svg+xml became image/png"


def test_pictures_are_found_as_outputs_and_inside_html():
    data = base64.b64encode(b"<svg/>").decode()
    html = f'<p><img alt="Two &lt; three" src="data:image/svg+xml;base64,{data}"></p>'
    outputs = [
        new_output("display_data", {"image/png": base64.b64encode(b"x").decode()}),
        new_output("display_data", {"text/html": html}),
        new_output("stream", text="words"),
    ]
    assert pictures(outputs) == [
        Picture("image/png", b"x"),
        Picture("image/svg+xml", b"<svg/>", "Two < three"),
    ]
    assert images(html)[0][1] == "Two < three"
    assert without_pictures(html) == (
        '<p><img alt="Two &lt; three" src="data:image/svg+xml"></p>'
    )
