"""Names are handed out when asked for, and importing stays light."""

import subprocess
import sys

import pytest

from minitransformer import notebook


def test_the_room_hands_out_every_name_it_lists():
    assert all(hasattr(notebook, name) for name in notebook.__all__)
    with pytest.raises(AttributeError, match="no attribute 'display_all'"):
        _ = notebook.display_all


def test_importing_the_room_loads_neither_matplotlib_nor_widgets_nor_torch():
    code = (
        "import sys, minitransformer.notebook\n"
        "heavy = {'matplotlib', 'ipywidgets', 'IPython', 'torch'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) if heavy else 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_drawing_does_not_load_pyplot():
    code = (
        "import sys\nfrom minitransformer.notebook import plots\nplots.heat_map([[1.0]])\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_predictions_back_needs_neither_widgets_nor_matplotlib():
    code = (
        "import sys, minitransformer.notebook.prediction_log\n"
        "heavy = {'matplotlib', 'ipywidgets', 'IPython', 'torch'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
