"""`pip install .` alone brings a course that works: the notebooks are in the wheel."""

import os
import subprocess
import sys
import zipfile

import pytest

from tools.source import ROOT

KINDS = ("lessons", "exercises", "solutions")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_every_notebook_of_the_course_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.namelist()
    pages = "minitransformer/course/pages"
    for kind in KINDS:
        wanted = {f"{pages}/{kind}/{p.name}" for p in (ROOT / kind).glob("*.ipynb")}
        got = {name for name in inside if name.startswith(f"{pages}/{kind}/")}
        assert got == wanted


def test_nothing_but_the_package_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"minitransformer"}
    assert not [name for name in inside if "__pycache__" in name]


def test_the_wheel_installs_and_its_command_makes_a_learners_folder(wheel, tmp_path):
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", site, wheel], check=True, capture_output=True)
    (site / "jupyterlab.py").write_text("import sys; print('Lab:', *sys.argv[1:])")
    run = subprocess.run(
        [sys.executable, "-m", "minitransformer.cli", "lab", "--folder", "mine"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        f"solutions are in {site / 'minitransformer/course/pages/solutions'}"
        in run.stdout
    )
    assert f"Lab: --ServerApp.root_dir={tmp_path / 'mine'}" in run.stdout
    shipped = sorted(page.name for page in (ROOT / "exercises").glob("*.ipynb"))
    assert sorted(p.name for p in (tmp_path / "mine/exercises").iterdir()) == shipped
