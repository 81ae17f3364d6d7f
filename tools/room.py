"""A clean room for a kernel: nothing of the person who builds comes in or goes out.

Each room is a new temporary folder with a working directory and a home of its own, so
that no profile, setting, learner's data or saved prediction is read or written. The
kernel gets one thread, the same language and time zone everywhere, and no network.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ipykernel.kernelspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from tools.source import ROOT

NETWORK_GUARD = ROOT / "tests" / "network_guard.py"
# matplotlib lists the machine's fonts once, which takes seconds: one list for all rooms
FONT_LIST = ROOT / ".build" / "matplotlib"

_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT")
_FIXED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
}


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where a kernel works, and the environment it sees."""

    work: Path
    environment: dict[str, str]

    @property
    def for_kernel(self) -> dict[str, object]:
        """What a kernel manager's `start_kernel` is given.

        The kernel's own log is dropped: what a cell says comes by message.
        """
        return {
            "cwd": str(self.work),
            "env": self.environment,
            "stderr": subprocess.DEVNULL,
        }


class OwnPython(KernelSpecManager):
    """Starts every kernel with the Python that runs this, whatever is installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Describe a kernel of this very Python."""
        del kernel_name
        return KernelSpec(
            resource_dir=ipykernel.kernelspec.RESOURCES,
            **ipykernel.kernelspec.get_kernel_dict(),
        )


@contextmanager
def clean_room() -> Iterator[Room]:
    """Open a room, and take it away afterwards."""
    FONT_LIST.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="minitransformer-", ignore_cleanup_errors=True
    ) as name:
        top = Path(name)
        work, home = top / "work", top / "home"
        for folder in (work, home):
            folder.mkdir()
        environment = _environment(top, home) | network_off(top / "startup")
        yield Room(work=work, environment=environment)


def network_off(startup: Path) -> dict[str, str]:
    """Make a folder that takes the network from every Python that starts with it.

    Python imports `sitecustomize` by itself, also where one process starts another.
    """
    startup.mkdir()
    shutil.copy(NETWORK_GUARD, startup)
    (startup / "sitecustomize.py").write_text(
        "import network_guard\n\nnetwork_guard.switch_on()\n", encoding="utf-8"
    )
    return {"PYTHONPATH": str(startup)}


def _environment(top: Path, home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    homes = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(home))
    private = {
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter"),
        "MPLCONFIGDIR": str(FONT_LIST),
    }
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(top))
    return kept | _FIXED | homes | private | temporary
