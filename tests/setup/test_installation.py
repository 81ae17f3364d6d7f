"""A quick look whether the installation works: what `start.py test --quick` begins with."""

import importlib
import subprocess
import sys
from datetime import date

import pytest

from minitransformer.course import doctor, lab, workbook


@pytest.mark.parametrize("section", doctor.SECTIONS)
def test_the_doctor_finds_nothing_to_mend(section):
    assert [finding for finding in doctor.SECTIONS[section]() if finding.mend] == []


@pytest.mark.parametrize(
    "room", ["reference", "text", "model", "notebook", "grader", "course", "cli"]
)
def test_each_room_opens(room):
    importlib.import_module(f"minitransformer.{room}")


def test_torch_was_built_for_the_cpu_and_calculates():
    import torch

    assert torch.version.cuda is None
    assert (torch.eye(2) @ torch.ones(2)).tolist() == [1.0, 1.0]


def test_a_learners_folder_is_made_with_a_page_to_start_on(tmp_path):
    done = workbook.update(tmp_path, workbook.pages(), date(2026, 3, 1))
    assert (tmp_path / workbook.start_page(tmp_path)).is_file()
    assert done.damaged == ()


def test_jupyterlab_is_there():
    run = subprocess.run(
        [sys.executable, "-m", "jupyterlab", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("4.")


def test_its_settings_stay_in_the_learners_folder(tmp_path):
    lab.prepare(tmp_path)
    places = lab.environment(tmp_path, {"PATH": "kept"})
    assert places.pop("PATH") == "kept"
    assert places.pop("JUPYTER_PREFER_ENV_PATH") == "1"
    assert all(place.startswith(str(tmp_path)) for place in places.values())
