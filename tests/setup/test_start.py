"""`start.py` sets up, starts again at once, and says in one line what is in the way."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_course import CLOSED, CPU_INDEX, ROOT, Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path)


@pytest.fixture
def start(toy, monkeypatch):
    """The page itself as a module, at home in the toy course."""
    spec = importlib.util.spec_from_file_location("start", toy.folder / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_line(run):
    """Give the single line that a start which failed has said about it."""
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("start.py: ")
    return line


# ------------------------------------------------------------------------ it sets up
@pytest.mark.slow
def test_the_first_start_sets_up_and_opens_and_later_ones_open_at_once(toy):
    # on Linux PyTorch's own index comes first; here it does not answer
    page = (toy.folder / "start.py").read_text("utf-8")
    assert CPU_INDEX in page
    toy.write("start.py", page.replace(CPU_INDEX, CLOSED))
    first = toy.start("--no-browser", **toy.with_an_index_for_torch())
    assert first.stderr == ""
    assert first.returncode == 0
    opened = f"opened with lab --folder {toy.folder / 'my_course'} --no-browser"
    assert first.stdout.splitlines()[-1] == opened
    for step in (".venv", "torch", "packages", "the course", "texts"):
        assert step in first.stdout
    answered = "PyTorch's own index does not answer" not in first.stdout
    assert answered == (sys.platform != "linux")

    began = time.monotonic()
    second = toy.start("--no-browser", PIP_FIND_LINKS="")  # nothing to install from
    assert second.stdout.splitlines() == [opened]
    assert time.monotonic() - began < 3

    # a change in what is wanted is brought in, without making the environment again
    (toy.folder / ".venv" / "still here").touch()
    toy.write("requirements.lock", "jupyterlab==1.0\nipykernel==1.0\nextra==1.0\n")
    third = toy.start("--folder", "elsewhere", **toy.with_an_index_for_torch())
    assert third.returncode == 0, third.stderr
    assert third.stdout.splitlines()[-1].endswith(str(Path("elsewhere").absolute()))
    assert (toy.folder / ".venv" / "still here").exists()
    assert (toy.packages / "extra.py").exists()


def wait_until_it_builds(toy, process):
    while not (toy.folder / "building").exists():
        assert process.poll() is None, "it ended too early"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_set_up_that_was_killed_is_done_again_by_the_next_start(toy):
    toy.write("slow", "")
    process = toy.begin()
    wait_until_it_builds(toy, process)
    assert "another start.py is at work" in one_line(toy.start())
    process.kill()
    process.communicate()
    assert "unfinished" in json.loads((toy.folder / ".venv/start.json").read_text())
    (toy.folder / "slow").unlink()
    (toy.folder / ".venv" / "half made").touch()
    again = toy.start("--no-browser")
    assert again.returncode == 0, again.stderr
    assert not (toy.folder / ".venv" / "half made").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_being_told_to_end_ends_the_running_step_too(toy):
    toy.write("slow", "")
    process = toy.begin()
    wait_until_it_builds(toy, process)
    process.terminate()
    said = process.communicate()[1]
    assert process.returncode == 130
    assert "stopped; the next start recovers by itself" in said
    (toy.folder / "slow").unlink()
    time.sleep(0.5)
    assert not (toy.folder / "built").exists()  # nobody goes on alone


@pytest.mark.slow
def test_without_a_network_it_says_so_and_recovers_when_there_is_one(toy):
    away = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
    line = one_line(toy.start("--torch-index", CLOSED, **away))
    assert "no network: the set-up downloads packages once" in line
    recovered = toy.start("--no-browser")
    assert recovered.returncode == 0, recovered.stderr


# ------------------------------------------------------------ what can be in the way
def test_an_environment_that_someone_else_made_is_used_if_it_fits_and_never_deleted(
    toy,
):
    venv = toy.folder / ".venv"
    make = [toy.command()[0], "-m", "venv", "--without-pip", venv]
    subprocess.run(make, check=True)
    (venv / "theirs").touch()
    for _ in range(2):  # also when the first try has failed
        assert "No module named pip" in one_line(toy.start())
        assert (venv / "theirs").exists()


def test_an_environment_that_does_not_fit_is_never_deleted(toy):
    (toy.folder / ".venv").mkdir()
    (toy.folder / ".venv" / "precious").touch()
    assert "move that folder away or delete it" in one_line(toy.start())
    assert (toy.folder / ".venv" / "precious").exists()


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"folder": "moved from here"}, False),
        ({"python": "3.11.0 in a place that is gone"}, False),
        ({"unfinished": "yes"}, False),
        ({"course": "other packages"}, True),  # which are brought in, in place
    ],
)
def test_an_environment_of_our_own_is_made_again_where_it_cannot_be_mended(
    start, change, fits
):
    start.VENV.mkdir()
    start.LOG.parent.mkdir()
    want = start.wanted()
    start.stamp({**want, "made_by": "start.py", **change})
    assert start.can_build_on(want, start.installed()) == fits
    assert start.VENV.exists() == fits


def test_a_torch_for_cuda_is_refused(start, monkeypatch):
    monkeypatch.setattr(start, "PYTHON", sys.executable)
    monkeypatch.setattr(start, "pip", lambda *_: None)
    monkeypatch.setattr(start, "FIND_CUDA", "raise SystemExit(True)")
    with pytest.raises(start.TroubleError, match="CUDA build"):
        start.install_torch("default")


def test_debians_bare_python_is_told_which_package_it_lacks(toy, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "ensurepip.py").write_text("raise ImportError('not here')\n")
    version = ".".join(map(str, sys.version_info[:2]))
    line = one_line(toy.start(PYTHONPATH=str(tmp_path / "bare")))
    assert f"`sudo apt-get install python{version}-venv`" in line
    assert not (toy.folder / ".venv").exists()


@pytest.fixture
def full_disk(start, monkeypatch):
    usage = shutil.disk_usage(start.ROOT)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


@pytest.mark.usefixtures("full_disk")
def test_a_step_that_fails_on_a_full_disk_without_a_word_is_explained(start):
    start.LOG.parent.mkdir()
    with pytest.raises(start.TroubleError, match="the disk is full"):
        start.run("a step", sys.executable, "-c", "raise SystemExit(1)")


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_noticed_before_anything_is_written(start):
    with pytest.raises(start.TroubleError, match=r"disk is full: make 2\.5 GB of room"):
        start.set_up(tests=False, torch_index="auto")
    assert not start.VENV.exists()


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        (
            (
                "ERROR: Could not install packages due to an OSError: [Errno 28] No space "
                "left on device"
            ),
            "the disk is full",
        ),
        (
            (
                "WARNING: Retrying (Retry(total=1)) after connection broken by "
                "'NewConnectionError(...): [Errno -3] Temporary failure in name resolution'\n"
                "ERROR: Could not find a version that satisfies the requirement torch\n"
                "ERROR: No matching distribution found for torch==2.13.0"
            ),
            "no network",
        ),
        (
            (
                "ERROR: Could not find a version that satisfies the requirement torch\n"
                "ERROR: No matching distribution found for torch==2.13.0"
            ),
            "torch==2.13.0 is not offered for this Python and computer",
        ),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]",
            "cert",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE", "look for a proxy"),
        ("PermissionError: [WinError 5] Access is denied", "close JupyterLab"),
        (
            "error: something quite new",
            "(error: something quite new); all it said is in",
        ),
        ("", "it gave no reason"),
    ],
)
def test_what_installers_say_is_told_in_one_line(start, said, meaning):
    line = start.explain(said, "packages")
    assert meaning in line
    assert "\n" not in line


def test_a_disk_that_fills_while_start_itself_writes_is_told_too(
    start, monkeypatch, capsys
):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(start, "set_up", full)
    monkeypatch.setattr(sys, "argv", ["start.py"])
    assert start.main() == 1
    assert capsys.readouterr().err.startswith("start.py: the disk is full")


# ---------------------------------------------------------------------- other Pythons
def pythons(*minors):
    """Find other Pythons of this machine."""
    places = [Path("/usr/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    return [
        python
        for place in places
        for minor in minors
        for python in place.glob(f"python3.{minor}")
    ]


def test_the_page_can_be_read_by_a_python_of_2016():
    ast.parse((ROOT / "start.py").read_text("utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("python", pythons(*range(6, 11)) or [None], ids=str)
def test_an_older_python_is_told_what_is_needed(python):
    if python is None:
        pytest.skip("no older Python on this machine")
    run = subprocess.run(
        [python, ROOT / "start.py"], capture_output=True, text=True, check=False
    )
    assert "the course needs Python 3.11 or newer; this is 3." in one_line(run)


@pytest.mark.slow
@pytest.mark.parametrize("python", pythons(12, 13, 14)[:1] or [None], ids=str)
def test_a_newer_python_takes_what_the_project_allows_and_says_so(toy, python):
    if python is None:
        pytest.skip("no newer Python on this machine")
    toy.base = python
    run = toy.start("--no-browser")
    assert run.returncode == 0, run.stderr
    assert (
        f"This is Python {python.name[6:]}, not the tested 3.11: taking" in run.stdout
    )
    assert run.stdout.splitlines()[-1].startswith("opened with lab")


# ------------------------------------------------------------------------------ words
@pytest.mark.parametrize("words", [["--help"], ["test", "--help"], ["build", "--help"]])
def test_help_teaches(toy, words):
    run = toy.start(*words)
    assert run.returncode == 0
    assert len(run.stdout.splitlines()) > 5


def test_an_unknown_word_is_a_usage_error(toy):
    run = toy.start("tset")
    assert run.returncode == 2
    assert "invalid choice: 'tset'" in run.stderr


# ------------------------------------------------------------------------ test, build
@pytest.fixture
def called(start, monkeypatch):
    """Note what is called in the foreground, and let it end as the test wishes."""
    calls, fails = [], set()

    def call(*command, **_):
        words = " ".join(str(word) for word in command[1:]) or Path(command[0]).stem
        calls.append(words)
        return 3 if words in fails else 0

    monkeypatch.setattr(start, "set_up", lambda **_: None)
    monkeypatch.setattr(start, "call", call)

    def run(*words, failing=()):
        fails.update(failing)
        monkeypatch.setattr(sys, "argv", ["start.py", *words])
        return start.main(), calls

    return run


CHECKS = [
    "-m ruff check",
    "-m ruff format --check",
    "-m basedpyright",
    "lint-imports",
    "-m tools.build --check",
]


def test_all_checks_run_and_pytest_comes_last(called):
    assert called("test") == (0, [*CHECKS, "-m pytest"])


@pytest.mark.parametrize("check", [*CHECKS, "-m pytest"])
def test_whatever_fails_the_rest_runs_too_and_the_status_tells(called, check):
    status, calls = called("test", failing=[check])
    assert status != 0
    assert calls == [*CHECKS, "-m pytest"]


def test_the_quick_look_runs_tests_that_exist(called):
    status, (call,) = called("test", "--quick")
    assert status == 0
    places = [word.split("::")[0] for word in call.split() if word.startswith("tests/")]
    assert len(places) == 3
    assert all((ROOT / place).exists() for place in places)


def test_building_goes_to_the_builder(called):
    assert called("build", "03", "09") == (0, ["-m tools.build 03 09"])


def test_ci_runs_the_test_command_and_nothing_else_of_ours():
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert lines[-1] == "exec python3 start.py test"
