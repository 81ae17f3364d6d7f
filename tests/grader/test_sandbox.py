"""The locks one by one: wire, filter of calls, ladder, canaries, the clean zygote."""

import builtins
import contextlib
import linecache
import struct
import sys
import time

import numpy as np
import pytest
from grader.grading_room import INNOCENT, graded_text
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minitransformer.grader.outcome import Foreign
from minitransformer.grader.sandbox import (
    box,
    jobs,
    ladder,
    landlock,
    namespaces,
    seccomp,
    spawner,
    windows_job,
    wire,
    worker,
    zygote,
)
from minitransformer.grader.sandbox.limits import MEBIBYTE, Limits

linux = pytest.mark.skipif(sys.platform != "linux", reason="the locks are Linux's")


# ---------------------------------------------------------------- wire
def there_and_back(value, **stand_ins):
    frame = wire.pack(value, **stand_ins)
    header, body = wire.lengths(frame[:8])
    assert len(frame) == 8 + header + body
    return wire.unpack(frame[8 : 8 + header], frame[8 + header :])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**29), 10**29)
    | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(PLAIN)
def test_plain_data_arrives_as_it_left(value):
    arrived = there_and_back(value)
    assert arrived == value
    assert type(arrived) is type(value)


@given(
    st.sampled_from(sorted(wire.DTYPES)).flatmap(
        lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=0, max_dims=4))
    )
)
def test_arrays_arrive_with_dtype_shape_and_bits(array):
    arrived = there_and_back([array])[0]
    assert type(arrived) is np.ndarray
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    assert arrived.tobytes() == array.tobytes()


def test_nan_and_infinity_travel_by_name():
    nan, high, low = there_and_back([float("nan"), float("inf"), float("-inf")])
    assert (nan != nan, high, low) == (True, float("inf"), float("-inf"))


def test_what_nobody_asks_for_travels_as_a_name_only():
    assert there_and_back(Foreign("generator")) == Foreign("generator")
    assert there_and_back(10**5000).kind.startswith("int")
    assert there_and_back(np.zeros(2, complex)).kind.startswith("array of complex")


def test_a_function_becomes_a_number_and_a_stand_in():
    frame = wire.pack([np.sin], lambda function: 7)
    header, _ = wire.lengths(frame[:8])
    assert wire.unpack(frame[8 : 8 + header], b"", lambda number: number) == [7]
    with pytest.raises(wire.BadFrameError):
        wire.unpack(frame[8 : 8 + header], b"")  # the parent takes none


FORGED = {
    "not JSON": b"{",
    "not an object": b"[]",
    "no arrays": b'{"tree": null}',
    "a bare list": b'{"tree": [1], "arrays": []}',
    "an unknown kind": b'{"tree": {"eval": "1"}, "arrays": []}',
    "two kinds": b'{"tree": {"list": [], "tuple": []}, "arrays": []}',
    "an array that did not come": b'{"tree": {"array": 0}, "arrays": []}',
    "a place below zero": b'{"tree": {"array": -1}, "arrays": []}',
    "NaN": b'{"tree": NaN, "arrays": []}',
    "a long number": b'{"tree": ' + b"9" * 100 + b', "arrays": []}',
    "deep": b'{"tree": ' + b'{"list":[' * 40 + b"]}" * 40 + b', "arrays": []}',
    "an object dtype": b'{"tree": null, "arrays": [{"dtype": "object", "shape": [1]}]}',
    "a longdouble": b'{"tree": null, "arrays": [{"dtype": "float128", "shape": [0]}]}',
    "a negative size": b'{"tree": null, "arrays": [{"dtype": "int8", "shape": [-1]}]}',
    "a size that is no number": b'{"tree": null, "arrays": [{"dtype": "int8", "shape": [true]}]}',
    "a huge shape": b'{"tree": null, "arrays": [{"dtype": "int8", "shape": [1048576, 1048576]}]}',
    "too many axes": b'{"tree": null, "arrays": [{"dtype": "int8", "shape": [1,1,1,1,1,1,1,1,1]}]}',
    "not UTF-8": b'{"tree": "\xff", "arrays": []}',
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED.keys())
def test_a_forged_frame_is_refused(header):
    with pytest.raises(wire.BadFrameError):
        wire.unpack(header, b"")


