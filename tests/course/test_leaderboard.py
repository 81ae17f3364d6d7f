"""A learner's own runs: kept whole, ranked beside the rival, only where they compare."""

import hashlib
import json
import os
from datetime import date

import pytest

from minitransformer import cli
from minitransformer.course import leaderboard, runs
from minitransformer.course.leaderboard import Run, columns, keep, read_runs

TEXT = "To be, or not to be, that is the question:\n" * 200


def a_run(*measured, configuration="seconds, 280 steps, seed 0"):
    return Run(
        when=date(2026, 3, 1),
        configuration=configuration,
        settings={"model": {"width": 128}},
        measured=measured,
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A learner's folder, the learner in it, and a short text in place of the plays."""
    (tmp_path / ".minitransformer").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(runs.corpora, "shakespeare", lambda: TEXT)
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    monkeypatch.setattr(runs.corpora, "NINE_SHA256", digest)
    return tmp_path


def kept(place):
    return read_runs(place / ".minitransformer" / "runs")


# ------------------------------------------------------------------------- one run


def test_the_best_is_the_lowest_loss_among_those_in_time():
    run = a_run((30.0, 1.9), (60.0, 1.7), (60.1, 1.6), (290.0, 1.65))
    assert run.best(60.0) == (1.7, 60.0)
    assert run.best(300.0) == (1.6, 60.1)
    assert run.best(10.0) is None


def test_a_loss_that_is_no_number_never_wins():
    assert a_run((1.0, float("nan")), (2.0, 3.0)).best() == (3.0, 2.0)


# ------------------------------------------------------------------------- the files


def test_what_is_kept_is_read_again(tmp_path):
    run = a_run((17.25, 1.8375))
    keep(tmp_path / "runs", run)
    assert read_runs(tmp_path / "runs") == [run]


def test_no_run_takes_the_place_of_another(tmp_path):
    for _ in range(3):
        keep(tmp_path, a_run((17.0, 1.8)))
    assert len(read_runs(tmp_path)) == 3


@pytest.mark.parametrize(
    "damage",
    ["", "[]", "null", '{"when": "2026', '{"when": 3}', '{"when": "2026-03-01"}'],
)
def test_a_damaged_file_costs_one_run(tmp_path, damage):
    keep(tmp_path, a_run((17.0, 1.8)))
    (tmp_path / "damaged.json").write_text(damage)
    assert len(read_runs(tmp_path)) == 1


def test_measurements_of_another_kind_are_damage(tmp_path):
    keep(tmp_path, a_run((17.0, 1.8)))
    (page,) = tmp_path.glob("*.json")
    fields = json.loads(page.read_text("utf-8")) | {"measured": [[1.0], ["x", None]]}
    page.write_text(json.dumps(fields))
    assert read_runs(tmp_path) == []


def test_a_run_whose_writing_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        keep(tmp_path, a_run((17.0, 1.8)))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------- the table


def test_the_rival_stands_where_its_loss_puts_it(tmp_path):
    keep(tmp_path, a_run((17.0, 1.9), configuration="worse"))
    keep(tmp_path, a_run((40.0, 1.7), configuration="better"))
    keep(tmp_path, a_run((61.0, 1.5), configuration="too late"))
    table = columns(tmp_path)
    assert table["configuration"] == ["better", "seconds, 280 steps", "worse"]
    assert table["rank"] == ["1", "rival", "2"]
    assert table["loss"] == ["1.700", "1.865", "1.900"]
    assert table["seconds"] == ["40", "11", "17"]


def test_only_the_best_are_listed(tmp_path):
    for loss in (1.7, 1.6, 1.5):
        keep(tmp_path, a_run((40.0, loss)))
    assert columns(tmp_path, most=2)["loss"] == ["1.500", "1.600", "1.865"]


def test_a_rival_must_be_ready_in_time():
    assert columns(None, 10.0)["rank"] == []
    assert columns(None, 300.0)["loss"] == ["1.822"]


def test_the_rivals_are_those_of_the_performance_page():
    from tools.source import ROOT

    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert "| 280 | 11.0, 11.1, 11.0 s | 1.866, 1.865, 1.861 |" in page
    assert "| 2000 | 138.0 s | 1.822 |" in page
    assert [(one.loss, one.seconds) for one in leaderboard.RIVALS] == [
        (1.865, 11.1),
        (1.822, 138.0),
    ]


# ------------------------------------------------------------------------- train, runs


def test_a_run_on_the_nine_plays_is_kept_and_shown(place, capsys):
    assert cli.main(["train", "--steps", "2", "--seed", "3"]) == 0
    assert "Kept among your runs" in capsys.readouterr().out
    (run,) = kept(place)
    assert run.configuration == "seconds, 2 steps, seed 3"
    assert run.settings["training"]["steps"] == 2
    assert cli.main(["runs"]) == 0
    told = capsys.readouterr().out
    assert "Best within 60 s" in told
    assert "seconds, 2 steps, seed 3" in told
    assert "docs/performance.md" in told
    assert max(map(len, told.splitlines())) <= 60


def test_the_folder_is_found_from_below(place, monkeypatch):
    (place / "lessons").mkdir()
    monkeypatch.chdir(place / "lessons")
    cli.main(["train", "--steps", "1"])
    assert len(kept(place)) == 1


def test_ctrl_c_keeps_what_was_measured(place, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "asdict", interrupted)  # after the step's validation
    assert cli.main(["train", "--steps", "1"]) == 130
    assert len(kept(place)) == 1
    assert cli.main(["train", "--steps", "9"]) == 130
    assert "ended before a held-out loss was measured" in capsys.readouterr().out
    assert len(kept(place)) == 1


def test_a_text_of_ones_own_does_not_compare(place, capsys):
    (place / "my.txt").write_text(TEXT[:4000], "utf-8")
    cli.main(["train", "--steps", "1", "--text", "my.txt"])
    assert "Not kept among your runs: only losses" in capsys.readouterr().out
    cli.main(["train", "--steps", "2", "--resume"])  # now on the plays: too late
    assert "Not kept among your runs: only losses" in capsys.readouterr().out
    assert kept(place) == []


def test_a_resumed_run_counts_the_time_before(place):
    cli.main(["train", "--steps", "1"])
    cli.main(["train", "--steps", "2", "--resume"])
    by_steps = {run.configuration: run.measured[-1][0] for run in kept(place)}
    assert by_steps["seconds, 2 steps, resumed"] > by_steps["seconds, 1 steps, seed 0"]


def test_without_a_folder_nothing_is_kept_and_that_is_said(place, capsys):
    (place / ".minitransformer").rmdir()
    cli.main(["train", "--steps", "1"])
    assert "there is no course folder here or above" in capsys.readouterr().out
    assert cli.main(["runs"]) == 0
    assert "No run is kept: there is no course folder" in " ".join(
        capsys.readouterr().out.split()
    )
    assert not (place / ".minitransformer").exists()


def test_an_empty_folder_shows_the_rival_and_how_to_begin(place, capsys):
    assert cli.main(["runs"]) == 0
    told = capsys.readouterr().out
    assert "rival" in told
    assert "No run yet." in told
