"""A course in miniature, which `start.py` sets up in seconds and without a network.

It has everything that `start.py` looks at: lock files, a `pyproject.toml` with a build
backend of its own, and a folder of wheels that pip finds instead of an index.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CLOSED = "http://127.0.0.1:9/simple"  # a port where nobody answers

BACKEND = """
import os, time
from pathlib import Path
from toywheel import LAB, wheel

def build_editable(folder, config_settings=None, metadata_directory=None):
    Path("building").touch()
    while Path("slow").exists():
        time.sleep(0.05)
    Path("built").touch()
    files = {"m.pth": os.getcwd()}
    return wheel(Path(folder), "minitransformer", "0.1", files, LAB).name
"""
LAB = """Provides-Extra: lab
Requires-Dist: jupyterlab; extra == "lab"
Requires-Dist: ipykernel; extra == "lab"
"""
CLI = """
import sys
print("opened with", *sys.argv[1:])
"""


def wheel(folder, name, version, files, more=""):
    """Write a wheel that pip can install; `more` lines of metadata say what it needs."""
    about = f"{name}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {**files, f"{about}/METADATA": head, f"{about}/WHEEL": tags}
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
        record = "".join(f"{inside},,\n" for inside in files)
        archive.writestr(f"{about}/RECORD", f"{record}{about}/RECORD,,\n")
    return path


class Toy:
    """The course in miniature, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "the course"  # a blank in the path is no trouble
        self.base = getattr(sys, "_base_executable", sys.executable)
        self.wheels = folder / "wheels"
        self.folder.mkdir()
        self.wheels.mkdir()
        (self.folder / "minitransformer").mkdir()
        self.write("minitransformer/cli.py", CLI)
        self.write("minitransformer/__init__.py", "")
        self.write("toybackend.py", BACKEND)
        shutil.copy(__file__, self.folder / "toywheel.py")
        shutil.copy(ROOT / "start.py", self.folder)
        build = 'requires = []\nbuild-backend = "toybackend"\nbackend-path = ["."]'
        project = 'name = "minitransformer"\nversion = "0.1"'
        self.write("pyproject.toml", f"[build-system]\n{build}\n[project]\n{project}\n")
        for name in ("ipykernel", "jupyterlab"):
            inside = {"jupyterlab": "labapp", "ipykernel": "kernelapp"}[name]
            modules = {f"{name}/__init__.py": "", f"{name}/{inside}.py": ""}
            wheel(self.wheels, name, "1.0", modules)
        wheel(self.wheels, "extra", "1.0", {"extra.py": ""})
        self.offer_torch("None")
        self.offer_text("To be, or not to be")
        self.write("requirements.lock", "jupyterlab==1.0\nipykernel==1.0\n")
        self.write("requirements-test.lock", "extra==1.0\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    def offer_torch(self, cuda: str) -> None:
        modules = {"torch/__init__.py": "", "torch/version.py": f"cuda = {cuda}\n"}
        wheel(self.wheels, "torch", "2.13.0", modules)

    def offer_text(self, text: str, hashed: str = "") -> None:
        path = wheel(self.wheels, "play", "1.0", {"play/hamlet.md": text})
        digest = hashed or hashlib.sha256(path.read_bytes()).hexdigest()
        self.write("requirements-data.lock", f"play==1.0 --hash=sha256:{digest}\n")

    @property
    def packages(self) -> Path:
        return next(self.folder.glob(".venv/**/site-packages"))

    def with_an_index_for_torch(self) -> dict[str, str]:
        """Take torch out of the wheels, and put it into an index that pip can ask."""
        index = self.folder.parent / "index" / "torch"
        for torch in self.wheels.glob("torch-*"):
            index.mkdir(parents=True)
            torch.rename(index / torch.name)
            (index / "index.html").write_text(
                f'<a href="{torch.name}">{torch.name}</a>'
            )
        return {"PIP_NO_INDEX": "", "PIP_INDEX_URL": index.parent.as_uri()}

    def environment(self, **more: str) -> dict[str, str]:
        """Let pip find the wheels and nothing else."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        kept.pop("VIRTUAL_ENV", None)
        pip = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "PIP_NO_INDEX": "1",
            "PIP_NO_CACHE_DIR": "1",
        }
        return {**kept, **pip, **more}

    def command(self, *arguments: str) -> list[str]:
        return [str(self.base), str(self.folder / "start.py"), *arguments]

    def begin(self) -> subprocess.Popen[str]:
        """Run `start.py` and do not wait for it."""
        return subprocess.Popen(
            self.command(),
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `start.py` to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
