"""Run a page in a clean room and keep its outputs in the one form in which they are stored.

Widgets are not kept: what a reader without a kernel sees is the picture or text beside
them. Nothing that changes from run to run is kept either.
"""

import re
from collections.abc import Callable

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.notebooknode import NotebookNode

from tools.notebook import Page
from tools.room import OwnPython, clean_room

SECONDS_PER_CELL = 600
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# IPython 9 writes both `Cell In[3], line 5` and `File <ipython-input>, line 5`
_FRAME = re.compile(r"Cell In\[(\d+)\], line (\d+)")


class PageError(Exception):
    """A cell of a page failed; the message holds the line of its source."""


def execute(page: Page, progress: Callable[[int], None] = lambda _: None) -> None:
    """Run all code cells of a page in a new kernel, and store their outputs in it."""
    run(
        page.notebook,
        failure=lambda error, n: _failure(page, error, n),
        progress=progress,
    )


def run(
    notebook: NotebookNode,
    failure: Callable[[Exception, int], Exception] = lambda error, _: error,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Run all code cells of a notebook, one at a time.

    `progress` hears the place of each cell before it runs; `failure` turns the error of a
    cell into the one that is raised.
    """
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=OwnPython())
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=SECONDS_PER_CELL,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.reset_execution_trackers()
    with (
        clean_room() as room,
        client.setup_kernel(cleanup_kc=True, **room.for_kernel),
    ):
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            progress(place)
            try:
                client.execute_cell(cell, place)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise failure(error, place) from None
    tidy(notebook)


def tidy(notebook: NotebookNode) -> None:
    """Take out of the outputs what differs from run to run; count the cells from 1."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.metadata.pop("execution", None)
        cell.outputs = [kept for out in cell.outputs if (kept := _tidy(out, count))]
    notebook.metadata.pop("widgets", None)


def _tidy(output: NotebookNode, count: int) -> NotebookNode | None:
    """Make one output fit for keeping; None if nothing is left of it."""
    if output.output_type == "error":
        # a traceback holds colours and places; the last line says what matters
        output.traceback = [f"{output.ename}: {output.evalue}"]
    if output.output_type == "execute_result":
        output.execution_count = count
    if "data" in output:
        output.data.pop(WIDGET_VIEW, None)
        output.get("transient", {}).clear()
        if not output.data:
            return None
    return output


def _failure(page: Page, error: Exception, place: int) -> PageError:
    """Say in the words of the source which line failed, and why."""
    if not isinstance(error, CellExecutionError):
        return PageError(str(page.cells[place].error(_first_line(str(error)))))
    code = [n for n, cell in enumerate(page.notebook.cells) if cell.cell_type == "code"]
    frames = _FRAME.findall(_ANSI.sub("", error.traceback))
    offset = 0
    if frames:  # the innermost line of the page, perhaps of an earlier cell's function
        cell, line = map(int, frames[-1])
        place, offset = code[cell - 1], line - 1
    message = f"{error.ename}: {error.evalue}"
    return PageError(str(page.cells[place].error(message, offset)))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
