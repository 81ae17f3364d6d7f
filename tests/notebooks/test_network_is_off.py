"""While a page runs, its kernel reaches this machine and nothing else."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tools.execute import run


def page(code):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import urllib.request; urllib.request.urlopen('https://example.org', timeout=1)",
    ],
    ids=["address", "name"],
)
def test_a_cell_that_reaches_for_the_network_is_told_so(code):
    with pytest.raises(CellExecutionError, match="the network is off"):
        run(page(code))


def test_a_process_started_by_a_cell_has_no_network_either():
    inner = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    code = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {inner!r}], check=True, stderr=2)"
    )
    with pytest.raises(CellExecutionError, match="exit status 1"):
        run(page(code))


def test_a_cell_may_talk_to_this_machine():
    run(
        page(
            "import socket\n"
            "with socket.create_server(('127.0.0.1', 0)) as server:\n"
            "    socket.create_connection(server.getsockname()).close()"
        )
    )
