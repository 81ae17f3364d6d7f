"""A page with everything on it passes nbval's strict comparison, run after run."""

import subprocess
import sys

import nbclient
import nbformat
import pytest

IMPORTS = """\
import random
from minitransformer.notebook import explore, plots, predict, reveal, show, table, watch
"""
TRAINING = """\
steps = ({"step": step, "loss": random.random()} for step in range(1, 40))
records = watch(steps, steps=39, target=2.0)
"""
PICTURE = """\
show(plots.heat_map([[1.0, 0.0], [0.5, 0.5]]), alt="Two rows of weights: sharp, then even.")
"""
CELLS = [
    IMPORTS,
    'predict("03.share", "share", low=0.0, high=1.0)',
    'reveal("03.share", 0.5)',
    'predict("03.row", "which row", choices=["row 1", "row 2"])',
    PICTURE,
    'table({"n": [1, 2], "loss": [0.5, 0.25]})',
    TRAINING,
    "explore.attention()",
]


@pytest.mark.slow
def test_strict_nbval_passes_on_a_page_with_a_live_training(tmp_path):
    page = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in CELLS]
    )
    nbclient.NotebookClient(page, kernel_name="python3").execute(cwd=str(tmp_path))
    nbformat.write(page, tmp_path / "page.ipynb")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q"),
            *(
                "-p",
                "no:cacheprovider",
                "--rootdir",
                str(tmp_path),
                str(tmp_path / "page.ipynb"),
            ),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert f"{len(CELLS)} passed" in run.stdout, run.stdout
