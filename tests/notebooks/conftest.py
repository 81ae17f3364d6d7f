"""Give `test_every_cell.py` its tests, the cells, and print what each page took."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.nbval_pass import SECONDS, PageFile, seconds_table
from tools.notebook import FOLDERS
from tools.source import ROOT


class ExecutedPages(pytest.File):
    """All pages that are kept with their outputs."""

    def collect(self) -> Iterator[PageFile]:
        for kind in ("lesson", "solutions"):
            for path in sorted((ROOT / FOLDERS[kind]).glob("*.ipynb")):
                yield PageFile.from_parent(self, path=path)


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    if file_path.name == "test_every_cell.py":
        return ExecutedPages.from_parent(parent, path=file_path)
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if seconds := terminalreporter.config.stash.get(SECONDS, {}):
        terminalreporter.section("seconds for each page, every cell run twice")
        for line in seconds_table(seconds):
            terminalreporter.write_line(line)