def test_bytes_that_belong_to_no_array_are_refused():
    with pytest.raises(wire.BadFrameError, match="more came"):
        wire.unpack(b'{"tree": null, "arrays": []}', b"x")


def test_brackets_inside_a_text_are_not_nesting():
    assert there_and_back("[" * 10_000) == "[" * 10_000


def test_a_frame_that_claims_too_much_is_refused_before_it_is_read():
    with pytest.raises(wire.BadFrameError, match="a frame of"):
        wire.lengths(struct.pack("<II", 0xFFFFFFFF, 0))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(content):
    with contextlib.suppress(wire.BadFrameError):
        wire.unpack(content, b"")


# ---------------------------------------------------------------- the filter of calls
def decide(lines, *, architecture, number, arguments=(0,) * 6):
    """What the kernel would do: a small machine for classic BPF."""
    words = struct.pack("<IIQ6Q", number, architecture, 0, *arguments)
    place = value = 0
    while True:
        operation, if_true, if_not, word = lines[place]
        place += 1
        if operation == seccomp.RETURN:
            return word
        if operation == seccomp.LOAD:
            (value,) = struct.unpack_from("<I", words, word)
            continue
        holds = {
            seccomp.IF_EQUAL: value == word,
            seccomp.IF_AT_LEAST: value >= word,
            seccomp.IF_ANY_BIT: bool(value & word),
        }[operation]
        place += if_true if holds else if_not


@pytest.mark.skipif(not seccomp.is_known(), reason="there is no table for it")
def test_the_filter_kept_for_all_workers_is_that_of_each():
    for process in (1, 41, seccomp.ANYBODY):
        lines = seccomp.program(seccomp.MACHINE, process)
        whole = b"".join(seccomp.INSTRUCTION.pack(*line) for line in lines)
        assert seccomp.filter_for(process) == whole


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_the_filter_refuses_its_list_and_lets_numbers_be_crunched(machine):
    architecture, column, (clone, clone3, tgkill, prlimit, prctl) = seccomp.MACHINES[
        machine
    ]
    lines = seccomp.program(machine, own_process=41)

    def verdict(number, *arguments):
        padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
        return decide(lines, architecture=architecture, number=number, arguments=padded)

    for number in seccomp.denied_numbers(column):
        assert verdict(number) == seccomp.REFUSE
    read, write, mmap = {0: (0, 1, 9), 1: (63, 64, 222)}[column]
    assert {verdict(number) for number in (read, write, mmap)} == {seccomp.ALLOW}
    assert verdict(clone, seccomp.CLONE_THREAD | 0x100) == seccomp.ALLOW
    assert verdict(clone, 17) == seccomp.REFUSE
    assert verdict(clone3) == seccomp.MISSING
    assert (verdict(tgkill, 41), verdict(tgkill, 42)) == (seccomp.ALLOW, seccomp.REFUSE)
    assert (verdict(prlimit, 0), verdict(prlimit, 42)) == (
        seccomp.ALLOW,
        seccomp.REFUSE,
    )
    assert (verdict(prctl, 15), verdict(prctl, 4)) == (seccomp.ALLOW, seccomp.REFUSE)
    assert verdict(seccomp.NEWEST_KNOWN + 1) == seccomp.MISSING
    assert verdict(seccomp.X32_BIT + read) == seccomp.KILL_PROCESS
    assert decide(lines, architecture=3, number=read) == seccomp.KILL_PROCESS


def test_no_call_is_named_twice():
    words = " ".join(seccomp.DENIED.values()).split()
    names = words[::3]
    assert len(set(names)) == len(names)
    for column in (0, 1):
        numbers = seccomp.denied_numbers(column)
        assert len(set(numbers)) == len(numbers)


# ---------------------------------------------------------------- what may be read
def test_a_folder_with_the_package_in_it_is_listed_but_the_package_not_read(tmp_path):
    package = tmp_path / "lib" / "site-packages" / "minitransformer"
    package.mkdir(parents=True)
    (package.parent / "numpy").mkdir()
    allowed = dict(zygote.all_but(tmp_path, package))
    assert allowed[tmp_path] == landlock.LIST
    assert allowed[package.parent] == landlock.LIST
    assert allowed[package.parent / "numpy"] == landlock.READ
    assert package not in allowed
    assert zygote.all_but(package.parent / "numpy", package) == [
        (package.parent / "numpy", landlock.READ)
    ]


