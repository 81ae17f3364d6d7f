"""One pass over a page under nbval: every cell compared with what is stored, and run twice.

A page is run once, in one kernel, in a clean room without a network. Each cell is run,
its outputs compared by nbval in strict mode with the stored ones, its pictures compared
too; then it is run again and compared with its first run, unless it is tagged `once`.
"""

import copy
import time
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager
from nbformat.notebooknode import NotebookNode
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from tools import source
from tools.execute import WIDGET_VIEW
from tools.notebook import FOLDERS, SOURCES
from tools.pictures import PICTURE_KINDS, difference, pictures, without_pictures
from tools.room import OwnPython, Room, clean_room

SECONDS = pytest.StashKey[dict[str, float]]()  # what each page took

_OUTPUTS = ("stream", "display_data", "execute_result", "error")
_START_SECONDS = 60


class CleanKernel(RunningKernel):
    """A kernel in a clean room, spoken to as nbval does."""

    def __init__(self, room: Room) -> None:
        self._settled: deque[dict] = deque()
        self.km = KernelManager(kernel_name="python3", kernel_spec_manager=OwnPython())
        self.km.start_kernel(**room.for_kernel)
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.wait_for_ready(timeout=_START_SECONDS)
        self._ensure_iopub_up()

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        """Hand nbval a cell's outputs as they stand when the cell is done.

        nbval knows neither displays that are updated nor outputs that are cleared, and
        the builder stores what is left after both.
        """
        if stream != "iopub":
            return super().get_message(stream, timeout)
        if not self._settled:
            messages = [super().get_message(stream, timeout)]
            while not _idle(messages[-1]):
                messages.append(super().get_message(stream, timeout))
            self._settled.extend(settle(messages))
        return self._settled.popleft()


class PageFile(IPyNbFile):
    """A lesson or a solution, whose tests are its code cells."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        # pictures are compared with a tolerance, by `PageCell`
        self.skip_compare = (*self.skip_compare, *PICTURE_KINDS)
        self._leave = ExitStack()

    def collect(self) -> Generator["PageCell"]:
        """Give a test for each code cell."""
        for item in super().collect():
            yield PageCell.from_parent(
                self,
                name=item.name,
                cell_num=item.cell_num,
                cell=item.cell,
                options=item.options,
            )

    def setup(self) -> None:
        """Start the page's kernel."""
        self._started = time.perf_counter()
        self.kernel = CleanKernel(self._leave.enter_context(clean_room()))

    def teardown(self) -> None:
        """Stop the kernel, and note what the page took."""
        super().teardown()
        self._leave.close()
        seconds = time.perf_counter() - self._started
        self.config.stash.setdefault(SECONDS, {})[self.nodeid] = seconds


class PageCell(IPyNbCell):
    """A cell that is run twice."""

    def runtest(self) -> None:
        """Run the cell against what is stored, then against itself."""
        super().runtest()
        if "once" in self.cell.metadata.get("tags", []):
            return
        stored = self.cell
        self.cell = copy.copy(stored)
        self.cell.outputs = self.test_outputs
        try:
            super().runtest()
        except NbCellError as error:
            error.args = (f"the second run of the cell: {error}",)
            raise
        finally:
            self.cell = stored

    def compare_outputs(
        self,
        test: list[NotebookNode],
        ref: list[NotebookNode],
        skip_compare: tuple[str, ...] | None = None,
    ) -> bool:
        """Compare texts as nbval does, then pictures."""
        if not super().compare_outputs(test, ref, skip_compare):
            return False
        stored, made = pictures(ref), pictures(test)
        if len(stored) != len(made):
            words = f"{len(made)} pictures where {len(stored)} are stored"
            self.comparison_traceback = [words]
            return False
        self.comparison_traceback = [
            f"picture {place}: {words}"
            for place, (old, new) in enumerate(zip(stored, made, strict=True), 1)
            if (words := difference(old, new))
        ]
        return not self.comparison_traceback

    def sanitize(self, s: object) -> object:
        """Keep pictures inside HTML out of the comparison of texts."""
        text = super().sanitize(s)
        return without_pictures(text) if isinstance(text, str) else text

    def repr_failure(self, excinfo: pytest.ExceptionInfo) -> str:
        """Name the place in the source first."""
        return f"{self._where()}\n{super().repr_failure(excinfo)}"

    def _where(self) -> str:
        """Find the cell's line in its authoring file."""
        page = Path(self.path)
        kind = {folder: kind for kind, folder in FOLDERS.items()}[page.parent.name]
        name = SOURCES.get(kind, SOURCES["exercises"])
        path = page.parents[1] / "authoring" / page.stem / name
        code = [cell for cell in source.read(path) if cell.kind == "code"]
        return f"{source.shown(path)}:{code[self.cell_num].line}"


def settle(messages: Iterable[dict]) -> list[dict]:
    """Apply updates and clearings to the outputs before them; take live widgets out."""
    kept: list[dict] = []
    clear = False
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            clear = True
            if content.get("wait"):
                continue
        if clear and (kind in _OUTPUTS or kind == "clear_output"):
            kept = [m for m in kept if m["msg_type"] not in _OUTPUTS]
            clear = False
        if kind == "update_display_data":
            _update(kept, content)
        elif kind != "clear_output":
            content.get("data", {}).pop(WIDGET_VIEW, None)
            if content.get("data", True):
                kept.append(message)
    return kept


def seconds_table(seconds: dict[str, float]) -> list[str]:
    """Write what each page took, slowest last, and the sum."""
    width = max(map(len, seconds))
    rows = sorted(seconds.items(), key=lambda row: row[1])
    lines = [f"{name:<{width}} {taken:7.1f} s" for name, taken in rows]
    return [*lines, f"{'together':<{width}} {sum(seconds.values()):7.1f} s"]


def _update(messages: list[dict], content: dict) -> None:
    """Show new data in place of the display with the same id."""
    name = content["transient"]["display_id"]
    for message in messages:
        if message["content"].get("transient", {}).get("display_id") == name:
            message["content"]["data"] = content["data"]
            message["content"]["metadata"] = content["metadata"]


def _idle(message: dict) -> bool:
    return (
        message["msg_type"] == "status"
        and message["content"]["execution_state"] == "idle"
    )
