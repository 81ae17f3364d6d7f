"""The lock files are what is installed, and complete on every system."""

import sys
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from tools import lock

TESTED = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the lock files are made with Python 3.11"
)


def locked(name):
    lines = (lock.ROOT / name).read_text("utf-8").splitlines()
    requirements = [
        line.split(" --hash")[0] for line in lines if not line.startswith("#")
    ]
    return [Requirement(line) for line in requirements]


@TESTED
def test_the_lock_files_are_what_is_installed_here():
    for path, text in lock.locks().items():
        assert path.read_text("utf-8") == text, "run: python -m tools.lock"


@TESTED
def test_the_data_packages_are_the_pinned_ones():
    for need in locked("requirements-data.lock"):
        assert need.specifier.contains(version(need.name))


@pytest.mark.parametrize("system", lock.SYSTEMS)
def test_each_need_of_a_locked_package_is_locked_on_each_system(system):
    here = [
        need
        for need in locked("requirements.lock") + locked("requirements-test.lock")
        if not need.marker or need.marker.evaluate(lock.environment(system, ""))
    ]
    names = {need.name for need in here} | {"torch"}
    for need in here:
        for wanted in lock.wanted_by(Requirement(need.name), system):
            assert lock.canonicalize_name(wanted.name) in names, f"for {need.name}"


def test_torch_is_in_no_lock_because_it_is_installed_in_a_step_of_its_own():
    both = locked("requirements.lock") + locked("requirements-test.lock")
    assert "torch" not in {need.name for need in both}


def test_every_line_of_the_data_lock_has_a_hash():
    text = (lock.ROOT / "requirements-data.lock").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == 2
    assert all(" --hash=sha256:" in line for line in lines)