# ---------------------------------------------------------------- the ladder
ALL_HELD = dict.fromkeys(set().union(*ladder.MUST_HOLD.values()), "held")
ALL_LOCKS = {"landlock": True, "seccomp": True, "namespaces": True}


def test_each_lock_that_is_missing_costs_its_level():
    assert ladder.proven(ALL_HELD, ALL_LOCKS) == "full"
    without = {**ALL_LOCKS, "landlock": False}
    assert ladder.proven(ALL_HELD, without) == "namespaces"
    without["namespaces"] = False
    assert ladder.proven(ALL_HELD, without) == "syscalls"
    without["seccomp"] = False
    assert ladder.proven(ALL_HELD, without) == "limits"


@pytest.mark.parametrize("canary", sorted(ladder.MUST_HOLD["full"]))
def test_each_canary_that_gets_out_costs_the_level_full(canary):
    found = {**ALL_HELD, canary: "open"}
    assert ladder.proven(found, ALL_LOCKS) != "full"
    del found[canary]  # not seen to hold is not held
    assert ladder.proven(found, ALL_LOCKS) != "full"


def test_nothing_is_proven_by_silence():
    assert ladder.proven({}, ALL_LOCKS) is None


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "level"),
    [
        ((), "full"),
        (("landlock",), "namespaces"),
        (("landlock", "namespaces"), "syscalls"),
        (("landlock", "namespaces", "seccomp"), None),
    ],
)
def test_canaries_find_the_level_that_really_holds(without, level):
    with box.Sandbox(without=frozenset(without)) as some:
        proven = some.level()
    if level == "namespaces" and proven == "syscalls":
        pytest.skip("this system does not let anybody make namespaces")
    assert proven == level


@linux
@pytest.mark.slow
def test_without_files_confined_the_canaries_say_so():
    with box.Sandbox(without=frozenset({"landlock", "namespaces"})) as some:
        found = some.canaries()
    assert found["read_a_secret"] == found["list_a_folder"] == "open"
    assert found["open_a_socket"] == found["fork"] == "held"


# ---------------------------------------------------------------- the clean zygote
@linux
def test_a_worker_has_never_seen_an_oracle_a_case_or_a_mistake(tmp_path):
    source = f"""
import sys
before = sorted(sys.modules)
def attention_scores(q, k):
    raise RuntimeError(" ".join(name for name in before if "transformer" in name))
{INNOCENT}"""
    report = graded_text(tmp_path, source)
    assert report.exercises[0].message.startswith("RuntimeError")
    assert "minitransformer" not in report.exercises[0].message


@linux
def test_what_begins_anew_after_each_fork_is_not_loaded_before(tmp_path):
    source = f"""
import sys
loaded = {{"random", "threading"}} & set(sys.modules)
def attention_scores(q, k):
    raise RuntimeError(f"{{len(loaded)}} are loaded")
{INNOCENT}"""
    report = graded_text(tmp_path, source)
    assert report.exercises[0].message.startswith("RuntimeError: 0 are loaded")


@linux
def test_a_zygote_leaves_no_folder_behind():
    with box.Sandbox() as sandbox:
        source = sandbox.start("numpy")
        assert source.locks["namespaces"] in (True, False)  # it has come to itself
        mark = f"view-{source._process.pid}-*"
        for _ in range(100):
            left = list(namespaces.TEMPORARY.glob(mark))
            if not left:
                break
            time.sleep(0.02)
    assert left == []


def test_a_rehearsal_leaves_nothing_behind():
    finders, modules = list(sys.meta_path), dict(sys.modules)
    worker.rehearse()
    assert sys.meta_path == finders
    assert sys.modules["__main__"] is modules["__main__"]
    assert modules.keys() <= sys.modules.keys()
    assert not hasattr(builtins, "get_ipython")
    assert "rehearsal" not in linecache.cache


@linux
def test_the_verdict_process_never_runs_a_line_of_a_submission(tmp_path):
    heard = []

    def listen(event, data):
        if event in ("exec", "compile", "import", "open") and listening:
            heard.append((event, str(data[0])))

    listening = True
    sys.addaudithook(listen)
    try:
        marker = "a_module_that_only_the_submission_imports"
        source = f"import sys\ntry:\n    import {marker}\nexcept ImportError: pass\n"
        graded_text(tmp_path, source + "def attention_scores(q, k): return q\n")
    finally:
        listening = False
    assert not any(marker in what for event, what in heard if event == "import")
    ran = [what for event, what in heard if event == "exec"]
    assert not any("submission.py" in what for what in ran)


