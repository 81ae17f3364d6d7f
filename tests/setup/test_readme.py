"""Every command in the README is run by a test: here, or in the test named here."""

import re
import shlex
from datetime import date

import pytest

from minitransformer import cli
from minitransformer.course import workbook
from tools.source import ROOT

START = "tests/setup/test_start.py"
RUN_ELSEWHERE = {
    "python3 start.py": f"{START}::test_the_first_start_sets_up_and_opens",
    "python3 start.py --no-browser": f"{START}::test_the_first_start_sets_up_and_opens",
    "python3 start.py test": f"{START}::test_all_checks_run_and_pytest_comes_last",
    "python3 start.py test --quick": f"{START}::test_the_quick_look",
    "python3 start.py build": f"{START}::test_building_goes_to_the_builder",
    "python3 start.py build 03": f"{START}::test_building_goes_to_the_builder",
    "pip install .": "tests/setup/test_wheel.py::test_the_wheel_installs",
    "pip install '.[lab]'": "tests/setup/test_wheel.py::test_the_wheel_installs",
}
# what is added to a command so that it ends soon
SHORTER = {"lab": ["--no-browser"], "train": ["--steps", "2"]}
ANSWER = "import numpy as np\n\n\ndef entropy(weights):\n    return np.sum(weights)\n"


def commands():
    """List the commands that stand in the README's blocks of code."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.S | re.M)
    lines = [
        line.split(" #")[0].strip()
        for language, block in blocks
        if language in ("", "sh", "bash", "console")
        for line in block.split("\n")
    ]
    words = ("python3 ", "pip ", "minitransformer ", "make", "git ", ".venv")
    return [line.removeprefix("$ ") for line in lines if line.startswith(words)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place with a learner's folder and submissions in it."""
    workbook.update(tmp_path / "my_course", workbook.pages(), date(2026, 3, 1))
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "ada.py").write_text(ANSWER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", commands() or ["pip install ."])
def test_each_command_of_the_readme_is_run(command, folder, monkeypatch):
    if command in RUN_ELSEWHERE:
        file, name = RUN_ELSEWHERE[command].split("::")
        assert f"def {name}" in (ROOT / file).read_text("utf-8")
        return
    program, word, *rest = shlex.split(command)
    assert program == "minitransformer", "run this command in a test, and say where"

    def open_nothing(program, arguments, environment):
        raise SystemExit(0)

    monkeypatch.setattr("os.execve", open_nothing)
    try:
        status = cli.main([word, *rest, *SHORTER.get(word, [])])
    except SystemExit as end:
        status = end.code
    assert status == 0
