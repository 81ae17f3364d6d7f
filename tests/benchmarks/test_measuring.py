import numpy as np
import pytest
from matplotlib import pyplot as plt

from benchmarks.__main__ import draw, main
from benchmarks.attention import plain_memory
from benchmarks.measuring import (
    Figure,
    exponent,
    extra_memory,
    race,
    speeds,
    this_machine,
)


def test_the_exponent_of_a_square_is_two():
    sizes = [128, 512, 2048]
    assert exponent(sizes, [3e-9 * n**2 for n in sizes]) == pytest.approx(2)


def test_a_ratio_says_how_many_times_faster_than_the_peer():
    times = {"ours": [1.0, 1.0, 4.0], "peer": [3.0, 2.0, 2.0]}
    ours, peer = speeds("race", times, "peer", amount=10, unit="characters/s")
    assert (ours.value, ours.low, ours.high, ours.ratio) == (10, 2.5, 10, 2)
    assert peer.ratio == 1


def test_contenders_take_turns_after_a_first_time_that_does_not_count():
    order: list[str] = []
    times = race({name: lambda n=name: order.append(n) for name in "ab"}, repeats=2)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert {name: len(measured) for name, measured in times.items()} == {"a": 2, "b": 2}


def test_extra_memory_counts_what_was_held_at_once():
    def two_halves():
        for _ in range(2):
            np.zeros(500_000, dtype=np.uint8)

    assert 450_000 < extra_memory(two_halves) < 700_000


def test_the_plain_formulas_memory_is_carried_on_as_a_square():
    assert plain_memory([(1024, 10.0), (2048, 40.0)], 4096) == 160.0


def test_the_machine_is_named():
    assert {"processor", "cores", "load", "torch"} <= set(this_machine())


def test_the_picture_has_a_dot_for_each_ratio(tmp_path):
    before = plt.get_fignums()
    draw(
        [
            Figure(
                group="race",
                name="ours",
                value=1.0,
                unit="ms",
                beside="peer",
                ratio=2.0,
            )
        ],
        tmp_path / "ratios.svg",
    )
    assert "race: ours / peer" in (tmp_path / "ratios.svg").read_text("utf-8")
    assert plt.get_fignums() == before


def test_an_unknown_suite_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["flying"])
    assert "a suite must be one of" in capsys.readouterr().err
