"""A learner's hour: read, explore, answer wrongly, then rightly; all on this machine."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

UNSCALED = """\
def attention_scores(q, k):
    return q @ np.swapaxes(k, -1, -2)
"""
SCALED = """\
def attention_scores(q, k):
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
"""


def test_the_explorer_of_lesson_03_follows_what_is_typed(open_notebook):
    lesson = open_notebook("lessons/03_self_attention.ipynb")
    lesson.run_all()
    output = lesson.cell("explore.attention(").locator(".jp-Cell-outputArea")
    marker = output.locator(".explorer-marker")
    picture = output.locator("img").first
    marker.wait_for()
    told, drawn = marker.inner_text(), picture.get_attribute("src")
    lesson.picture("03_explorer_before", marker)

    readout = output.locator(".widget-readout")
    readout.fill("0.2")
    readout.press("Enter")

    marker.filter(has_not_text=told).wait_for()
    assert "The largest weight is" in marker.inner_text()
    expect(picture).not_to_have_attribute("src", drawn)  # drawn after the line is told
    lesson.picture("03_explorer_after", marker)


def test_every_picture_of_lesson_03_reaches_the_page_with_its_words(open_notebook):
    lesson = open_notebook("lessons/03_self_attention.ipynb")
    for code in ("show(", "explore.attention("):
        picture = lesson.cell(code).locator(".jp-OutputArea-output img").first
        picture.wait_for()
        assert len(picture.get_attribute("alt") or "") >= 40
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")


def test_a_wrong_answer_is_told_its_mistake_and_a_right_one_what_was_verified(
    open_notebook,
):
    exercises = open_notebook("exercises/03_self_attention.ipynb")
    exercises.run_all()
    check = 'check("attention_scores"'
    card = exercises.cell(check).locator(".mt-card")
    card.wait_for()
    assert "not written yet" in card.inner_text()
    exercises.picture("03_card_not_written", card)

    exercises.write("def attention_scores", UNSCALED)
    exercises.run(check)
    card.filter(has_text="not right yet").wait_for()
    assert "not right yet" in card.inner_text()
    assert "not divided" in card.inner_text()
    exercises.picture("03_card_wrong", card)

    exercises.write("def attention_scores", SCALED)
    exercises.run(check)
    assert "Verified" in card.inner_text()
    exercises.picture("03_card_right", card)


def test_lesson_09_trains_and_writes_before_the_readers_eyes(open_notebook):
    lesson = open_notebook("lessons/09_character_model.ipynb")
    lesson.run_all()

    curve = lesson.cell("records = watch(").locator("svg[aria-label^='The loss']")
    curve.wait_for()
    assert curve.locator("polyline").count() >= 1
    lesson.picture("09_trained", curve)

    output = lesson.cell("explore.sampling(").locator(".jp-Cell-outputArea")
    marker = output.locator(".explorer-marker")
    marker.wait_for()
    told = marker.inner_text()
    readout = output.locator(".widget-readout").first
    readout.fill("0.2")
    readout.press("Enter")
    marker.filter(has_not_text=told).wait_for()
    lesson.picture("09_explorer", marker)


def test_a_request_that_leaves_the_machine_is_noticed(open_notebook):
    notebook = open_notebook("exercises/03_self_attention.ipynb")
    assert notebook.outside == []
    notebook.page.evaluate("fetch('http://192.0.2.1/').catch(() => null)")
    assert notebook.outside == ["http://192.0.2.1/"]
    notebook.outside.clear()
