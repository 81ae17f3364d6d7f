"""`minitransformer lab`: a folder, and JupyterLab on it, for this machine only."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from minitransformer import cli
from minitransformer.course import lab, workbook


def test_jupyterlab_is_asked_for_the_start_page_on_loopback_without_a_market(tmp_path):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "00_start_here.ipynb").touch()
    command = lab.command(tmp_path, browser=True)
    assert command[:4] == [sys.executable, "-P", "-m", "jupyterlab"]
    for option in (
        f"--ServerApp.root_dir={tmp_path}",
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.default_url=/lab/tree/lessons/00_start_here.ipynb",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
    ):
        assert option in command
    assert "--no-browser" not in command
    assert "--no-browser" in lab.command(tmp_path, browser=False)


def first_settings(folder):
    """What JupyterLab finds in its settings, by the name of the file."""
    found = (folder / lab.HOME / "settings").rglob("*.jupyterlab-settings")
    return {path.stem: path for path in found}


def test_no_question_about_news_is_asked_and_widgets_keep_what_they_show(tmp_path):
    lab.prepare(tmp_path)
    settings = first_settings(tmp_path)
    assert json.loads(settings["notification"].read_text()) == {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
    assert json.loads(settings["plugin"].read_text()) == {"saveState": True}


def test_a_setting_the_learner_chose_stays(tmp_path):
    lab.prepare(tmp_path)
    settings = first_settings(tmp_path)["notification"]
    settings.write_text('{"fetchNews": "true"}')
    lab.prepare(tmp_path)
    assert settings.read_text() == '{"fetchNews": "true"}'


def test_without_jupyterlab_the_folder_is_made_and_one_line_says_what_to_install(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    assert cli.main(["lab", "--folder", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine" / "lessons").is_dir()
    (line,) = capsys.readouterr().err.splitlines()
    assert "python -m pip install 'minitransformer[lab]'" in line


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.main(["lab", "--folder", str(tmp_path / "file" / "mine")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"your folder {tmp_path / 'file' / 'mine'} cannot be written" in line


def test_a_package_without_its_notebooks_is_told_in_one_line(monkeypatch, capsys):
    def gone():
        raise FileNotFoundError("the course needs its notebooks")

    monkeypatch.setattr(workbook, "pages", gone)
    assert cli.main(["lab"]) == 2
    assert (
        capsys.readouterr().err == "minitransformer: the course needs its notebooks\n"
    )


def fetch(address):
    """Read a page of a server that may just be about to listen."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=30) as page:
                return page.read().decode()
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answers at {address}")


@pytest.mark.slow
def test_it_opens_and_nothing_of_the_persons_own_jupyter_is_touched(tmp_path):
    """Start the real thing, ask it for a page, and end it."""
    home = tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "minitransformer.cli", "lab", "--no-browser"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(home), "USERPROFILE": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = ""
        while not (address := re.search(r"http://127\.0\.0\.1:\d+/\S+", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        assert '"news": {"disabled": true}' in fetch(address[0])
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert (
        tmp_path / "my_course" / workbook.start_page(tmp_path / "my_course")
    ).exists()
    assert [path for path in home.rglob("*") if path.is_file()] == []
