"""The `grade` command over folders: what is a submission, bad input, stopping, going on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from grader.grading_room import IMPORTS, INNOCENT, RIGHT, graded, notebook, statuses

from minitransformer import cli
from minitransformer.grader import batch, order, submissions
from minitransformer.grader.grading import Grader, Settings
from minitransformer.grader.reports.model import SubmissionReport
from minitransformer.grader.sandbox import box
from minitransformer.grader.sandbox.box import Sandbox
from minitransformer.grader.submissions import NothingToGradeError, Submission

linux = pytest.mark.skipif(sys.platform != "linux", reason="the locks are Linux's")
BOTH = IMPORTS + RIGHT + INNOCENT


def grade(*words: object) -> int:
    """Run the command as the terminal does."""
    return cli.main(["grade", *map(str, words)])


def names(*paths: Path) -> list[str]:
    return [one.name for one in submissions.find(paths)[0]]


# ---------------------------------------------------------------- what is a submission
def test_each_file_and_each_folder_is_one_submission_sorted_by_name(tmp_path):
    for name in ("zoe.py", "ada.ipynb", "notes.txt", ".hidden.py"):
        (tmp_path / name).write_text("")
    for folder in ("bob", "__pycache__", ".ipynb_checkpoints"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "b.py").write_text("")
        (tmp_path / folder / "a.ipynb").write_text("")
        (tmp_path / folder / ".ipynb_checkpoints").mkdir()
        (tmp_path / folder / ".ipynb_checkpoints" / "a.ipynb").write_text("")
    found, remarks = submissions.find([tmp_path])
    assert [one.name for one in found] == ["ada", "bob", "zoe"]
    assert [path.name for path in found[1].files] == ["a.ipynb", "b.py"]
    assert remarks == [f"passed over: {tmp_path / 'notes.txt'}"]


def test_a_file_is_one_submission(tmp_path):
    (tmp_path / "ada.py").write_text("")
    assert names(tmp_path / "ada.py") == ["ada"]


def test_equal_names_are_told_apart(tmp_path):
    for path in ("ada.py", "ada.ipynb", "x/bob.py", "y/bob.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    assert names(tmp_path / "ada.py", tmp_path / "ada.ipynb") == ["ada.ipynb", "ada.py"]
    assert names(tmp_path / "x", tmp_path / "y") == ["x/bob.py", "y/bob.py"]


def test_what_is_given_twice_is_graded_once_and_told(tmp_path):
    (tmp_path / "ada.py").write_text("")
    found, remarks = submissions.find([tmp_path, tmp_path / "ada.py"])
    assert len(found) == 1
    assert "given twice" in remarks[0]


def test_what_is_no_plain_file_is_refused_by_name(tmp_path):
    (tmp_path / "real.py").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "real.py")
    (tmp_path / "linked").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "inner.py").symlink_to("/etc/passwd")
    (tmp_path / "ada" / "etc").symlink_to("/etc")
    found = {one.name: one for one in submissions.find([tmp_path])[0]}
    assert found["link"].refused == ("link.py is a link, not a plain file",)
    assert found["linked"].refused == ("linked is a link, not a plain file",)
    assert found["pipe"].refused == ("pipe.ipynb is a pipe, not a plain file",)
    assert len(found["ada"].refused) == 2
    assert not any(found[name].files for name in ("link", "linked", "pipe", "ada"))


ODD_NAMES = [
    "a b",
    "émile 🎓",
    "x,y",
    "=1+1",
    "<script>",
    "con",
    "a" * 200,
    "tab\there",
]


@linux
@pytest.mark.slow
def test_odd_names_are_graded_and_written(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ODD_NAMES:
        (folder / f"{name}.py").write_text(BOTH)
    odd = folder / os.fsdecode(b"not-\xff-text")
    odd.mkdir()
    (odd / "a.py").write_text(BOTH)
    assert grade(folder, "--out", out) == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert len(report["submissions"]) == len(ODD_NAMES) + 1
    assert {one["points"] for one in report["submissions"]} == {
        report["submissions"][0]["max_points"]
    }
    for kind, ending in (
        ("feedback", "html"),
        ("gradescope", "json"),
        ("classroom50", "json"),
    ):
        assert len(list((out / kind).glob(f"*.{ending}"))) == len(ODD_NAMES) + 1
    assert "'=1+1" in (out / "grades.csv").read_text("utf-8")
    assert "<script>" not in (out / "class.html").read_text("utf-8")


# ---------------------------------------------------------------- bad input
def refused(capsys, *words: object) -> str:
    """The one line that a command is refused with."""
    assert grade(*words) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("minitransformer: ")
    return told


def test_bad_input_is_one_clear_line(tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    zipped = tmp_path / "ada.zip"
    zipped.write_bytes(b"PK")
    ada = tmp_path / "ada.py"
    ada.write_text(BOTH)
    bob = tmp_path / "bob.py"
    bob.write_text(BOTH)
    assert "no such file" in refused(capsys, tmp_path / "nowhere")
    assert "holds no notebook" in refused(capsys, empty)
    assert "neither a notebook" in refused(capsys, zipped)
    assert "--format is one of json, csv" in refused(capsys, ada, "--format", "yaml")
    assert "--jobs needs a number from 1" in refused(capsys, ada, "--jobs", "0")
    assert "--jobs" in refused(capsys, ada, "--jobs", "two")
    assert "--timeout" in refused(capsys, ada, "--timeout", "-1")
    assert "--timeout" in refused(capsys, ada, "--timeout", "nan")
    assert "--topics" in refused(capsys, ada, "--topics", "03,99")
    assert "--policy" in refused(capsys, ada, "--policy", "none")
    assert "--seed" in refused(capsys, ada, "--seed", "x")
    assert "--require-isolation is one of full" in refused(
        capsys, ada, "--require-isolation", "most"
    )
    assert "need --out" in refused(capsys, ada, "--format", "json", "--format", "csv")
    assert "need --out" in refused(capsys, ada, bob, "--format", "gradescope")
    assert "ada.py" in refused(capsys, ada, "--out", ada)


@linux
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written_is_refused_at_once(tmp_path, capsys):
    ada = tmp_path / "ada.py"
    ada.write_text(BOTH)
    tmp_path.chmod(0o555)
    assert "Permission denied" in refused(capsys, ada, "--out", tmp_path / "out")


@linux
def test_unreadable_submissions_are_listed_and_the_rest_is_graded(tmp_path, capsys):
    (tmp_path / "ada.py").write_text(BOTH)
    (tmp_path / "bad.ipynb").write_text("{")
    (tmp_path / "worse.py").write_text("def f(:")
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    (tmp_path / "nothing").mkdir()
    assert grade(tmp_path, "--format", "json", "--jobs", "1") == 1
    report = json.loads(capsys.readouterr().out)
    found = {one["name"]: one for one in report["submissions"]}
    assert list(found) == ["ada", "bad", "link", "nothing", "worse"]
    assert "error" not in found["ada"]
    for name in ("bad", "link", "nothing", "worse"):
        assert found[name]["error"]
        assert (found[name]["points"], found[name]["exercises"]) == (0, [])


@linux
def test_a_folder_with_one_bad_file_is_graded_by_the_others(tmp_path, capsys):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "good.py").write_text(BOTH)
    (tmp_path / "ada" / "bad.ipynb").write_text("{")
    assert grade(tmp_path, "--format", "json") == 1
    (ada,) = json.loads(capsys.readouterr().out)["submissions"]
    assert ada["points"] == ada["max_points"] > 0
    assert "not JSON" in ada["notes"][0]


# ---------------------------------------------------------------- what is expected
@linux
def test_a_notebook_is_asked_for_its_whole_topic_and_a_py_file_for_what_it_has(
    tmp_path,
):
    (tmp_path / "a.py").write_text(BOTH)
    (tmp_path / "b.ipynb").write_text(notebook(("attention_scores", IMPORTS + RIGHT)))
    (tmp_path / "c.ipynb").write_text(notebook(IMPORTS + RIGHT))
    (tmp_path / "03_self_attention.ipynb").write_text(notebook("x = 1"))
    found = {one.name: statuses(one) for one in graded(tmp_path)}
    assert set(found["a"]) == {"attention_scores", "softmax_backward"}
    for name in ("b", "c", "03_self_attention"):
        assert len(found[name]) == 5
    assert found["b"]["attention"] == "not_written"
    assert set(found["03_self_attention"].values()) == {"not_written"}


@linux
def test_topics_fix_the_set(tmp_path):
    (tmp_path / "a.py").write_text(BOTH)
    (report,) = graded(tmp_path, topics=("02", "03"))
    assert {one.topic[:2] for one in report.exercises} == {"02", "03"}
    assert statuses(report)["softmax"] == "not_written"


# ---------------------------------------------------------------- isolation
@linux
def test_isolation_below_what_is_required_runs_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "ada.py").write_text(f"open('{tmp_path}/ran', 'w')\n" + BOTH)

    def weak(**settings):
        return Sandbox(**settings, without=frozenset({"landlock", "namespaces"}))

    monkeypatch.setattr(box, "Sandbox", weak)
    assert grade(tmp_path / "ada.py", "--require-isolation", "full") == 3
    told = capsys.readouterr()
    assert "this system holds syscalls" in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not (tmp_path / "ran").exists()
    assert (
        grade(
            tmp_path / "ada.py", "--require-isolation", "syscalls", "--format", "json"
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["isolation"] == "syscalls"


@linux
def test_where_no_level_holds_nothing_runs_at_all(tmp_path, monkeypatch, capsys):
    (tmp_path / "ada.py").write_text(BOTH)

    def open_to_all(**settings):
        locks = {"landlock", "namespaces", "seccomp"}
        return Sandbox(**settings, without=frozenset(locks))

    monkeypatch.setattr(box, "Sandbox", open_to_all)
    if os.geteuid() == 0:  # the limit on processes does not bind root
        assert grade(tmp_path / "ada.py") == 3
        assert "no level of it" in capsys.readouterr().err


# ---------------------------------------------------------------- the same each time
@linux
def test_the_same_seed_gives_the_same_report(tmp_path, capsys):
    (tmp_path / "ada.py").write_text(BOTH)
    (tmp_path / "bob.py").write_text(IMPORTS + RIGHT.replace("np.sqrt", "") + INNOCENT)
    told = []
    for jobs in (1, 3):
        assert grade(tmp_path, "--format", "json", "--seed", 7, "--jobs", jobs) == 0
        report = json.loads(capsys.readouterr().out)
        for one in report["submissions"]:
            del one["seconds"]
        told.append(report)
    assert told[0] == told[1]
    assert told[0]["seed"] == 7


@linux
def test_without_a_seed_each_run_draws_its_own(tmp_path, capsys):
    (tmp_path / "ada.py").write_text(BOTH)
    seeds = set()
    for _ in range(2):
        grade(tmp_path, "--format", "json")
        seeds.add(json.loads(capsys.readouterr().out)["seed"])
    assert len(seeds) == 2


# ---------------------------------------------------------------- stopping and going on
def some_submissions(folder: Path, count: int, source: str = BOTH) -> None:
    for number in range(count):
        (folder / f"s{number:02}.py").write_text(source)


@linux
@pytest.mark.slow
def test_ctrl_c_leaves_complete_reports_and_the_same_command_goes_on(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    slow = IMPORTS + "import time\ndef attention_scores(q, k):\n    time.sleep(0.1)\n"
    some_submissions(folder, 12, slow + "    return q\n" + INNOCENT)
    command = [sys.executable, "-m", "minitransformer.cli", "grade", str(folder)]
    command += ["--out", str(out), "--jobs", "2"]
    run = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    kept = out / batch.MEMORY
    for _ in range(600):
        if kept.is_dir() and len(list(kept.glob("*.json"))) >= 2:
            break
        time.sleep(0.05)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    told = run.communicate(timeout=60)[1]
    assert run.returncode == 130, told
    assert time.monotonic() - began < 15
    assert "goes on from here" in told
    assert "Traceback" not in told
    report = json.loads((out / "report.json").read_text())
    finished = {one["name"]: one for one in report["submissions"]}
    assert 2 <= len(finished) < 12
    assert (out / "feedback" / f"{next(iter(finished))}.html").is_file()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    whole = json.loads((out / "report.json").read_text())
    assert len(whole["submissions"]) == 12
    assert whole["seed"] == report["seed"]
    for one in whole["submissions"]:  # not graded again, to the millisecond
        assert finished.get(one["name"], one) == one
    assert not kept.exists()


@linux
@pytest.mark.slow
def test_55_a_killed_grader_loses_nothing_that_was_finished(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    some_submissions(folder, 12)
    command = [sys.executable, "-m", "minitransformer.cli", "grade", str(folder)]
    command += ["--out", str(out), "--jobs", "1", "--seed", "4"]
    run = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    kept = out / batch.MEMORY
    for _ in range(2000):
        if kept.is_dir() and len(list(kept.glob("*.json"))) >= 3:
            break
        time.sleep(0.01)
    run.kill()
    run.wait()
    for path in kept.glob("*.json"):
        json.loads(path.read_text())  # whole, each of them
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    report = json.loads((out / "report.json").read_text())
    assert [one["points"] for one in report["submissions"]] == [
        report["submissions"][0]["max_points"]
    ] * 12


def test_what_has_changed_since_is_graded_again(tmp_path):
    path = tmp_path / "ada.py"
    path.write_text("x = 1")
    one = Submission("ada", (path,))
    memory = batch.Memory(tmp_path / "out", Settings(seed=1))
    with memory.held():
        assert memory.recall([one], "full") == {}
        memory.keep(SubmissionReport(name="ada", seconds=1.5), "full")
        assert memory.recall([one], "full")["ada"].seconds == 1.5
        assert memory.recall([one], "syscalls") == {}
        assert (
            batch.Memory(tmp_path / "out", Settings(seed=2)).recall([one], "full") == {}
        )
        path.write_text("x = 123")
        assert memory.recall([one], "full") == {}


def test_56_two_runs_do_not_write_to_one_folder(tmp_path):
    first = batch.Memory(tmp_path, Settings(seed=1))
    second = batch.Memory(tmp_path, Settings(seed=1))
    with (
        first.held(),
        pytest.raises(batch.BusyFolderError, match="another run"),
        second.held(),
    ):
        pass


@linux
@pytest.mark.slow
def test_56_two_runs_at_once_over_one_folder_of_submissions_agree(tmp_path):
    some_submissions(tmp_path, 4)
    tmp_path.chmod(0o555)  # read-only for all but root
    command = [sys.executable, "-m", "minitransformer.cli", "grade", str(tmp_path)]
    command += ["--format", "csv", "--seed", "1"]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(2)
    ]
    told = [run.communicate(timeout=120)[0] for run in runs]
    assert told[0] == told[1]
    assert told[0].count("\n") == 5


@linux
def test_a_fault_of_the_grader_costs_one_report_only(tmp_path, monkeypatch):
    some_submissions(tmp_path, 3)
    grade_one = Grader.grade

    def faulty(self, submission):
        if submission.name == "s01":
            raise KeyError("a fault of ours")
        return grade_one(self, submission)

    monkeypatch.setattr(Grader, "grade", faulty)
    found, _ = submissions.find([tmp_path])
    settings = Settings(seed=1)
    with Sandbox() as sandbox:
        level = batch.prove(sandbox, settings)
        finished = batch.grade(found, settings, sandbox, level, jobs=2)
    reports = {one.name: one for one in finished.report.submissions}
    assert "please report this" in reports["s01"].error
    assert reports["s00"].points == reports["s02"].points > 0


@linux
def test_a_submission_has_a_time_of_its_own(tmp_path):
    source = IMPORTS + "".join(
        f"def {name}(*data, **options):\n    while True: pass\n"
        for name in (
            "dot_products",
            "cosine_similarity",
            "softmax",
            "entropy",
            "attention",
        )
    )
    (tmp_path / "a.py").write_text(source)
    began = time.monotonic()
    (report,) = graded(tmp_path / "a.py", timeout=0.3)
    assert set(statuses(report).values()) == {"timeout"}
    assert time.monotonic() - began < 10


# ---------------------------------------------------------------- at the terminal
@linux
def test_a_table_is_for_people_and_only_reports_go_to_standard_output(tmp_path, capsys):
    (tmp_path / "[red]ada.py").write_text(BOTH)
    assert grade(tmp_path) == 0
    told = capsys.readouterr()
    assert "[red]ada" in told.out
    assert "Isolation: " in told.out
    assert grade(tmp_path, "--format", "csv") == 0
    assert capsys.readouterr().out.startswith("name,points,max_points")


def test_jobs_default_to_two_for_each_processor_this_process_may_use():
    assert order.default_jobs() >= 2
    assert order.default_jobs() % 2 == 0


def test_no_reader_is_found_for_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(NothingToGradeError, match="no such"):
        submissions.find([tmp_path / "nowhere"])
