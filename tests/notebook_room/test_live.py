"""A watched training: the records, the view that moves, and the fixed sentence."""

import math
import re

import pytest

from minitransformer.notebook import live, watch, watch_all


def records(count, *, low=1.0, **more):
    for step in range(1, count + 1):
        yield {"step": step, "loss": low + 2 / step, **more}


def told(shown):
    return [one.words for one in shown]


@pytest.fixture
def every_step(monkeypatch):
    """Draw at each step, and keep every page that was drawn."""
    pages = []
    drawn = live._Board.page

    def page(board):
        pages.append(drawn(board))
        return pages[-1]

    monkeypatch.setattr(live, "_PAUSE", 0.0)
    monkeypatch.setattr(live._Board, "page", page)
    return pages


def test_watching_returns_every_record_and_ends_in_a_fixed_sentence(shown):
    kept = watch(records(50), steps=50, target=1.95)
    assert [record["step"] for record in kept] == list(range(1, 51))
    assert told(shown) == [
        "The loss, drawn here while the cell runs.",
        "50 steps done. The loss fell below 1.95 nats per character.",
    ]


def test_a_run_by_the_clock_does_not_tell_its_steps(shown):
    def by_the_clock(steps):
        for step in range(1, steps + 1):
            yield {"step": step, "loss": 1.0, "progress": step / steps}

    watch(by_the_clock(30))
    watch(by_the_clock(40))
    assert told(shown)[1] == told(shown)[3] == "The run is done."


def test_the_held_out_loss_decides_where_there_is_one(shown):
    watch(records(5, validation_loss=2.5), steps=5, target=2.0)
    assert told(shown)[1].endswith(
        "The held-out loss did not fall below 2 nats per character."
    )


def test_records_may_be_objects(shown):
    class Record:
        step, loss, validation_loss, progress = 1, 2.0, None, 1.0

    assert len(watch([Record()])) == 1


def test_the_curve_moves_while_the_run_goes_on(shown, every_step):
    watch(records(20), steps=20)
    lines = [re.findall(r'<polyline points="([^"]*)"', page)[-1] for page in every_step]
    assert len({len(line.split()) for line in lines}) > 5
    shares = [float(re.findall(r'value="([\d.]+)"', page)[0]) for page in every_step]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_view_is_one_output_that_changes_only_by_widget_messages(shown, every_step):
    watch(records(20), steps=20)
    assert len(shown) == 2


def test_several_runs_share_one_picture(shown, every_step):
    kept = watch_all(
        {"none": records(5), "rotary": records(5, low=0.5)}, steps=5, target=1.0
    )
    assert {name: len(run) for name, run in kept.items()} == {"none": 5, "rotary": 5}
    assert ">none 1.40</text>" in every_step[-1]
    assert told(shown)[1] == (
        "5 steps done in each run. The loss of none did not fall below 1 nats per character. "
        "The loss of rotary fell below 1 nats per character."
    )


def test_ctrl_c_keeps_what_was_learned_and_closes_the_run(shown):
    closed = []

    def interrupted():
        try:
            yield from records(3)
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    kept = watch(interrupted(), steps=10)
    assert len(kept) == 3
    assert closed == [True]
    assert told(shown)[1] == "Stopped after 3 steps; what was learned so far is kept."


def test_ctrl_c_while_drawing_closes_the_run_as_well(shown, monkeypatch):
    closed = []

    def run():
        try:
            yield from records(10)
        finally:
            closed.append(True)

    def pressed(board):
        if len(board.runs[""].loss) == 4:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(live._Board, "due", pressed)
    assert len(watch(run(), steps=10)) == 4
    assert closed == [True]


def test_a_training_that_stops_itself_early_is_told_as_stopped(shown):
    watch(records(3, progress=0.3))
    assert told(shown)[1].startswith("Stopped after 3 steps")


def test_ctrl_c_in_the_first_run_leaves_the_second_unstarted(shown):
    def interrupted():
        raise KeyboardInterrupt
        yield

    kept = watch_all({"one": interrupted(), "two": records(3)})
    assert kept == {"one": [], "two": []}
    assert told(shown)[1].startswith("Stopped after 0 steps")


def test_a_loss_that_is_no_number_breaks_no_drawing(shown, every_step):
    watch(
        [
            {"step": 1, "loss": math.nan},
            {"step": 2, "loss": 1.0},
            {"step": 3, "loss": math.inf},
        ]
    )
    assert not re.search(r'="[^"]*\b(nan|inf)\b', every_step[-1])


def test_drawing_is_rare_enough_not_to_slow_a_run(shown, monkeypatch):
    drawings = []
    page = live._Board.page
    monkeypatch.setattr(
        live._Board, "page", lambda board: drawings.append(1) or page(board)
    )
    monkeypatch.setattr(
        live.time, "monotonic", iter(step / 1000 for step in range(10**6)).__next__
    )
    watch(records(2000), steps=2000)  # two seconds of a clock that ticks once a step
    assert len(drawings) <= 2 / live._PAUSE + 3


def test_a_record_without_a_loss_is_refused(shown):
    with pytest.raises(
        ValueError, match=r"a record needs step and loss; got \{'step': 1\}"
    ):
        watch([{"step": 1}])