# ---------------------------------------------------------------- jobs
def test_cases_keep_their_groups_in_order_and_the_first_comes_again():
    groups = ["plain"] * 6 + ["masked"] * 6
    order = jobs.order_of(groups, seed=3)
    assert sorted(order[:-1]) == list(range(12))
    assert order[-1] == order[0]
    assert [groups[i] for i in order[:-1]] == groups
    assert order[:-1] != list(range(12))
    assert order == jobs.order_of(groups, seed=3)


BEYOND = {
    "too many entries": np.zeros((200, 200)),
    "a long axis": np.zeros((1, 1000)),
    "a large number": 10**9,
    "a long list": [0] * 20_000,
}


@pytest.mark.parametrize("value", BEYOND.values(), ids=BEYOND.keys())
def test_a_given_function_is_not_called_on_what_could_exhaust_the_parent(value):
    called = []
    job = jobs.Job(
        answer={}, cases=b"", functions=[called.append], count=1, seconds=1.0
    )
    message = {"function": 0, "data": (value,), "options": {}}
    answer = jobs._answer_call(message, job, 1)
    assert answer["raised"] == "ValueError"
    assert "at most" in answer["message"]
    assert not called


def test_a_given_function_is_called_so_many_times_and_no_more():
    job = jobs.Job(answer={}, cases=b"", functions=[abs], count=1, seconds=1.0)
    message = {"function": 0, "data": (-1,), "options": {}}
    assert jobs._answer_call(message, job, jobs.MOST_CALLS) == {"value": 1}
    assert "raised" in jobs._answer_call(message, job, jobs.MOST_CALLS + 1)


def test_an_error_of_a_given_function_goes_back_by_name():
    job = jobs.Job(answer={}, cases=b"", functions=[int], count=1, seconds=1.0)
    message = {"function": 0, "data": ("x",), "options": {}}
    assert jobs._answer_call(message, job, 1)["raised"] == "ValueError"


@linux
def test_a_worker_without_its_locks_gets_no_job():
    with box.Sandbox() as some:
        some.level()
        some._known["numpy"][2]["landlock"] = True
        job = jobs.Job(answer={}, cases=b"", functions=[], count=0, seconds=5.0)
        weak = box.Sandbox(without=frozenset({"landlock"}))
        with weak:
            weak.level()
            with pytest.raises(jobs.LockError, match="not locked down"):
                jobs.run(weak.start("numpy"), job, {"landlock": True}, some._stop)


@linux
def test_a_zygote_that_cannot_start_is_an_error_and_not_a_wait(monkeypatch):
    from minitransformer.grader.sandbox import host

    monkeypatch.setitem(host.MODULES, "numpy", ("no_such_module",))
    with box.Sandbox() as some, pytest.raises(OSError, match="did not start"):
        some.level()


# ---------------------------------------------------------------- macOS and Windows
def test_memory_is_read_from_what_ps_prints():
    assert spawner.resident_bytes(" 1024\n") == MEBIBYTE
    assert spawner.resident_bytes("") == 0


def test_a_job_object_gets_all_limits_in_windows_units():
    made = windows_job.limits_of(Limits(seconds=3.0, memory=5 * MEBIBYTE))
    assert made.basic.active_processes == 1
    assert made.basic.per_process_time == 50_000_000  # 5 s in hundreds of nanoseconds
    assert made.process_memory == 5 * MEBIBYTE
    assert made.basic.flags == 0x2 | 0x8 | 0x100 | 0x400 | 0x2000


@linux
@pytest.mark.slow
def test_a_spawned_worker_does_the_same_job(tmp_path):
    class Spawning(box.Sandbox):
        def _new_source(self, kind):
            return spawner.Spawner(kind, Limits())

        def _proof(self, kind):
            return "limits", {}, {"landlock": False, "seccomp": False}

    with Spawning() as some:
        report = graded_text(tmp_path, INNOCENT, box=some)
        crash = "def attention_scores(q, k):\n    import os\n    os._exit(3)\n"
        crashed = graded_text(tmp_path, crash, box=some)
    assert [one.status for one in report.exercises] == ["passed"]
    assert [one.status for one in crashed.exercises] == ["crashed"]
