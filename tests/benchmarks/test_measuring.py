import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from packaging.requirements import Requirement

from benchmarks import __main__ as program
from benchmarks import attention, child, generation
from benchmarks.__main__ import draw, main, plan, shown
from benchmarks.attention import plain_memory
from benchmarks.measuring import (
    Figure,
    exponent,
    extra_memory,
    race,
    speeds,
    this_machine,
)

ROOT = Path(__file__).parents[2]


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
    assert {"processor", "cores", "torch", "numpy"} <= set(this_machine())


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


def test_fewer_threads_than_one_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--threads", "0"])
    assert "threads must be at least 1; got 0" in capsys.readouterr().err


def test_more_threads_are_for_the_suites_that_use_them():
    jobs = plan(["starting", "attention"], [2, 1])
    assert jobs == [("starting", 1), ("attention", 1), ("attention", 2)]


def test_large_numbers_are_written_out_and_small_ones_with_four_digits():
    assert [shown(x) for x in (15750.4, 0.42172, 1000)] == ["15,750", "0.4217", "1,000"]


def one_figure(suite, threads, *, quick):
    value = 2.0 if quick else 4.0
    yield child.named(
        Figure(group=suite, name="ours", value=value, unit="ms", beside="x", ratio=2.0),
        threads,
    )


def test_a_run_writes_its_figures_and_the_load_before_and_after(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "figures_of", one_figure)
    command = ["attention", "--quick", "--threads", "1", "2", "--out", str(tmp_path)]
    assert main(command) == 0
    written = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert {"load at the beginning", "load at the end"} <= set(written["machine"])
    groups = [figure["group"] for figure in written["figures"]]
    assert groups == ["attention", "attention, 2 threads"]
    assert sorted(x.name for x in tmp_path.iterdir()) == ["ratios.svg", "results.json"]


def test_without_the_peer_one_line_says_how_to_install_it(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(program, "figures_of", one_figure)
    monkeypatch.setattr(generation, "has_peer", lambda: False)
    main(["generation", "--threads", "1", "--out", str(tmp_path)])
    assert generation.HOW_TO_INSTALL in capsys.readouterr().out
    contenders = generation.engines(generation.SMALL, 1)
    assert set(contenders) == {generation.PLAIN, generation.CACHED, generation.NUMPY}


def test_the_lock_of_the_benchmarks_leaves_the_courses_packages_alone():
    def names(file):
        lines = (ROOT / file).read_text("utf-8").splitlines()
        return {Requirement(x).name for x in lines if not x.startswith("#")}

    ours = names("requirements-benchmarks.lock")
    assert "transformers" in ours
    course = names("requirements.lock") | names("requirements-test.lock") | {"torch"}
    assert not ours & course


def test_the_peer_of_writing_is_a_plain_model_with_the_fused_kernel_and_no_cache(
    monkeypatch,
):
    asked = []
    monkeypatch.setattr(generation, "has_peer", lambda: False)
    monkeypatch.setattr(
        generation,
        "write",
        lambda model, start, length, *, use_cache: asked.append(
            (model, tuple(start.shape), length, use_cache)
        ),
    )
    for shape, begins, length in (
        (generation.SMALL, 1, 256),
        (generation.LARGE, 120, 16),
    ):
        generation.engines(shape, 2)[generation.PLAIN]()
        model, start, written, use_cache = asked.pop()
        assert (start, written, use_cache) == ((2, begins), length, False)
        assert model.config.positions == "learned"
        assert model.config.activation == "gelu"
        assert model.head.weight is model.embedding.weight
        assert all(block.attention.fused for block in model.blocks)


def test_torch_gets_four_axes_for_it_takes_its_plain_formula_for_three(monkeypatch):
    seen = []
    monkeypatch.setattr(
        attention.functional,
        "scaled_dot_product_attention",
        lambda *tensors: seen.extend(tensor.ndim for tensor in tensors),
    )
    attention.contenders(8)[attention.FUSED]()
    assert seen == [4, 4, 4]


def test_with_more_threads_the_time_on_the_wall_is_measured(monkeypatch):
    clocks = {"process_time": [], "perf_counter": []}
    for name, read in clocks.items():
        monkeypatch.setattr(
            f"benchmarks.measuring.time.{name}", lambda r=read: r.append(0) or 0.0
        )
    for threads, used in ((1, "process_time"), (2, "perf_counter")):
        monkeypatch.setattr(torch, "get_num_threads", lambda t=threads: t)
        race({"a": lambda: None}, repeats=1)
        assert {name for name, read in clocks.items() if read} == {used}
        clocks[used].clear()


def test_a_child_gives_figures_as_lines_and_its_errors_are_told(monkeypatch, tmp_path):
    says = tmp_path / "says"
    says.write_text(
        "import json, os\n"
        "print(json.dumps({'group': 'g', 'name': os.environ['OMP_NUM_THREADS'],"
        " 'value': 1.0, 'unit': 'ms'}), flush=True)\n"
        "raise SystemExit('the reason')\n",
        "utf-8",
    )
    monkeypatch.setattr(child, "COMMAND", (sys.executable, str(says)))
    figures = child.figures_of("attention", 2, quick=True)
    first = next(figures)
    assert (first.group, first.name) == ("g, 2 threads", "2")
    with pytest.raises(RuntimeError, match="attention failed:\nthe reason"):
        next(figures)
