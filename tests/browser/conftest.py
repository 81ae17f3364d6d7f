"""A learner's folder, JupyterLab on it, and a browser that may talk to nothing else."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from minitransformer.course import lab, workbook
from tools.room import network_off
from tools.source import ROOT

ARTEFACTS = ROOT / "artefacts" / "browser"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
SWITCHES = (
    "--no-sandbox",  # in a container there is no user namespace to build one with
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
)
TOKEN = "only-for-this-test"
SECONDS_TO_START = 60

IS_IDLE = """() => {
    const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext
        ?.session?.kernel;
    return kernel?.status === 'idle';
}"""
STOP = "() => jupyterapp.shell.currentWidget.sessionContext.shutdown()"
SHOW_CELL = """async text => {
    const content = jupyterapp.shell.currentWidget.content;
    const place = content.widgets.findIndex(cell => cell.model.type === 'code'
        && cell.model.sharedModel.getSource().includes(text));
    if (place >= 0) {
        content.activeCellIndex = place;
        await content.scrollToItem(place, 'start');
    }
    return place;
}"""


@dataclass
class Notebook:
    """One notebook, open in JupyterLab, as a learner sees it."""

    page: Page
    outside: list[str]  # what it asked of anybody but the server

    def run_all(self) -> None:
        """Run every cell, and wait until the last is done."""
        self._command("notebook:run-all-cells")

    def cell(self, text: str) -> Locator:
        """Bring the first code cell that holds a text into view.

        JupyterLab draws only what is near the view, so the cell is asked for by its place.
        """
        place = self.page.evaluate(SHOW_CELL, text)
        assert place >= 0, f"no code cell holds {text!r}"
        cell = self.page.locator(f'.jp-Notebook [data-windowed-list-index="{place}"]')
        cell.wait_for()
        return cell

    def run(self, text: str) -> None:
        """Run the first code cell that holds a text."""
        self.cell(text)
        self._command("notebook:run-cell")

    def write(self, before: str, code: str) -> None:
        """Replace the code of the first cell that holds a text, and run the cell."""
        self.cell(before).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(code)
        self._command("notebook:run-cell")

    def picture(self, name: str, of: Locator) -> None:
        """Keep a screenshot, to be looked at."""
        of.scroll_into_view_if_needed()
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")

    def _command(self, name: str) -> None:
        """Give JupyterLab a command, and wait until it has been carried out."""
        done = self.page.evaluate("name => jupyterapp.commands.execute(name)", name)
        assert done is not False, f"{name} came upon an error"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Any Chromium or Chrome of this machine, else the one that Playwright brought."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        if found is None and not own.exists():
            message = f"no browser: none of {', '.join(NAMES)}, nor {own}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(f"NOT TESTED IN A BROWSER: {message}")
        browser = playwright.chromium.launch(
            executable_path=found or own, args=list(SWITCHES)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory, browser) -> Iterator[str]:
    """JupyterLab on a learner's new folder, started as `minitransformer lab` does."""
    folder = tmp_path_factory.mktemp("learner") / "my_course"
    workbook.update(folder, workbook.pages(), date(2026, 1, 1))
    lab.prepare(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *lab.command(folder, browser=False),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    ]
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            command,
            env=lab.environment(folder, os.environ) | network_off(folder / "startup"),
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/api?token={TOKEN}", process)
            yield address
        finally:
            process.terminate()


@pytest.fixture
def open_notebook(browser, server) -> Iterator[Callable[[str], Notebook]]:
    """Open notebooks; at the end, nothing may have left the machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    opened: list[Notebook] = []
    outside: list[str] = []

    def note(url: str) -> None:
        parts, home = urlsplit(url), urlsplit(server)
        if (
            parts.scheme in ("http", "https", "ws", "wss")
            and parts.netloc != home.netloc
        ):
            outside.append(url)

    def open_notebook(path: str) -> Notebook:
        page = context.new_page()
        page.on("request", lambda request: note(request.url))
        page.on("websocket", lambda line: note(line.url))
        page.goto(f"{server}/lab/tree/{path}?token={TOKEN}&reset")
        page.wait_for_function(IS_IDLE, timeout=SECONDS_TO_START * 1000)
        opened.append(Notebook(page, outside))
        return opened[-1]

    yield open_notebook
    for notebook in opened:
        notebook.page.evaluate(STOP)
    context.close()
    assert outside == [], "the page reached for the network"


def _wait_for(address: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"JupyterLab ended at once, with status {process.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer within {SECONDS_TO_START} seconds")
