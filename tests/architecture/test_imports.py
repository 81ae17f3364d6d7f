"""Who may import whom, and how little `import minitransformer` loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "matplotlib", "IPython", "ipywidgets", "numpy", "babel", "rich"}


def loaded_by(statement: str) -> set[str]:
    """Give the modules that a fresh Python has loaded after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_rooms_import_only_what_they_may(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0


def test_importing_the_package_loads_next_to_nothing():
    more = loaded_by("import minitransformer") - loaded_by("pass")
    assert not HEAVY & more
    # the package itself, typing and what that needs: no time to speak of
    ours = {name for name in more if name.partition(".")[0] == "minitransformer"}
    assert ours == {"minitransformer"}
    assert len(more) < 20


@pytest.mark.parametrize("room", ["text", "notebook", "model", "course"])
def test_entering_a_room_loads_nothing_heavy(room):
    assert not HEAVY & loaded_by(f"import minitransformer.{room}")


def test_the_formulas_need_numpy_alone():
    loaded = {
        name.partition(".")[0] for name in loaded_by("import minitransformer.reference")
    }
    assert not (HEAVY - {"numpy"}) & loaded
    assert "platformdirs" not in loaded
